//! Files that an administrator wrote.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{HostError, Kind};

/// Largest file, in bytes.
const MAX_BYTES: u64 = 16 << 20;

/// Reads a text file.
///
/// # Errors
/// Of kind usage when it cannot be read, is no regular file, too large or not text.
pub(crate) fn read(path: &Path) -> Result<String, HostError> {
    String::from_utf8(bytes(path)?)
        .map_err(|_| HostError::usage(format_args!("`{}` is not text in UTF-8", path.display())))
}

/// Reads a file.
///
/// # Errors
/// Of kind usage when it cannot be read, is no regular file or too large.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, HostError> {
    let unreadable = |error| HostError { kind: Kind::Usage, ..HostError::io("read", path, &error) };
    // Before it is opened: opening a pipe waits for its other end.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(HostError::usage(format_args!("`{}` is not a regular file", path.display())));
    }
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(HostError::usage(format_args!(
            "`{}` is larger than {} MiB",
            path.display(),
            MAX_BYTES >> 20
        )));
    }
    Ok(bytes)
}
