//! The canonical tables of one snapshot, in a database of their own.
//!
//! It is made once for a snapshot and may be kept in a file ([`super::kept`]); otherwise SQLite keeps
//! it in a file without a name that vanishes with it. Behind a small cache memory stays flat however
//! many people an organization has. Names of people are not copied. People and pools have numbers in
//! it, so that one pass over the seats reads the people in their order.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};

use crate::error::Error;

const TABLES: &str = "
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -16384;
CREATE TABLE license(
    place INTEGER PRIMARY KEY,
    family TEXT NOT NULL,
    id TEXT NOT NULL,
    key TEXT,
    name TEXT,
    status TEXT,
    unit TEXT,
    purchased INTEGER,
    assigned INTEGER,
    counted_at INTEGER,
    expires_at INTEGER,
    UNIQUE(family, id)
) STRICT;
CREATE TABLE pool(
    no INTEGER PRIMARY KEY,
    family TEXT NOT NULL,
    license_id TEXT NOT NULL,
    holders INTEGER NOT NULL DEFAULT 0, -- active accounts
    UNIQUE(family, license_id)
) STRICT;
CREATE TABLE person(
    no INTEGER PRIMARY KEY,
    id TEXT UNIQUE NOT NULL,
    listed INTEGER NOT NULL,
    is_active INTEGER,
    created_at INTEGER,
    last_login_at INTEGER,
    is_service INTEGER,
    human_at INTEGER,
    machine_at INTEGER,
    human_days INTEGER,
    is_internal INTEGER,
    is_administrator INTEGER,
    frozen INTEGER NOT NULL DEFAULT 0,
    frozen_since INTEGER,
    activated_at INTEGER,
    flags INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE seat(
    pool_no INTEGER NOT NULL,
    person_no INTEGER NOT NULL,
    consumed INTEGER,
    PRIMARY KEY(pool_no, person_no)
) STRICT, WITHOUT ROWID;
CREATE TABLE activity(
    family TEXT NOT NULL,
    person_no INTEGER NOT NULL,
    human_at INTEGER,
    machine_at INTEGER,
    PRIMARY KEY(family, person_no)
) STRICT, WITHOUT ROWID;
CREATE TABLE window(
    family TEXT PRIMARY KEY NOT NULL,
    first_at INTEGER,
    events INTEGER NOT NULL,
    people INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    ambiguous INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE rights_set(no INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL) STRICT;
CREATE TABLE holding(
    person_no INTEGER NOT NULL,
    set_no INTEGER NOT NULL,
    PRIMARY KEY(person_no, set_no)
) STRICT, WITHOUT ROWID;
CREATE TABLE rights(
    set_no INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY(set_no, kind, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE meter(
    family TEXT NOT NULL,
    license_id TEXT NOT NULL,
    frequency TEXT,
    starts_at INTEGER,
    ends_at INTEGER,
    PRIMARY KEY(family, license_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE measure(
    family TEXT NOT NULL,
    license_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    purchased INTEGER,
    assigned INTEGER,
    active INTEGER,
    PRIMARY KEY(family, license_id, at)
) STRICT, WITHOUT ROWID;
CREATE TABLE twin(
    person_no INTEGER NOT NULL,
    kind TEXT NOT NULL,
    twin_group TEXT NOT NULL,
    PRIMARY KEY(person_no, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE leaver(
    person_no INTEGER PRIMARY KEY,
    matched_by TEXT NOT NULL,
    ended_on TEXT NOT NULL
) STRICT;
CREATE TABLE fact(key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT, WITHOUT ROWID;";

/// The uses one scope (all families, or one) has rows of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    /// The oldest use from which on all are known, in milliseconds.
    pub(crate) first_at: Option<i64>,
    pub(crate) events: i64,
    /// Accounts with any use.
    pub(crate) people: i64,
    /// Attempts that failed, which prove no use.
    pub(crate) failed: i64,
    /// Successful uses of which it is not known whether a person or a machine made them.
    pub(crate) ambiguous: i64,
}

/// The canonical tables and the time in which uses were seen.
#[derive(Debug)]
pub(crate) struct AnalysisDb {
    pub(crate) connection: Connection,
    /// By the family of the statement; empty for all families.
    pub(crate) windows: BTreeMap<String, Window>,
}

impl AnalysisDb {
    /// Makes the tables in an empty database.
    pub(crate) fn create(connection: Connection) -> Result<AnalysisDb, Error> {
        connection.execute_batch(TABLES)?;
        Ok(AnalysisDb { connection, windows: BTreeMap::new() })
    }

    /// Opens tables that were filled before, for reading.
    pub(crate) fn reopen(connection: Connection) -> Result<AnalysisDb, Error> {
        connection.pragma_update(None, "cache_size", -16 * 1024)?;
        connection.pragma_update(None, "query_only", true)?;
        let mut windows = BTreeMap::new();
        {
            let mut statement = connection.prepare(
                "SELECT family, first_at, events, people, failed, ambiguous FROM window",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let window = Window {
                    first_at: row.get(1)?,
                    events: row.get(2)?,
                    people: row.get(3)?,
                    failed: row.get(4)?,
                    ambiguous: row.get(5)?,
                };
                windows.insert(row.get(0)?, window);
            }
        }
        Ok(AnalysisDb { connection, windows })
    }

    /// Keeps a value with the tables.
    pub(crate) fn put_fact(&self, key: &str, value: &str) -> Result<(), Error> {
        self.connection.execute("INSERT INTO fact(key, value) VALUES(?1, ?2)", [key, value])?;
        Ok(())
    }

    /// A value that was kept.
    pub(crate) fn fact(&self, key: &str) -> Result<Option<String>, Error> {
        let sql = "SELECT value FROM fact WHERE key = ?1";
        Ok(self.connection.query_row(sql, [key], |row| row.get(0)).optional()?)
    }
}
