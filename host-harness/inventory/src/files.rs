//! Files and folders that only their owner may read, and that are there after a power cut.

use std::fs::File;
use std::io::{Error, ErrorKind, Read};
use std::path::Path;

use crate::error::StoreError;

/// Makes a folder (and its parents) with mode 0700; takes away group and other access from one that exists.
///
/// # Errors
/// When it cannot be made or is something else.
pub fn make_private_folder(path: &Path) -> Result<(), StoreError> {
    if !path.is_dir() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path).map_err(|error| {
            StoreError::io("make the folder", path, error)
                .with_hint("name another folder with `--home DIR`, or make this one writable")
        })?;
    }
    restrict(path, 0o700)
}

/// Takes all access beyond `mode` away from a file or folder; does nothing where modes are unknown.
///
/// # Errors
/// When the mode cannot be read or changed.
pub fn restrict(path: &Path, mode: u32) -> Result<(), StoreError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let failed = |error| StoreError::io("restrict the mode of", path, error);
        let now = std::fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
        if now & !mode != 0 {
            let permissions = std::fs::Permissions::from_mode(now & mode);
            std::fs::set_permissions(path, permissions).map_err(failed)?;
        }
    }
    #[cfg(not(unix))]
    let _ = (path, mode);
    Ok(())
}

/// The folder a file lies in; the current one for a bare name.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes the names in a folder to disk: a file that was made or renamed is there after a power cut
/// only once its folder is written. Does nothing where folders cannot be opened.
///
/// # Errors
/// When the disk refuses.
pub fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| StoreError::io("write to disk the folder", folder, error))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Most bytes of a text that an administrator writes: settings, keys, certificates, imports.
pub const MOST_TEXT: u64 = 64 << 20;

/// Reads a whole file that must be a regular one of at most that many bytes: a device or a pipe has no
/// end.
///
/// # Errors
/// When it cannot be read, is something else or is longer.
pub fn read_regular(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let file = open_without_waiting(path)?;
    if !file.metadata()?.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let reason = format!("it is longer than {most} bytes");
        return Err(Error::new(ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}

/// Reads a text file as [`read_regular`] does.
///
/// # Errors
/// As there, and when it is not UTF-8.
pub fn read_regular_text(path: &Path, most: u64) -> std::io::Result<String> {
    let not_text = |_| Error::new(ErrorKind::InvalidData, "it is not UTF-8 text");
    String::from_utf8(read_regular(path, most)?).map_err(not_text)
}

/// Opens a file; a pipe that nobody writes to does not hold this up.
fn open_without_waiting(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regular_file_is_read_to_its_limit_and_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read_regular_text(&path, 5).unwrap(), "12345");
        assert_eq!(read_regular(&path, 4).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert!(read_regular(folder.path(), 5).is_err());
        std::fs::write(&path, [0xff]).unwrap();
        assert_eq!(read_regular_text(&path, 5).unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_and_a_pipe_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
        for endless in [Path::new("/dev/zero"), &pipe] {
            let error = read_regular(endless, 5).unwrap_err();
            assert!(error.to_string().contains("not a regular file"), "{error}");
        }
    }
}
