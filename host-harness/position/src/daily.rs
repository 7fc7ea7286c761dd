//! Daily sums of uses: what is kept of them when the vendor no longer has them.

use connector_api::position::{CanonicalTable, PositionView};

use crate::evidence::Evidence;
use crate::source::{DayUse, Snapshot, Value};
use crate::time::DAY_MS;

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

/// The statement for the oldest use, in milliseconds.
pub fn oldest_sql(view: &PositionView) -> String {
    format!(
        "WITH single(person_id, at, method, detail, application, succeeded) AS ({})
         SELECT MIN(at) FROM single",
        view.sql
    )
}

/// The statement that sums single uses by account, day and way; its rows are those of
/// [`row`], in any order.
pub fn sql(view: &PositionView) -> String {
    format!(
        "WITH single(person_id, at, method, detail, application, succeeded) AS ({})
         SELECT person_id, at / {DAY_MS}, COALESCE(method, ''), COALESCE(detail, ''),
                COALESCE(application, ''), succeeded, MIN(at), MAX(at), COUNT(*)
         FROM single WHERE person_id IS NOT NULL AND at IS NOT NULL",
        view.sql
    )
}

/// A row of [`sql`]; `None` if a value is not of its type.
pub fn row<'r>(row: &[Value<'r>]) -> Option<DayUse<'r>> {
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
