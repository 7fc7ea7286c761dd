//! The shape of the store: how it is opened, its migrations, its dataset tables, how names are quoted.

mod objects;

use std::path::Path;
use std::time::Duration;

use connector_api::manifest::{DatasetSpec, FieldType};
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::error::StoreError;

/// How long one statement waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Each entry brings the store from the version of its position to the next. Never edit one that
/// was released: append.
///
/// `user_version` counts the steps, and [`migrate`] takes each in one immediate transaction. refinery
/// does less here: it keeps its history in a table of its own, which existing stores do not have and
/// an older program does not look at, and it does not check again inside the transaction whether
/// another process has made the step meanwhile.
const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE meta(
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;
CREATE TABLE feature(
    id TEXT PRIMARY KEY,
    enabled INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;
CREATE TABLE connector(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    description TEXT NOT NULL,
    feature TEXT NOT NULL,
    domain TEXT NOT NULL,
    client_id TEXT NOT NULL,
    schedule TEXT,
    settings BLOB NOT NULL,
    grant_summary TEXT,
    granted_at INTEGER,
    pending_authorization_at INTEGER,
    revocation_failed_at INTEGER,
    organization_id TEXT,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;
CREATE TABLE secret(
    connector_id INTEGER NOT NULL REFERENCES connector ON DELETE CASCADE,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY(connector_id, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE run(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    connector_id INTEGER NOT NULL REFERENCES connector ON DELETE CASCADE,
    mode TEXT NOT NULL,
    status TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    api_calls INTEGER NOT NULL DEFAULT 0,
    error TEXT
) STRICT;
CREATE INDEX run_by_connector ON run(connector_id, id);
CREATE TABLE run_dataset(
    run_id INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    position INTEGER NOT NULL,
    dataset TEXT NOT NULL,
    status TEXT NOT NULL,
    rows INTEGER NOT NULL,
    expected INTEGER,
    missing_fields TEXT NOT NULL,
    reason TEXT,
    changes_only INTEGER NOT NULL,
    PRIMARY KEY(run_id, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE journal(
    id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    at INTEGER NOT NULL,
    method TEXT NOT NULL,
    host TEXT NOT NULL,
    path TEXT NOT NULL,
    object TEXT,
    status INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE INDEX journal_by_run ON journal(run_id, id);
CREATE TABLE checkpoint(
    connector_id INTEGER NOT NULL REFERENCES connector ON DELETE CASCADE,
    dataset TEXT NOT NULL,
    run_id INTEGER NOT NULL,
    published INTEGER NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY(connector_id, dataset, run_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE snapshot(
    run_id INTEGER PRIMARY KEY REFERENCES run ON DELETE CASCADE,
    connector_id INTEGER NOT NULL REFERENCES connector ON DELETE CASCADE,
    as_of INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    datasets TEXT NOT NULL,
    manifest TEXT NOT NULL
) STRICT;
CREATE INDEX snapshot_by_connector ON snapshot(connector_id, run_id);
CREATE TABLE dataset(
    feature TEXT NOT NULL,
    name TEXT NOT NULL,
    table_name TEXT NOT NULL UNIQUE,
    key_columns TEXT NOT NULL,
    PRIMARY KEY(feature, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE dataset_column(
    table_name TEXT NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    type TEXT NOT NULL,
    PRIMARY KEY(table_name, name)
) STRICT, WITHOUT ROWID;
",
    "
CREATE TABLE use_way(
    no INTEGER PRIMARY KEY,
    method TEXT NOT NULL,
    detail TEXT NOT NULL,
    application TEXT NOT NULL,
    UNIQUE(method, detail, application)
) STRICT;
CREATE TABLE use_day(
    connector_id INTEGER NOT NULL REFERENCES connector ON DELETE CASCADE,
    person_id TEXT NOT NULL,
    day INTEGER NOT NULL,
    way_no INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    events INTEGER NOT NULL,
    PRIMARY KEY(connector_id, person_id, day, way_no, succeeded)
) STRICT, WITHOUT ROWID;
CREATE TABLE use_covered(
    connector_id INTEGER NOT NULL REFERENCES connector ON DELETE CASCADE,
    run_id INTEGER NOT NULL,
    from_at INTEGER NOT NULL,
    to_at INTEGER NOT NULL,
    PRIMARY KEY(connector_id, run_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE license_point(
    connector_id INTEGER NOT NULL REFERENCES connector ON DELETE CASCADE,
    family TEXT NOT NULL,
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    purchased INTEGER,
    assigned INTEGER,
    PRIMARY KEY(connector_id, family, key, at)
) STRICT, WITHOUT ROWID;
CREATE TABLE import(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    connector_id INTEGER NOT NULL REFERENCES connector ON DELETE CASCADE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    imported_at INTEGER NOT NULL,
    removed_at INTEGER,
    content TEXT NOT NULL
) STRICT;
CREATE TABLE exemption(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    connector_id INTEGER NOT NULL REFERENCES connector ON DELETE CASCADE,
    rule TEXT NOT NULL,
    subject TEXT NOT NULL,
    subject_name TEXT NOT NULL,
    reason TEXT NOT NULL,
    owner TEXT NOT NULL,
    expires_on TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    removed_at INTEGER
) STRICT;
CREATE TABLE schedule_state(
    connector_id INTEGER PRIMARY KEY REFERENCES connector ON DELETE CASCADE,
    state TEXT NOT NULL
) STRICT;
CREATE TABLE plugin_state(
    feature TEXT PRIMARY KEY,
    state TEXT NOT NULL
) STRICT;
",
    "
CREATE TABLE sighting(
    connector_id INTEGER NOT NULL REFERENCES connector ON DELETE CASCADE,
    kind TEXT NOT NULL,
    person_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY(connector_id, kind, person_id, at)
) STRICT, WITHOUT ROWID;
CREATE TABLE sighting_noted(
    connector_id INTEGER PRIMARY KEY REFERENCES connector ON DELETE CASCADE,
    run_id INTEGER NOT NULL
) STRICT;
",
    "
ALTER TABLE run ADD COLUMN journal_count INTEGER;
ALTER TABLE run ADD COLUMN journal_end BLOB;
",
];

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

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn check_version(version: i64, path: &Path) -> Result<(), StoreError> {
    let known = MIGRATIONS.len() as i64;
    if version > known {
        return Err(StoreError::system(format_args!(
            "the store `{}` has version {version}, this program knows versions up to {known}",
            path.display()
        ))
        .with_hint(
            "it was written by a newer endpoint server: use that one, nothing was changed",
        ));
    }
    Ok(())
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

fn migrate(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    loop {
        let found = version(connection)?;
        check_version(found, path)?;
        let Some(step) = usize::try_from(found).ok().and_then(|at| MIGRATIONS.get(at)) else {
            return Ok(());
        };
        connection.execute_batch("BEGIN IMMEDIATE")?;
        // Another process may have made the same step while this one waited.
        let result = if version(connection)? == found {
            connection
                .execute_batch(step)
                .and_then(|()| connection.pragma_update(None, "user_version", found + 1))
                .and_then(|()| connection.execute_batch("COMMIT"))
        } else {
            connection.execute_batch("COMMIT")
        };
        if let Err(error) = result {
            let _ = connection.execute_batch("ROLLBACK");
            return Err(error.into());
        }
    }
}

/// A name as SQLite reads it verbatim.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn type_word(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Text => "text",
        FieldType::Boolean => "boolean",
        FieldType::Integer => "integer",
        FieldType::Double => "double",
        FieldType::Timestamp => "timestamp",
        FieldType::Date => "date",
    }
}

fn sql_type(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Text => "TEXT",
        FieldType::Double => "REAL",
        FieldType::Boolean | FieldType::Integer | FieldType::Timestamp | FieldType::Date => {
            "INTEGER"
        }
    }
}

/// The table that holds a dataset of a feature; none if nothing of it was ever stored.
pub(crate) fn dataset_table(
    connection: &Connection,
    feature: &str,
    dataset: &str,
) -> rusqlite::Result<Option<String>> {
    connection
        .query_row(
            "SELECT table_name FROM dataset WHERE feature = ?1 AND name = ?2",
            [feature, dataset],
            |row| row.get(0),
        )
        .optional()
}

/// The tables of all datasets, or of one feature's.
pub(crate) fn dataset_tables(
    connection: &Connection,
    feature: &str,
) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT table_name FROM dataset WHERE feature = ?1 ORDER BY name")?
        .query_map([feature], |row| row.get(0))?
        .collect()
}

/// The columns of a dataset's table that hold fields.
pub(crate) fn columns_of(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT name FROM dataset_column WHERE table_name = ?1")?
        .query_map([table], |row| row.get(0))?
        .collect()
}

/// The SQL type of a dataset's column; empty if no such type is known.
fn sql_type_of(
    connection: &Connection,
    table: &str,
    column: &str,
) -> rusqlite::Result<&'static str> {
    let word: String = connection.query_row(
        "SELECT type FROM dataset_column WHERE table_name = ?1 AND name = ?2",
        [table, column],
        |row| row.get(0),
    )?;
    Ok(match word.as_str() {
        "text" => "TEXT",
        "double" => "REAL",
        "boolean" | "integer" | "timestamp" | "date" => "INTEGER",
        _ => "",
    })
}

/// Makes the table of a dataset, or adds the columns it does not have yet; answers its name.
///
/// The table is `d_<dataset>`, or `d_<feature>__<dataset>` where another feature uses that name
/// already. To be called inside a write transaction.
pub(crate) fn ensure_dataset(
    connection: &Connection,
    feature: &str,
    dataset: &DatasetSpec,
) -> Result<String, StoreError> {
    let keys = dataset.key.join(",");
    let known: Option<(String, String)> = connection
        .query_row(
            "SELECT table_name, key_columns FROM dataset WHERE feature = ?1 AND name = ?2",
            [feature, &dataset.name],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((table, known_keys)) = known else {
        return create_dataset(connection, feature, dataset, &keys);
    };
    if known_keys != keys {
        return Err(StoreError::system(format_args!(
            "dataset `{}` is stored with the key `{known_keys}`, the connector now has `{keys}`",
            dataset.name
        ))
        .with_hint("use the connector version that wrote it, or a new home folder"));
    }
    for field in &dataset.fields {
        let stored: Option<String> = connection
            .query_row(
                "SELECT type FROM dataset_column WHERE table_name = ?1 AND name = ?2",
                [&table, &field.name],
                |row| row.get(0),
            )
            .optional()?;
        match stored {
            Some(word) if word == type_word(field.kind) => {}
            Some(word) => {
                return Err(StoreError::system(format_args!(
                    "column `{}` of dataset `{}` is stored as {word}, the connector now has {}",
                    field.name,
                    dataset.name,
                    type_word(field.kind)
                ))
                .with_hint("use the connector version that wrote it, or a new home folder"));
            }
            None => {
                connection.execute_batch(&format!(
                    "ALTER TABLE {} ADD COLUMN {} {}",
                    quote(&table),
                    quote(&field.name),
                    sql_type(field.kind)
                ))?;
                remember_column(connection, &table, &field.name, field.kind)?;
            }
        }
    }
    Ok(table)
}

fn create_dataset(
    connection: &Connection,
    feature: &str,
    dataset: &DatasetSpec,
    keys: &str,
) -> Result<String, StoreError> {
    let mut table = format!("d_{}", dataset.name);
    let taken: bool = connection.query_row(
        "SELECT EXISTS(SELECT 1 FROM dataset WHERE table_name = ?1)",
        [&table],
        |row| row.get(0),
    )?;
    if taken {
        table = format!("d_{feature}__{}", dataset.name);
    }
    let columns: String = dataset
        .fields
        .iter()
        .map(|field| {
            let null = if dataset.key.contains(&field.name) { " NOT NULL" } else { "" };
            format!(", {} {}{null}", quote(&field.name), sql_type(field.kind))
        })
        .collect();
    let key: String = dataset.key.iter().map(|name| format!("{}, ", quote(name))).collect();
    // Clustered by its key: the rows of one connector lie together, whatever else is stored.
    connection.execute_batch(&format!(
        "CREATE TABLE {}(
            _connector INTEGER NOT NULL,
            _from INTEGER NOT NULL,
            _to INTEGER,
            _seen INTEGER NOT NULL{columns},
            PRIMARY KEY(_connector, {key}_from)
        ) WITHOUT ROWID",
        quote(&table)
    ))?;
    connection.execute(
        "INSERT INTO dataset(feature, name, table_name, key_columns) VALUES(?1, ?2, ?3, ?4)",
        [feature, &dataset.name, &table, keys],
    )?;
    for field in &dataset.fields {
        remember_column(connection, &table, &field.name, field.kind)?;
    }
    Ok(table)
}

fn remember_column(
    connection: &Connection,
    table: &str,
    name: &str,
    kind: FieldType,
) -> rusqlite::Result<()> {
    connection
        .execute(
            "INSERT INTO dataset_column(table_name, name, type) VALUES(?1, ?2, ?3)",
            [table, name, type_word(kind)],
        )
        .map(drop)
}

#[cfg(test)]
#[path = "migration_tests.rs"]
mod tests;
