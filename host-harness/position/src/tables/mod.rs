//! Fills the canonical tables from a snapshot, by the statements of the connector.

pub(crate) mod db;
pub(crate) mod derive;
pub(crate) mod kept;
mod statement;
pub(crate) mod totals;
pub(crate) mod uses;

use chrono::{DateTime, Utc};
use connector_api::position::{CanonicalTable, PositionView};
use rusqlite::{Connection, Row, Statement};

use crate::error::{Error, unusable};
use crate::evidence::Evidence;
use crate::inputs::BaseInputs;
use crate::model::{Family, License, Movement, PoolStatus, Unit};
use crate::money::Point;
use crate::source::{SnapshotSource, Value};
use crate::time::from_ms;
use db::{AnalysisDb, Window};
use totals::Totals;

pub(crate) use statement::{bound, check_width, earlier, literal, read};

/// The canonical tables with what was counted when they were made.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) db: AnalysisDb,
    pub(crate) totals: Totals,
    /// What moved since the snapshot before; `None` if there is none.
    pub(crate) movement: Option<Movement>,
}

/// Runs every statement whose datasets have all their records, into an empty database.
pub(crate) fn load(
    connection: Connection,
    source: &dyn SnapshotSource,
    evidence: &Evidence<'_>,
    inputs: &BaseInputs,
) -> Result<Tables, Error> {
    let mut db = AnalysisDb::create(connection)?;
    db.connection.execute_batch("BEGIN")?;
    let mut views: Vec<&PositionView> = evidence.manifest.position.views.iter().collect();
    // People first, in the order of their statements: their numbers follow it.
    views.sort_by_key(|view| view.table != CanonicalTable::Person);
    for view in views {
        if view.table != CanonicalTable::Later && evidence.causes_of(view).is_empty() {
            match view.table {
                CanonicalTable::Use => uses::load(&mut db, source, view, inputs)?,
                CanonicalTable::Identity => derive::identities(&db, source, view, inputs)?,
                _ => copy(&mut db, source, view, inputs)?,
            }
        }
    }
    count_people(&mut db)?;
    derive::all(&db, source, evidence, inputs)?;
    let totals = Totals::count(&db)?;
    db.connection.execute_batch("COMMIT")?;
    Ok(Tables { db, totals, movement: None })
}

/// Counts the accounts of each scope and keeps the windows with the rest.
fn count_people(db: &mut AnalysisDb) -> Result<(), Error> {
    for (family, window) in &mut db.windows {
        window.people = if family.is_empty() {
            db.connection.query_row(
                "SELECT COUNT(*) FROM person WHERE human_at IS NOT NULL OR machine_at IS NOT NULL",
                [],
                |row| row.get(0),
            )?
        } else {
            db.connection.query_row(
                "SELECT COUNT(*) FROM activity WHERE family = ?1",
                [family.as_str()],
                |row| row.get(0),
            )?
        };
        db.connection.execute(
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

/// Copies the rows of one statement into its table.
fn copy(
    db: &mut AnalysisDb,
    source: &dyn SnapshotSource,
    view: &PositionView,
    inputs: &BaseInputs,
) -> Result<(), Error> {
    let mut inserts = Vec::new();
    for sql in insert_sql(view.table) {
        inserts.push(db.connection.prepare(sql)?);
    }
    let services = view.table == CanonicalTable::Person && !inputs.service_accounts.is_empty();
    let mut window = Window::default();
    read(source, view, &mut |row| {
        if view.table == CanonicalTable::Activity {
            if !matches!(row[1], Value::Text("human" | "machine")) {
                return Err(unusable(view, &"a kind is neither `human` nor `machine`"));
            }
            let Some(events) = row[4].integer() else {
                return Err(unusable(view, &"a number of uses is not an integer"));
            };
            window.first_at = earlier(window.first_at, row[2].integer());
            window.events = window.events.saturating_add(events);
        }
        for insert in &mut inserts {
            store(insert, row, view).map_err(|error| unusable(view, &error))?;
        }
        if services && row[1].text().is_some_and(|name| derive::is_listed_service(inputs, name)) {
            db.connection
                .prepare_cached("UPDATE person SET is_service = 1 WHERE id = ?1")?
                .execute([bound(row[0])])?;
        }
        Ok(())
    })?;
    drop(inserts);
    if view.table == CanonicalTable::Activity {
        let sum = db.windows.entry(view.family.clone()).or_default();
        sum.first_at = earlier(sum.first_at, window.first_at);
        sum.events = sum.events.saturating_add(window.events);
    }
    Ok(())
}

/// Binds the row's columns by number, and the statement's family as the last parameter.
fn store(
    insert: &mut Statement<'_>,
    row: &[Value<'_>],
    view: &PositionView,
) -> rusqlite::Result<()> {
    for parameter in 1..=insert.parameter_count() {
        match row.get(parameter - 1) {
            Some(value) => insert.raw_bind_parameter(parameter, bound(*value))?,
            None => insert.raw_bind_parameter(parameter, view.family.as_str())?,
        }
    }
    insert.raw_execute().map(drop)
}

/// The pools with what the vendor reports about them, in the order of the statements.
pub(crate) fn licenses(db: &AnalysisDb) -> Result<Vec<License>, Error> {
    let mut statement = db.connection.prepare(
        "SELECT family, id, key, name, status, unit, purchased, assigned, counted_at, expires_at
         FROM license ORDER BY place",
    )?;
    let licenses = statement.query_map([], pool)?.collect::<Result<_, _>>()?;
    Ok(licenses)
}

/// The vendor's own measurements: the trend from before the first snapshot.
pub(crate) fn measured(db: &AnalysisDb) -> Result<Vec<(Family, String, Point)>, Error> {
    let mut statement = db.connection.prepare(
        "SELECT m.family, COALESCE(l.key, l.id), m.at, m.purchased, m.assigned
         FROM measure m JOIN license l ON l.family = m.family AND l.id = m.license_id
         -- People are measured: nothing is said of pools that are counted otherwise.
         WHERE m.assigned IS NOT NULL AND l.unit = 'seats'",
    )?;
    let points = statement
        .query_map([], |row| {
            let point = Point { at: row.get(2)?, purchased: row.get(3)?, assigned: row.get(4)? };
            Ok((Family::from(row.get_ref(0)?.as_str()?), row.get(1)?, point))
        })?
        .collect::<Result<_, _>>()?;
    Ok(points)
}

fn pool(row: &Row<'_>) -> rusqlite::Result<License> {
    let instant = |ms: Option<i64>| -> Option<DateTime<Utc>> { ms.map(from_ms) };
    let id: String = row.get(1)?;
    let key = row.get::<_, Option<String>>(2)?.unwrap_or_else(|| id.clone());
    let status = row.get_ref(4)?.as_str_or_null()?.map(PoolStatus::from);
    let reported: Option<i64> = row.get(6)?;
    let usable = status.as_ref().map_or(Some(true), PoolStatus::is_usable);
    let unlimited = usable == Some(true) && reported.is_some_and(|purchased| purchased < 0);
    let purchased = match usable {
        Some(true) => reported.filter(|_| !unlimited),
        Some(false) => Some(0),
        // A status nobody knows says nothing about what was bought.
        None => None,
    };
    let assigned: Option<i64> = row.get(7)?;
    Ok(License {
        family: row.get_ref(0)?.as_str()?.into(),
        name: row.get::<_, Option<String>>(3)?.unwrap_or_else(|| key.clone()),
        id,
        key,
        status,
        unit: row.get_ref(5)?.as_str_or_null()?.map(Unit::from).unwrap_or_default(),
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
