//! The handle for writing: one SQLite file, the only writer of it.
//!
//! Rows of a dataset are versioned by run: a version is part of snapshot `S` exactly if
//! `_from <= S` and (`_to` is null or `_to > S`). A run adds versions that no published snapshot can
//! see, and publishing is one transaction; a run that fails takes its versions back.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::StoreError;
use crate::files::make_private_folder;
use crate::folder::Folder;
use crate::schema;

/// How often a write is tried again after waiting for another process, five seconds each.
const BUSY_ATTEMPTS: u32 = 12;

/// The store, opened for writing. Its transactions are short, so that a secret can be stored while
/// a run writes rows.
#[derive(Debug)]
pub struct Store {
    folder: Folder,
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens the store in that folder; makes it if there is none.
    ///
    /// # Errors
    /// When the folder or the file cannot be made or read, or the store is newer than this program.
    pub fn open(folder: &Folder) -> Result<Store, StoreError> {
        make_private_folder(folder.path())?;
        let connection = schema::open_writable(&folder.store_file())?;
        Ok(Store { folder: folder.clone(), connection: Mutex::new(connection) })
    }

    /// The folder it lies in.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic while the lock was held left at most a transaction that rolled back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads without a transaction.
    pub(crate) fn read<T>(
        &self,
        f: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        f(&self.lock())
    }

    /// Runs `f` in one write transaction: all of it is kept, durably, or nothing.
    pub(crate) fn write<T>(
        &self,
        f: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        write(&mut self.lock(), f)
    }

    /// The same with an error of the caller's.
    pub(crate) fn write_with<T, E: From<StoreError>>(
        &self,
        f: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        write(&mut self.lock(), f)
    }
}

/// Runs `f` in one write transaction on that connection.
pub(crate) fn write<T, E: From<StoreError>>(
    connection: &mut Connection,
    f: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let connection = &*connection;
    let begin = || Transaction::new_unchecked(connection, TransactionBehavior::Immediate);
    let transaction = patiently(begin)?;
    let value = f(&transaction)?;
    transaction.commit().map_err(StoreError::from)?;
    Ok(value)
}

/// Begins a write transaction that ends with a statement.
pub(crate) fn begin_immediate(connection: &Connection) -> Result<(), StoreError> {
    patiently(|| connection.execute_batch("BEGIN IMMEDIATE"))
}

fn patiently<T>(mut begin: impl FnMut() -> rusqlite::Result<T>) -> Result<T, StoreError> {
    let mut attempt = 1;
    loop {
        match begin() {
            Err(error)
                if attempt < BUSY_ATTEMPTS
                    && error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) =>
            {
                attempt += 1;
            }
            result => return Ok(result?),
        }
    }
}
