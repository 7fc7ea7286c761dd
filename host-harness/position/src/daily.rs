//! Daily sums of uses: what is kept of them when the vendor no longer has them.

use connector_api::position::{CanonicalTable, PositionView};

use crate::error::{Error, unusable};
use crate::evidence::Evidence;
use crate::source::{DayUse, Snapshot, SnapshotSource, Value};
use crate::time::DAY_MS;

/// Days before the last run that are summed again: uses may arrive late.
const AGAIN_DAYS: i64 = 3;

/// The statement whose uses can be summed: the only one that shows single uses, if its datasets have
/// all their records.
pub fn view(snapshot: &Snapshot) -> Option<&PositionView> {
    let evidence = Evidence::new(&snapshot.manifest, &snapshot.datasets);
    let mut views = snapshot.manifest.position.views.iter().filter(|view| {
        view.table == CanonicalTable::Use
            && view.family.is_empty()
            && evidence.causes_of(view).is_empty()
    });
    match (views.next(), views.next()) {
        (Some(view), None) => Some(view),
        _ => None,
    }
}

/// The statement that sums single uses by account, day and way; its rows are those of
/// [`row`], in any order.
pub(crate) fn sql(view: &PositionView) -> String {
    format!(
        "WITH single(person_id, at, method, detail, application, succeeded) AS ({})
         SELECT person_id, at / {DAY_MS}, COALESCE(method, ''), COALESCE(detail, ''),
                COALESCE(application, ''), succeeded, MIN(at), MAX(at), COUNT(*)
         FROM single WHERE person_id IS NOT NULL AND at IS NOT NULL",
        view.sql
    )
}

/// A row of [`sql`]; `None` if a value is not of its type.
pub(crate) fn row<'r>(row: &[Value<'r>]) -> Option<DayUse<'r>> {
    Some(DayUse {
        person_id: row[0].text()?,
        day: row[1].integer()?,
        way: [row[2].text()?, row[3].text()?, row[4].text()?],
        succeeded: row[5].integer().is_some_and(|flag| flag != 0),
        first_at: row[6].integer()?,
        last_at: row[7].integer()?,
        events: row[8].integer()?,
    })
}

/// The oldest use, in milliseconds; `None` if there is no use.
///
/// # Errors
/// If the statement of the connector cannot be used.
pub fn oldest(source: &dyn SnapshotSource, view: &PositionView) -> Result<Option<i64>, Error> {
    let sql = format!(
        "WITH single(person_id, at, method, detail, application, succeeded) AS ({})
         SELECT MIN(at) FROM single",
        view.sql
    );
    let mut oldest = None;
    source.query(&sql, &mut |row| {
        oldest = row[0].integer();
        Ok(())
    })?;
    Ok(oldest)
}

/// The instant from which on uses are summed again, given the spans (from, to) that are covered:
/// days that an earlier run saw to their end stay as they are.
pub fn since(covered: &[(i64, i64)], oldest: i64) -> i64 {
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
/// Those of `each`, and if the statement of the connector cannot be used.
pub fn sums(
    source: &dyn SnapshotSource,
    view: &PositionView,
    since: i64,
    each: &mut dyn FnMut(DayUse<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let sql = format!("{} AND at >= {since} GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2", sql(view));
    source.query(&sql, &mut |values| {
        let day =
            row(values).ok_or_else(|| unusable(view, &"a use has a value of another type"))?;
        each(day)
    })?;
    Ok(())
}
