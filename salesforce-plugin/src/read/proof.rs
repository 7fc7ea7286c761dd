//! Whether every record was read: only a count that the org makes by a question of its own proves it.

use arrow_array::RecordBatch;
use connector_api::Error;
use connector_api::message::{CollectMode, DatasetStatus, DatasetSummary, Proof, ProofBy};

use crate::dataset::{Changes, Countable, Paging};
use crate::read::context::{Output, Stop, openers};
use crate::read::fields::Fields;
use crate::read::pages;
use crate::read::reading::Reading;
use crate::read::soql::literal;
use crate::read::state::State;
use crate::read::windows::{self, Windows};

/// Unreadable values that a reason names.
const MOST_NAMED: usize = 3;

/// Reads the present question by pages until its answer is proven.
///
/// # Errors
/// What ends the dataset or the run.
pub(crate) fn read_and_prove(
    reading: &mut Reading<'_>,
    output: &mut dyn Output,
) -> Result<DatasetSummary, Stop> {
    let broken = pages::read(reading, output)?;
    prove(reading, broken, output)
}

/// Compares what was read with the org's count; reads by pages what is missing.
///
/// # Errors
/// What ends the dataset or the run.
pub(crate) fn prove(
    reading: &mut Reading<'_>,
    mut broken: Option<String>,
    output: &mut dyn Output,
) -> Result<DatasetSummary, Stop> {
    if reading.plan.dataset.countable == Countable::No {
        return judged(reading, None, broken);
    }
    if matches!(reading.plan.dataset.changes, Changes::Log(_)) {
        return prove_log(reading, broken, output);
    }
    let mut count = reading.count()?;
    let short = |reading: &Reading<'_>, count: Option<u64>| {
        count.is_some_and(|count| count > reading.tally.held())
    };
    // Records that came while reading, or that a page lost at its end, are behind the last one.
    while broken.is_none()
        && reading.cursor.after.is_some()
        && reading.plan.dataset.paging != Paging::None
        && short(reading, count)
    {
        let before = reading.tally.held();
        broken = pages::read(reading, output)?;
        if reading.tally.held() == before {
            break;
        }
    }
    // A page in the middle, or a job, fell short.
    if short(reading, count) {
        reading.rewind();
        broken = pages::read(reading, output)?;
        count = reading.count()?;
    }
    judged(reading, count, broken).and_then(|summary| gone_meanwhile(reading, count, summary))
}

/// Proves a log, by the counts of windows of time where that of the whole is not to be had or
/// another one.
fn prove_log(
    reading: &mut Reading<'_>,
    broken: Option<String>,
    output: &mut dyn Output,
) -> Result<DatasetSummary, Stop> {
    let conditions = reading.plan.whole_conditions();
    let count = reading.plan.count(conditions)?;
    if count.is_some() && count == Some(windows::held(reading)) {
        return judged(reading, count, broken);
    }
    match windows::prove(reading, output)? {
        Windows::Proven { counted } => {
            reading.tally.proof = Some(Proof { by: ProofBy::Windows, counted: Some(counted) });
            judged_by_proof(reading)
        }
        Windows::Differ(reason) => Ok(reading.summary(DatasetStatus::Incomplete, Some(reason))),
    }
}

/// Judges the answer by the org's count of it.
///
/// # Errors
/// What ends the run.
pub(crate) fn judged(
    reading: &mut Reading<'_>,
    count: Option<u64>,
    broken: Option<String>,
) -> Result<DatasetSummary, Stop> {
    let held = match reading.plan.dataset.changes {
        Changes::Log(_) => windows::held(reading),
        _ => reading.tally.held(),
    };
    let by = if count.is_some() { ProofBy::Count } else { ProofBy::None };
    reading.tally.proof = Some(Proof { by, counted: count });
    let promised = reading.cursor.promised;
    reading.cursor.promised = count.or(promised);
    let why = broken.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    let reason = match count {
        Some(count) if held < count => Some(format!("{held} of {count} records arrived{why}")),
        Some(count) if held > count => {
            Some(format!("{held} records arrived, the org counts {count}{why}"))
        }
        Some(_) => None,
        None if reading.plan.dataset.countable == Countable::Yes => {
            Some(format!("the records could not be counted{why}"))
        }
        None => match promised.filter(|promised| *promised > held) {
            Some(promised) => Some(format!("{held} of {promised} records arrived{why}")),
            None => broken,
        },
    };
    match reason {
        Some(reason) => Ok(reading.summary(DatasetStatus::Incomplete, Some(reason))),
        None => judged_by_proof(reading),
    }
}

