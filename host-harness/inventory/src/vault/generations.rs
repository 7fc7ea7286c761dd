//! Which generation of each sealed value holds: one authenticated list for the whole store, so that a
//! value from an earlier time that is put back is refused.
//!
//! A generation is a number that is never used again. The greatest one is noted in a file beside the
//! store: a store that is older than it was restored from a copy, which is accepted with a warning.

use std::collections::BTreeMap;

use connector_api::Secret;
use rusqlite::{Connection, OptionalExtension, Transaction};
use serde::{Deserialize, Serialize};

use super::cipher::{Binding, Cipher, is_counted, refused};
use super::{GENERATIONS, JOURNAL_KEY, KEY_CHECK, SecretChanges};
use crate::error::{StoreError, StoreErrorKind};
use crate::files::restrict;
use crate::folder::Folder;
use crate::secrets::{SETTINGS, put_meta, put_secret};

/// The generations that hold.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Generations {
    /// The greatest one that was ever given.
    pub(super) last: u64,
    /// By connector and name.
    of: BTreeMap<i64, BTreeMap<String, u64>>,
}

impl Generations {
    /// Reads the list.
    ///
    /// # Errors
    /// When it is missing or was altered, or the store cannot be read.
    pub(super) fn read(
        connection: &Connection,
        cipher: &Cipher,
    ) -> Result<Generations, StoreError> {
        let sealed: Option<Vec<u8>> = connection
            .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
            .query_row([GENERATIONS], |row| row.get(0))
            .optional()?;
        let list = cipher.open(GENERATIONS, &sealed.ok_or_else(|| refused(GENERATIONS))?)?;
        serde_json::from_str(list.expose()).map_err(|_| refused(GENERATIONS))
    }

    fn write(&self, transaction: &Transaction<'_>, cipher: &Cipher) -> Result<(), StoreError> {
        let sealed = cipher.seal(GENERATIONS, &serde_json::to_string(self)?)?;
        Ok(put_meta(transaction, GENERATIONS, &sealed)?)
    }

    fn next(&mut self, connector_id: i64, name: &str) -> u64 {
        self.last += 1;
        self.of.entry(connector_id).or_default().insert(name.into(), self.last);
        self.last
    }

    fn get(&self, connector_id: i64, name: &str) -> Result<u64, StoreError> {
        let found = self.of.get(&connector_id).and_then(|names| names.get(name));
        found.copied().ok_or_else(|| refused(name))
    }
}

/// What the values of a connector are bound to.
pub(super) fn binding(connection: &Connection, id: i64) -> Result<Binding, StoreError> {
    Ok(connection.query_row(
        "SELECT domain, client_id FROM connector WHERE id = ?1",
        [id],
        |row| Ok(Binding { connector_id: id, domain: row.get(0)?, client_id: row.get(1)? }),
    )?)
}

/// Opens a value of a connector as it is stored.
pub(super) fn open(
    connection: &Connection,
    cipher: &Cipher,
    id: i64,
    name: &str,
    sealed: &[u8],
) -> Result<Secret, StoreError> {
    let generation = Generations::read(connection, cipher)?.get(id, name)?;
    cipher.open_counted(&binding(connection, id)?, name, generation, sealed)
}

/// Seals and stores changes of a connector's secrets, and its settings if there are any.
pub(super) fn put(
    transaction: &Transaction<'_>,
    cipher: &Cipher,
    id: i64,
    settings: Option<&str>,
    secrets: &SecretChanges,
) -> Result<(), StoreError> {
    let mut list = Generations::read(transaction, cipher)?;
    let binding = binding(transaction, id)?;
    if let Some(settings) = settings {
        let generation = list.next(id, SETTINGS);
        let sealed = cipher.seal_counted(&binding, SETTINGS, generation, settings)?;
        transaction.execute("UPDATE connector SET settings = ?2 WHERE id = ?1", (id, sealed))?;
    }
    for (name, value) in secrets {
        if name == SETTINGS {
            return Err(StoreError::system(format_args!("no secret can be named `{name}`")));
        }
        let sealed = match value {
            Some(value) => {
                let generation = list.next(id, name);
                Some(cipher.seal_counted(&binding, name, generation, value.expose())?)
            }
            None => {
                if let Some(names) = list.of.get_mut(&id) {
                    names.remove(name);
                }
                None
            }
        };
        put_secret(transaction, id, name, sealed.as_deref())?;
    }
    list.write(transaction, cipher)
}

/// Opens the secrets of a connector that do not change, to be sealed again under another binding.
pub(super) fn open_unchanged(
    connection: &Connection,
    cipher: &Cipher,
    id: i64,
    changes: &SecretChanges,
) -> Result<SecretChanges, StoreError> {
    let mut statement =
        connection.prepare("SELECT name, value FROM secret WHERE connector_id = ?1")?;
    let mut rows = statement.query([id])?;
    let mut secrets = SecretChanges::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if changes.contains_key(&name) {
            continue;
        }
        let value = open(connection, cipher, id, &name, row.get_ref(1)?.as_blob().unwrap_or(&[]))?;
        secrets.insert(name, Some(value));
    }
    Ok(secrets)
}

