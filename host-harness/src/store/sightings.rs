//! Since when accounts are active again or frozen, as far as our own snapshots show it.

use position::diff::{Read, Sightings, frozen_in};
use position::source::SightingKind;
use rusqlite::{Connection, OptionalExtension};

use super::{ReadStore, SnapshotInfo, Store};
use crate::error::HostError;
use crate::source::StoreSource;

/// The view in which a snapshot shows what was seen of accounts, and when.
pub(crate) const SIGHTINGS: &str = "_sighting";

/// Snapshots of an older store that are looked through once; no rule asks for more than weeks.
const MOST_SNAPSHOTS: usize = 60;

impl Store {
    /// Notes what the snapshots that were not looked at yet show, up to this one, and forgets what was
    /// seen before `forget_before` (milliseconds).
    ///
    /// # Errors
    /// When the store cannot be read or written; snapshots that were noted before stay so.
    pub(crate) fn note_sightings(
        &self,
        reader: &ReadStore,
        snapshot: &SnapshotInfo,
        forget_before: i64,
    ) -> Result<(), HostError> {
        let id = snapshot.connector_id;
        let noted = self.read(|connection| Ok(noted_until(connection, id)?))?;
        let mut ids = reader.snapshot_ids(id)?;
        ids.retain(|run| *run <= snapshot.id);
        // The last one that was noted, or the oldest, is what the next is compared with.
        let after = ids.iter().filter(|run| Some(**run) <= noted).count();
        let first = after.saturating_sub(1).max(ids.len().saturating_sub(MOST_SNAPSHOTS));
        let mut before: Option<SnapshotInfo> = None;
        for run in &ids[first..] {
            let Some(current) = reader.snapshot(id, *run)? else { continue };
            if Some(*run) > noted {
                self.note(reader, before.as_ref(), &current)?;
            }
            before = Some(current);
        }
        self.write(|transaction| {
            transaction.execute(
                "DELETE FROM sighting WHERE connector_id = ?1 AND at < ?2",
                (id, forget_before),
            )?;
            Ok(())
        })
    }

    fn note(
        &self,
        reader: &ReadStore,
        before: Option<&SnapshotInfo>,
        current: &SnapshotInfo,
    ) -> Result<(), HostError> {
        // Compared before the store is locked for writing.
        let now = StoreSource::open(reader, current)?;
        let now = Read { snapshot: &now.snapshot, source: &now, prices: None };
        let sightings = match before {
            Some(before) => {
                let before = StoreSource::open(reader, before)?;
                let before = Read { snapshot: &before.snapshot, source: &before, prices: None };
                Some(Sightings::between(before, now)?)
            }
            None => None,
        };
        let (id, at) = (current.connector_id, current.as_of.timestamp_millis());
        self.write(|transaction| {
            let mut insert =
                transaction.prepare("INSERT OR IGNORE INTO sighting VALUES(?1, ?2, ?3, ?4)")?;
            if !sightings.as_ref().is_some_and(|sightings| sightings.frozen_compared) {
                // Whoever was frozen before may have been released meanwhile: it begins anew.
                transaction.execute(
                    "DELETE FROM sighting WHERE connector_id = ?1 AND kind = 'frozen'",
                    [id],
                )?;
                frozen_in(now, |person| {
                    insert.execute((id, "frozen", person, at))?;
                    Ok(())
                })?;
            }
            if let Some(sightings) = &sightings {
                sightings.each(|kind, person| {
                    let kind = match kind {
                        SightingKind::Activated => "activated",
                        SightingKind::Frozen => "frozen",
                    };
                    insert.execute((id, kind, person, at))?;
                    Ok(())
                })?;
            }
            transaction.execute(
                "INSERT OR REPLACE INTO sighting_noted VALUES(?1, ?2)",
                (id, current.id),
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
pub(super) fn view_sql(name: &str, snapshot: &SnapshotInfo) -> String {
    format!(
        "CREATE TEMP VIEW {name} AS SELECT kind, person_id, MAX(at) AS at FROM main.sighting
             WHERE connector_id = {} AND at <= {} GROUP BY kind, person_id",
        snapshot.connector_id,
        snapshot.as_of.timestamp_millis()
    )
}
