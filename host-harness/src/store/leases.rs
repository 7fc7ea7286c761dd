//! Leases by name, shared by all threads and processes on one store, and published checkpoints.

use rusqlite::OptionalExtension;

use super::Store;
use crate::error::HostError;
use crate::time;

impl Store {
    /// Takes the lease of that name if nobody holds it (or its holder's time is over); answers its
    /// number, which grows with every lease ever given.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) fn try_lease(
        &self,
        name: &str,
        owner: &str,
        ttl_ms: u64,
    ) -> Result<Option<i64>, HostError> {
        self.write(|transaction| {
            let now = time::now().timestamp_millis();
            let held: Option<i64> = transaction
                .query_row(
                    "SELECT number FROM lease WHERE name = ?1 AND expires_at > ?2",
                    (name, now),
                    |row| row.get(0),
                )
                .optional()?;
            if held.is_some() {
                return Ok(None);
            }
            let last: Option<i64> = transaction
                .query_row(
                    "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'last_lease'",
                    [],
                    |row| row.get(0),
                )
                .optional()?;
            let number = last.unwrap_or(0) + 1;
            transaction.execute(
                "INSERT OR REPLACE INTO meta(key, value)
                 VALUES('last_lease', CAST(CAST(?1 AS TEXT) AS BLOB))",
                [number],
            )?;
            let ttl = i64::try_from(ttl_ms).unwrap_or(i64::MAX);
            transaction.execute(
                "INSERT OR REPLACE INTO lease(name, number, owner, expires_at)
                 VALUES(?1, ?2, ?3, ?4)",
                (name, number, owner, now.saturating_add(ttl)),
            )?;
            Ok(Some(number))
        })
    }

    /// Gives a lease back; one that another holder has taken over meanwhile is left alone.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) fn release_lease(&self, name: &str, number: i64) -> Result<(), HostError> {
        self.write(|transaction| {
            transaction
                .execute("DELETE FROM lease WHERE name = ?1 AND number = ?2", (name, number))?;
            Ok(())
        })
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;

    #[test]
    fn a_lease_has_one_holder_until_it_is_released() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        let (one, other) = (Store::open(&home).unwrap(), Store::open(&home).unwrap());
        let lease = one.try_lease("refresh", "one", 60_000).unwrap().unwrap();
        assert_eq!(other.try_lease("refresh", "other", 60_000).unwrap(), None);
        other.release_lease("refresh", lease + 1).unwrap();
        assert_eq!(other.try_lease("refresh", "other", 60_000).unwrap(), None);
        one.release_lease("refresh", lease).unwrap();
        let next = other.try_lease("refresh", "other", 60_000).unwrap().unwrap();
        assert!(next > lease);
    }

    #[test]
    fn a_lease_whose_time_is_over_can_be_taken_and_its_old_number_releases_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Home::new(folder.path())).unwrap();
        let dead = store.try_lease("refresh", "dead", 0).unwrap().unwrap();
        store.try_lease("refresh", "alive", 60_000).unwrap().unwrap();
        store.release_lease("refresh", dead).unwrap();
        assert_eq!(store.try_lease("refresh", "third", 60_000).unwrap(), None);
    }
}
