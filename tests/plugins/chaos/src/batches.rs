//! What a library can hand over wrongly, or at the wrong time.
#![expect(clippy::undocumented_unsafe_blocks, reason = "this file breaks the rules on purpose")]

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::Schema;
use connector_api::batch::ArrowBatch;
use connector_api::{Error, Host, Sink};

use crate::{other, three};

/// Rows a host does not accept in one batch.
const TOO_MANY: i64 = 50_000_000;

/// The buffers of a column of texts, by the C data interface.
const OFFSETS: usize = 1;
const TEXT: usize = 2;

/// Does it, and continues if the host lets it.
pub(super) fn act(what: &str, host: &Host, sink: &mut Sink) -> Result<(), Error> {
    let sizes = |sizes: [i64; 3]| Arc::new(Int64Array::from(sizes.to_vec())) as ArrayRef;
    let good = || three("Size", sizes([1, 2, 3]));
    let batch = match what {
        "no-rows" => RecordBatch::try_from_iter([
            ("Id", Arc::new(StringArray::from(Vec::<&str>::new())) as ArrayRef),
            ("Size", Arc::new(Int64Array::from(Vec::<i64>::new())) as ArrayRef),
        ])
        .map_err(other)
        .and_then(ArrowBatch::from_record_batch)?,
        "no-columns" => {
            let rows = RecordBatchOptions::new().with_row_count(Some(3));
            RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &rows)
                .map_err(other)
                .and_then(ArrowBatch::from_record_batch)?
        }
        "wide" => {
            let columns = (0..5_000).map(|number| (format!("C{number}"), sizes([1, 2, 3])));
            RecordBatch::try_from_iter(columns)
                .map_err(other)
                .and_then(ArrowBatch::from_record_batch)?
        }
        "many-rows" => {
            let mut batch = good()?;
            batch.array.length = TOO_MANY;
            batch
        }
        "changed" => {
            sink.batch("thing", good()?)?;
            three("Size", Arc::new(StringArray::from(vec!["1", "2", "3"])))?
        }
        "bad-text" => unsafe { poked(good()?, TEXT, 1, 0xff_u8) },
        "bad-offsets" => unsafe { poked(good()?, OFFSETS, 1, 3_i32) },
        "offsets-beyond" => unsafe { poked(good()?, OFFSETS, 2, 4_000_i32) },
        "released" => {
            let mut batch = good()?;
            if let Some(release) = batch.array.release {
                unsafe { release(&raw mut batch.array) };
            }
            batch
        }
        "null-key" => RecordBatch::try_from_iter_with_nullable([
            ("Id", Arc::new(StringArray::from(vec![Some("a"), None, None])) as ArrayRef, true),
            ("Size", sizes([1, 2, 3]), true),
        ])
        .map_err(other)
        .and_then(ArrowBatch::from_record_batch)?,
        // The usual three follow once more.
        "twice" => good()?,
        "early-checkpoint" => return sink.checkpoint("thing", "{}"),
        "long-error" => return Err(other("x".repeat(64 << 20))),
        "odd-error" => {
            return Err(other("a\0b\u{1b}[31mc\nd\u{202e}e").with_hint("\u{1b}]0;f\u{7}"));
        }
        "panic-number" => std::panic::panic_any(7_u32),
        "thread-panic" => {
            let thread = std::thread::spawn(|| std::panic::panic_any("a thread of its own"));
            log::info!("its thread panicked: {}", thread.join().is_err());
            return Ok(());
        }
        "insistent" => {
            // It hears that it is to stop, and hands over what it has all the same.
            while host.sleep(Duration::from_secs(60)).is_ok() {}
            for _ in 0..2 {
                if let Err(error) = sink.batch("thing", good()?) {
                    log::warn!("after the cancel the sink answers `{:?}`", error.kind);
                }
            }
            return Ok(());
        }
        _ => return Ok(()),
    };
    sink.batch("thing", batch)
}

/// A good batch of which one number of a column's buffer was overwritten where it lies.
///
/// # Safety
/// The first column must have that buffer, and it must be long enough.
unsafe fn poked<T>(batch: ArrowBatch, buffer: usize, at: usize, value: T) -> ArrowBatch {
    unsafe {
        let ids = &mut **batch.array.children;
        (*ids.buffers.add(buffer)).cast_mut().cast::<T>().add(at).write(value);
    }
    batch
}
