//! What changed between two snapshots of a connector, and why the counts moved.
//!
//! Only records that changed are looked at: for every statement of the connector that reads people,
//! seats or rights, the rows made from changed records as of the earlier snapshot are compared with
//! those as of the later one. Where a second dataset of a statement changed, it is compared whole.
//! A seat also moves when nothing but its holder changed, and a seat that moved has a holder who did
//! not change: both are read in addition.

mod movement;
mod sightings;

use std::collections::BTreeMap;

use connector_api::position::{CanonicalTable, PositionView};
use rusqlite::{Connection, ToSql};
use serde::Serialize;

use crate::error::Error;
use crate::evidence::Evidence;
use crate::model::{PriceBasis, SeatChange, words};
use crate::money::{PriceBook, PriceLine};
use crate::source::{Changed, Snapshot, SnapshotSource, SnapshotStatus, Value};
use crate::tables::{bound, check_width, literal};
use crate::time::rfc3339;

pub use movement::movement;
pub use sightings::{Sightings, frozen_in};

/// One of the two snapshots, with what reads it.
#[derive(Clone, Copy)]
pub struct Read<'a> {
    /// The snapshot.
    pub snapshot: &'a Snapshot,
    /// Reads it.
    pub source: &'a dyn SnapshotSource,
    /// The prices that were in use then.
    pub prices: Option<&'a PriceBook>,
}

/// What changed.
#[derive(Debug, Serialize)]
pub struct Diff {
    /// The connector's name.
    pub connector: String,
    /// The earlier snapshot.
    pub from: Side,
    /// The later one.
    pub to: Side,
    /// Pools that were added, removed or changed.
    pub licenses: Vec<LicenseChange>,
    /// Accounts.
    pub people: PeopleChange,
    /// Seats given and taken, by pool, with the causes.
    pub seats: Vec<SeatChange>,
    /// Sets of rights given to and taken from people, and rights added to and removed from sets.
    pub rights: RightsChange,
    /// Prices that changed.
    pub prices: Vec<PriceChange>,
    /// What could not be compared, one sentence each.
    pub not_compared: Vec<String>,
}

/// One of the two snapshots.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// Its number.
    pub snapshot: i64,
    /// When the data was read.
    pub as_of: String,
    /// How its run ended.
    pub status: SnapshotStatus,
}

/// A figure before and after.
pub type Change<T> = (Option<T>, Option<T>);

words! {
    /// What happened to a pool.
    ChangeKind {
        /// It was not there before.
        Added = "added",
        /// It is no longer there.
        Removed = "removed",
        /// A figure of it changed.
        Changed = "changed",
    }
}

/// A pool that changed.
#[derive(Debug, PartialEq, Serialize)]
pub struct LicenseChange {
    /// What happened to it.
    pub change: ChangeKind,
    /// The family.
    pub family: String,
    /// The key.
    pub key: String,
    /// The name.
    pub name: String,
    /// What the vendor reports as bought.
    pub purchased: Change<i64>,
    /// What the vendor reports as assigned.
    pub assigned: Change<i64>,
    /// The status.
    pub status: Change<String>,
    /// When it ends.
    pub expires_at: Change<String>,
}

/// Accounts that came, went or changed.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct PeopleChange {
    /// Seen for the first time.
    pub added: i64,
    /// No longer seen.
    pub removed: i64,
    /// Made active.
    pub activated: i64,
    /// Made inactive.
    pub deactivated: i64,
    /// Some of each, by user name or id.
    pub examples: BTreeMap<&'static str, Vec<String>>,
}

/// Rights.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct RightsChange {
    /// Sets given to people.
    pub sets_given: i64,
    /// Sets taken from people.
    pub sets_taken: i64,
    /// Rights added to sets, each as `KIND NAME in SET`.
    pub rights_added: Vec<String>,
    /// Rights removed from sets.
    pub rights_removed: Vec<String>,
}

/// A price that changed.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct PriceChange {
    /// `FAMILY/KEY`.
    pub license: String,
    /// Whether it is a list price or what this organization pays.
    pub basis: PriceBasis,
    /// For a unit and year.
    pub per_year: Change<String>,
}

