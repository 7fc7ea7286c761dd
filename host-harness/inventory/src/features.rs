//! Features of the endpoint server: which are switched on.

use rusqlite::OptionalExtension;

use crate::error::StoreError;
use crate::store::Store;
use crate::time;

/// Whether a feature is switched on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureState {
    /// The feature.
    pub id: String,
    /// Switched on.
    pub enabled: bool,
}

/// The features.
#[derive(Clone, Copy, Debug)]
pub struct Features<'s>(pub(crate) &'s Store);

impl Features<'_> {
    /// All features that were ever switched on or off.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn list(&self) -> Result<Vec<FeatureState>, StoreError> {
        self.0.read(|connection| {
            let mut statement =
                connection.prepare("SELECT id, enabled FROM feature ORDER BY id")?;
            let features = statement
                .query_map([], |row| Ok(FeatureState { id: row.get(0)?, enabled: row.get(1)? }))?
                .collect::<Result<_, _>>()?;
            Ok(features)
        })
    }

    /// Whether a feature is switched on.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn is_enabled(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.state(id)? == Some(true))
    }

    /// Whether a feature was switched on or off; `None` if neither ever happened.
    pub fn state(&self, id: &str) -> Result<Option<bool>, StoreError> {
        self.0.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT enabled FROM feature WHERE id = ?1")?;
            Ok(statement.query_row([id], |row| row.get(0)).optional()?)
        })
    }

    /// Switches a feature on or off.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn set(&self, id: &str, enabled: bool) -> Result<(), StoreError> {
        self.0.write(|transaction| {
            transaction.execute(
                "INSERT INTO feature(id, enabled, changed_at) VALUES(?1, ?2, ?3)
                 ON CONFLICT(id) DO UPDATE SET enabled = ?2, changed_at = ?3",
                (id, enabled, time::now().timestamp_millis()),
            )?;
            Ok(())
        })
    }
}
