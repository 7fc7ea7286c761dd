//! Sealed values as bytes; sealing itself is [`crate::vault`].

use rusqlite::{OptionalExtension, Transaction};

use crate::error::StoreError;
use crate::store::Store;
use crate::time;

/// The value under which a new store notes which key it is sealed with.
pub(crate) const KEY_CHECK: &str = "key_check";

/// The name under which the sealed settings of a connector are bound.
pub const SETTINGS: &str = "settings/v1";

/// Sealed values to store (`Some`) or remove (`None`), by name.
pub type SealedChanges = Vec<(String, Option<Vec<u8>>)>;

/// What is sealed for a connector: its settings, and changes to its secrets.
pub struct Sealed {
    /// The settings.
    pub settings: Vec<u8>,
    /// The secrets that change.
    pub secrets: SealedChanges,
}

/// Sealed values.
#[derive(Clone, Copy, Debug)]
pub struct Secrets<'s>(pub(crate) &'s Store);

impl Secrets<'_> {
    /// The sealed value of a secret.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn sealed(&self, id: i64, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.read(|connection| {
            Ok(connection
                .query_row(
                    "SELECT value FROM secret WHERE connector_id = ?1 AND name = ?2",
                    (id, name),
                    |row| row.get(0),
                )
                .optional()?)
        })
    }

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

    /// Stores sealed secrets; durable when it returns.
    ///
    /// # Errors
    /// When the store cannot be written; nothing is changed then.
    pub fn put(&self, id: i64, secrets: &SealedChanges) -> Result<(), StoreError> {
        self.0.write(|transaction| put_secrets(transaction, id, secrets))
    }

    /// Replaces every sealed value by what `seal` makes of it (connector, name, value), all in one
    /// transaction; nothing of the old values stays in the files.
    ///
    /// # Errors
    /// Those of `seal`, and when the store cannot be written; nothing is changed then.
    pub(crate) fn reseal(
        &self,
        mut seal: impl FnMut(i64, &str, &[u8]) -> Result<Vec<u8>, StoreError>,
    ) -> Result<(), StoreError> {
        self.0.overwriting(|transaction| {
            let mut values: Vec<(i64, String, Vec<u8>)> = Vec::new();
            let mut read = |sql: &str| -> Result<(), StoreError> {
                let mut statement = transaction.prepare(sql)?;
                let rows =
                    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
                for row in rows {
                    values.push(row?);
                }
                Ok(())
            };
            read("SELECT connector_id, name, value FROM secret")?;
            read(&format!("SELECT id, '{SETTINGS}', settings FROM connector"))?;
            read(&format!("SELECT 0, key, value FROM meta WHERE key = '{KEY_CHECK}'"))?;
            for (id, name, old) in values {
                let new = seal(id, &name, &old)?;
                let changed = match name.as_str() {
                    KEY_CHECK => transaction
                        .execute("UPDATE meta SET value = ?2 WHERE key = ?1", (&name, &new))?,
                    SETTINGS => transaction
                        .execute("UPDATE connector SET settings = ?2 WHERE id = ?1", (id, &new))?,
                    _ => transaction.execute(
                        "UPDATE secret SET value = ?3 WHERE connector_id = ?1 AND name = ?2",
                        (id, &name, &new),
                    )?,
                };
                debug_assert_eq!(changed, 1, "{name}");
            }
            Ok(())
        })
    }

    /// A value about the store as a whole.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.read(|connection| {
            Ok(connection
                .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
                .optional()?)
        })
    }

    /// Stores a value about the store as a whole unless there is one; answers the one that holds.
    ///
    /// # Errors
    /// When the store cannot be written.
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

pub(crate) fn put_secrets(
    transaction: &Transaction<'_>,
    id: i64,
    secrets: &SealedChanges,
) -> Result<(), StoreError> {
    let now = time::now().timestamp_millis();
    for (name, value) in secrets {
        match value {
            Some(value) => transaction.execute(
                "INSERT INTO secret(connector_id, name, value, changed_at) VALUES(?1, ?2, ?3, ?4)
                 ON CONFLICT(connector_id, name) DO UPDATE SET value = ?3, changed_at = ?4",
                (id, name, value, now),
            )?,
            None => transaction
                .execute("DELETE FROM secret WHERE connector_id = ?1 AND name = ?2", (id, name))?,
        };
    }
    Ok(())
}
