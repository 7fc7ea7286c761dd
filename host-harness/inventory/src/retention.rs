//! Forgetting: snapshots older than the retention time, and the versions only they could see.

use chrono::{DateTime, Utc};

use crate::connectors::Connector;
use crate::error::StoreError;
use crate::schema;
use crate::snapshots::Snapshots;

impl Snapshots<'_> {
    /// Removes a connector's snapshots and ended runs from before `cutoff`, except the latest
    /// snapshot and the latest complete one, and the row versions no remaining snapshot can see. Returns the number of removed runs.
    ///
    /// # Errors
    /// When the store cannot be written; nothing is removed then.
    pub fn forget_before(
        &self,
        connector: &Connector,
        cutoff: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        self.0.write(|transaction| {
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

#[cfg(test)]
mod tests {
    use crate::folder::Folder;
    use crate::store::Store;

    #[test]
    fn the_last_snapshot_and_the_last_complete_one_are_never_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Folder::new(folder.path())).unwrap();
        let fill = "INSERT INTO connector(id, name, description, feature, domain, client_id, settings, created_at, changed_at)
                        VALUES(1, 'c', '', 'f', 'd', 'i', x'', 0, 0);
                    INSERT INTO run(id, connector_id, mode, status, started_at, finished_at)
                        VALUES(1, 1, 'full', 'complete', 1, 2), (2, 1, 'full', 'complete', 3, 4),
                              (3, 1, 'full', 'partial', 5, 6), (4, 1, 'full', 'failed', 7, 8);
                    INSERT INTO snapshot(run_id, connector_id, as_of, finished_at, status, datasets, manifest)
                        VALUES(1, 1, 1, 2, 'complete', '[]', '{}'), (2, 1, 3, 4, 'complete', '[]', '{}'),
                              (3, 1, 5, 6, 'partial', '[]', '{}');";
        store.write(|transaction| Ok(transaction.execute_batch(fill)?)).unwrap();
        let connector = store.connectors().named("c").unwrap();
        assert_eq!(store.snapshots().forget_before(&connector, crate::time::now()).unwrap(), 2);
        let left: Vec<i64> = store
            .read(|connection| {
                let mut statement = connection.prepare("SELECT run_id FROM snapshot ORDER BY 1")?;
                let ids = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
                Ok(ids)
            })
            .unwrap();
        assert_eq!(left, [2, 3]);
    }
}
