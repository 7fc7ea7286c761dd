//! The rows of sealed values, as bytes.

use rusqlite::{OptionalExtension, Transaction};

use crate::error::StoreError;
use crate::store::Store;
use crate::time;

/// The name under which the sealed settings of a connector are bound.
pub const SETTINGS: &str = "settings/v1";

impl Store {
    /// Whether anything of a connector is sealed.
    pub(crate) fn any_sealed(&self) -> Result<bool, StoreError> {
        self.read(|connection| {
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
        self.read(|connection| {
            Ok(connection
                .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
                .optional()?)
        })
    }

    /// Stores a value about the store as a whole unless there is one; returns the one that holds.
    pub(crate) fn meta_or_insert(&self, key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.write(|transaction| {
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