/// Most examples of each kind of change.
const MOST_EXAMPLES: i64 = 20;
/// Most ids named in one statement.
const MOST_LITERALS: usize = 500;

/// Compares two snapshots of one connector; the earlier one comes first.
///
/// # Errors
/// When the store cannot be read, or a statement of the connector does not fit its table.
pub fn compare(from: Read<'_>, to: Read<'_>) -> Result<Diff, Error> {
    let side = |read: Read<'_>| Side {
        snapshot: read.snapshot.id,
        as_of: rfc3339(read.snapshot.as_of),
        status: read.snapshot.status,
    };
    let tables = [
        CanonicalTable::License,
        CanonicalTable::Person,
        CanonicalTable::Seat,
        CanonicalTable::Holding,
        CanonicalTable::Right,
    ];
    let mut comparison = Comparison::of(from, to, &tables)?;
    comparison.complete()?;
    Ok(Diff {
        connector: to.snapshot.connector.clone(),
        from: side(from),
        to: side(to),
        licenses: comparison.licenses()?,
        people: comparison.people()?,
        seats: comparison.seats()?,
        rights: comparison.rights()?,
        prices: price_changes(from.prices, to.prices),
        not_compared: comparison.unread.iter().map(Unread::words).collect(),
    })
}

struct Comparison<'a> {
    from: Read<'a>,
    to: Read<'a>,
    work: Connection,
    unread: Vec<Unread>,
    /// Statements about seats of which not every row was read.
    partial: Vec<&'a PositionView>,
}

/// A statement that cannot be compared: a dataset of it was not read completely in one of the snapshots.
struct Unread {
    table: CanonicalTable,
    family: String,
    reason: String,
}

impl Unread {
    fn words(&self) -> String {
        format!("{} {}: {}", self.table.as_str(), self.family, self.reason)
    }
}

const TABLES: &str = "
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -16384;
CREATE TABLE license(side, family, id, key, name, status, unit, purchased, assigned, counted_at,
    expires_at);
CREATE TABLE person(side, id, username, name, is_active, created_at, last_login_at, is_service,
    PRIMARY KEY(side, id)) WITHOUT ROWID;
CREATE TABLE seat(side, family, license_id, person_id,
    PRIMARY KEY(side, family, license_id, person_id)) WITHOUT ROWID;
CREATE TABLE frozen(side, person_id, since, PRIMARY KEY(side, person_id)) WITHOUT ROWID;
CREATE TABLE holding(side, person_id, set_id, PRIMARY KEY(side, person_id, set_id)) WITHOUT ROWID;
CREATE TABLE \"right\"(side, set_id, kind, name, PRIMARY KEY(side, set_id, kind, name)) WITHOUT ROWID;
BEGIN;";

/// Whether a person turned active or inactive.
const OF_TURNED: &str = "SELECT 1 FROM turned WHERE id = ?1";

