//! The canonical tables of one snapshot, in a database of their own that vanishes with it.
//!
//! SQLite keeps it in a file without a name, readable by this process only, behind a small cache:
//! memory stays flat however many people an organization has. Names of people are not copied.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use connector_api::position::{CanonicalTable, PositionView};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, Statement};

use super::evidence::Evidence;
use super::model::{ACTIVE, License};
use crate::error::HostError;
use crate::time::from_ms;

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
CREATE TABLE seat(
    family TEXT NOT NULL,
    license_id TEXT NOT NULL,
    person_id TEXT NOT NULL,
    PRIMARY KEY(family, license_id, person_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE person(
    id TEXT PRIMARY KEY NOT NULL,
    is_active INTEGER,
    created_at INTEGER,
    last_login_at INTEGER,
    is_service INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE activity(
    family TEXT NOT NULL,
    person_id TEXT NOT NULL,
    human_at INTEGER,
    machine_at INTEGER,
    PRIMARY KEY(family, person_id)
) STRICT, WITHOUT ROWID;";

/// The uses one scope (all families, or one) has rows of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    /// The oldest use, in milliseconds.
    pub(crate) first_at: Option<i64>,
    pub(crate) events: i64,
}

/// The canonical tables.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(crate) connection: Connection,
    /// By the family of the statement; empty for all families.
    pub(crate) windows: BTreeMap<String, Window>,
}

impl Scratch {
    /// Runs every statement whose datasets have all their records.
    pub(crate) fn load(source: &Connection, evidence: &Evidence<'_>) -> Result<Scratch, HostError> {
        let connection = Connection::open("")?;
        connection.execute_batch(TABLES)?;
        connection.execute_batch("BEGIN")?;
        let mut scratch = Scratch { connection, windows: BTreeMap::new() };
        for view in &evidence.manifest.position.views {
            if evidence.causes_of(view).is_empty() {
                scratch.copy(source, view)?;
            }
        }
        scratch.connection.execute_batch("COMMIT")?;
        Ok(scratch)
    }

    fn copy(&mut self, source: &Connection, view: &PositionView) -> Result<(), HostError> {
        let failed = |reason: &dyn std::fmt::Display| {
            HostError::failed(format_args!(
                "the connector's statement for `{}` cannot be used: {reason}",
                table_name(view.table)
            ))
            .with_hint("this is a fault of the connector: use another version of it")
        };
        let mut statement =
            select(source, &view.sql, columns(view.table)).map_err(|e| failed(&e))?;
        let mut rows = statement.query([]).map_err(|error| failed(&error))?;
        let mut insert = self.connection.prepare(insert_sql(view.table))?;
        let mut window = Window::default();
        while let Some(row) = rows.next().map_err(|error| failed(&error))? {
            match view.table {
                CanonicalTable::License => bind(&mut insert, row, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
                CanonicalTable::Seat => bind(&mut insert, row, &[0, 1, 2]),
                // The user name and the name are not needed for figures.
                CanonicalTable::Person => bind(&mut insert, row, &[0, 3, 4, 5, 6]),
                CanonicalTable::Activity => {
                    let kind = row.get_ref(1).map_err(|error| failed(&error))?;
                    if !matches!(kind, ValueRef::Text(b"human" | b"machine")) {
                        return Err(failed(&"a kind is neither `human` nor `machine`"));
                    }
                    let (first_at, events): (Option<i64>, i64) = row
                        .get(2)
                        .and_then(|first_at| Ok((first_at, row.get(4)?)))
                        .map_err(|error| failed(&error))?;
                    window.first_at = [window.first_at, first_at].into_iter().flatten().min();
                    window.events = window.events.saturating_add(events);
                    bind(&mut insert, row, &[0, 1, 3])
                        .and_then(|()| insert.raw_bind_parameter(4, view.family.as_str()))
                }
            }
            .and_then(|()| insert.raw_execute())
            .map_err(|error| failed(&error))?;
        }
        if view.table == CanonicalTable::Activity {
            let sum = self.windows.entry(view.family.clone()).or_default();
            sum.first_at = [sum.first_at, window.first_at].into_iter().flatten().min();
            sum.events = sum.events.saturating_add(window.events);
        }
        Ok(())
    }

    /// The pools with what the vendor reports about them, in the order of the statements.
    pub(crate) fn licenses(&self) -> Result<Vec<License>, HostError> {
        let mut statement = self.connection.prepare(
            "SELECT family, id, key, name, status, unit, purchased, assigned, counted_at, expires_at
             FROM license ORDER BY place",
        )?;
        let licenses = statement.query_map([], pool)?.collect::<Result<_, _>>()?;
        Ok(licenses)
    }

    /// One number.
    pub(crate) fn number(&self, sql: &str) -> Result<i64, HostError> {
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }
}

/// A statement that reads, nothing else, and has that many columns.
pub(crate) fn select<'c>(
    source: &'c Connection,
    sql: &str,
    columns: usize,
) -> Result<Statement<'c>, String> {
    let statement = source.prepare(sql).map_err(|error| error.to_string())?;
    if !statement.readonly() {
        return Err("it does more than read".into());
    }
    if statement.column_count() != columns {
        return Err(format!("it has {} columns, not {columns}", statement.column_count()));
    }
    Ok(statement)
}

