//! Daily sums of uses, kept longer than vendors keep single uses.

use connector_api::position::CanonicalTable;
use position::daily;
use rusqlite::{Connection, Row};

use super::{ReadStore, SnapshotInfo, Store, schema};
use crate::error::HostError;
use crate::source;

/// The view in which a snapshot shows its daily sums of uses.
pub(crate) const DAILY: &str = "_use_day";
/// The view with the instant from which on the daily sums have no gap.
pub(crate) const COVERED: &str = "_use_covered";

const DAY_MS: i64 = 86_400_000;
/// Days before the last run that are summed again: uses may arrive late.
const AGAIN_DAYS: i64 = 3;

impl Store {
    /// Adds the uses of a snapshot to the daily sums and forgets those from before `forget_before`
    /// (milliseconds). Does nothing if the snapshot does not hold the uses of everybody.
    ///
    /// # Errors
    /// When the store cannot be read or written; nothing is changed then.
    pub(crate) fn sum_uses(
        &self,
        reader: &ReadStore,
        snapshot: &SnapshotInfo,
        forget_before: Option<i64>,
    ) -> Result<(), HostError> {
        let known = source::snapshot(snapshot);
        let Some(view) = daily::view(&known) else { return Ok(()) };
        let source = reader.snapshot_connection(snapshot)?;
        let id = snapshot.connector_id;
        let to_at = snapshot.as_of.timestamp_millis();
        let single = daily::sql(view);
        let oldest: Option<i64> =
            source.query_row(&daily::oldest_sql(view), [], |row| row.get(0))?;
        let Some(oldest) = oldest else { return Ok(()) };
        let known = self.read(|connection| Ok(covered(connection, id)?))?;
        // Days that an earlier run saw to their end stay as they are.
        let since = known
            .iter()
            .map(|(_, to)| *to)
            .max()
            .filter(|to| *to >= oldest)
            .map_or(i64::MIN, |to| (to / DAY_MS - AGAIN_DAYS) * DAY_MS);
        let mut statement = source
            .prepare(&format!("{single} AND at >= ?1 GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2"))?;
        let mut rows = statement.query([since])?;
        // The summing is done when the first row comes: before the store is locked for writing, so
        // that nobody who must store a token waits for it.
        let mut sum = rows.next()?.map(DayUse::read).transpose()?;
        self.write(|transaction| {
            transaction.execute(
                "DELETE FROM use_day WHERE connector_id = ?1 AND day >= ?2 AND day > ?3",
                // The vendor may show only the rest of the oldest day.
                (id, since / DAY_MS, oldest / DAY_MS),
            )?;
            let mut way = transaction.prepare(
                "INSERT INTO use_way(method, detail, application) VALUES(?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET method = method RETURNING no",
            )?;
            let mut insert = transaction.prepare(
                "INSERT INTO use_day(connector_id, person_id, day, way_no, succeeded, first_at, last_at, events)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT DO UPDATE SET first_at = MIN(first_at, excluded.first_at),
                     last_at = MAX(last_at, excluded.last_at), events = MAX(events, excluded.events)",
            )?;
            let mut ways = std::collections::HashMap::<[String; 3], i64>::new();
            while let Some(day) = sum {
                let no = match ways.get(&day.way) {
                    Some(no) => *no,
                    None => {
                        let [method, detail, application] = &day.way;
                        let no = way.query_row((method, detail, application), |row| row.get(0))?;
                        ways.insert(day.way, no);
                        no
                    }
                };
                insert.execute((
                    id, &day.person_id, day.day, no, day.succeeded, day.first_at, day.last_at,
                    day.events,
                ))?;
                sum = rows.next()?.map(DayUse::read).transpose()?;
            }
            transaction.execute(
                "INSERT OR REPLACE INTO use_covered VALUES(?1, ?2, ?3, ?4)",
                (id, snapshot.id, oldest, to_at),
            )?;
            if let Some(cutoff) = forget_before {
                transaction.execute(
                    "DELETE FROM use_day WHERE connector_id = ?1 AND day < ?2",
                    (id, cutoff / DAY_MS),
                )?;
                transaction.execute(
                    "UPDATE use_covered SET from_at = MAX(from_at, ?2) WHERE connector_id = ?1",
                    (id, cutoff),
                )?;
                transaction.execute(
                    "DELETE FROM use_covered WHERE connector_id = ?1 AND to_at <= from_at",
                    [id],
                )?;
            }
            Ok(())
        })
    }
}

