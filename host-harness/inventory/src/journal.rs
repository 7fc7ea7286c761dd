//! The requests of a run: proof of what was read.
//!
//! Each request is chained to the one before it, and the run's record holds their number and a seal of
//! the last one. All of it is made with a key that is sealed in the store, so that requests cannot be
//! changed, removed or added without it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use connector_api::Secret;
use connector_api::message::JournalEntry;
use hmac::{Hmac, KeyInit, Mac};
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use serde::Serialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

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
    /// HMAC-SHA-256 over the hash before it and this request, in hexadecimal.
    pub hash: String,
    /// Whether the hash is the one this request must have after the one before it.
    pub chained: bool,
}

/// The requests of a run, checked.
#[derive(Clone, Debug)]
pub struct RunJournal {
    /// The requests, in order.
    pub rows: Vec<JournalRow>,
    /// Whether no request was changed, removed or added.
    pub intact: bool,
}

/// The key that requests are chained with.
pub struct JournalKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for JournalKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JournalKey")
    }
}

impl JournalKey {
    pub(crate) fn random() -> Result<JournalKey, StoreError> {
        let mut key = Zeroizing::new([0_u8; 32]);
        getrandom::fill(&mut key[..])
            .map_err(|error| StoreError::system(format_args!("no random bytes: {error}")))?;
        Ok(JournalKey(key))
    }

    /// As it is sealed.
    pub(crate) fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(&self.0[..]))
    }

    pub(crate) fn from_text(text: &Secret) -> Option<JournalKey> {
        let mut key = Zeroizing::new([0_u8; 32]);
        let length = STANDARD.decode_slice(text.expose(), &mut key[..]).ok()?;
        (length == 32).then_some(JournalKey(key))
    }

    /// The hash of a request after the one before it.
    fn link(
        &self,
        run_id: i64,
        before: &[u8],
        at: i64,
        entry: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        self.sign("request", &[&run_id.to_be_bytes(), before, &at.to_be_bytes(), entry])
    }

    /// The seal of a run's requests.
    fn end(&self, run_id: i64, count: i64, head: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.sign("end", &[&run_id.to_be_bytes(), &count.to_be_bytes(), head])
    }

    fn sign(&self, what: &str, parts: &[&[u8]]) -> Result<Vec<u8>, StoreError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0[..])
            .map_err(|_| StoreError::system("the journal's key has another length"))?;
        mac.update(b"endpoint-server journal/1 ");
        mac.update(what.as_bytes());
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Ok(mac.finalize().into_bytes().to_vec())
    }
}

/// The requests of runs.
#[derive(Clone, Copy, Debug)]
pub struct Journal<'s>(pub(crate) &'s Store);

impl Journal<'_> {
    /// Notes one request of a run.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn add(
        &self,
        key: &JournalKey,
        run_id: i64,
        entry: &JournalEntry,
    ) -> Result<(), StoreError> {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.0.write(|transaction| {
            let before = head(transaction, run_id)?;
            let (count, sealed) = record(transaction, run_id)?;
            let at = time::now().timestamp_millis();
            let hash = key.link(run_id, &before, at, &serde_json::to_vec(entry)?)?;
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
            // A seal that is broken stays so: sealing anew would hide what was removed.
            match (count, sealed) {
                (Some(count), Some(sealed)) if key.end(run_id, count, &before)? == sealed => {
                    seal_end(transaction, key, run_id, count.saturating_add(1), &hash)
                }
                _ => Ok(()),
            }
        })
    }

    /// The requests of a run, each checked against the one before it, and all against the run's
    /// record.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn of_run(&self, key: &JournalKey, run_id: i64) -> Result<RunJournal, StoreError> {
        let (stored, count, end) = self.0.read(|connection| {
            let moment = connection.unchecked_transaction()?;
            let (count, end) = record(&moment, run_id)?;
            Ok((stored(&moment, run_id)?, count, end))
        })?;
        let mut before = Vec::new();
        let mut rows = Vec::with_capacity(stored.len());
        for Stored { at, entry, hash } in stored {
            let chained = key.link(run_id, &before, at, &serde_json::to_vec(&entry)?)? == hash;
            let shown = hex::encode(&hash);
            let at = time::rfc3339(time::from_ms(at));
            rows.push(JournalRow { at, entry, hash: shown, chained });
            before = hash;
        }
        let counted = i64::try_from(rows.len()).ok();
        let sealed = match (count, counted, end) {
            (Some(count), Some(counted), Some(end)) => {
                count == counted && key.end(run_id, count, &before)? == end
            }
            _ => false,
        };
        let intact = sealed && rows.iter().all(|row| row.chained);
        Ok(RunJournal { rows, intact })
    }
}

struct Stored {
    at: i64,
    entry: JournalEntry,
    hash: Vec<u8>,
}

fn stored(connection: &Connection, run_id: i64) -> Result<Vec<Stored>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT at, method, host, path, object, status, rows, bytes, duration_ms, hash
         FROM journal WHERE run_id = ?1 ORDER BY id",
    )?;
    let rows = statement.query_map([run_id], stored_row)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

