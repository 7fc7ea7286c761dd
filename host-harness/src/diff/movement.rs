//! How the counts of assigned seats moved between two snapshots, and what moved them.

use chrono::{DateTime, Utc};
use connector_api::position::CanonicalTable;
use serde::{Deserialize, Serialize};

use super::{Comparison, SeatChange};
use crate::error::HostError;
use crate::position::SEATS;
use crate::store::{ReadStore, SnapshotInfo};

/// From the snapshot before to this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Movement {
    /// The number of the snapshot before.
    pub(crate) from: i64,
    /// When its data was read.
    pub(crate) from_as_of: DateTime<Utc>,
    /// Every pool that is counted in seats.
    pub(crate) pools: Vec<PoolMovement>,
    /// Families that cannot be compared, and why; an empty family stands for all.
    pub(crate) not_compared: Vec<(String, String)>,
}

/// How one pool moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PoolMovement {
    pub(crate) family: String,
    pub(crate) key: String,
    pub(crate) name: String,
    /// As the vendor reported it before; none if it did not.
    pub(crate) before: Option<i64>,
    /// As the vendor reports it now.
    pub(crate) after: Option<i64>,
    /// What the records say.
    pub(crate) seats: SeatChange,
}

impl Movement {
    /// Compares the snapshot with the one before; a comparison that fails takes nothing but itself
    /// away.
    pub(crate) fn between(store: &ReadStore, from: &SnapshotInfo, to: &SnapshotInfo) -> Movement {
        compare(store, from, to).unwrap_or_else(|error| Movement {
            from: from.id,
            from_as_of: from.as_of,
            pools: Vec::new(),
            not_compared: vec![(String::new(), error.message)],
        })
    }
}

fn compare(
    store: &ReadStore,
    from: &SnapshotInfo,
    to: &SnapshotInfo,
) -> Result<Movement, HostError> {
    let tables = [CanonicalTable::License, CanonicalTable::Person, CanonicalTable::Seat];
    let mut comparison = Comparison::of(store, from, to, &tables)?;
    comparison.complete()?;
    let mut seats = comparison.seats()?;
    let mut statement = comparison.work.prepare(
        "SELECT COALESCE(b.family, a.family), COALESCE(b.id, a.id),
                COALESCE(b.key, a.key, b.id, a.id), COALESCE(b.name, a.name, b.key, a.key, ''),
                -- A pool that was not there had nothing assigned, and one that is gone has nothing.
                IIF(a.id IS NULL, 0, a.assigned), IIF(b.id IS NULL, 0, b.assigned)
         FROM (SELECT * FROM license WHERE side = 'a') a
         FULL JOIN (SELECT * FROM license WHERE side = 'b') b ON a.family = b.family AND a.id = b.id
         WHERE COALESCE(b.unit, a.unit) = ?1 ORDER BY 1, 3",
    )?;
    let pools = statement
        .query_map([SEATS], |row| {
            let (family, id): (String, String) = (row.get(0)?, row.get(1)?);
            let at = seats.iter().position(|seat| seat.family == family && seat.license_id == id);
            Ok(PoolMovement {
                family,
                key: row.get(2)?,
                name: row.get(3)?,
                before: row.get(4)?,
                after: row.get(5)?,
                seats: at.map(|at| seats.swap_remove(at)).unwrap_or_default(),
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(Movement {
        from: from.id,
        from_as_of: from.as_of,
        pools,
        not_compared: comparison
            .unread
            .iter()
            .map(|unread| (unread.family.clone(), unread.reason.clone()))
            .collect(),
    })
}
