//! Text files that an administrator wrote.

use std::path::Path;

use inventory::files;

use crate::error::{HostError, Kind};

/// Reads a text file.
///
/// # Errors
/// Of kind usage when it cannot be read.
pub(crate) fn read(path: &Path) -> Result<String, HostError> {
    files::read_regular_text(path, files::MOST_TEXT)
        .map_err(|error| HostError { kind: Kind::Usage, ..HostError::io("read", path, &error) })
}
