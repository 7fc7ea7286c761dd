//! Files that appear whole or not at all, readable by their owner only.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::HostError;
use crate::home::{folder_of, sync_folder};

/// A file under construction: written next to its place under a name of its own, flushed to disk and
/// then renamed. Dropped unfinished, it leaves nothing.
#[derive(Debug)]
pub struct SafeFile {
    file: BufWriter<NamedTempFile>,
    path: PathBuf,
    bytes: u64,
}

impl SafeFile {
    /// Begins a file. Its mode is 0600: what goes into it may describe people.
    ///
    /// # Errors
    /// When its folder cannot be written to.
    pub fn create(path: &Path) -> Result<SafeFile, HostError> {
        let folder = folder_of(path);
        // Made exclusively, with mode 0600.
        let file = tempfile::Builder::new()
            .prefix(".export-")
            .tempfile_in(folder)
            .map_err(|error| HostError::io("make a file in", folder, &error))?;
        Ok(SafeFile { file: BufWriter::new(file), path: path.to_owned(), bytes: 0 })
    }

    /// Writes a whole file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(path: &Path, content: &[u8]) -> Result<(), HostError> {
        let mut file = SafeFile::create(path)?;
        file.write_all(content).map_err(|error| HostError::io("write", path, &error))?;
        file.finish().map(drop)
    }

    /// Puts the file in its place, instead of one that is there; returns its size in bytes. A
    /// symbolic link in its place is replaced, not followed.
    ///
    /// # Errors
    /// When it cannot be written to disk or renamed.
    pub fn finish(self) -> Result<u64, HostError> {
        let SafeFile { file, path, bytes } = self;
        let failed = |error: &std::io::Error| HostError::io("write", &path, error);
        let file = file.into_inner().map_err(|error| failed(error.error()))?;
        file.as_file().sync_all().map_err(|error| failed(&error))?;
        file.persist(&path).map_err(|error| failed(&error.error))?;
        sync_folder(folder_of(&path))?;
        Ok(bytes)
    }
}

impl Write for SafeFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// Makes a folder for exports with mode 0700; one that exists is left as it is.
///
/// # Errors
/// When it cannot be made, or is something else.
pub fn make_folder(path: &Path) -> Result<(), HostError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| HostError::io("make the folder", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_dropped_unfinished_leaves_nothing_and_keeps_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        SafeFile::write(&path, b"old").unwrap();
        let mut file = SafeFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        drop(file);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_in_its_place_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::create_dir(&path).unwrap();
        let error = SafeFile::write(&path, b"x").unwrap_err();
        assert!(error.message.contains("a.csv"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn files_are_private_and_a_link_is_replaced_rather_than_followed() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("a.csv"));
        std::fs::write(&target, "untouched").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        SafeFile::write(&link, b"new").unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"untouched");
        let metadata = std::fs::symlink_metadata(&link).unwrap();
        assert!(metadata.is_file());
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    }
}
