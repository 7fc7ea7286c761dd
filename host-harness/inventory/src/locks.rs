//! What only one may do at a time, over all threads and processes of one folder: the operating
//! system's file lock, which ends with its process however that ends.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::Duration;

use crate::connectors::Connector;
use crate::error::{StoreError, StoreErrorKind};
use crate::files::make_private_folder;
use crate::folder::Folder;

/// Attempts of a server to take its lock.
const LOOKS: u32 = 10;
/// Time between two of them.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// The right to run a connector, until dropped.
#[derive(Debug)]
pub struct RunLock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl RunLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// When a run of this connector is in progress; says in which process.
    pub fn take(folder: &Folder, connector: &Connector) -> Result<RunLock, StoreError> {
        let mut file = open_run(folder, connector.id)?;
        match file.try_lock() {
            Ok(()) => {
                // Only for the message of the next one who tries.
                let noted = file
                    .set_len(0)
                    .and_then(|()| file.seek(SeekFrom::Start(0)))
                    .and_then(|_| write!(file, "{}", std::process::id()));
                if let Err(error) = noted {
                    log::debug!("the lock's owner could not be noted: {error}");
                }
                Ok(RunLock(file))
            }
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                let known = file.read_to_string(&mut owner).is_ok_and(|length| length > 0);
                let owner = if known { format!(" in process {owner}") } else { String::new() };
                Err(StoreError::new(
                    StoreErrorKind::Busy,
                    format_args!("a run of `{}` is already in progress{owner}", connector.name),
                )
                .with_hint("wait until it has ended, or stop that process"))
            }
            Err(TryLockError::Error(error)) => {
                Err(StoreError::io("lock a file in", &folder.locks(), error))
            }
        }
    }

    /// Whether a living process holds the lock.
    pub fn is_held(folder: &Folder, connector_id: i64) -> bool {
        let Ok(file) = open_run(folder, connector_id) else { return true };
        file.try_lock().is_err()
    }
}

/// The right to be the server of a folder, until dropped.
#[derive(Debug)]
pub struct ServerLock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl ServerLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// When another server of this folder is at work; names it.
    pub fn take(folder: &Folder) -> Result<ServerLock, StoreError> {
        let mut file = open(folder, "server")?;
        let mut taken = file.try_lock();
        // Whoever only looks whether there is a server holds the lock for a moment.
        for _ in 0..LOOKS {
            if !matches!(taken, Err(TryLockError::WouldBlock)) {
                break;
            }
            std::thread::sleep(LOOK_INTERVAL);
            taken = file.try_lock();
        }
        match taken {
            Ok(()) => {
                let since = crate::time::rfc3339(crate::time::now());
                file.set_len(0)
                    .and_then(|()| file.seek(SeekFrom::Start(0)))
                    .and_then(|_| write!(file, "process {} since {since}", std::process::id()))
                    .map_err(|error| StoreError::io("write a file in", &folder.locks(), error))?;
                Ok(ServerLock(file))
            }
            Err(TryLockError::WouldBlock) => Err(StoreError::system(format_args!(
                "a server of this home folder is already running: {}",
                owner(&mut file)
            ))
            .with_hint("stop that one first, or give this one another folder with `--home DIR`")),
            Err(TryLockError::Error(error)) => {
                Err(StoreError::io("lock a file in", &folder.locks(), error))
            }
        }
    }

    /// The server at work on this folder, as `process N since TIME`; none if there is none.
    pub fn holder(folder: &Folder) -> Option<String> {
        let mut file = File::open(folder.locks().join("server")).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(owner(&mut file)),
            _ => None,
        }
    }
}

fn owner(file: &mut File) -> String {
    let mut owner = String::new();
    match file.read_to_string(&mut owner) {
        Ok(length) if length > 0 => owner,
        _ => "process unknown".into(),
    }
}

/// A lease a connector took by name, until dropped.
#[derive(Debug)]
pub struct Lease(#[expect(dead_code, reason = "the open file is the lock")] File);

impl Lease {
    /// Takes the lease if nobody holds it. The name has up to 64 letters, digits, `_` and `-`.
    ///
    /// # Errors
    /// When the name is another, or the lock file cannot be used.
    pub fn try_take(
        folder: &Folder,
        connector_id: i64,
        name: &str,
    ) -> Result<Option<Lease>, StoreError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            return Err(StoreError::system(
                "a lease's name has up to 64 letters, digits, `_`, `-`",
            ));
        }
        let file = open(folder, &format!("lease-{connector_id}-{name}"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lease(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => {
                Err(StoreError::io("lock a file in", &folder.locks(), error))
            }
        }
    }
}

/// The sealing key in use: shared by all who seal and open, exclusive while it is changed.
#[derive(Debug)]
pub struct KeyLock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl KeyLock {
    /// Shares the key; waits while it is being changed.
    ///
    /// # Errors
    /// When the lock file cannot be used.
    pub fn shared(folder: &Folder) -> Result<KeyLock, StoreError> {
        let file = open(folder, "key")?;
        file.lock_shared()
            .map_err(|error| StoreError::io("lock a file in", &folder.locks(), error))?;
        Ok(KeyLock(file))
    }

    /// Takes the key for a change.
    ///
    /// # Errors
    /// When another process of this folder is at work.
    pub fn exclusive(folder: &Folder) -> Result<KeyLock, StoreError> {
        let file = open(folder, "key")?;
        match file.try_lock() {
            Ok(()) => Ok(KeyLock(file)),
            Err(TryLockError::WouldBlock) => Err(StoreError::system(
                "the sealing key is in use by another process of this endpoint server",
            )
            .with_hint("wait until its runs have ended, or stop it, then change the key")),
            Err(TryLockError::Error(error)) => {
                Err(StoreError::io("lock a file in", &folder.locks(), error))
            }
        }
    }
}

fn open_run(folder: &Folder, connector_id: i64) -> Result<File, StoreError> {
    open(folder, &format!("connector-{connector_id}"))
}

fn open(folder: &Folder, name: &str) -> Result<File, StoreError> {
    make_private_folder(&folder.locks())?;
    let path = folder.locks().join(name);
    File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(|error| StoreError::io("open", &path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_has_one_holder_until_it_is_dropped_and_names_are_apart() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::new(folder.path());
        let take = |id, name| Lease::try_take(&folder, id, name).unwrap();
        let held = take(1, "grant").unwrap();
        assert!(take(1, "grant").is_none());
        assert!(take(2, "grant").is_some() && take(1, "other").is_some());
        drop(held);
        assert!(take(1, "grant").is_some());
        assert!(Lease::try_take(&folder, 1, "../key").is_err());
    }

    #[test]
    fn a_key_in_use_is_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::new(folder.path());
        let (one, two) = (KeyLock::shared(&folder).unwrap(), KeyLock::shared(&folder).unwrap());
        assert!(KeyLock::exclusive(&folder).is_err());
        drop(one);
        drop(two);
        drop(KeyLock::exclusive(&folder).unwrap());
    }
}
