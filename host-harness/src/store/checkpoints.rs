//! Published checkpoints.

use rusqlite::OptionalExtension;

use super::Store;
use crate::error::HostError;

impl Store {
    /// The state of a dataset's last published checkpoint.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn checkpoint(
        &self,
        connector_id: i64,
        dataset: &str,
    ) -> Result<Option<String>, HostError> {
        self.read(|connection| {
            Ok(connection
                .query_row(
                    "SELECT state FROM checkpoint
                     WHERE connector_id = ?1 AND dataset = ?2 AND published
                     ORDER BY run_id DESC LIMIT 1",
                    (connector_id, dataset),
                    |row| row.get(0),
                )
                .optional()?)
        })
    }
}
