//! Text files that an administrator wrote.

use std::path::Path;

use crate::error::{HostError, Kind};

/// Reads a text file.
///
/// # Errors
/// Of kind usage when it cannot be read.
pub(crate) fn read(path: &Path) -> Result<String, HostError> {
    std::fs::read_to_string(path)
        .map_err(|error| HostError { kind: Kind::Usage, ..HostError::io("read", path, &error) })
}
