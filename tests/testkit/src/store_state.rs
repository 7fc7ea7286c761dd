//! What a store holds, read from its file without the product: after a fault it must be sound, and
//! what was published must be there as it was.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

/// Everything that counts of a store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The status of each run.
    pub runs: BTreeMap<i64, String>,
    /// The records of each published snapshot, as readers see them.
    pub snapshots: BTreeMap<i64, Vec<String>>,
}

impl State {
    /// Reads the store of that home.
    ///
    /// # Errors
    /// What is damaged.
    pub fn of(home: &Path) -> Result<State, String> {
        let file = home.join("inventory.db");
        let connection = Connection::open(file).map_err(|error| error.to_string())?;
        read(&connection).map_err(|error| error.to_string())?
    }

    /// The latest published snapshot.
    pub fn latest(&self) -> (i64, &[String]) {
        let (id, rows) = self.snapshots.last_key_value().expect("a snapshot");
        (*id, rows)
    }

    /// Every snapshot of `before` is there as it was, and the latest one holds `new` if it is not of
    /// `before`.
    ///
    /// # Errors
    /// What is not so.
    pub fn follows(&self, before: &State, new: &[String]) -> Result<(), String> {
        for (id, rows) in &before.snapshots {
            match self.snapshots.get(id) {
                None => return Err(format!("snapshot {id} is gone")),
                Some(now) if now != rows => return Err(format!("snapshot {id} changed")),
                Some(_) => {}
            }
        }
        for (id, rows) in self.snapshots.iter().filter(|(id, _)| !before.snapshots.contains_key(id))
        {
            if rows != new {
                let odd = rows.iter().find(|row| !new.contains(row));
                let missing = new.iter().find(|row| !rows.contains(row));
                return Err(format!(
                    "snapshot {id} has {} records, not {}; it has {odd:?}, it lacks {missing:?}",
                    rows.len(),
                    new.len()
                ));
            }
        }
        Ok(())
    }

    /// A run that was reported as complete is there as such, and published.
    ///
    /// # Errors
    /// When it is not.
    pub fn has(&self, run: i64) -> Result<(), String> {
        let complete = self.runs.get(&run).is_some_and(|status| status == "complete");
        match complete && self.snapshots.contains_key(&run) {
            true => Ok(()),
            false => Err(format!("run {run} was reported as complete and is not there")),
        }
    }
}

fn read(connection: &Connection) -> rusqlite::Result<Result<State, String>> {
    let found: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if found != "ok" {
        return Ok(Err(found));
    }
    let has_tables = connection
        .query_row("SELECT 1 FROM sqlite_schema WHERE name = 'run'", [], |_| Ok(()))
        .optional()?;
    if has_tables.is_none() {
        return Ok(Ok(State::default()));
    }
    let runs = connection
        .prepare("SELECT id, status FROM run")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let published: Vec<i64> = connection
        .prepare("SELECT run_id FROM snapshot")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let tables: Vec<String> = connection
        .prepare("SELECT table_name FROM dataset ORDER BY 1")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut snapshots = BTreeMap::new();
    for id in published {
        let mut rows = Vec::new();
        for table in &tables {
            let columns: Vec<String> = connection
                .prepare("SELECT name FROM dataset_column WHERE table_name = ?1 ORDER BY 1")?
                .query_map([table], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            let values: Vec<String> =
                columns.iter().map(|name| format!("quote(\"{name}\")")).collect();
            let sql = format!(
                "SELECT concat_ws(',', {}) FROM \"{table}\"
                 WHERE _from <= ?1 AND (_to IS NULL OR _to > ?1) ORDER BY 1",
                values.join(", ")
            );
            let mut statement = connection.prepare(&sql)?;
            let mut found = statement.query([id])?;
            while let Some(row) = found.next()? {
                rows.push(format!("{table}: {}", row.get::<_, String>(0)?));
            }
        }
        snapshots.insert(id, rows);
    }
    Ok(Ok(State { runs, snapshots }))
}
