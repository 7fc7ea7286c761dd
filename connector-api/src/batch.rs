//! Records in transit.
//!
//! A batch is one struct array of the Arrow C Data Interface: flat columns of the types in
//! [`FieldType`](crate::manifest::FieldType), 1 to [`MAX_ROWS`] rows.

pub use crate::ffi::arrow::{ArrowBatch, CArrowArray, CArrowSchema};

/// Rows a connector should put into one batch: large enough to pay for the call, small enough for
/// the processor's cache.
pub const PREFERRED_ROWS: usize = 2_000;

/// Rows a host accepts in one batch.
pub const MAX_ROWS: usize = 65_536;

/// Conversions for connectors and hosts that use arrow-array.
#[cfg(feature = "arrow")]
mod arrow {
    use std::mem::{ManuallyDrop, size_of};

    use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi, to_ffi};
    use arrow_array::{Array, RecordBatch, StructArray};

    use super::{ArrowBatch, CArrowArray, CArrowSchema, MAX_ROWS};
    use crate::error::{Error, ErrorKind};

    const _: () = assert!(size_of::<FFI_ArrowArray>() == size_of::<CArrowArray>());
    const _: () = assert!(size_of::<FFI_ArrowSchema>() == size_of::<CArrowSchema>());

    /// Moves a value into the same C structure declared elsewhere.
    ///
    /// # Safety
    /// `From` and `To` must both be `repr(C)` declarations of one C structure.
    unsafe fn same_c_struct<From, To>(from: From) -> To {
        let from = ManuallyDrop::new(from);
        // SAFETY: the caller promises the same layout; `from` is not used or dropped again.
        unsafe { std::ptr::read((&raw const *from).cast::<To>()) }
    }

    impl ArrowBatch {
        /// Hands a record batch over; no data is copied.
        ///
        /// # Errors
        /// [`ErrorKind::SCHEMA`] for a column type the C data interface cannot carry.
        pub fn from_record_batch(batch: RecordBatch) -> Result<ArrowBatch, Error> {
            let data = StructArray::from(batch).into_data();
            let (array, schema) =
                to_ffi(&data).map_err(|error| Error::new(ErrorKind::SCHEMA, error))?;
            // SAFETY: arrow-array's types are its `repr(C)` declarations of the same structures.
            Ok(unsafe { ArrowBatch { array: same_c_struct(array), schema: same_c_struct(schema) } })
        }

        /// Takes a batch over and checks everything that can be checked: it was not released, its
        /// length is sane, columns agree in length, offsets and texts are valid.
        ///
        /// # Errors
        /// [`ErrorKind::SCHEMA`] with the reason.
        pub fn into_record_batch(self) -> Result<RecordBatch, Error> {
            let bad = |reason: &dyn std::fmt::Display| {
                Error::new(
                    ErrorKind::SCHEMA,
                    format_args!("the connector handed over a bad record batch: {reason}"),
                )
            };
            if self.array.release.is_none() || self.schema.release.is_none() {
                return Err(bad(&"it was released before"));
            }
            if !(0..=MAX_ROWS as i64).contains(&self.array.length) {
                return Err(bad(&format_args!(
                    "{} rows, at most {MAX_ROWS} are accepted",
                    self.array.length
                )));
            }
            if self.array.n_children != self.schema.n_children {
                return Err(bad(&"array and schema differ in their number of columns"));
            }
            // SAFETY: same structures as above; the values are unreleased and owned here.
            let (array, schema): (FFI_ArrowArray, FFI_ArrowSchema) =
                unsafe { (same_c_struct(self.array), same_c_struct(self.schema)) };
            // SAFETY: lengths and counts were checked; the producer promises valid buffers, which
            // the validation below re-checks as far as the interface allows.
            let data = unsafe { from_ffi(array, &schema) }.map_err(|error| bad(&error))?;
            data.validate_full().map_err(|error| bad(&error))?;
            if !matches!(data.data_type(), arrow_schema::DataType::Struct(_)) {
                return Err(bad(&"it is not a struct array"));
            }
            let columns = StructArray::from(data);
            if columns.null_count() > 0 {
                return Err(bad(&"a record as a whole is null"));
            }
            Ok(RecordBatch::from(columns))
        }
    }

    #[cfg(test)]
    mod tests {
        use std::ffi::c_void;
        use std::sync::Arc;
        use std::sync::atomic::{AtomicU32, Ordering};

        use arrow_array::{Int64Array, StringArray};

        use super::*;

        fn sample() -> RecordBatch {
            RecordBatch::try_from_iter([
                ("Id", Arc::new(StringArray::from(vec!["a", "b"])) as _),
                ("Count", Arc::new(Int64Array::from(vec![Some(1), None])) as _),
            ])
            .expect("two columns of two rows")
        }

        #[test]
        fn a_batch_arrives_as_it_was_sent() {
            let batch = ArrowBatch::from_record_batch(sample()).unwrap();
            assert_eq!(batch.into_record_batch().unwrap(), sample());
        }

        #[test]
        fn a_released_batch_is_refused() {
            let mut batch = ArrowBatch::from_record_batch(sample()).unwrap();
            let release = batch.array.release.unwrap();
            // SAFETY: released once, as its holder may.
            unsafe { release(&raw mut batch.array) };
            let error = batch.into_record_batch().unwrap_err();
            assert!(error.message.contains("released before"), "{error}");
        }

        #[test]
        fn a_batch_with_too_many_rows_is_refused() {
            let mut batch = ArrowBatch::from_record_batch(sample()).unwrap();
            batch.array.length = MAX_ROWS as i64 + 1;
            let error = batch.into_record_batch().unwrap_err();
            assert!(error.message.contains("65537 rows"), "{error}");
        }

        /// What a release callback releases, and how often it was called.
        struct Counted<T> {
            inner: unsafe extern "C" fn(*mut T),
            private_data: *mut c_void,
            calls: AtomicU32,
        }

        macro_rules! counting {
            ($name:ident, $structure:ty) => {
                unsafe extern "C" fn $name(it: *mut $structure) {
                    // SAFETY: `counted` put a leaked `Counted` there; only the first call continues.
                    unsafe {
                        let counted = &*(*it).private_data.cast::<Counted<$structure>>();
                        if counted.calls.fetch_add(1, Ordering::Relaxed) == 0 {
                            (*it).private_data = counted.private_data;
                            (counted.inner)(it);
                        }
                    }
                }
            };
        }
        counting!(release_array, CArrowArray);
        counting!(release_schema, CArrowSchema);

        /// The sample, and how often array and schema were released.
        fn counted() -> (ArrowBatch, impl Fn() -> [u32; 2]) {
            let mut batch = ArrowBatch::from_record_batch(sample()).unwrap();
            let array = Box::leak(Box::new(Counted {
                inner: batch.array.release.unwrap(),
                private_data: batch.array.private_data,
                calls: AtomicU32::new(0),
            }));
            let schema = Box::leak(Box::new(Counted {
                inner: batch.schema.release.unwrap(),
                private_data: batch.schema.private_data,
                calls: AtomicU32::new(0),
            }));
            batch.array.private_data = (&raw mut *array).cast();
            batch.array.release = Some(release_array);
            batch.schema.private_data = (&raw mut *schema).cast();
            batch.schema.release = Some(release_schema);
            let (array, schema) = (&array.calls, &schema.calls);
            (batch, || [array.load(Ordering::Relaxed), schema.load(Ordering::Relaxed)])
        }

        #[test]
        fn a_batch_is_released_once_whatever_becomes_of_it() {
            let (batch, released) = counted();
            drop(batch);
            assert_eq!(released(), [1, 1], "dropped as it is");

            let (batch, released) = counted();
            let taken = batch.into_record_batch().unwrap();
            assert_eq!(released(), [0, 1], "the records are in use, their schema is not");
            let column = taken.column(0).clone();
            std::thread::spawn(move || drop(taken)).join().unwrap();
            assert_eq!(released()[0], 0, "a column is still in use");
            drop(column);
            assert_eq!(released(), [1, 1], "taken over and dropped elsewhere");

            let (mut batch, released) = counted();
            batch.array.length = MAX_ROWS as i64 + 1;
            batch.into_record_batch().unwrap_err();
            assert_eq!(released(), [1, 1], "refused at once");

            let (batch, released) = counted();
            // SAFETY: the first column has a buffer of offsets, of three numbers.
            unsafe {
                let ids = &**batch.array.children;
                (*ids.buffers.add(1)).cast_mut().cast::<i32>().add(1).write(4_000);
            }
            batch.into_record_batch().unwrap_err();
            assert_eq!(released(), [1, 1], "refused after it was taken over");
        }
    }
}
