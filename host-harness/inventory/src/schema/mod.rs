//! The shape of the store, and how its file is opened.

mod datasets;
mod migrations;
mod objects;

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

pub(crate) use datasets::{columns_of, dataset_table, dataset_tables, ensure_dataset, quote};
use migrations::{MIGRATIONS, check_version, migrate, version};

use crate::error::StoreError;

/// How long one statement waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens the store for writing: makes it if there is none, brings an older one up to date.
pub(crate) fn open_writable(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(|error| cannot_open(path, error))?;
    crate::files::restrict(path, 0o600)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(|error| cannot_open(path, error))?;
    if mode != "wal" {
        return Err(StoreError::system(format_args!(
            "`{}` cannot use write-ahead logging (mode is `{mode}`)",
            path.display()
        ))
        .with_hint("put the home folder on a local disk"));
    }
    settle(&connection)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    migrate(&connection, path)?;
    Ok(connection)
}

/// Opens an existing store for reading only.
pub(crate) fn open_read_only(path: &Path) -> Result<Connection, StoreError> {
    if !path.exists() {
        return Err(StoreError::system(format_args!("there is no store at `{}`", path.display()))
            .with_hint("create a connector and collect first"));
    }
    // Not SQLITE_OPEN_READ_ONLY: a reader of a write-ahead log may have to rebuild its index file
    // after a crash. `query_only` keeps it from changing anything else.
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(|error| cannot_open(path, error))?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    settle(&connection)?;
    let version = version(&connection).map_err(|error| cannot_open(path, error))?;
    check_version(version, path)?;
    if version < MIGRATIONS.len() as i64 {
        drop(open_writable(path)?);
    }
    Ok(connection)
}

fn settle(connection: &Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "cache_size", -16 * 1024)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn cannot_open(path: &Path, error: rusqlite::Error) -> StoreError {
    let reason = StoreError::from(error);
    StoreError { message: format!("cannot open the store `{}`", path.display()), ..reason }
}

/// Checks that an open file is a store that this program can use, with its objects and no others.
pub(crate) fn check_is_store(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    check_version(version(connection)?, path)?;
    let tables: i64 = connection.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('meta', 'connector')",
        [],
        |row| row.get(0),
    )?;
    if tables == 2 {
        return objects::check(connection, path);
    }
    Err(StoreError::system(format_args!(
        "`{}` is not a store of an endpoint server",
        path.display()
    ))
    .with_hint("name a file that `store backup` wrote"))
}

#[cfg(test)]
#[path = "migration_tests.rs"]
mod tests;
