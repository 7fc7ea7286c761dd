//! Forgetting: snapshots older than the retention time, and the versions only they could see.

use chrono::{DateTime, Utc};

use super::{Connector, Store, schema};
use crate::error::HostError;

impl Store {
    /// Removes a connector's snapshots and ended runs from before `cutoff`, except the latest
    /// snapshot and the latest complete one, and the row versions no remaining snapshot can see. Answers how many runs went.
    ///
    /// # Errors
    /// When the store cannot be written; nothing is removed then.
    pub fn forget_before(
        &self,
        connector: &Connector,
        cutoff: DateTime<Utc>,
    ) -> Result<usize, HostError> {
        self.write(|transaction| {
            let removed = transaction.execute(
                "DELETE FROM run WHERE connector_id = ?1 AND finished_at < ?2 AND id IS NOT
                     (SELECT max(run_id) FROM snapshot WHERE connector_id = ?1)
                 AND id IS NOT
                     (SELECT max(run_id) FROM snapshot WHERE connector_id = ?1 AND status = 'complete')",
                (connector.id, cutoff.timestamp_millis()),
            )?;
            let oldest: Option<i64> = transaction.query_row(
                "SELECT min(run_id) FROM snapshot WHERE connector_id = ?1",
                [connector.id],
                |row| row.get(0),
            )?;
            if let Some(oldest) = oldest.filter(|_| removed > 0) {
                for table in schema::dataset_tables(transaction, &connector.feature)? {
                    transaction.execute(
                        &format!(
                            "DELETE FROM {} WHERE _connector = ?1 AND _to <= ?2",
                            schema::quote(&table)
                        ),
                        (connector.id, oldest),
                    )?;
                }
            }
            Ok(removed)
        })
    }
}