impl Store {
    /// Makes what changed between two snapshots quick to find, in the datasets that comparisons
    /// look at.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) fn index_changes(&self, snapshot: &SnapshotInfo) -> Result<(), HostError> {
        let views = &snapshot.manifest.position.views;
        let mut datasets: Vec<&String> = views
            .iter()
            .filter(|view| !matches!(view.table, CanonicalTable::Use | CanonicalTable::Activity))
            .flat_map(|view| &view.needs)
            .collect();
        datasets.sort();
        datasets.dedup();
        let feature = &snapshot.manifest.id;
        // One at a time: others must be able to write in between.
        for dataset in datasets {
            self.write(|transaction| {
                if let Some(table) = schema::dataset_table(transaction, feature, dataset)? {
                    let (name, table) = (table.clone(), schema::quote(&table));
                    transaction.execute_batch(&format!(
                        "CREATE INDEX IF NOT EXISTS {} ON {table}(_connector, _from);
                         CREATE INDEX IF NOT EXISTS {} ON {table}(_connector, _to)
                             WHERE _to IS NOT NULL",
                        schema::quote(&format!("{name}_by_from")),
                        schema::quote(&format!("{name}_by_to")),
                    ))?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// The uses of one account on one day, in one way.
struct DayUse {
    person_id: String,
    day: i64,
    /// Method, detail and application.
    way: [String; 3],
    succeeded: bool,
    first_at: i64,
    last_at: i64,
    events: i64,
}

impl DayUse {
    fn read(row: &Row<'_>) -> rusqlite::Result<DayUse> {
        Ok(DayUse {
            person_id: row.get(0)?,
            day: row.get(1)?,
            way: [row.get(2)?, row.get(3)?, row.get(4)?],
            succeeded: row.get::<_, Option<bool>>(5)?.unwrap_or(false),
            first_at: row.get(6)?,
            last_at: row.get(7)?,
            events: row.get(8)?,
        })
    }
}

fn covered(connection: &Connection, connector_id: i64) -> rusqlite::Result<Vec<(i64, i64)>> {
    connection
        .prepare(
            "SELECT from_at, to_at FROM use_covered WHERE connector_id = ?1 ORDER BY to_at DESC",
        )?
        .query_map([connector_id], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// From when on the daily sums that end with that run are without a hole; none if that run's uses
/// were not summed, or a later run's were too.
pub(super) fn covered_from(
    connection: &Connection,
    connector_id: i64,
    run_id: i64,
) -> rusqlite::Result<Option<i64>> {
    let newest: Option<i64> = connection.query_row(
        "SELECT MAX(run_id) FROM use_covered WHERE connector_id = ?1",
        [connector_id],
        |row| row.get(0),
    )?;
    if newest != Some(run_id) {
        return Ok(None);
    }
    let mut from = None;
    for (start, end) in covered(connection, connector_id)? {
        match from {
            None => from = Some(start),
            Some(known) if end >= known => from = Some(known.min(start)),
            Some(_) => break,
        }
    }
    Ok(from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;

    #[test]
    fn coverage_goes_back_to_the_first_hole_and_belongs_to_the_newest_run() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Home::new(folder.path())).unwrap();
        store
            .read(|connection| {
                connection.execute_batch(
                    "PRAGMA foreign_keys = OFF;
                     INSERT INTO use_covered VALUES(1, 1, 0, 100), (1, 2, 300, 400), (1, 3, 350, 500),
                         (2, 4, 0, 900)",
                )?;
                assert_eq!(covered_from(connection, 1, 3)?, Some(300), "there is a hole before 300");
                assert_eq!(covered_from(connection, 1, 2)?, None, "a later run was summed");
                assert_eq!(covered_from(connection, 3, 5)?, None);
                connection.execute("INSERT INTO use_covered VALUES(1, 6, 90, 320)", [])?;
                connection.execute("UPDATE use_covered SET run_id = 7 WHERE run_id = 3", [])?;
                assert_eq!(covered_from(connection, 1, 7)?, Some(0), "the hole is closed");
                Ok(())
            })
            .unwrap();
    }
}