/// Forgets the generations of a connector that is deleted.
pub(super) fn forget(
    transaction: &Transaction<'_>,
    cipher: &Cipher,
    id: i64,
) -> Result<(), StoreError> {
    let mut list = Generations::read(transaction, cipher)?;
    list.of.remove(&id);
    list.write(transaction, cipher)
}

/// Counts the generations of a store whose values were sealed before there were any. Does nothing if
/// the list exists.
pub(super) fn upgrade(transaction: &Transaction<'_>, cipher: &Cipher) -> Result<bool, StoreError> {
    let known: bool = transaction.query_row(
        "SELECT EXISTS(SELECT 1 FROM meta WHERE key = ?1)",
        [GENERATIONS],
        |row| row.get(0),
    )?;
    if known {
        return Ok(false);
    }
    let mut opened: Vec<(i64, Option<String>, SecretChanges)> = Vec::new();
    let mut connectors = transaction.prepare("SELECT id, settings FROM connector ORDER BY id")?;
    let mut rows = connectors.query([])?;
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        let sealed: Vec<u8> = row.get(1)?;
        let settings = match sealed.as_slice() {
            [] => None,
            sealed => opened_before(cipher, id, SETTINGS, sealed)?,
        };
        let mut secrets = SecretChanges::new();
        let mut names =
            transaction.prepare_cached("SELECT name, value FROM secret WHERE connector_id = ?1")?;
        let mut found = names.query([id])?;
        while let Some(row) = found.next()? {
            let (name, sealed): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
            if let Some(value) = opened_before(cipher, id, &name, &sealed)? {
                secrets.insert(name, Some(value));
            }
        }
        let settings = settings.map(|settings| settings.expose().to_owned());
        opened.push((id, settings, secrets));
    }
    Generations::default().write(transaction, cipher)?;
    for (id, settings, secrets) in opened {
        put(transaction, cipher, id, settings.as_deref(), &secrets)?;
    }
    Ok(true)
}

/// A value from before generations were counted. One that does not open stays as it is, and is refused
/// when it is needed.
///
/// # Errors
/// When its generation was counted: then the list was removed.
fn opened_before(
    cipher: &Cipher,
    id: i64,
    name: &str,
    sealed: &[u8],
) -> Result<Option<Secret>, StoreError> {
    if is_counted(sealed) {
        return Err(lost(GENERATIONS));
    }
    let opened = cipher.open_uncounted(id, name, sealed);
    Ok(opened.inspect_err(|error| log::warn!("connector {id}: {error}")).ok())
}

/// Seals everything with another key; generations stay as they are.
pub(super) fn reseal(
    transaction: &Transaction<'_>,
    old: &Cipher,
    new: &Cipher,
) -> Result<(), StoreError> {
    let list = Generations::read(transaction, old)?;
    let mut values: Vec<(i64, String, Vec<u8>)> = Vec::new();
    for sql in [
        "SELECT connector_id, name, value FROM secret".to_owned(),
        format!("SELECT id, '{SETTINGS}', settings FROM connector WHERE length(settings) > 0"),
    ] {
        let mut statement = transaction.prepare(&sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        for row in rows {
            values.push(row?);
        }
    }
    for (id, name, sealed) in values {
        let (binding, generation) = (binding(transaction, id)?, list.get(id, &name)?);
        let value = old.open_counted(&binding, &name, generation, &sealed)?;
        let sealed = new.seal_counted(&binding, &name, generation, value.expose())?;
        if name == SETTINGS {
            transaction
                .execute("UPDATE connector SET settings = ?2 WHERE id = ?1", (id, &sealed))?;
        } else {
            put_secret(transaction, id, &name, Some(&sealed))?;
        }
    }
    for name in [KEY_CHECK, JOURNAL_KEY, GENERATIONS] {
        let sealed: Vec<u8> =
            transaction
                .query_row("SELECT value FROM meta WHERE key = ?1", [name], |row| row.get(0))?;
        let value = old.open(name, &sealed)?;
        put_meta(transaction, name, &new.seal(name, value.expose())?)?;
    }
    Ok(())
}

/// Compares the store's greatest generation with the one noted beside it, and notes the store's.
pub(super) fn look_for_restored(folder: &Folder, last: u64) {
    let file = folder.generation_file();
    let noted = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
    if noted.is_some_and(|noted: u64| noted > last) {
        log::warn!(
            "the store is from an earlier time, as after `store restore`: authorizations and \
             secrets that were stored since are not in it"
        );
    }
    if noted != Some(last) {
        note(folder, last);
    }
}

/// Notes the greatest generation beside the store. Losing the note costs the warning only.
pub(super) fn note(folder: &Folder, last: u64) {
    let file = folder.generation_file();
    let noted = std::fs::write(&file, format!("{last}\n"))
        .map_err(|error| StoreError::io("write", &file, error))
        .and_then(|()| restrict(&file, 0o600));
    if let Err(error) = noted {
        log::debug!("the generation is not noted: {error}");
    }
}

/// The error for a store whose list or key check is missing although it holds sealed values.
pub(super) fn lost(name: &str) -> StoreError {
    StoreError::new(
        StoreErrorKind::Sealed,
        format_args!("the store holds sealed values, but its `{name}` is missing"),
    )
    .with_hint("somebody removed it: put a copy in its place with `store restore FILE`")
}
