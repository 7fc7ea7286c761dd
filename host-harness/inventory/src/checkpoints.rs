//! Published checkpoints.

use rusqlite::OptionalExtension;

use crate::error::StoreError;
use crate::store::Store;

impl Store {
    /// The state of a dataset's last published checkpoint; before that, of the one that run
    /// `going_on` stored until it was paused. Says too whether it is the published one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn checkpoint(
        &self,
        connector_id: i64,
        dataset: &str,
        going_on: Option<i64>,
    ) -> Result<Option<(String, bool)>, StoreError> {
        self.read(|connection| {
            Ok(connection
                .query_row(
                    "SELECT state, published FROM checkpoint
                     WHERE connector_id = ?1 AND dataset = ?2 AND (published OR run_id = ?3)
                     ORDER BY run_id DESC LIMIT 1",
                    (connector_id, dataset, going_on),
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?)
        })
    }
}
