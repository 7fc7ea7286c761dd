//! Accounts that were made active or frozen between two snapshots: a vendor often keeps no such date.

use connector_api::position::CanonicalTable;
use rusqlite::Connection;

use super::{Comparison, Read};
use crate::error::Error;
use crate::evidence::Evidence;
use crate::source::SightingKind;

/// What two snapshots together show.
#[derive(Debug)]
pub struct Sightings {
    work: Connection,
    /// Whether both snapshots show which accounts are frozen.
    pub frozen_compared: bool,
}

impl Sightings {
    /// Compares a snapshot with the one before.
    ///
    /// # Errors
    /// When the store cannot be read, or a statement of the connector does not fit its table.
    pub fn between(from: Read<'_>, to: Read<'_>) -> Result<Sightings, Error> {
        let tables = [CanonicalTable::Person, CanonicalTable::Frozen];
        let comparison = Comparison::of(from, to, &tables)?;
        let mut unread = comparison.unread.iter();
        let frozen_compared = !unread.any(|unread| unread.table == CanonicalTable::Frozen);
        Ok(Sightings { work: comparison.work, frozen_compared })
    }

    /// Passes on every account with what was seen of it.
    ///
    /// # Errors
    /// When `each` fails.
    pub fn each(
        &self,
        mut each: impl FnMut(SightingKind, &str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut statement = self.work.prepare(
            "SELECT 1, b.id FROM person a JOIN person b ON b.side = 'b' AND b.id = a.id
             WHERE a.side = 'a' AND b.is_active AND NOT a.is_active
             UNION ALL
             SELECT 0, b.person_id FROM frozen b WHERE b.side = 'b' AND b.person_id IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM frozen a WHERE a.side = 'a' AND a.person_id = b.person_id)",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let activated: bool = row.get(0)?;
            let kind = if activated { SightingKind::Activated } else { SightingKind::Frozen };
            each(kind, &row.get::<_, String>(1)?)?;
        }
        Ok(())
    }
}

/// Passes on every account that is frozen in a snapshot; none if it does not show them.
///
/// # Errors
/// When the store cannot be read, or `each` fails.
pub fn frozen_in(
    of: Read<'_>,
    mut each: impl FnMut(&str) -> Result<(), Error>,
) -> Result<(), Error> {
    let evidence = Evidence::new(&of.snapshot.manifest, &of.snapshot.datasets);
    for view in evidence.views(CanonicalTable::Frozen, "") {
        if !evidence.causes_of(view).is_empty() {
            continue;
        }
        of.source.query(&view.sql, &mut |row| row[0].text().map_or(Ok(()), &mut each))?;
    }
    Ok(())
}