fn bind(insert: &mut Statement<'_>, row: &Row<'_>, columns: &[usize]) -> rusqlite::Result<()> {
    for (at, column) in columns.iter().enumerate() {
        insert.raw_bind_parameter(at + 1, ToSqlOutput::Borrowed(row.get_ref(*column)?))?;
    }
    Ok(())
}

fn pool(row: &Row<'_>) -> rusqlite::Result<License> {
    let instant = |ms: Option<i64>| -> Option<DateTime<Utc>> { ms.map(from_ms) };
    let id: String = row.get(1)?;
    let key = row.get::<_, Option<String>>(2)?.unwrap_or_else(|| id.clone());
    let status: Option<String> = row.get(4)?;
    let reported: Option<i64> = row.get(6)?;
    let usable = status.as_deref().is_none_or(|status| status == ACTIVE);
    let unlimited = usable && reported.is_some_and(|purchased| purchased < 0);
    let purchased = match reported {
        _ if !usable => Some(0),
        Some(_) if unlimited => None,
        reported => reported,
    };
    let assigned: Option<i64> = row.get(7)?;
    Ok(License {
        family: row.get(0)?,
        name: row.get::<_, Option<String>>(3)?.unwrap_or_else(|| key.clone()),
        id,
        key,
        status,
        unit: row.get::<_, Option<String>>(5)?.unwrap_or_else(|| "units".into()),
        purchased,
        purchased_reported: reported,
        unlimited,
        assigned,
        available: purchased.zip(assigned).map(|(bought, used)| bought.saturating_sub(used)),
        counted_at: instant(row.get(8)?),
        expires_at: instant(row.get(9)?),
        ..License::default()
    })
}

fn table_name(table: CanonicalTable) -> &'static str {
    match table {
        CanonicalTable::License => "license",
        CanonicalTable::Seat => "seat",
        CanonicalTable::Person => "person",
        CanonicalTable::Activity => "activity",
    }
}

fn columns(table: CanonicalTable) -> usize {
    match table {
        CanonicalTable::License => 10,
        CanonicalTable::Seat => 3,
        CanonicalTable::Person => 7,
        CanonicalTable::Activity => 5,
    }
}

// A licence held twice by the same person is one seat, and a record without a person is nobody's:
// both are ignored. Types are checked by the tables.
fn insert_sql(table: CanonicalTable) -> &'static str {
    match table {
        CanonicalTable::License => {
            "INSERT INTO license(family, id, key, name, status, unit, purchased, assigned, counted_at, expires_at)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        }
        CanonicalTable::Seat => "INSERT OR IGNORE INTO seat VALUES(?1, ?2, ?3)",
        CanonicalTable::Person => "INSERT OR IGNORE INTO person VALUES(?1, ?2, ?3, ?4, ?5)",
        CanonicalTable::Activity => {
            "INSERT INTO activity(person_id, human_at, machine_at, family)
             SELECT ?1, IIF(?2 = 'human', ?3, NULL), IIF(?2 = 'machine', ?3, NULL), ?4
             WHERE ?1 IS NOT NULL
             ON CONFLICT DO UPDATE SET
                 human_at = COALESCE(MAX(human_at, excluded.human_at), human_at, excluded.human_at),
                 machine_at = COALESCE(MAX(machine_at, excluded.machine_at), machine_at, excluded.machine_at)"
        }
    }
}
