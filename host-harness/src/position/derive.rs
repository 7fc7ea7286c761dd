//! What follows from the canonical tables about each account and seat, worked out once.

use std::collections::HashMap;

use connector_api::position::{CanonicalTable, PositionView};
use rusqlite::Connection;

use super::evidence::Evidence;
use super::inputs::BaseInputs;
use super::scratch::{Scratch, select, unusable};
use super::uses::glob;
use crate::error::HostError;

/// The account reads a kind of record that only the greater licence covers.
pub(crate) const NEEDS_TIER: i64 = 1;
/// The account has a right over everything.
pub(crate) const PRIVILEGED: i64 = 2;
/// Another active account seems to belong to the same person.
pub(crate) const TWIN: i64 = 4;
/// The person's employment has ended.
pub(crate) const LEFT: i64 = 8;

/// The view in which a store shows what its snapshots saw of accounts, and when.
pub(crate) const SIGHTINGS: &str = "_sighting";

/// Marks people and seats.
pub(crate) fn all(
    scratch: &Scratch,
    source: &Connection,
    evidence: &Evidence<'_>,
    inputs: &BaseInputs,
) -> Result<(), HostError> {
    let connection = &scratch.connection;
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
fn seen(connection: &Connection, source: &Connection) -> Result<(), HostError> {
    let sql = format!("SELECT kind, person_id, at FROM {SIGHTINGS}");
    // Not every source is a store.
    let Ok(mut statement) = source.prepare(&sql) else { return Ok(()) };
    let mut activated = connection.prepare(
        "UPDATE person SET activated_at = COALESCE(MAX(activated_at, ?2), ?2) WHERE id = ?1",
    )?;
    let mut frozen = connection.prepare(
        "UPDATE person SET frozen_since = COALESCE(MIN(frozen_since, ?2), ?2)
         WHERE id = ?1 AND frozen",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let update = match row.get_ref(0)?.as_str() {
            Ok("activated") => &mut activated,
            _ => &mut frozen,
        };
        update.execute((row.get::<_, String>(1)?, row.get::<_, i64>(2)?))?;
    }
    Ok(())
}

/// Whether an account belongs to an employee, to somebody who left, or to somebody who has another.
pub(crate) fn identities(
    scratch: &Scratch,
    source: &Connection,
    view: &PositionView,
    inputs: &BaseInputs,
) -> Result<(), HostError> {
    let failed = |reason: &dyn std::fmt::Display| unusable(view, reason);
    drop(select(source, &view.sql, view.table.columns()).map_err(|error| failed(&error))?);
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
    let mut statement = source.prepare(&sql).map_err(|error| failed(&error))?;
    let mut rows = statement.query([]).map_err(|error| failed(&error))?;
    let mut mark = scratch.connection.prepare(
        "UPDATE person SET is_internal = ?2, is_administrator = ?3 WHERE id = ?1 RETURNING no",
    )?;
    let mut left = scratch.connection.prepare(
        "INSERT OR IGNORE INTO leaver(person_no, matched_by, ended_on) VALUES(?1, ?2, ?3)",
    )?;
    while let Some(row) = rows.next().map_err(|error| failed(&error))? {
        let read = || -> rusqlite::Result<_> {
            Ok((
                row.get::<_, Option<String>>(0)?,
                row.get::<_, Option<bool>>(1)?,
                [row.get(2)?, row.get(3)?, row.get(4)?] as [Option<String>; 3],
                row.get::<_, Option<bool>>(5)?,
            ))
        };
        let (id, internal, keys, administrator) = read().map_err(|error| failed(&error))?;
        let mut marked = mark.query((id, internal, administrator))?;
        let Some(no) = marked.next()?.map(|row| row.get::<_, i64>(0)).transpose()? else {
            continue;
        };
        drop(marked);
        if let Some((by, ended_on)) = leavers.find(&keys) {
            left.execute((no, by, ended_on))?;
        }
    }
    drop(rows);
    for (kind, column) in [("federation_id", "federation_id"), ("email", "email")] {
        twins(scratch, source, &named, kind, column).map_err(|error| failed(&error))?;
    }
    Ok(())
}

/// Accounts that share a key with another. An administrator's second account is no double.
fn twins(
    scratch: &Scratch,
    source: &Connection,
    named: &str,
    kind: &str,
    column: &str,
) -> rusqlite::Result<()> {
    let key = format!("LOWER(TRIM({column}))");
    let sql = format!(
        "{named}, k AS MATERIALIZED (SELECT person_id, {key} AS key FROM identity
             WHERE TRIM({column}) <> '' AND is_internal = 1)
         SELECT person_id, key FROM k WHERE key IN (SELECT key FROM k GROUP BY key HAVING COUNT(*) > 1)"
    );
    let mut insert = scratch.connection.prepare(
        "INSERT OR IGNORE INTO twin(person_no, kind, twin_group)
         SELECT no, ?2, ?3 FROM person WHERE id = ?1 AND is_active",
    )?;
    let mut statement = source.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        insert.execute((row.get::<_, String>(0)?, kind, row.get::<_, String>(1)?))?;
    }
    // A group of which only one account is active, or in which one is an administrator's, is none.
    scratch.connection.execute(
        "DELETE FROM twin WHERE kind = ?1 AND twin_group IN
             (SELECT t.twin_group FROM twin t JOIN person p ON p.no = t.person_no WHERE t.kind = ?1
              GROUP BY t.twin_group
              HAVING COUNT(*) < 2 OR MAX(COALESCE(p.is_administrator, 0)) = 1)",
        [kind],
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

    fn find(&self, keys: &[Option<String>; 3]) -> Option<(&'static str, &'a str)> {
        self.by.iter().zip(keys).find_map(|((name, map), key)| {
            let ended_on = map.get(&normal(key.as_deref()?))?;
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
