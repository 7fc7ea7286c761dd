//! The handles, for writing and for reading; each noun has a repository on them.
//!
//! Rows of a dataset are versioned by run: a version is part of snapshot `S` exactly if
//! `_from <= S` and (`_to` is null or `_to > S`). A run adds versions that no published snapshot can
//! see, and publishing is one transaction; a run that fails takes its versions back.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::additions::{Added, Additions};
use crate::connector_names::ConnectorNames;
use crate::connectors::Connectors;
use crate::daily::Daily;
use crate::error::{StoreError, StoreErrorKind};
use crate::features::Features;
use crate::files::make_private_folder;
use crate::folder::Folder;
use crate::journal::Journal;
use crate::runs::Runs;
use crate::schedule::Schedule;
use crate::schema;
use crate::secrets::Secrets;
use crate::sightings::Sightings;
use crate::snapshots::{Published, Snapshots};

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
        refuse_emptied(folder)?;
        let file = folder.store_file();
        let connection = schema::open_writable(&file)?;
        schema::check_is_store(&connection, &file)?;
        Ok(Store { folder: folder.clone(), connection: Mutex::new(connection) })
    }

    /// Opens the store in that folder for reading.
    ///
    /// # Errors
    /// When there is none, it is newer than this program, or it cannot be read.
    pub fn open_read(folder: &Folder) -> Result<ReadStore, StoreError> {
        refuse_emptied(folder)?;
        let file = folder.store_file();
        let connection = schema::open_read_only(&file)?;
        schema::check_is_store(&connection, &file)?;
        Ok(ReadStore { folder: folder.clone(), connection })
    }

    /// The folder it lies in.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The features.
    pub fn features(&self) -> Features<'_> {
        Features(self)
    }

    /// The connectors.
    pub fn connectors(&self) -> Connectors<'_> {
        Connectors(self)
    }

    /// The sealed values of connectors.
    pub fn secrets(&self) -> Secrets<'_> {
        Secrets(self)
    }

    /// The runs.
    pub fn runs(&self) -> Runs<'_> {
        Runs(self)
    }

    /// The requests of runs.
    pub fn journal(&self) -> Journal<'_> {
        Journal(self)
    }

    /// The snapshots that runs published.
    pub fn snapshots(&self) -> Snapshots<'_> {
        Snapshots(self)
    }

    /// Lists and exemptions that administrators add.
    pub fn additions(&self) -> Additions<'_> {
        Additions(self)
    }

    /// The daily sums of uses.
    pub fn daily(&self) -> Daily<'_> {
        Daily(self)
    }

    /// What snapshots showed of accounts.
    pub fn sightings(&self) -> Sightings<'_> {
        Sightings(self)
    }

    /// What the scheduler remembers.
    pub fn schedule(&self) -> Schedule<'_> {
        Schedule(self)
    }

    /// A number that differs when another connection changed the store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn data_version(&self) -> Result<i64, StoreError> {
        self.read(|connection| {
            Ok(connection.query_row("PRAGMA data_version", [], |row| row.get(0))?)
        })
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

    /// A write whose replaced and deleted values are overwritten in the files.
    pub(crate) fn overwriting(
        &self,
        f: impl FnOnce(&Transaction<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.read(|connection| Ok(connection.pragma_update(None, "secure_delete", true)?))?;
        let written = self.write(f);
        self.read(|connection| {
            connection.pragma_update(None, "secure_delete", false)?;
            // A reader may keep the log from being cut now; the next one to close the store cuts it.
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            Ok(())
        })?;
        written
    }

    /// The same with an error of the caller's.
    pub(crate) fn write_with<T, E: From<StoreError>>(
        &self,
        f: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        write(&mut self.lock(), f)
    }
}

/// The store, opened for reading.
#[derive(Debug)]
pub struct ReadStore {
    folder: Folder,
    connection: Connection,
}

impl ReadStore {
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The folder the store lies in.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The connectors, as reports name them.
    pub fn connectors(&self) -> ConnectorNames<'_> {
        ConnectorNames(self)
    }

    /// The published snapshots.
    pub fn snapshots(&self) -> Published<'_> {
        Published(self)
    }

    /// Lists and exemptions that administrators added.
    pub fn additions(&self) -> Added<'_> {
        Added(self)
    }
}

/// Refuses a file of 0 bytes beside a sealing key: what it held is lost, and a new store in its place
/// would hide that.
fn refuse_emptied(folder: &Folder) -> Result<(), StoreError> {
    let file = folder.store_file();
    let empty = std::fs::metadata(&file).is_ok_and(|metadata| metadata.len() == 0);
    if empty && folder.key_file().exists() {
        return Err(StoreError::new(
            StoreErrorKind::Unusable,
            format_args!("the store `{}` is empty although there is a sealing key", file.display()),
        )
        .with_hint(
            "put a copy in its place with `store restore FILE`; to begin anew, remove both files",
        ));
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::NewConnector;
    use crate::vault::{KeyPlace, SecretChanges, Vault};

    #[test]
    fn an_empty_file_beside_a_key_is_never_taken_for_a_new_store() {
        let folder = tempfile::tempdir().unwrap();
        let place = Folder::new(folder.path());
        std::fs::write(place.store_file(), "").unwrap();
        Store::open(&place).unwrap();
        std::fs::write(place.key_file(), "a key").unwrap();
        Store::open(&place).unwrap();
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(folder.path().join(format!("inventory.db{ending}")));
        }
        std::fs::write(place.store_file(), "").unwrap();
        for error in [Store::open(&place).unwrap_err(), Store::open_read(&place).unwrap_err()] {
            assert_eq!(error.kind, StoreErrorKind::Unusable);
        }
        assert_eq!(std::fs::metadata(place.store_file()).unwrap().len(), 0, "it is left alone");
    }

    #[test]
    fn a_store_with_a_foreign_trigger_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let place = Folder::new(folder.path());
        let store = Store::open(&place).unwrap();
        let trigger =
            "CREATE TRIGGER t AFTER INSERT ON run BEGIN UPDATE connector SET domain = 'x'; END";
        store.read(|connection| Ok(connection.execute_batch(trigger)?)).unwrap();
        drop(store);
        for error in [Store::open(&place).unwrap_err(), Store::open_read(&place).unwrap_err()] {
            assert!(error.kind == StoreErrorKind::Unusable && error.message.contains("`t`"));
        }
    }

    #[test]
    fn a_deleted_connector_leaves_no_derived_file_and_those_of_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let place = Folder::new(folder.path());
        let store = Store::open(&place).unwrap();
        let new = NewConnector { name: "c".into(), ..NewConnector::default() };
        let vault = Vault::open(&store, &KeyPlace::default()).unwrap();
        let id = store.connectors().insert(&vault, &new, "{}", &SecretChanges::new()).unwrap();
        std::fs::create_dir(place.positions()).unwrap();
        for name in [format!("{id}-1.db"), format!("{id}-2.db"), format!("{id}1-1.db")] {
            std::fs::write(place.positions().join(name), "people").unwrap();
        }
        store.connectors().delete(&vault, &store.connectors().named("c").unwrap()).unwrap();
        let left: Vec<_> = std::fs::read_dir(place.positions())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(left, [format!("{id}1-1.db")]);
    }
}
