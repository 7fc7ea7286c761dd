//! What follows from the canonical tables about each account and seat, worked out once.

use std::collections::HashMap;

use connector_api::position::{CanonicalTable, PositionView};
use rusqlite::Connection;

use super::db::AnalysisDb;
use super::statement::{bound, check_width};
use super::uses::glob;
use crate::error::{Error, unusable};
use crate::evidence::Evidence;
use crate::inputs::BaseInputs;
use crate::source::{SightingKind, SnapshotSource};

/// The account reads a kind of record that only the greater licence covers.
pub(crate) const NEEDS_TIER: i64 = 1;
/// The account has a right over everything.
pub(crate) const PRIVILEGED: i64 = 2;
/// Another active account seems to belong to the same person.
pub(crate) const TWIN: i64 = 4;
/// The person's employment has ended.
pub(crate) const LEFT: i64 = 8;

/// Marks people and seats.
pub(crate) fn all(
    db: &AnalysisDb,
    source: &dyn SnapshotSource,
    evidence: &Evidence<'_>,
    inputs: &BaseInputs,
) -> Result<(), Error> {
    let connection = &db.connection;
    seen(connection, source)?;
    if !inputs.tier_objects.is_empty() {
        connection.execute_batch("CREATE TEMP TABLE tier_object(name TEXT PRIMARY KEY)")?;
        for object in &inputs.tier_objects {
            connection.execute("INSERT OR IGNORE INTO tier_object VALUES(?1)", [object])?;
        }
        connection.execute(
            "UPDATE person SET flags = flags | ?1 WHERE no IN
                 (SELECT h.person_no FROM holding h WHERE h.set_no IN
                     (SELECT set_no FROM rights WHERE kind = 'object'
                      AND name IN (SELECT name FROM tier_object)))",
            [NEEDS_TIER],
        )?;
    }
    connection.execute(
        "UPDATE person SET flags = flags | ?1 WHERE no IN
             (SELECT person_no FROM holding WHERE set_no IN
                 (SELECT set_no FROM rights WHERE kind = 'privilege'))",
        [PRIVILEGED],
    )?;
    connection.execute(
        "UPDATE person SET flags = flags | ?1 WHERE no IN (SELECT person_no FROM twin)",
        [TWIN],
    )?;
    connection.execute(
        "UPDATE person SET flags = flags | ?1 WHERE no IN (SELECT person_no FROM leaver)",
        [LEFT],
    )?;
    let known = |table, family| {
        evidence.views(table, family).next().is_some() && evidence.causes(table, family).is_empty()
    };
    if known(CanonicalTable::Holding, "") && known(CanonicalTable::Right, "license") {
        // Only pools that any set of rights names can be judged by who has such a set.
        connection.execute(
            "UPDATE seat SET consumed = EXISTS(
                 SELECT 1 FROM pool p JOIN rights r ON r.kind = 'license' AND r.name = p.license_id
                 JOIN holding h ON h.set_no = r.set_no AND h.person_no = seat.person_no
                 WHERE p.no = seat.pool_no)
             WHERE pool_no IN (SELECT no FROM pool WHERE family = 'permission_set')",
            [],
        )?;
    }
    Ok(())
}

/// Adds since when accounts are active again or frozen, as our own snapshots saw it. Of two dates the
/// one that speaks for the account counts: the later one of being made active. A frozen account was
/// frozen since the earlier one, because a vendor's record also changes for other reasons.
fn seen(connection: &Connection, source: &dyn SnapshotSource) -> Result<(), Error> {
    let mut activated = connection.prepare(
        "UPDATE person SET activated_at = COALESCE(MAX(activated_at, ?2), ?2) WHERE id = ?1",
    )?;
    let mut frozen = connection.prepare(
        "UPDATE person SET frozen_since = COALESCE(MIN(frozen_since, ?2), ?2)
         WHERE id = ?1 AND frozen",
    )?;
    source.sightings(&mut |kind, person_id, at| {
        let update = match kind {
            SightingKind::Activated => &mut activated,
            SightingKind::Frozen => &mut frozen,
        };
        update.execute((person_id, at))?;
        Ok(())
    })
}

