//! How the store's tables came to be, step by step.

use std::path::Path;

use rusqlite::Connection;

use crate::error::StoreError;

/// Each entry brings the store from the version of its position to the next. Never edit one that
/// was released: append.
///
/// `user_version` counts the steps, and [`migrate`] takes each in one immediate transaction. refinery
/// does less here: it keeps its history in a table of its own, which existing stores do not have and
/// an older program does not look at, and it does not check again inside the transaction whether
/// another process has made the step meanwhile.
pub(super) const MIGRATIONS: &[&str] = &[
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
    "
ALTER TABLE run_dataset ADD COLUMN details TEXT;
",
];

pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

pub(super) fn check_version(version: i64, path: &Path) -> Result<(), StoreError> {
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

/// Takes the steps that a store lacks.
pub(super) fn migrate(connection: &Connection, path: &Path) -> Result<(), StoreError> {
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
