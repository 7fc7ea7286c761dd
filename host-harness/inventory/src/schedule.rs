//! What the scheduler remembers across restarts: documents of its own, by connector and by library.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StoreError;
use crate::store::Store;

/// What the scheduler remembers.
#[derive(Clone, Copy, Debug)]
pub struct Schedule<'s>(pub(crate) &'s Store);

impl Schedule<'_> {
    /// What is remembered of each connector. An entry that is not understood counts as none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn jobs<J: DeserializeOwned>(&self) -> Result<BTreeMap<i64, J>, StoreError> {
        let rows: Vec<(i64, String)> = self.0.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT connector_id, state FROM schedule_state")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })?;
        let understood = |(id, json): (i64, String)| Some((id, serde_json::from_str(&json).ok()?));
        Ok(rows.into_iter().filter_map(understood).collect())
    }

    /// What is remembered of each connector library, by feature.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn libraries<P: DeserializeOwned>(&self) -> Result<BTreeMap<String, P>, StoreError> {
        let rows: Vec<(String, String)> = self.0.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT feature, state FROM plugin_state")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })?;
        let understood =
            |(feature, json): (String, String)| Some((feature, serde_json::from_str(&json).ok()?));
        Ok(rows.into_iter().filter_map(understood).collect())
    }

    /// Remembers what changed, all of it or nothing. A connector deleted meanwhile is passed over.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn remember<J: Serialize, P: Serialize>(
        &self,
        jobs: &[(i64, J)],
        plugins: &[(String, P)],
    ) -> Result<(), StoreError> {
        if jobs.is_empty() && plugins.is_empty() {
            return Ok(());
        }
        self.0.write(|transaction| {
            for (id, state) in jobs {
                transaction.execute(
                    "INSERT INTO schedule_state(connector_id, state)
                     SELECT id, ?2 FROM connector WHERE id = ?1
                     ON CONFLICT(connector_id) DO UPDATE SET state = excluded.state",
                    (id, serde_json::to_string(state).map_err(StoreError::system)?),
                )?;
            }
            for (feature, state) in plugins {
                transaction.execute(
                    "INSERT INTO plugin_state(feature, state) VALUES(?1, ?2)
                     ON CONFLICT(feature) DO UPDATE SET state = excluded.state",
                    (feature, serde_json::to_string(state).map_err(StoreError::system)?),
                )?;
            }
            Ok(())
        })
    }
}
