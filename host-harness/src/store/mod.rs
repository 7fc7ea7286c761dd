//! Everything the endpoint server keeps: one SQLite file, the only writer of it.
//!
//! Rows of a dataset are versioned by run: a version is part of snapshot `S` exactly if
//! `_from <= S` and (`_to` is null or `_to > S`). A run adds versions that no published snapshot can
//! see, and publishing is one transaction; a run that fails takes its versions back.

mod additions;
mod care;
mod checkpoints;
mod connectors;
pub(crate) mod daily;
mod journal;
mod read;
mod retention;
mod rows;
mod runs;
mod schedule_state;
pub(crate) mod schema;
pub(crate) mod sightings;

use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::HostError;
use crate::home::Home;

pub use additions::{Import, ImportKind};
pub use care::restore;
pub use connectors::{Connector, FeatureState, NewConnector};
pub(crate) use connectors::{Sealed, SealedChanges};
pub use journal::JournalRow;
pub use read::{ConnectorInfo, DatasetInfo, ReadStore, SnapshotInfo};
pub use rows::RowWriter;
pub use runs::{Run, RunEnd, RunError, RunStatus};

/// How often a write is tried again after waiting for another process, five seconds each.
const BUSY_ATTEMPTS: u32 = 12;

/// The store, opened for writing. Its transactions are short, so that a secret can be stored while
/// a run writes rows.
#[derive(Debug)]
pub struct Store {
    home: Home,
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens the store of that home; makes it if there is none.
    ///
    /// # Errors
    /// When the folder or the file cannot be made or read, or the store is newer than this program.
    pub fn open(home: &Home) -> Result<Store, HostError> {
        home.ensure()?;
        let connection = schema::open_writable(&home.store_file())?;
        Ok(Store { home: home.clone(), connection: Mutex::new(connection) })
    }

    /// The home it lies in.
    pub fn home(&self) -> &Home {
        &self.home
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic while the lock was held left at most a transaction that rolled back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads without a transaction.
    pub(crate) fn read<T>(
        &self,
        f: impl FnOnce(&Connection) -> Result<T, HostError>,
    ) -> Result<T, HostError> {
        f(&self.lock())
    }

    /// Runs `f` in one write transaction: all of it is kept, durably, or nothing.
    pub(crate) fn write<T>(
        &self,
        f: impl FnOnce(&Transaction<'_>) -> Result<T, HostError>,
    ) -> Result<T, HostError> {
        write(&mut self.lock(), f)
    }
}

/// Runs `f` in one write transaction on that connection.
pub(crate) fn write<T>(
    connection: &mut Connection,
    f: impl FnOnce(&Transaction<'_>) -> Result<T, HostError>,
) -> Result<T, HostError> {
    let transaction = begin(connection)?;
    let value = f(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

fn begin(connection: &mut Connection) -> Result<Transaction<'_>, HostError> {
    let connection = &*connection;
    let mut attempt = 1;
    loop {
        match Transaction::new_unchecked(connection, TransactionBehavior::Immediate) {
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
