//! Whether every record was read: the org's count decides.

use connector_api::message::{CollectMode, DatasetStatus, DatasetSummary};

use crate::dataset::Paging;
use crate::read::context::{Output, Stop, openers};
use crate::read::pages;
use crate::read::reading::Reading;
use crate::read::soql::literal;
use crate::read::state::State;

/// Reads pages until the records are as many as the org counts. Returns how reading broke off.
///
/// # Errors
/// What ends the dataset or the run.
pub(crate) fn read_to_the_count(
    reading: &mut Reading<'_>,
    output: &mut dyn Output,
) -> Result<Option<String>, Stop> {
    let mut broken = pages::read(reading, output)?;
    if broken.is_none() && reading.cursor.one_whole_page {
        return Ok(None);
    }
    let count = reading.count()?.or(reading.cursor.promised);
    reading.cursor.promised = count;
    // Records that came while reading, or that a page lost at its end, are behind the last one.
    while broken.is_none()
        && reading.plan.dataset.paging != Paging::None
        && count.is_some_and(|count| count > reading.cursor.answered)
    {
        let before = reading.cursor.answered;
        broken = pages::read(reading, output)?;
        if reading.cursor.answered == before {
            break;
        }
    }
    Ok(broken)
}

/// Judges the present question's answer by the org's count of it.
///
/// # Errors
/// What ends the run.
pub(crate) fn judged(
    reading: &Reading<'_>,
    broken: Option<String>,
) -> Result<DatasetSummary, Stop> {
    let answered = reading.cursor.answered;
    if let Some(count) = reading.cursor.promised.filter(|count| *count > answered) {
        let why = broken.map_or_else(String::new, |reason| format!(": {reason}"));
        let reason = format!("{answered} of {count} records arrived{why}");
        return Ok(reading.summary(DatasetStatus::Incomplete, Some(reason)));
    }
    if let Some(reason) = broken {
        return Ok(reading.summary(DatasetStatus::Incomplete, Some(reason)));
    }
    if let Some(reason) = own_rows_only(reading)? {
        return Ok(reading.summary(DatasetStatus::PartialSelf, Some(reason)));
    }
    let missing = &reading.fields.missing;
    if !missing.is_empty() {
        let reason = format!("not visible to the connecting user: {}", missing.join(", "));
        return Ok(reading.summary(DatasetStatus::Degraded, Some(reason)));
    }
    Ok(reading.summary(DatasetStatus::Complete, None))
}

/// Whether Salesforce showed only the asking user's records, as it does instead of refusing.
fn own_rows_only(reading: &Reading<'_>) -> Result<Option<String>, Stop> {
    let (dataset, context) = (reading.plan.dataset, reading.plan.context);
    let Some(owner) = dataset.own_rows else { return Ok(None) };
    if reading.tally.saw_others || context.access.has_any(dataset.permissions) == Some(true) {
        return Ok(None);
    }
    // Among a few changes nobody else's may be: the org is asked for one record of another.
    if reading.mode == CollectMode::Incremental
        && let (_, Some(own)) = context.session.ids()
    {
        let mut conditions = reading.plan.condition();
        conditions.push(format!("{owner} != {}", literal(&own)));
        if reading.plan.count(conditions)?.is_some_and(|others| others > 0) {
            return Ok(None);
        }
    }
    Ok(Some(format!(
        "only the connecting user's own records are visible: grant `{}`",
        openers(dataset)
    )))
}

/// Ends a dataset: the state from which changes are read next goes to the host with its rows.
///
/// # Errors
/// What ends the run.
pub(crate) fn finish(
    reading: &Reading<'_>,
    summary: DatasetSummary,
    began: i64,
    output: &mut dyn Output,
) -> Result<DatasetSummary, Stop> {
    let (name, rows) = (reading.plan.dataset.name, reading.tally.rows);
    let whole = summary.total.or(summary.expected).or(Some(rows));
    reading.plan.context.session.host().progress(name, rows, Some(rows));
    if summary.status.has_every_record() {
        let newest = reading.cursor.stamps.newest.max(reading.state.newest);
        let state = State {
            done: true,
            after: None,
            rows,
            fields: reading.fields.asked.clone(),
            count: match reading.mode {
                CollectMode::Full => whole,
                CollectMode::Incremental => summary.total.or(reading.state.count),
            },
            since: newest.map(|newest| newest.min(began)),
            newest,
            ..reading.state.clone()
        };
        output.state(name, state.text()).map_err(Stop::Run)?;
    }
    Ok(summary)
}
