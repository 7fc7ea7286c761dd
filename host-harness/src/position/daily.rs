//! Sums of uses by account, day and way, which outlive the single uses they are made of.

use connector_api::manifest::Manifest;
use connector_api::position::{CanonicalTable, PositionView};
use rusqlite::Connection;

use super::evidence::Evidence;
use super::uses::{self, DayUse};
use crate::error::HostError;
use crate::store::DatasetInfo;

const DAY_MS: i64 = 86_400_000;
/// Days before the last run that are summed again: uses may arrive late.
const AGAIN_DAYS: i64 = 3;

/// The statement that reads the single uses of everybody; `None` if a snapshot does not hold them all.
pub(crate) fn view<'a>(
    manifest: &'a Manifest,
    datasets: &'a [DatasetInfo],
) -> Option<&'a PositionView> {
    let evidence = Evidence::new(manifest, datasets);
    let mut views = evidence
        .views(CanonicalTable::Use, "")
        .filter(|view| view.table == CanonicalTable::Use && evidence.causes_of(view).is_empty());
    match (views.next(), views.next()) {
        (Some(view), None) => Some(view),
        _ => None,
    }
}

/// The oldest use, in milliseconds; `None` if there is no use.
///
/// # Errors
/// When the statement of the connector cannot be used.
pub(crate) fn oldest(source: &Connection, view: &PositionView) -> Result<Option<i64>, HostError> {
    let sql = format!(
        "WITH single(person_id, at, method, detail, application, succeeded) AS ({})
         SELECT MIN(o) FROM (SELECT MIN(at) AS o FROM (SELECT at FROM single))",
        view.sql
    );
    Ok(source.query_row(&sql, [], |row| row.get(0))?)
}

/// The instant from which on uses are summed again, given the spans (from, to) that are covered:
/// days that an earlier run saw to their end stay as they are.
pub(crate) fn since(covered: &[(i64, i64)], oldest: i64) -> i64 {
    covered
        .iter()
        .map(|(_, to)| *to)
        .max()
        .filter(|to| *to >= oldest)
        .map_or(i64::MIN, |to| (to / DAY_MS - AGAIN_DAYS) * DAY_MS)
}

/// Passes on the sums of uses from an instant on, by account and day.
///
/// # Errors
/// Those of `each`, and when the statement of the connector cannot be used.
pub(crate) fn sums(
    source: &Connection,
    view: &PositionView,
    since: i64,
    mut each: impl FnMut(DayUse) -> Result<(), HostError>,
) -> Result<(), HostError> {
    let sql =
        format!("{} AND at >= ?1 GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2", uses::daily_sql(view));
    let mut statement = source.prepare(&sql)?;
    let mut rows = statement.query([since])?;
    while let Some(row) = rows.next()? {
        each(DayUse::read(row)?)?;
    }
    Ok(())
}
