//! A refused query: what vanished is left out and the rest kept, what took too long is asked for less.

use connector_api::message::DatasetStatus;

use crate::client::api_error::Refusal;
use crate::dataset::Paging;
use crate::read::context::{Stop, hidden};
use crate::read::reading::Reading;
use crate::read::tally::DAY_MS;

/// The first window of a log after a query took too long, and the smallest.
const FIRST_WINDOW_MS: i64 = DAY_MS;
const SMALLEST_WINDOW_MS: i64 = 60_000;
/// The same for a dataset that is ordered by its key alone: records in one answer.
const FIRST_LIMIT: u64 = 1_000;
const SMALLEST_LIMIT: u64 = 50;

/// How a chain of pages ended.
#[derive(Debug)]
pub(crate) enum Chain {
    /// The last page said so.
    Done,
    /// The question was changed: ask again.
    Again,
    /// It broke; the text says how.
    Broken(String),
}

/// Changes the question so that the org may answer it, or says that it cannot.
///
/// # Errors
/// The status of a dataset that is hidden or refused for good; what ends the run.
pub(crate) fn yield_to(reading: &mut Reading<'_>, refusal: &Refusal) -> Result<Chain, Stop> {
    if refusal.is_hidden() {
        return vanished(reading, refusal);
    }
    let key = reading.plan.dataset.key;
    let mut left_out = false;
    while let Some(at) =
        reading.fields.asked.iter().position(|field| refusal.is_about(field) && field != key)
    {
        let field = &reading.fields.asked[at];
        log::warn!("{}: the field `{field}` is gone", reading.plan.dataset.name);
        reading.fields.leave_out(reading.plan, at);
        left_out = true;
    }
    if left_out {
        return Ok(Chain::Again);
    }
    if refusal.code == "QUERY_TIMEOUT" {
        return Ok(if ask_for_less(reading) {
            Chain::Again
        } else {
            Chain::Broken(refusal.shown())
        });
    }
    if refusal.code == "INVALID_QUERY_LOCATOR" {
        return Ok(Chain::Broken(refusal.shown()));
    }
    if matches!(refusal.status, 414 | 431) && split(reading) {
        return Ok(Chain::Again);
    }
    let reason = format!("Salesforce refused the query ({})", refusal.shown());
    Err(Stop::dataset(reading.summary(DatasetStatus::Failed, Some(reason))))
}

/// Makes the windows of a log, or the answers of another dataset, shorter. Says whether that helped.
fn ask_for_less(reading: &mut Reading<'_>) -> bool {
    let pace = &mut reading.pace;
    match reading.plan.dataset.paging {
        Paging::Stamp(_) => match pace.window_ms {
            None => pace.window_ms = Some(FIRST_WINDOW_MS),
            Some(length) if length > SMALLEST_WINDOW_MS => pace.window_ms = Some(length / 2),
            Some(_) => return false,
        },
        Paging::Id => match pace.limit {
            None => pace.limit = Some(FIRST_LIMIT),
            Some(limit) if limit > SMALLEST_LIMIT => pace.limit = Some(limit / 2),
            Some(_) => return false,
        },
        Paging::None => return false,
    }
    true
}

/// Shares the fields among one query more. Needs a key by which pages can be joined.
pub(crate) fn split(reading: &mut Reading<'_>) -> bool {
    let possible = reading.plan.dataset.paging == Paging::Id
        && reading.pace.parts * 2 < reading.fields.asked.len().max(2);
    if possible {
        reading.pace.parts *= 2;
    }
    possible
}

/// The object is refused. A parent's field may be the reason: it is described again, once.
fn vanished(reading: &mut Reading<'_>, refusal: &Refusal) -> Result<Chain, Stop> {
    let plan = reading.plan;
    let gone = |reading: &Reading<'_>| {
        Stop::dataset(reading.filled(hidden(plan.dataset, plan.context.access, Some(refusal))))
    };
    if reading.pace.described_again || reading.tally.rows == 0 {
        return Err(gone(reading));
    }
    reading.pace.described_again = true;
    let catalogue = plan.context.catalogue;
    catalogue.forget(plan.object);
    match catalogue.describe(plan.object) {
        Ok(Some(_)) => Ok(Chain::Broken(refusal.shown())),
        Ok(None) => Err(gone(reading)),
        Err(error) => Err(reading.failed(error)),
    }
}
