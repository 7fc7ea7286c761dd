//! The canonical tables of one snapshot, in a database of their own.
//!
//! It is made once for a snapshot and may be kept beside the store ([`super::base`]); otherwise SQLite
//! keeps it in a file without a name that vanishes with it. Behind a small cache memory stays flat
//! however many people an organization has. Names of people are not copied. People and pools have
//! numbers in it, so that one pass over the seats reads the people in their order.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use connector_api::position::{CanonicalTable, PositionView};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, Statement};

use super::evidence::Evidence;
use super::inputs::BaseInputs;
use super::model::{ACTIVE, License};
use super::totals::Totals;
use super::{derive, uses};
use crate::diff::movement::Movement;
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

/// The canonical tables.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(crate) connection: Connection,
    /// By the family of the statement; empty for all families.
    pub(crate) windows: BTreeMap<String, Window>,
    pub(crate) totals: Totals,
    /// What moved since the snapshot before; none if there is none.
    pub(crate) movement: Option<Movement>,
}

/// Where the movement lies among the facts.
const MOVEMENT: &str = "movement";

impl Scratch {
    /// Runs every statement whose datasets have all their records, into a database that vanishes.
    pub(crate) fn load(
        source: &Connection,
        evidence: &Evidence<'_>,
        inputs: &BaseInputs,
    ) -> Result<Scratch, HostError> {
        Scratch::load_into(Connection::open("")?, source, evidence, inputs)
    }

    /// The same into an empty database.
    pub(crate) fn load_into(
        connection: Connection,
        source: &Connection,
        evidence: &Evidence<'_>,
        inputs: &BaseInputs,
    ) -> Result<Scratch, HostError> {
        connection.execute_batch(TABLES)?;
        connection.execute_batch("BEGIN")?;
        let mut scratch = Scratch {
            connection,
            windows: BTreeMap::new(),
            totals: Totals::default(),
            movement: None,
        };
        let mut views: Vec<&PositionView> = evidence.manifest.position.views.iter().collect();
        // People first, in the order of their statements: their numbers follow it.
        views.sort_by_key(|view| view.table != CanonicalTable::Person);
        for view in views {
            if view.table != CanonicalTable::Later && evidence.causes_of(view).is_empty() {
                match view.table {
                    CanonicalTable::Use => uses::load(&mut scratch, source, view, inputs)?,
                    CanonicalTable::Identity => {
                        derive::identities(&scratch, source, view, inputs)?;
                    }
                    _ => scratch.copy(source, view, inputs)?,
                }
            }
        }
        scratch.count_people()?;
        derive::all(&scratch, source, evidence, inputs)?;
        scratch.totals = Totals::count(&scratch.connection)?;
        scratch.connection.execute_batch("COMMIT")?;
        Ok(scratch)
    }

    /// A database that was filled before.
    pub(crate) fn reopen(connection: Connection) -> Result<Scratch, HostError> {
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
        let movement: Option<String> = connection
            .query_row("SELECT value FROM fact WHERE key = ?1", [MOVEMENT], |row| row.get(0))
            .optional()?;
        let movement = movement
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(HostError::failed)?;
        let totals = Totals::read(&connection)?;
        Ok(Scratch { connection, windows, totals, movement })
    }

    /// Keeps what moved since the snapshot before.
    pub(crate) fn keep_movement(&mut self, movement: Option<Movement>) -> Result<(), HostError> {
        if let Some(movement) = &movement {
            let text = serde_json::to_string(movement).map_err(HostError::failed)?;
            self.connection
                .execute("INSERT INTO fact(key, value) VALUES(?1, ?2)", [MOVEMENT, &text])?;
        }
        self.movement = movement;
        Ok(())
    }