/// The status of a dataset all of whose records were read.
fn judged_by_proof(reading: &Reading<'_>) -> Result<DatasetSummary, Stop> {
    if let Some(reason) = own_rows_only(reading)? {
        return Ok(reading.summary(DatasetStatus::PartialSelf, Some(reason)));
    }
    let mut reasons = Vec::new();
    let missing = &reading.fields.missing;
    if !missing.is_empty() {
        reasons.push(format!("not visible to the connecting user: {}", missing.join(", ")));
    }
    let (named, all) = reading.tally.unreadable(MOST_NAMED);
    if all > 0 {
        let named: Vec<String> =
            named.iter().map(|value| format!("`{}` of {}", value.field, value.record)).collect();
        let more = if all > MOST_NAMED { ", ..." } else { "" };
        let values = if all == 1 { "value" } else { "values" };
        reasons.push(format!("{all} {values} could not be read: {}{more}", named.join(", ")));
    }
    let status = if reasons.is_empty() { DatasetStatus::Complete } else { DatasetStatus::Degraded };
    Ok(reading.summary(status, (!reasons.is_empty()).then(|| reasons.join("; "))))
}

/// More records were read than the org counts: some may have been deleted meanwhile. Reads the keys
/// alone once more; where all of them are held and as many as counted, nothing is missing.
fn gone_meanwhile(
    reading: &mut Reading<'_>,
    count: Option<u64>,
    summary: DatasetSummary,
) -> Result<DatasetSummary, Stop> {
    let more = count.is_some_and(|count| count < reading.tally.held());
    if !more || reading.plan.dataset.paging != Paging::Id || reading.tally.earlier > 0 {
        return Ok(summary);
    }
    let key = reading.plan.dataset.key.to_owned();
    let mut again = Reading::new(reading.plan, Fields::known(reading.plan, &[key]));
    again.tally = reading.tally.another();
    again.cursor.conditions.clone_from(&reading.cursor.conditions);
    if pages::read(&mut again, &mut Nowhere)?.is_some() {
        return Ok(summary);
    }
    let count = again.count()?;
    if count != Some(again.tally.held()) || !again.tally.is_part_of(&reading.tally) {
        return Ok(summary);
    }
    reading.tally.proof = Some(Proof { by: ProofBy::Count, counted: count });
    reading.cursor.promised = count;
    judged_by_proof(reading)
}

/// Takes records that are only counted.
struct Nowhere;

impl Output for Nowhere {
    fn batch(&mut self, _: &'static str, _: RecordBatch, _: String) -> Result<(), Error> {
        Ok(())
    }

    fn state(&mut self, _: &'static str, _: String) -> Result<(), Error> {
        Ok(())
    }
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
            rows: reading.tally.held(),
            fields: reading.fields.asked.clone(),
            count: match reading.mode {
                CollectMode::Full => whole,
                CollectMode::Incremental => summary.total.or(reading.state.count),
            },
            since: newest.map(|newest| newest.min(began)),
            newest,
            days: reading.tally.days.clone(),
            unreadable: reading.tally.unreadable(usize::MAX).0,
            ..reading.state.clone()
        };
        output.state(name, state.text()).map_err(Stop::Run)?;
    }
    Ok(summary)
}
