//! The secrets of connectors, sealed by a [`Vault`].

use crate::error::StoreError;
use crate::store::Store;
use crate::vault::{SecretChanges, Vault};

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
}