fn stored_row(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let unsigned = |value: i64| u64::try_from(value).unwrap_or(0);
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
    Ok(Stored { at: row.get(0)?, entry, hash: row.get(9)? })
}

/// The number of requests and their seal, as the run's record holds them.
fn record(
    connection: &Connection,
    run_id: i64,
) -> rusqlite::Result<(Option<i64>, Option<Vec<u8>>)> {
    let record = connection
        .prepare_cached("SELECT journal_count, journal_end FROM run WHERE id = ?1")?
        .query_row([run_id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(record.unwrap_or_default())
}

fn head(connection: &Connection, run_id: i64) -> rusqlite::Result<Vec<u8>> {
    let found: Option<Vec<u8>> = connection
        .prepare_cached("SELECT hash FROM journal WHERE run_id = ?1 ORDER BY id DESC LIMIT 1")?
        .query_row([run_id], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Seals the journal of a run that just began, or up to its last request.
pub(crate) fn seal_end(
    connection: &Connection,
    key: &JournalKey,
    run_id: i64,
    count: i64,
    head: &[u8],
) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE run SET journal_count = ?2, journal_end = ?3 WHERE id = ?1")?
        .execute((run_id, count, key.end(run_id, count, head)?))?;
    Ok(())
}

/// Chains the journals of a store from before there was a key. One that is not intact stays as it is,
/// and is reported as such from then on.
pub(crate) fn upgrade(transaction: &Transaction<'_>, key: &JournalKey) -> Result<(), StoreError> {
    let runs: Vec<i64> = transaction
        .prepare("SELECT id FROM run ORDER BY id")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut update =
        transaction.prepare("UPDATE journal SET hash = ?3 WHERE run_id = ?1 AND hash = ?2")?;
    for run_id in runs {
        let rows = stored(transaction, run_id)?;
        let mut before: Option<&[u8]> = None;
        let mut intact = true;
        for row in &rows {
            intact &= unkeyed_link(run_id, before, row)? == row.hash;
            before = Some(&row.hash);
        }
        if !intact {
            continue;
        }
        let mut head = Vec::new();
        for row in &rows {
            let hash = key.link(run_id, &head, row.at, &serde_json::to_vec(&row.entry)?)?;
            update.execute((run_id, &row.hash, &hash))?;
            head = hash;
        }
        let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        seal_end(transaction, key, run_id, count, &head)?;
    }
    Ok(())
}

/// The hash of a request as programs made it that had no key.
fn unkeyed_link(run_id: i64, before: Option<&[u8]>, row: &Stored) -> Result<Vec<u8>, StoreError> {
    let mut hash = Sha256::new();
    match before {
        Some(before) => hash.update(before),
        None => hash.update(format!("run {run_id}")),
    }
    hash.update(row.at.to_be_bytes());
    hash.update(serde_json::to_vec(&row.entry)?);
    Ok(hash.finalize().to_vec())
}

#[cfg(test)]
mod tests {
    use connector_api::message::CollectMode;

    use super::*;
    use crate::connectors::NewConnector;
    use crate::folder::Folder;
    use crate::vault::{KeyPlace, SecretChanges, Vault};

    struct Case {
        _folder: tempfile::TempDir,
        store: Store,
        vault: Vault,
        runs: [i64; 2],
    }

    /// Two runs with twenty requests each.
    fn case() -> Case {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Folder::new(folder.path())).unwrap();
        let vault = Vault::open(&store, &KeyPlace::default()).unwrap();
        let draft = NewConnector { name: "c".into(), ..NewConnector::default() };
        let none = SecretChanges::new();
        let id = store.connectors().insert(&vault, &draft, "{}", &none).unwrap();
        let runs = [1, 2].map(|_| {
            let key = vault.journal_key();
            let run = store.runs().begin(key, id, CollectMode::Full).unwrap().id;
            for at in 0..20 {
                store.journal().add(key, run, &entry(&format!("/{at}"))).unwrap();
            }
            run
        });
        Case { _folder: folder, store, vault, runs }
    }

    fn entry(path: &str) -> JournalEntry {
        JournalEntry {
            method: "GET".into(),
            host: "north".into(),
            path: path.into(),
            ..JournalEntry::default()
        }
    }

    impl Case {
        fn change(&self, sql: &str) -> usize {
            self.store.write(|transaction| Ok(transaction.execute(sql, [])?)).unwrap()
        }

        fn journal(&self, run: i64) -> RunJournal {
            self.store.journal().of_run(self.vault.journal_key(), run).unwrap()
        }
    }

    #[test]
    fn two_hundred_journals_that_were_tampered_with_are_told_and_the_others_are_intact() {
        let case = case();
        let [run, other] = case.runs;
        assert!(case.journal(run).intact && case.journal(other).intact);
        let nth = |at: usize| {
            format!("(SELECT id FROM journal WHERE run_id = {run} ORDER BY id LIMIT 1 OFFSET {at})")
        };
        let mut tampers = Vec::new();
        for at in 0..20 {
            for change in [
                "method = 'POST'",
                "host = 'x'",
                "path = '/x'",
                "status = 500",
                "rows = 9",
                "at = at + 1",
                "hash = zeroblob(32)",
            ] {
                tampers.push(format!("UPDATE journal SET {change} WHERE id = {}", nth(at)));
            }
            tampers.push(format!("DELETE FROM journal WHERE id = {}", nth(at)));
            // Everything from there on is cut off.
            tampers.push(format!("DELETE FROM journal WHERE run_id = {run} AND id >= {}", nth(at)));
            tampers.push(format!(
                "INSERT INTO journal(run_id, at, method, host, path, status, rows, bytes, duration_ms, hash)
                 SELECT run_id, at, method, host, path, status, rows, bytes, duration_ms, hash
                 FROM journal WHERE id = {}", nth(at)
            ));
        }
        tampers.extend([
            format!("DELETE FROM journal WHERE run_id = {run}"),
            format!("UPDATE run SET journal_count = NULL, journal_end = NULL WHERE id = {run}"),
            format!("UPDATE run SET journal_count = 19 WHERE id = {run}"),
            format!("UPDATE run SET journal_end = (SELECT journal_end FROM run WHERE id = {other}) WHERE id = {run}"),
            format!("UPDATE journal SET run_id = -id WHERE run_id = {run}"),
        ]);
        assert!(tampers.len() >= 200, "{}", tampers.len());
        let restore = |case: &Case| {
            case.change(&format!("DELETE FROM journal WHERE run_id <> {other}"));
            case.change("INSERT INTO journal SELECT * FROM temp.kept_journal");
            case.change(&format!("UPDATE run SET (journal_count, journal_end) = (SELECT journal_count, journal_end FROM temp.kept_run) WHERE id = {run}"));
        };
        case.change(&format!(
            "CREATE TEMP TABLE kept_journal AS SELECT * FROM journal WHERE run_id = {run}"
        ));
        case.change(&format!("CREATE TEMP TABLE kept_run AS SELECT * FROM run WHERE id = {run}"));
        case.store.read(|c| Ok(c.pragma_update(None, "foreign_keys", false)?)).unwrap();
        for tamper in &tampers {
            assert!(case.change(tamper) > 0, "{tamper}");
            assert!(!case.journal(run).intact, "{tamper}");
            assert!(case.journal(other).intact, "{tamper}");
            restore(&case);
            assert!(case.journal(run).intact, "after {tamper}");
        }
    }

    #[test]
    fn whoever_has_no_key_cannot_write_the_chain_anew() {
        let case = case();
        let [run, _] = case.runs;
        case.change(&format!("UPDATE journal SET path = '/x' WHERE run_id = {run}"));
        let forged = JournalKey::random().unwrap();
        case.store
            .write(|transaction| {
                let mut head = Vec::new();
                for row in stored(transaction, run)? {
                    let json = serde_json::to_vec(&row.entry)?;
                    let hash = forged.link(run, &head, row.at, &json)?;
                    transaction.execute(
                        "UPDATE journal SET hash = ?2 WHERE hash = ?1",
                        (&row.hash, &hash),
                    )?;
                    head = hash;
                }
                seal_end(transaction, &forged, run, 20, &head)
            })
            .unwrap();
        assert!(case.store.journal().of_run(&forged, run).unwrap().intact, "the control");
        assert!(!case.journal(run).intact);
    }

    #[test]
    fn what_was_cut_while_a_run_goes_on_is_still_told_after_its_next_request() {
        let case = case();
        let [run, other] = case.runs;
        case.change(&format!(
            "DELETE FROM journal WHERE id = (SELECT max(id) FROM journal WHERE run_id = {run})"
        ));
        case.change(&format!("UPDATE run SET journal_count = 19 WHERE id = {run}"));
        for run in [run, other] {
            case.store.journal().add(case.vault.journal_key(), run, &entry("/next")).unwrap();
        }
        assert!(!case.journal(run).intact && case.journal(other).intact);
    }

    #[test]
    fn journals_of_an_older_store_get_the_key_and_one_that_was_changed_before_is_told() {
        let case = case();
        let [run, other] = case.runs;
        case.change("UPDATE run SET journal_count = NULL, journal_end = NULL");
        case.store
            .write(|transaction| {
                for run in [run, other] {
                    let mut before: Option<Vec<u8>> = None;
                    for mut row in stored(transaction, run)? {
                        let old = row.hash.clone();
                        row.hash = unkeyed_link(run, before.as_deref(), &row)?;
                        transaction.execute(
                            "UPDATE journal SET hash = ?2 WHERE hash = ?1",
                            (&old, &row.hash),
                        )?;
                        before = Some(row.hash);
                    }
                }
                transaction.execute(
                    "UPDATE journal SET path = '/x' WHERE run_id = ?1 AND path = '/7'",
                    [other],
                )?;
                upgrade(transaction, case.vault.journal_key())
            })
            .unwrap();
        assert!(case.journal(run).intact);
        assert!(!case.journal(other).intact);
    }
}
