//! The requests of a run, each chained to the one before it: proof of what was read.

use connector_api::message::JournalEntry;
use rusqlite::OptionalExtension;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::StoreError;
use crate::store::Store;
use crate::time;

/// One request of a run.
#[derive(Clone, Debug, Serialize)]
pub struct JournalRow {
    /// When it was noted, RFC 3339.
    pub at: String,
    /// What the connector noted.
    #[serde(flatten)]
    pub entry: JournalEntry,
    /// SHA-256 over the hash before it and this request, in hexadecimal.
    pub hash: String,
    /// Whether the hash is the one this request must have after the one before it.
    pub chained: bool,
}

/// The requests of runs.
#[derive(Clone, Copy, Debug)]
pub struct Journal<'s>(pub(crate) &'s Store);

impl Journal<'_> {
    /// Notes one request of a run.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn add(&self, run_id: i64, entry: &JournalEntry) -> Result<(), StoreError> {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.0.write(|transaction| {
            let before: Option<Vec<u8>> = transaction
                .prepare_cached(
                    "SELECT hash FROM journal WHERE run_id = ?1 ORDER BY id DESC LIMIT 1",
                )?
                .query_row([run_id], |row| row.get(0))
                .optional()?;
            let at = time::now().timestamp_millis();
            let hash = link(run_id, before.as_deref(), at, entry)?;
            transaction
                .prepare_cached(
                    "INSERT INTO journal(run_id, at, method, host, path, object, status, rows,
                         bytes, duration_ms, hash)
                     VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                )?
                .execute((
                    run_id,
                    at,
                    &entry.method,
                    &entry.host,
                    &entry.path,
                    &entry.object,
                    entry.status,
                    number(entry.rows),
                    number(entry.bytes),
                    number(entry.duration_ms),
                    &hash,
                ))?;
            Ok(())
        })
    }

    /// The requests of a run, in order, each checked against the one before it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn of_run(&self, run_id: i64) -> Result<Vec<JournalRow>, StoreError> {
        let unsigned = |value: i64| u64::try_from(value).unwrap_or(0);
        let stored: Vec<(i64, JournalEntry, Vec<u8>)> = self.0.read(|connection| {
            let mut statement = connection.prepare(
                "SELECT at, method, host, path, object, status, rows, bytes, duration_ms, hash
                 FROM journal WHERE run_id = ?1 ORDER BY id",
            )?;
            let rows = statement
                .query_map([run_id], |row| {
                    let entry = JournalEntry {
                        method: row.get(1)?,
                        host: row.get(2)?,
                        path: row.get(3)?,
                        object: row.get(4)?,
                        status: row.get(5)?,
                        rows: unsigned(row.get(6)?),
                        bytes: unsigned(row.get(7)?),
                        duration_ms: unsigned(row.get(8)?),
                    };
                    Ok((row.get(0)?, entry, row.get(9)?))
                })?
                .collect::<Result<_, _>>()?;
            Ok(rows)
        })?;
        let mut before: Option<Vec<u8>> = None;
        let mut rows = Vec::with_capacity(stored.len());
        for (at, entry, hash) in stored {
            let chained = link(run_id, before.as_deref(), at, &entry)? == hash;
            let shown = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            let at = time::rfc3339(time::from_ms(at));
            rows.push(JournalRow { at, entry, hash: shown, chained });
            before = Some(hash);
        }
        Ok(rows)
    }
}

/// The hash of a request after the one before it; the first one follows the run's number.
fn link(
    run_id: i64,
    before: Option<&[u8]>,
    at: i64,
    entry: &JournalEntry,
) -> Result<Vec<u8>, StoreError> {
    let mut hash = Sha256::new();
    match before {
        Some(before) => hash.update(before),
        None => hash.update(format!("run {run_id}")),
    }
    hash.update(at.to_be_bytes());
    hash.update(serde_json::to_vec(entry).map_err(StoreError::system)?);
    Ok(hash.finalize().to_vec())
}

#[cfg(test)]
mod tests {
    use connector_api::message::CollectMode;

    use super::*;
    use crate::connectors::NewConnector;
    use crate::folder::Folder;
    use crate::secrets::Sealed;

    #[test]
    fn a_request_that_was_changed_or_taken_out_breaks_the_chain() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Folder::new(folder.path())).unwrap();
        let draft = NewConnector { name: "c".into(), ..NewConnector::default() };
        let sealed = |_| Ok(Sealed { settings: vec![], secrets: vec![] });
        let connector = store.connectors().insert(&draft, sealed).unwrap();
        let run = store.runs().begin(connector, CollectMode::Full).unwrap();
        let entry = |path: &str| JournalEntry {
            method: "GET".into(),
            path: path.into(),
            ..JournalEntry::default()
        };
        for path in ["/one", "/two", "/three", "/four"] {
            store.journal().add(run.id, &entry(path)).unwrap();
        }
        let chained = || -> Vec<bool> {
            store.journal().of_run(run.id).unwrap().iter().map(|row| row.chained).collect()
        };
        assert_eq!(chained(), [true; 4]);
        let change = |sql: &str| store.write(|t| Ok(t.execute(sql, [])?)).unwrap();
        change("UPDATE journal SET method = 'POST' WHERE path = '/three'");
        assert_eq!(chained(), [true, true, false, true]);
        change("UPDATE journal SET method = 'GET' WHERE path = '/three'");
        change("DELETE FROM journal WHERE path = '/two'");
        assert_eq!(chained(), [true, false, true]);
    }
}
