//! Accounts that were made active or frozen between two snapshots: a vendor often keeps no such date.

use connector_api::position::CanonicalTable;
use rusqlite::Connection;

use super::Comparison;
use crate::error::HostError;
use crate::position::evidence::Evidence;
use crate::store::{ReadStore, SnapshotInfo};

/// What two snapshots together show.
pub(crate) struct Sightings {
    work: Connection,
    /// Whether both snapshots show which accounts are frozen.
    pub(crate) frozen_compared: bool,
}

impl Sightings {
    /// Compares a snapshot with the one before.
    ///
    /// # Errors
    /// When the store cannot be read, or a statement of the connector does not fit its table.
    pub(crate) fn between(
        store: &ReadStore,
        from: &SnapshotInfo,
        to: &SnapshotInfo,
    ) -> Result<Sightings, HostError> {
        let tables = [CanonicalTable::Person, CanonicalTable::Frozen];
        let comparison = Comparison::of(store, from, to, &tables)?;
        let mut unread = comparison.unread.iter();
        let frozen_compared = !unread.any(|unread| unread.table == CanonicalTable::Frozen);
        Ok(Sightings { work: comparison.work, frozen_compared })
    }

    /// Passes on every account with what was seen of it: `activated` or `frozen`.
    ///
    /// # Errors
    /// When `each` fails.
    pub(crate) fn each(
        &self,
        mut each: impl FnMut(&str, &str) -> Result<(), HostError>,
    ) -> Result<(), HostError> {
        let mut statement = self.work.prepare(
            "SELECT 'activated', b.id FROM person a JOIN person b ON b.side = 'b' AND b.id = a.id
             WHERE a.side = 'a' AND b.is_active AND NOT a.is_active
             UNION ALL
             SELECT 'frozen', b.person_id FROM frozen b WHERE b.side = 'b' AND b.person_id IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM frozen a WHERE a.side = 'a' AND a.person_id = b.person_id)",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            each(&row.get::<_, String>(0)?, &row.get::<_, String>(1)?)?;
        }
        Ok(())
    }
}

/// Passes on every account that is frozen in a snapshot; none where it does not show them.
///
/// # Errors
/// When the store cannot be read, or `each` fails.
pub(crate) fn frozen_in(
    store: &ReadStore,
    snapshot: &SnapshotInfo,
    mut each: impl FnMut(&str) -> Result<(), HostError>,
) -> Result<(), HostError> {
    let evidence = Evidence::new(&snapshot.manifest, &snapshot.datasets);
    let source = store.snapshot_connection(snapshot)?;
    for view in evidence.views(CanonicalTable::Frozen, "") {
        if !evidence.causes_of(view).is_empty() {
            continue;
        }
        let mut statement = source.prepare(&view.sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if let Some(id) = row.get::<_, Option<String>>(0)? {
                each(&id)?;
            }
        }
    }
    Ok(())
}