    /// Counts the accounts of each scope and keeps the windows with the rest.
    fn count_people(&mut self) -> Result<(), HostError> {
        for (family, window) in &mut self.windows {
            window.people = if family.is_empty() {
                self.connection.query_row(
                    "SELECT COUNT(*) FROM person WHERE human_at IS NOT NULL OR machine_at IS NOT NULL",
                    [],
                    |row| row.get(0),
                )?
            } else {
                self.connection.query_row(
                    "SELECT COUNT(*) FROM activity WHERE family = ?1",
                    [family.as_str()],
                    |row| row.get(0),
                )?
            };
            self.connection.execute(
                "INSERT INTO window(family, first_at, events, people, failed, ambiguous)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                (
                    family.as_str(),
                    window.first_at,
                    window.events,
                    window.people,
                    window.failed,
                    window.ambiguous,
                ),
            )?;
        }
        Ok(())
    }

    fn copy(
        &mut self,
        source: &Connection,
        view: &PositionView,
        inputs: &BaseInputs,
    ) -> Result<(), HostError> {
        let failed = |reason: &dyn std::fmt::Display| unusable(view, reason);
        let mut statement =
            select(source, &view.sql, view.table.columns()).map_err(|e| failed(&e))?;
        let mut rows = statement.query([]).map_err(|error| failed(&error))?;
        let mut inserts = Vec::new();
        for sql in insert_sql(view.table) {
            inserts.push(self.connection.prepare(sql)?);
        }
        let mut window = Window::default();
        while let Some(row) = rows.next().map_err(|error| failed(&error))? {
            if view.table == CanonicalTable::Activity {
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
            }
            for insert in &mut inserts {
                store(insert, row, view).map_err(|error| failed(&error))?;
            }
            if view.table == CanonicalTable::Person && !inputs.service_accounts.is_empty() {
                let username: Option<String> = row.get(1).map_err(|error| failed(&error))?;
                if username.is_some_and(|name| derive::is_listed_service(inputs, &name)) {
                    let id = row.get_ref(0).map_err(|error| failed(&error))?;
                    self.connection
                        .prepare_cached("UPDATE person SET is_service = 1 WHERE id = ?1")?
                        .execute([ToSqlOutput::Borrowed(id)])?;
                }
            }
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

/// The error for a statement that does not fit its table.
pub(crate) fn unusable(view: &PositionView, reason: &dyn std::fmt::Display) -> HostError {
    HostError::failed(format_args!(
        "the connector's statement for `{}` cannot be used: {reason}",
        view.table.as_str()
    ))
    .with_hint("this is a fault of the connector: use another version of it")
}

/// Binds the row's columns by number, and the statement's family as the last parameter.
fn store(insert: &mut Statement<'_>, row: &Row<'_>, view: &PositionView) -> rusqlite::Result<()> {
    for parameter in 1..=insert.parameter_count() {
        if parameter > view.table.columns() {
            insert.raw_bind_parameter(parameter, view.family.as_str())?;
        } else {
            let value = row.get_ref(parameter - 1)?;
            insert.raw_bind_parameter(parameter, ToSqlOutput::Borrowed(value))?;
        }
    }
    insert.raw_execute().map(drop)
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

// A licence held twice by the same person is one seat, and a record without a person is nobody's:
// both are ignored. Types are checked by the tables. Parameters are the columns by number; the one
// after them is the statement's family.
fn insert_sql(table: CanonicalTable) -> &'static [&'static str] {
    match table {
        CanonicalTable::License => &[
            "INSERT INTO license(family, id, key, name, status, unit, purchased, assigned, counted_at, expires_at)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        ],
        CanonicalTable::Seat => &[
            "INSERT OR IGNORE INTO pool(family, license_id) VALUES(?1, ?2)",
            "INSERT OR IGNORE INTO person(id, listed) VALUES(?3, 0)",
            "INSERT OR IGNORE INTO seat(pool_no, person_no)
             SELECT pool.no, person.no FROM pool, person
             WHERE pool.family = ?1 AND pool.license_id = ?2 AND person.id = ?3",
        ],
        // The user name and the name are not needed for figures.
        CanonicalTable::Person => &[
            "INSERT OR IGNORE INTO person(id, listed, is_active, created_at, last_login_at, is_service)
             VALUES(?1, 1, ?4, ?5, ?6, ?7)",
        ],
        CanonicalTable::Activity => &[
            "INSERT OR IGNORE INTO person(id, listed) VALUES(?1, 0)",
            "UPDATE person SET
                 human_at = IIF(?2 = 'human', COALESCE(MAX(human_at, ?4), human_at, ?4), human_at),
                 machine_at = IIF(?2 = 'machine', COALESCE(MAX(machine_at, ?4), machine_at, ?4), machine_at)
             WHERE id = ?1 AND ?6 = ''",
            "INSERT INTO activity(family, person_no, human_at, machine_at)
             SELECT ?6, no, IIF(?2 = 'human', ?4, NULL), IIF(?2 = 'machine', ?4, NULL)
             FROM person WHERE id = ?1 AND ?6 <> ''
             ON CONFLICT DO UPDATE SET
                 human_at = COALESCE(MAX(human_at, excluded.human_at), human_at, excluded.human_at),
                 machine_at = COALESCE(MAX(machine_at, excluded.machine_at), machine_at, excluded.machine_at)",
        ],
        CanonicalTable::Frozen => {
            &["UPDATE person SET frozen = 1, frozen_since = ?2 WHERE id = ?1"]
        }
        CanonicalTable::Activation => {
            &["UPDATE person SET activated_at = COALESCE(MAX(activated_at, ?2), ?2) WHERE id = ?1"]
        }
        CanonicalTable::Holding => &[
            "INSERT OR IGNORE INTO rights_set(id) VALUES(?2)",
            "INSERT OR IGNORE INTO holding(person_no, set_no)
             SELECT person.no, rights_set.no FROM person, rights_set
             WHERE person.id = ?1 AND rights_set.id = ?2",
        ],
        CanonicalTable::Right => &[
            "INSERT OR IGNORE INTO rights_set(id) VALUES(?1)",
            "INSERT OR IGNORE INTO rights(set_no, kind, name)
             SELECT no, ?2, ?3 FROM rights_set WHERE id = ?1",
        ],
        CanonicalTable::Meter => &["INSERT OR REPLACE INTO meter VALUES(?1, ?2, ?3, ?4, ?5)"],
        CanonicalTable::Measure => {
            &["INSERT OR REPLACE INTO measure VALUES(?1, ?2, ?3, ?4, ?5, ?6)"]
        }
        CanonicalTable::Use | CanonicalTable::Identity | CanonicalTable::Later => &[],
    }
}
