//! Compares the counts of assigned seats of two snapshots.

use connector_api::position::CanonicalTable;

use super::{Comparison, Read};
use crate::error::Error;
use crate::model::{Movement, PoolMovement, Unit};

/// Compares the snapshot with the one before; a comparison that fails takes nothing but itself away.
pub fn movement(from: Read<'_>, to: Read<'_>) -> Movement {
    compare(from, to).unwrap_or_else(|error| Movement {
        from: from.snapshot.id,
        from_as_of: from.snapshot.as_of,
        pools: Vec::new(),
        not_compared: vec![(String::new(), error.to_string())],
    })
}

fn compare(from: Read<'_>, to: Read<'_>) -> Result<Movement, Error> {
    let tables = [CanonicalTable::License, CanonicalTable::Person, CanonicalTable::Seat];
    let mut comparison = Comparison::of(from, to, &tables)?;
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
        .query_map([Unit::Seats.as_str()], |row| {
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
        from: from.snapshot.id,
        from_as_of: from.snapshot.as_of,
        pools,
        not_compared: comparison
            .unread
            .iter()
            .map(|unread| (unread.family.clone(), unread.reason.clone()))
            .collect(),
    })
}
