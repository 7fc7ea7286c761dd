//! Since when accounts are active again or frozen, as far as our own snapshots show it.

use rusqlite::{Connection, OptionalExtension};

use crate::error::StoreError;
use crate::snapshots::SnapshotInfo;
use crate::store::Store;

/// What was seen of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// It was made active.
    Activated,
    /// It was frozen.
    Frozen,
}

impl Sighting {
    /// The word in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Sighting::Activated => "activated",
            Sighting::Frozen => "frozen",
        }
    }
}

/// Takes one sighting of an account.
pub type Note<'a> = dyn FnMut(Sighting, &str) -> Result<(), StoreError> + 'a;

/// What snapshots showed of accounts.
#[derive(Clone, Copy, Debug)]
pub struct Sightings<'s>(pub(crate) &'s Store);

impl Sightings<'_> {
    /// The last snapshot of a connector whose sightings were noted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn noted_until(&self, connector_id: i64) -> Result<Option<i64>, StoreError> {
        self.0.read(|connection| Ok(noted_until(connection, connector_id)?))
    }

    /// Notes what a snapshot shows, in one transaction; `note` passes on each sighting. With
    /// `frozen_anew` earlier sightings of frozen accounts are dropped first.
    ///
    /// # Errors
    /// Those of `note`, and when the store cannot be written; nothing is changed then.
    pub fn note<E: From<StoreError>>(
        &self,
        snapshot: &SnapshotInfo,
        frozen_anew: bool,
        note: impl FnOnce(&mut Note<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (id, at) = (snapshot.connector_id, snapshot.as_of.timestamp_millis());
        self.0.write_with(|transaction| {
            if frozen_anew {
                transaction
                    .execute(
                        "DELETE FROM sighting WHERE connector_id = ?1 AND kind = 'frozen'",
                        [id],
                    )
                    .map_err(StoreError::from)?;
            }
            let mut insert = transaction
                .prepare("INSERT OR IGNORE INTO sighting VALUES(?1, ?2, ?3, ?4)")
                .map_err(StoreError::from)?;
            note(&mut |kind, person| {
                insert.execute((id, kind.as_str(), person, at))?;
                Ok(())
            })?;
            transaction
                .execute("INSERT OR REPLACE INTO sighting_noted VALUES(?1, ?2)", (id, snapshot.id))
                .map_err(StoreError::from)?;
            Ok(())
        })
    }

    /// Forgets what was seen before an instant (milliseconds).
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn forget(&self, connector_id: i64, before: i64) -> Result<(), StoreError> {
        self.0.write(|transaction| {
            transaction.execute(
                "DELETE FROM sighting WHERE connector_id = ?1 AND at < ?2",
                (connector_id, before),
            )?;
            Ok(())
        })
    }
}

fn noted_until(connection: &Connection, connector_id: i64) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT run_id FROM sighting_noted WHERE connector_id = ?1";
    connection.query_row(sql, [connector_id], |row| row.get(0)).optional()
}

/// The statement of the view in which a snapshot shows what was last seen of each account.
pub(crate) fn view_sql(name: &str, snapshot: &SnapshotInfo) -> String {
    format!(
        "CREATE TEMP VIEW {name} AS SELECT kind, person_id, MAX(at) AS at FROM main.sighting
             WHERE connector_id = {} AND at <= {} GROUP BY kind, person_id",
        snapshot.connector_id,
        snapshot.as_of.timestamp_millis()
    )
}
