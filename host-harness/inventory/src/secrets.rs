//! The rows of sealed values; sealing itself is [`crate::vault`].

use rusqlite::{OptionalExtension, Transaction};

use crate::error::StoreError;
use crate::store::Store;
use crate::time;
use crate::vault::{SecretChanges, Vault};

/// The name under which the sealed settings of a connector are bound.
pub const SETTINGS: &str = "settings/v1";

/// Sealed values.
#[derive(Clone, Copy, Debug)]
pub struct Secrets<'s>(pub(crate) &'s Store);

impl Secrets<'_> {
    /// The names of a connector's secrets.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn names(&self, id: i64) -> Result<Vec<String>, StoreError> {
        self.0.read(|connection| {
            let mut statement = connection
                .prepare("SELECT name FROM secret WHERE connector_id = ?1 ORDER BY name")?;
            let names = statement.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?;
            Ok(names)
        })
    }

    /// Seals and stores secrets of a connector, or removes them; durable when it returns.
    ///
    /// # Errors
    /// When the store cannot be written; nothing is changed then.
    pub fn put(&self, vault: &Vault, id: i64, secrets: &SecretChanges) -> Result<(), StoreError> {
        self.0.write(|transaction| vault.put(transaction, id, None, secrets))?;
        vault.note(self.0);
        Ok(())
    }

    /// Whether anything of a connector is sealed.
    pub(crate) fn any_sealed(&self) -> Result<bool, StoreError> {
        self.0.read(|connection| {
            Ok(connection.query_row(
                "SELECT EXISTS(SELECT 1 FROM secret)
                     OR EXISTS(SELECT 1 FROM connector WHERE length(settings) > 0)",
                [],
                |row| row.get(0),
            )?)
        })
    }

    /// A value about the store as a whole.
    pub(crate) fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.read(|connection| {
            Ok(connection
                .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
                .optional()?)
        })
    }

    /// Stores a value about the store as a whole unless there is one; returns the one that holds.
    pub(crate) fn meta_or_insert(&self, key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.0.write(|transaction| {
            transaction.execute(
                "INSERT INTO meta(key, value) VALUES(?1, ?2) ON CONFLICT DO NOTHING",
                (key, value),
            )?;
            Ok(transaction
                .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))?)
        })
    }
}

/// Stores a value about the store as a whole.
pub(crate) fn put_meta(
    transaction: &Transaction<'_>,
    key: &str,
    value: &[u8],
) -> rusqlite::Result<()> {
    transaction
        .execute("INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)", (key, value))
        .map(drop)
}

/// Stores the sealed value of a secret, or removes it.
pub(crate) fn put_secret(
    transaction: &Transaction<'_>,
    id: i64,
    name: &str,
    sealed: Option<&[u8]>,
) -> rusqlite::Result<()> {
    let now = time::now().timestamp_millis();
    match sealed {
        Some(value) => transaction.execute(
            "INSERT INTO secret(connector_id, name, value, changed_at) VALUES(?1, ?2, ?3, ?4)
             ON CONFLICT(connector_id, name) DO UPDATE SET value = ?3, changed_at = ?4",
            (id, name, value, now),
        ),
        None => transaction
            .execute("DELETE FROM secret WHERE connector_id = ?1 AND name = ?2", (id, name)),
    }
    .map(drop)
}
