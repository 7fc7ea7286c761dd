//! Files that an administrator wrote.

use std::path::Path;

use inventory::files;

use crate::error::{HostError, Kind};

/// Largest file, in bytes.
const MAX_BYTES: u64 = 16 << 20;

/// Reads a text file.
///
/// # Errors
/// Of kind usage when it cannot be read, is no regular file, too large or not text.
pub(crate) fn read(path: &Path) -> Result<String, HostError> {
    files::read_regular_text(path, MAX_BYTES).map_err(|error| unreadable(path, &error))
}

/// Reads a file.
///
/// # Errors
/// Of kind usage when it cannot be read, is no regular file or too large.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, HostError> {
    files::read_regular(path, MAX_BYTES).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> HostError {
    HostError { kind: Kind::Usage, ..HostError::io("read", path, error) }
}