impl<'a> Comparison<'a> {
    /// A comparison of these tables.
    fn of(
        from: Read<'a>,
        to: Read<'a>,
        tables: &[CanonicalTable],
    ) -> Result<Comparison<'a>, Error> {
        let work = Connection::open("")?;
        work.execute_batch(TABLES)?;
        let (unread, partial) = (Vec::new(), Vec::new());
        let mut comparison = Comparison { from, to, work, unread, partial };
        for table in tables {
            comparison.load(*table)?;
        }
        Ok(comparison)
    }

    fn load(&mut self, table: CanonicalTable) -> Result<(), Error> {
        for view in self.views(table) {
            let unread = [self.from, self.to].iter().find_map(|read| {
                let snapshot = read.snapshot;
                let evidence = Evidence::new(&snapshot.manifest, &snapshot.datasets);
                let cause = evidence.causes_of(view).into_iter().next()?;
                Some(format!(
                    "`{}` was {} in snapshot {}",
                    cause.dataset, cause.status, snapshot.id
                ))
            });
            if let Some(reason) = unread {
                self.unread.push(Unread { table, family: view.family.clone(), reason });
                continue;
            }
            let mut changed = Vec::new();
            for dataset in &view.needs {
                if self.to.source.has_changed(self.changed(dataset))? {
                    changed.push(dataset.as_str());
                }
            }
            let driving = view.needs.first().map(String::as_str);
            let only = match changed.as_slice() {
                // Pools are few, and all are wanted.
                _ if table == CanonicalTable::License => None,
                [] => {
                    self.partial.extend((table == CanonicalTable::Seat).then_some(view));
                    continue;
                }
                [one] if Some(*one) == driving => {
                    self.partial.extend((table == CanonicalTable::Seat).then_some(view));
                    Some(self.changed(one))
                }
                _ => None,
            };
            for (side, read) in [("a", self.from), ("b", self.to)] {
                self.copy(side, read, view, only, None)?;
            }
        }
        Ok(())
    }

    /// Adds the seats that moved with their holders, and the holders of the seats that moved.
    fn complete(&mut self) -> Result<(), Error> {
        self.work.execute_batch(
            "CREATE TABLE turned(id PRIMARY KEY) WITHOUT ROWID;
             INSERT INTO turned SELECT a.id FROM person a JOIN person b ON b.side = 'b' AND b.id = a.id
                 WHERE a.side = 'a' AND a.is_active IS NOT b.is_active;",
        )?;
        let people: Vec<&PositionView> = self.views(CanonicalTable::Person).collect();
        if self.number("SELECT EXISTS(SELECT 1 FROM turned)")? == 1 {
            for view in &self.partial {
                // The seats of a changed account are there where its own record says them.
                let driving = view.needs.first();
                if people.iter().any(|person| person.needs.first() == driving) {
                    continue;
                }
                for (side, read) in [("a", self.from), ("b", self.to)] {
                    self.copy(side, read, view, None, Some(OF_TURNED))?;
                }
            }
        }
        let same = self.texts(
            "SELECT DISTINCT person_id FROM seat WHERE person_id IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM person WHERE side IN ('a', 'b') AND id = person_id)",
            &[],
        )?;
        let people_unread = self.unread.iter().any(|unread| unread.table == CanonicalTable::Person);
        if same.is_empty() || people_unread {
            return Ok(());
        }
        // They did not change: what they are now is what they were.
        let mut insert = self.work.prepare(
            "INSERT OR IGNORE INTO person(side, id, is_active) VALUES('a', ?1, ?2), ('b', ?1, ?2)",
        )?;
        for view in people {
            for ids in same.chunks(MOST_LITERALS) {
                let ids: Vec<String> = ids.iter().map(|id| literal(id)).collect();
                let sql = format!(
                    "WITH p(id, username, name, is_active, created_at, last_login_at, is_service) AS ({})
                     SELECT id, is_active FROM p WHERE id IN ({})",
                    view.sql,
                    ids.join(", ")
                );
                self.to.source.query(&sql, &mut |row| {
                    let active = row[1].integer().map(|flag| flag != 0);
                    insert.execute((bound(row[0]), active))?;
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    /// The records of a dataset that changed between the two.
    fn changed<'d>(&self, dataset: &'d str) -> Changed<'d> {
        Changed { dataset, after: self.from.snapshot.id, until: self.to.snapshot.id }
    }

    fn views(&self, table: CanonicalTable) -> impl Iterator<Item = &'a PositionView> + use<'a> {
        self.to.snapshot.manifest.position.views.iter().filter(move |view| view.table == table)
    }

    fn copy(
        &self,
        side: &str,
        read: Read<'_>,
        view: &PositionView,
        only: Option<Changed<'_>>,
        holders: Option<&str>,
    ) -> Result<(), Error> {
        check_width(read.source, view)?;
        let marks: Vec<String> =
            (1..=view.table.columns() + 1).map(|at| format!("?{at}")).collect();
        let mut insert = self.work.prepare(&format!(
            "INSERT OR IGNORE INTO \"{}\" VALUES({})",
            view.table.as_str(),
            marks.join(", ")
        ))?;
        let mut wanted = holders.map(|sql| self.work.prepare(sql)).transpose()?;
        let mut add = |row: &[Value<'_>]| -> Result<(), Error> {
            if let Some(wanted) = &mut wanted
                && !wanted.exists([bound(row[2])])?
            {
                return Ok(());
            }
            insert.raw_bind_parameter(1, side)?;
            for (at, value) in row.iter().enumerate() {
                insert.raw_bind_parameter(at + 2, bound(*value))?;
            }
            insert.raw_execute()?;
            Ok(())
        };
        match only {
            Some(changed) => read.source.query_changed(&view.sql, changed, &mut add)?,
            None => read.source.query(&view.sql, &mut add)?,
        };
        Ok(())
    }

    fn number(&self, sql: &str) -> Result<i64, Error> {
        Ok(self.work.query_row(sql, [], |row| row.get(0))?)
    }

    fn texts(&self, sql: &str, params: &[&dyn ToSql]) -> Result<Vec<String>, Error> {
        let mut statement = self.work.prepare(sql)?;
        let texts = statement.query_map(params, |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(texts)
    }

    fn licenses(&self) -> Result<Vec<LicenseChange>, Error> {
        let mut statement = self.work.prepare(
            "SELECT COALESCE(b.family, a.family), COALESCE(b.key, a.key, b.id, a.id),
                    COALESCE(b.name, a.name, b.key, a.key, ''), a.id IS NULL, b.id IS NULL,
                    a.purchased, b.purchased, a.assigned, b.assigned, a.status, b.status,
                    a.expires_at, b.expires_at
             FROM (SELECT * FROM license WHERE side = 'a') a
             FULL JOIN (SELECT * FROM license WHERE side = 'b') b
                 ON a.family = b.family AND a.id = b.id
             WHERE a.id IS NULL OR b.id IS NULL OR a.purchased IS NOT b.purchased
                OR a.assigned IS NOT b.assigned OR a.status IS NOT b.status
                OR a.expires_at IS NOT b.expires_at
             ORDER BY 1, 2",
        )?;
        let day = |at: Option<i64>| at.map(|at| rfc3339(crate::time::from_ms(at)));
        let changes = statement
            .query_map([], |row| {
                let change = match (row.get(3)?, row.get(4)?) {
                    (true, _) => ChangeKind::Added,
                    (_, true) => ChangeKind::Removed,
                    _ => ChangeKind::Changed,
                };
                Ok(LicenseChange {
                    change,
                    family: row.get(0)?,
                    key: row.get(1)?,
                    name: row.get(2)?,
                    purchased: (row.get(5)?, row.get(6)?),
                    assigned: (row.get(7)?, row.get(8)?),
                    status: (row.get(9)?, row.get(10)?),
                    expires_at: (day(row.get(11)?), day(row.get(12)?)),
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(changes)
    }

    fn people(&self) -> Result<PeopleChange, Error> {
        let both = "FROM person a JOIN person b ON b.side = 'b' AND b.id = a.id WHERE a.side = 'a'";
        let only = |side: &str, other: &str| {
            format!(
                "FROM person b WHERE b.side = '{side}' AND NOT EXISTS
                     (SELECT 1 FROM person o WHERE o.side = '{other}' AND o.id = b.id)"
            )
        };
        let kinds = [
            ("added", only("b", "a")),
            ("removed", only("a", "b")),
            ("activated", format!("{both} AND b.is_active AND NOT a.is_active")),
            ("deactivated", format!("{both} AND a.is_active AND NOT b.is_active")),
        ];
        let mut change = PeopleChange::default();
        for (kind, from) in kinds {
            let number = self.number(&format!("SELECT COUNT(*) {from}"))?;
            match kind {
                "added" => change.added = number,
                "removed" => change.removed = number,
                "activated" => change.activated = number,
                _ => change.deactivated = number,
            }
            if number > 0 {
                let sql = format!("SELECT COALESCE(b.username, b.id) {from} ORDER BY 1 LIMIT ?1");
                change.examples.insert(kind, self.texts(&sql, &[&MOST_EXAMPLES])?);
            }
        }
        Ok(change)
    }

    /// Seats by pool. A seat counts while its holder is active; a holder whose record did not change
    /// is as before, which is taken for active.
    fn seats(&self) -> Result<Vec<SeatChange>, Error> {
        let mut statement = self.work.prepare(
            "WITH change AS (
                 SELECT family, license_id, person_id, SUM(side = 'a') AS was, SUM(side = 'b') AS is_now
                 FROM seat GROUP BY family, license_id, person_id)
             SELECT c.family, c.license_id,
                    COALESCE((SELECT COALESCE(l.key, l.id) FROM license l WHERE l.family = c.family
                              AND l.id = c.license_id ORDER BY l.side DESC LIMIT 1), c.license_id),
                    was, is_now, a.id IS NOT NULL, b.id IS NOT NULL,
                    COALESCE(a.is_active, b.is_active, 1), COALESCE(b.is_active, a.is_active, 1),
                    COUNT(*)
             FROM change c
             LEFT JOIN person a ON a.side = 'a' AND a.id = c.person_id
             LEFT JOIN person b ON b.side = 'b' AND b.id = c.person_id
             GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9 ORDER BY 1, 3",
        )?;
        let mut changes: Vec<SeatChange> = Vec::new();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (family, license_id): (String, String) = (row.get(0)?, row.get(1)?);
            let (was, is_now): (bool, bool) = (row.get(3)?, row.get(4)?);
            let (known_before, known_after): (bool, bool) = (row.get(5)?, row.get(6)?);
            let (active_before, active_after): (bool, bool) = (row.get(7)?, row.get(8)?);
            let number: i64 = row.get(9)?;
            let before = was && active_before;
            let after = is_now && active_after;
            if before == after && was == is_now {
                continue;
            }
            let same = changes
                .last()
                .is_some_and(|last| last.family == family && last.license_id == license_id);
            if !same {
                changes.push(SeatChange {
                    family,
                    license_id,
                    key: row.get(2)?,
                    ..SeatChange::default()
                });
            }
            let Some(change) = changes.last_mut() else { continue };
            change.net_held += number * (i64::from(is_now) - i64::from(was));
            if before == after {
                continue;
            }
            let cause = match (after, was, is_now) {
                (true, true, _) => &mut change.activated,
                (true, false, _) if known_after && !known_before => &mut change.given_to_new,
                (true, false, _) => &mut change.given,
                (false, _, true) => &mut change.deactivated,
                (false, _, false) if known_before && !known_after => {
                    &mut change.removed_with_account
                }
                (false, _, false) => &mut change.taken,
            };
            *cause += number;
            change.net_active += if after { number } else { -number };
        }
        Ok(changes)
    }

    fn rights(&self) -> Result<RightsChange, Error> {
        let only = |table: &str, side: &str, other: &str, keys: &[&str]| {
            let same: Vec<String> = keys.iter().map(|key| format!("o.{key} = t.{key}")).collect();
            format!(
                "FROM \"{table}\" t WHERE t.side = '{side}' AND NOT EXISTS
                     (SELECT 1 FROM \"{table}\" o WHERE o.side = '{other}' AND {})",
                same.join(" AND ")
            )
        };
        let held = ["person_id", "set_id"];
        let given = ["set_id", "kind", "name"];
        let words = |side: &str, other: &str| {
            format!(
                "SELECT t.kind || ' ' || t.name || ' in ' || t.set_id {} ORDER BY 1 LIMIT 200",
                only("right", side, other, &given)
            )
        };
        Ok(RightsChange {
            sets_given: self
                .number(&format!("SELECT COUNT(*) {}", only("holding", "b", "a", &held)))?,
            sets_taken: self
                .number(&format!("SELECT COUNT(*) {}", only("holding", "a", "b", &held)))?,
            rights_added: self.texts(&words("b", "a"), &[])?,
            rights_removed: self.texts(&words("a", "b"), &[])?,
        })
    }
}

fn price_changes(before: Option<&PriceBook>, after: Option<&PriceBook>) -> Vec<PriceChange> {
    type Prices = BTreeMap<(String, PriceBasis), String>;
    let prices = |book: Option<&PriceBook>| -> Prices {
        let entry = |line: &PriceLine| {
            let price = format!("{} {}", crate::money::shown(line.per_year), line.currency);
            ((format!("{}/{}", line.family, line.key), line.basis), price)
        };
        book.into_iter().flat_map(|book| &book.lines).map(entry).collect()
    };
    let (before, after) = (prices(before), prices(after));
    let mut keys: Vec<&(String, PriceBasis)> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| PriceChange {
            license: key.0.clone(),
            basis: key.1,
            per_year: (before.get(key).cloned(), after.get(key).cloned()),
        })
        .collect()
}
