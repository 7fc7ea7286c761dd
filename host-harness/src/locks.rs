//! One run of a connector at a time, over all processes: the operating system's file lock, which
//! ends with its process however that ends.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};

use crate::error::HostError;
use crate::home::{Home, make_private_folder};
use crate::store::Connector;

/// The right to run a connector, until dropped.
#[derive(Debug)]
pub struct RunLock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl RunLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// When a run of this connector is in progress; says in which process.
    pub fn take(home: &Home, connector: &Connector) -> Result<RunLock, HostError> {
        let mut file = open(home, connector.id)?;
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
                Err(HostError::failed(format_args!(
                    "a run of `{}` is already in progress{owner}",
                    connector.name
                ))
                .with_hint("wait until it has ended, or stop that process"))
            }
            Err(TryLockError::Error(error)) => {
                Err(HostError::io("lock a file in", &home.locks(), &error))
            }
        }
    }

    /// Whether a living process holds the lock.
    pub fn is_held(home: &Home, connector_id: i64) -> bool {
        let Ok(file) = open(home, connector_id) else { return true };
        file.try_lock().is_err()
    }
}

fn open(home: &Home, connector_id: i64) -> Result<File, HostError> {
    make_private_folder(&home.locks())?;
    let path = home.locks().join(format!("connector-{connector_id}"));
    File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(|error| HostError::io("open", &path, &error))
}
