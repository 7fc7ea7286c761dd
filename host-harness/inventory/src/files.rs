//! Files and folders that only their owner may read, and that are there after a power cut.

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
