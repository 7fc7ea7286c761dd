//! The file of the sealing key: where it lies, how it is made, how one takes the place of another.

use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::KEY_CHECK;
use super::cipher::{Cipher, KEY};
use crate::error::StoreError;
use crate::files::{folder_of, restrict, sync_folder};
use crate::folder::Folder;

/// A sealing key.
pub(crate) type Key = Zeroizing<[u8; KEY]>;

/// Where the sealing key may lie, from the environment.
#[derive(Clone, Debug, Default)]
pub struct KeyPlace {
    /// `ENDPOINT_SERVER_KEY_FILE`.
    pub file: Option<PathBuf>,
    /// `CREDENTIALS_DIRECTORY`, as a service manager sets it; the file in it is
    /// `endpoint-server-key`.
    pub credentials_directory: Option<PathBuf>,
}

/// Where a fresh key lies until everything is sealed with it.
pub(super) fn next_path(path: &Path) -> PathBuf {
    path.with_extension("next")
}

/// After a crash during a change: the fresh key takes its place if the store is sealed with it
/// already, and goes if it is not.
pub(super) fn settle_change(path: &Path, check: &[u8]) -> Result<(), StoreError> {
    let fresh = next_path(path);
    let opens =
        |key: Option<Key>| key.is_some_and(|key| Cipher::new(&key).open(KEY_CHECK, check).is_ok());
    let Ok(next) = read_key(&fresh) else { return Ok(()) };
    if next.is_none() {
        return Ok(());
    }
    if opens(next) {
        log::warn!("a change of the sealing key was interrupted: it is finished now");
        return replace(&fresh, path);
    }
    if read_key(path).is_ok_and(opens) {
        std::fs::remove_file(&fresh).map_err(|error| StoreError::io("remove", &fresh, error))?;
    }
    Ok(())
}

/// Renames a file over another, durably. One that somebody else renamed meanwhile is fine.
pub(super) fn replace(from: &Path, to: &Path) -> Result<(), StoreError> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(StoreError::io("put the new sealing key at", to, error)
                .with_hint("run any command again to finish the change"));
        }
        _ => {}
    }
    sync_folder(folder_of(to))
}

/// The key's path, and whether a missing one may be made there.
pub(super) fn key_path(folder: &Folder, place: &KeyPlace) -> (PathBuf, bool) {
    if let Some(file) = &place.file {
        return (file.clone(), false);
    }
    if let Some(folder) = &place.credentials_directory {
        let file = folder.join("endpoint-server-key");
        if file.exists() {
            return (file, false);
        }
    }
    (folder.key_file(), true)
}

pub(super) fn read_key(path: &Path) -> Result<Option<Key>, StoreError> {
    let text = match std::fs::read(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(StoreError::io("read the sealing key", path, error)
                .with_hint("it must be readable by the account that runs the endpoint server"));
        }
    };
    refuse_open_mode(path)?;
    let mut key = Zeroizing::new([0_u8; KEY]);
    let trimmed = text.trim_ascii();
    // Base64 as this program writes it, or the bare bytes.
    let decoded = STANDARD.decode_slice(trimmed, &mut key[..]);
    match decoded {
        Ok(KEY) => Ok(Some(key)),
        _ if text.len() == KEY => {
            key.copy_from_slice(&text);
            Ok(Some(key))
        }
        _ => Err(StoreError::system(format_args!(
            "the sealing key `{}` is damaged: it must hold {KEY} bytes, as such or in base64",
            path.display()
        ))
        .with_hint("restore it from where it is kept; nothing was changed")),
    }
}

#[cfg(unix)]
fn refuse_open_mode(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path)
        .map_err(|error| StoreError::io("read the mode of", path, error))?
        .permissions()
        .mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(StoreError::system(format_args!(
        "the sealing key `{}` may be read by others (mode {:04o})",
        path.display(),
        mode & 0o7777
    ))
    .with_hint(format_args!("run `chmod 600 {}`", path.display())))
}

#[cfg(not(unix))]
fn refuse_open_mode(_: &Path) -> Result<(), StoreError> {
    Ok(())
}

/// Makes a key, all or nothing; if another process was faster, its key holds.
pub(super) fn make_key(path: &Path) -> Result<Key, StoreError> {
    let failed = |error: std::io::Error| StoreError::io("make the sealing key", path, error);
    let mut key = Zeroizing::new([0_u8; KEY]);
    getrandom::fill(&mut key[..])
        .map_err(|error| StoreError::system(format_args!("no random bytes: {error}")))?;
    let folder = folder_of(path);
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    restrict(file.path(), 0o600)?;
    let text = Zeroizing::new(STANDARD.encode(&key[..]));
    file.write_all(text.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.as_file().sync_all())
        .map_err(failed)?;
    match file.persist_noclobber(path) {
        Ok(_) => {
            sync_folder(folder)?;
            Ok(key)
        }
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
            read_key(path)?.ok_or_else(|| failed(error.error))
        }
        Err(error) => Err(failed(error.error)),
    }
}
