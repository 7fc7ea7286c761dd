//! Records in transit: the Arrow C Data Interface.
//!
//! The two structures are declared here, field by field as the interface defines them, so that no
//! release of an Arrow library is part of the contract.
//!
//! # Source
//! The Arrow C data interface, <https://arrow.apache.org/docs/format/CDataInterface.html>.

use std::ffi::{c_char, c_void};

use abi_stable::StableAbi;

/// `struct ArrowArray`.
#[repr(C)]
#[derive(StableAbi, Debug)]
pub struct CArrowArray {
    /// Rows.
    pub length: i64,
    /// Nulls, or -1 if not counted.
    pub null_count: i64,
    /// Rows to skip at the start of the buffers.
    pub offset: i64,
    /// How many buffers.
    pub n_buffers: i64,
    /// How many children: the columns.
    pub n_children: i64,
    /// The buffers.
    #[sabi(unsafe_opaque_field)]
    pub buffers: *mut *const c_void,
    /// The children.
    #[sabi(unsafe_opaque_field)]
    pub children: *mut *mut CArrowArray,
    /// The dictionary; unused here.
    #[sabi(unsafe_opaque_field)]
    pub dictionary: *mut CArrowArray,
    /// Frees the array; null once released or moved away.
    #[sabi(unsafe_opaque_field)]
    pub release: Option<unsafe extern "C" fn(*mut CArrowArray)>,
    /// The producer's.
    #[sabi(unsafe_opaque_field)]
    pub private_data: *mut c_void,
}

/// `struct ArrowSchema`.
#[repr(C)]
#[derive(StableAbi, Debug)]
pub struct CArrowSchema {
    /// The type, e.g. `+s` for a struct.
    #[sabi(unsafe_opaque_field)]
    pub format: *const c_char,
    /// The column's name.
    #[sabi(unsafe_opaque_field)]
    pub name: *const c_char,
    /// Encoded key-value pairs; unused here.
    #[sabi(unsafe_opaque_field)]
    pub metadata: *const c_char,
    /// Bit 2 (value 2): nullable.
    pub flags: i64,
    /// How many children: the columns.
    pub n_children: i64,
    /// The children.
    #[sabi(unsafe_opaque_field)]
    pub children: *mut *mut CArrowSchema,
    /// The dictionary; unused here.
    #[sabi(unsafe_opaque_field)]
    pub dictionary: *mut CArrowSchema,
    /// Frees the schema; null once released or moved away.
    #[sabi(unsafe_opaque_field)]
    pub release: Option<unsafe extern "C" fn(*mut CArrowSchema)>,
    /// The producer's.
    #[sabi(unsafe_opaque_field)]
    pub private_data: *mut c_void,
}

impl Drop for CArrowArray {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: the interface lets the holder of an unreleased array release it once; the
            // callback sets `release` to null.
            unsafe { release(self) }
        }
    }
}

impl Drop for CArrowSchema {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: as for the array.
            unsafe { release(self) }
        }
    }
}

/// One record batch and its schema. Dropping it releases both, wherever they were made.
#[repr(C)]
#[derive(StableAbi, Debug)]
pub struct ArrowBatch {
    /// A struct array; its children are the columns.
    pub array: CArrowArray,
    /// Its schema, format `+s`.
    pub schema: CArrowSchema,
}

// SAFETY: the C data interface makes no use of the thread that made an array, and its release
// callback may run on any thread; the pointers are owned by the value.
unsafe impl Send for ArrowBatch {}
