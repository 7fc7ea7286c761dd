//! Daily sums of uses, kept longer than vendors keep single uses. The sums are made elsewhere.

use std::collections::HashMap;
use std::sync::MutexGuard;

use rusqlite::Connection;

use crate::error::StoreError;
use crate::store::{Store, begin_immediate};

const DAY_MS: i64 = 86_400_000;

/// The uses of one account on one day, in one way.
#[derive(Clone, Copy, Debug)]
pub struct DayUse<'a> {
    /// The account.
    pub person_id: &'a str,
    /// Days since 1970.
    pub day: i64,
    /// Method, detail and application.
    pub way: &'a [String; 3],
    /// Whether the uses succeeded.
    pub succeeded: bool,
    /// The first of them, in milliseconds.
    pub first_at: i64,
    /// The last of them, in milliseconds.
    pub last_at: i64,
    /// Their number.
    pub events: i64,
}

/// What the sums of one run cover. Instants are milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct DaySpan {
    /// The connector.
    pub connector_id: i64,
    /// The run whose snapshot was summed.
    pub run_id: i64,
    /// The oldest use of the snapshot.
    pub oldest_at: i64,
    /// When the snapshot was read.
    pub to_at: i64,
    /// Days from here on are replaced, except the oldest day.
    pub since_at: i64,
    /// Sums from before are removed.
    pub forget_before: Option<i64>,
}

/// The daily sums of uses.
#[derive(Clone, Copy, Debug)]
pub struct Daily<'s>(pub(crate) &'s Store);

impl<'s> Daily<'s> {
    /// The spans that daily sums of a connector cover, from and to in milliseconds, newest end first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn covered(&self, connector_id: i64) -> Result<Vec<(i64, i64)>, StoreError> {
        self.0.read(|connection| Ok(covered(connection, connector_id)?))
    }

    /// A writer for the sums of one run. The store is locked from the first sum on, so that nobody
    /// waits while the sums are being made.
    pub fn writer(&self, span: DaySpan) -> DayWriter<'s> {
        DayWriter { store: self.0, span, open: None, ways: HashMap::new() }
    }
}

/// Writes daily sums in one transaction; dropped before [`DayWriter::finish`], it changes nothing.
#[derive(Debug)]
pub struct DayWriter<'s> {
    store: &'s Store,
    span: DaySpan,
    open: Option<MutexGuard<'s, Connection>>,
    ways: HashMap<[String; 3], i64>,
}

impl<'s> DayWriter<'s> {
    /// Adds one sum. One that is known already keeps the earlier first and the later last use.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn put(&mut self, day: &DayUse<'_>) -> Result<(), StoreError> {
        let connector_id = self.span.connector_id;
        let known = self.ways.get(day.way).copied();
        let connection = self.begin()?;
        let way = match known {
            Some(way) => way,
            None => {
                let [method, detail, application] = day.way;
                connection.query_row(
                    "INSERT INTO use_way(method, detail, application) VALUES(?1, ?2, ?3)
                     ON CONFLICT DO UPDATE SET method = method RETURNING no",
                    (method, detail, application),
                    |row| row.get(0),
                )?
            }
        };
        connection
            .prepare_cached(
                "INSERT INTO use_day(connector_id, person_id, day, way_no, succeeded, first_at, last_at, events)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT DO UPDATE SET first_at = MIN(first_at, excluded.first_at),
                     last_at = MAX(last_at, excluded.last_at), events = MAX(events, excluded.events)",
            )?
            .execute((
                connector_id, day.person_id, day.day, way, day.succeeded, day.first_at, day.last_at,
                day.events,
            ))?;
        if known.is_none() {
            self.ways.insert(day.way.clone(), way);
        }
        Ok(())
    }

    /// Makes the sums durable, with the span they cover.
    ///
    /// # Errors
    /// When the store cannot be written; nothing is changed then.
    pub fn finish(mut self) -> Result<(), StoreError> {
        let DaySpan { connector_id, run_id, oldest_at, to_at, forget_before, .. } = self.span;
        let connection = self.begin()?;
        connection.execute(
            "INSERT OR REPLACE INTO use_covered VALUES(?1, ?2, ?3, ?4)",
            (connector_id, run_id, oldest_at, to_at),
        )?;
        if let Some(cutoff) = forget_before {
            connection.execute(
                "DELETE FROM use_day WHERE connector_id = ?1 AND day < ?2",
                (connector_id, cutoff / DAY_MS),
            )?;
            connection.execute(
                "UPDATE use_covered SET from_at = MAX(from_at, ?2) WHERE connector_id = ?1",
                (connector_id, cutoff),
            )?;
            connection.execute(
                "DELETE FROM use_covered WHERE connector_id = ?1 AND to_at <= from_at",
                [connector_id],
            )?;
        }
        connection.execute_batch("COMMIT")?;
        Ok(())
    }

    fn begin(&mut self) -> Result<&Connection, StoreError> {
        if self.open.is_none() {
            let connection = self.store.lock();
            begin_immediate(&connection)?;
            let connection = self.open.insert(connection);
            connection.execute(
                "DELETE FROM use_day WHERE connector_id = ?1 AND day >= ?2 AND day > ?3",
                // The vendor may show only the rest of the oldest day.
                (self.span.connector_id, self.span.since_at / DAY_MS, self.span.oldest_at / DAY_MS),
            )?;
        }
        match &self.open {
            Some(connection) => Ok(connection),
            None => Err(StoreError::system("no transaction was begun")),
        }
    }
}

impl Drop for DayWriter<'_> {
    fn drop(&mut self) {
        if let Some(connection) = &self.open
            && !connection.is_autocommit()
            && let Err(error) = connection.execute_batch("ROLLBACK")
        {
            log::warn!("unfinished daily sums could not be taken back: {error}");
        }
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

/// The instant from which on the daily sums that end with that run are without a hole; `None` if that
/// run's uses were not summed, or a later run's were too.
pub(crate) fn covered_from(
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
    use crate::folder::Folder;

    #[test]
    fn coverage_goes_back_to_the_first_hole_and_belongs_to_the_newest_run() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Folder::new(folder.path())).unwrap();
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

    #[test]
    fn sums_that_were_not_finished_leave_nothing_and_do_not_lock_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Folder::new(folder.path())).unwrap();
        store.read(|c| Ok(c.execute_batch("PRAGMA foreign_keys = OFF")?)).unwrap();
        let span = DaySpan {
            connector_id: 1,
            run_id: 1,
            oldest_at: 0,
            to_at: 2 * DAY_MS,
            since_at: i64::MIN,
            forget_before: None,
        };
        let way = ["web", "", ""].map(str::to_owned);
        let day = DayUse {
            person_id: "p",
            day: 1,
            way: &way,
            succeeded: true,
            first_at: 1,
            last_at: 2,
            events: 3,
        };
        let days = || -> i64 {
            let count = "SELECT count(*) FROM use_day";
            store.read(|c| Ok(c.query_row(count, [], |row| row.get(0))?)).unwrap()
        };
        let mut writer = store.daily().writer(span);
        writer.put(&day).unwrap();
        drop(writer);
        assert_eq!((days(), store.daily().covered(1).unwrap().len()), (0, 0));
        let mut writer = store.daily().writer(span);
        writer.put(&day).unwrap();
        writer.finish().unwrap();
        assert_eq!((days(), store.daily().covered(1).unwrap().len()), (1, 1));
    }
}