/// Whether an account belongs to an employee, to somebody who left, or to somebody who has another.
pub(crate) fn identities(
    db: &AnalysisDb,
    source: &dyn SnapshotSource,
    view: &PositionView,
    inputs: &BaseInputs,
) -> Result<(), Error> {
    check_width(source, view)?;
    let leavers = Leavers::new(inputs);
    let named = format!(
        "WITH identity(person_id, is_internal, federation_id, email, employee_number, is_administrator)
         AS ({})",
        view.sql
    );
    let sql = format!(
        "{named} SELECT person_id, is_internal, federation_id, email, employee_number, is_administrator
         FROM identity"
    );
    let mut mark = db.connection.prepare(
        "UPDATE person SET is_internal = ?2, is_administrator = ?3 WHERE id = ?1 RETURNING no",
    )?;
    let mut left = db.connection.prepare(
        "INSERT OR IGNORE INTO leaver(person_no, matched_by, ended_on) VALUES(?1, ?2, ?3)",
    )?;
    source.query(&sql, &mut |row| {
        let flag = |at: usize| row[at].integer().map(|flag| flag != 0);
        let mut marked = mark.query((bound(row[0]), flag(1), flag(5)))?;
        let Some(no) = marked.next()?.map(|row| row.get::<_, i64>(0)).transpose()? else {
            return Ok(());
        };
        drop(marked);
        if let Some((by, ended_on)) = leavers.find([row[2], row[3], row[4]].map(|key| key.text())) {
            left.execute((no, by, ended_on))?;
        }
        Ok(())
    })?;
    for column in ["federation_id", "email"] {
        twins(db, source, &named, column, view)?;
    }
    Ok(())
}

/// Marks accounts that share a key with another. An administrator's second account is not a
/// duplicate.
fn twins(
    db: &AnalysisDb,
    source: &dyn SnapshotSource,
    named: &str,
    column: &str,
    view: &PositionView,
) -> Result<(), Error> {
    let key = format!("LOWER(TRIM({column}))");
    let sql = format!(
        "{named}, k AS MATERIALIZED (SELECT person_id, {key} AS key FROM identity
             WHERE TRIM({column}) <> '' AND is_internal = 1)
         SELECT person_id, key FROM k WHERE key IN (SELECT key FROM k GROUP BY key HAVING COUNT(*) > 1)"
    );
    let mut insert = db.connection.prepare(
        "INSERT OR IGNORE INTO twin(person_no, kind, twin_group)
         SELECT no, ?2, ?3 FROM person WHERE id = ?1 AND is_active",
    )?;
    source.query(&sql, &mut |row| {
        let (Some(person_id), Some(key)) = (row[0].text(), row[1].text()) else {
            return Err(unusable(view, &"an account's id or key is not a text"));
        };
        insert.execute((person_id, column, key))?;
        Ok(())
    })?;
    // A group of which only one account is active, or in which one is an administrator's, is none.
    db.connection.execute(
        "DELETE FROM twin WHERE kind = ?1 AND twin_group IN
             (SELECT t.twin_group FROM twin t JOIN person p ON p.no = t.person_no WHERE t.kind = ?1
              GROUP BY t.twin_group
              HAVING COUNT(*) < 2 OR MAX(COALESCE(p.is_administrator, 0)) = 1)",
        [column],
    )?;
    Ok(())
}

/// Who has left, by each key.
struct Leavers<'a> {
    by: [(&'static str, HashMap<String, &'a str>); 3],
}

impl<'a> Leavers<'a> {
    fn new(inputs: &'a BaseInputs) -> Leavers<'a> {
        let mut by = ["federation_id", "email", "employee_number"]
            .map(|name| (name, HashMap::<String, &str>::new()));
        for leaver in inputs.leavers.iter().flatten() {
            let keys = [&leaver.federation_id, &leaver.email, &leaver.employee_number];
            for ((_, map), key) in by.iter_mut().zip(keys) {
                if let Some(key) = key.as_deref().map(normal).filter(|key| !key.is_empty()) {
                    map.insert(key, &leaver.ended_on);
                }
            }
        }
        Leavers { by }
    }

    fn find(&self, keys: [Option<&str>; 3]) -> Option<(&'static str, &'a str)> {
        self.by.iter().zip(keys).find_map(|((name, map), key)| {
            let ended_on = map.get(&normal(key?))?;
            Some((*name, *ended_on))
        })
    }
}

fn normal(key: &str) -> String {
    key.trim().to_lowercase()
}

/// Whether a user name is one of the service accounts an administrator listed.
pub(crate) fn is_listed_service(inputs: &BaseInputs, username: &str) -> bool {
    inputs.service_accounts.iter().any(|pattern| glob(pattern, username))
}
