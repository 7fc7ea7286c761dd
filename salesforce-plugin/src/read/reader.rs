//! Reads one dataset and says truthfully how that ended.
//!
//! It continues where a run stopped, is read by what changed since its checkpoint, or is read whole:
//! by a query job, user by user where Salesforce cuts a result off, or by pages.

use connector_api::Error;
use connector_api::message::DatasetSummary;

use crate::dataset::Dataset;
use crate::read::bulk::strategy as jobs;
use crate::read::changes::{self, ByChanges};
use crate::read::context::{Context, Output, Stop};
use crate::read::fields::Fields;
use crate::read::plan::Plan;
use crate::read::proof::{finish, read_and_prove};
use crate::read::reading::Reading;
use crate::read::state::State;
use crate::read::{capped, limits, second};

/// Reads a dataset. Failures that concern it alone are its status.
///
/// # Errors
/// Only what ends the run.
pub(crate) fn read(
    context: &Context<'_>,
    dataset: &'static Dataset,
    output: &mut dyn Output,
) -> Result<DatasetSummary, Error> {
    context.session.host().progress(dataset.name, 0, None);
    let outcome = match dataset.sobject() {
        Some(object) => read_object(&Plan::new(context, dataset, object), output),
        None => limits::read(context, dataset, output),
    };
    let mut summary = match outcome {
        Ok(summary) => summary,
        Err(Stop::Dataset(summary)) => *summary,
        Err(Stop::Run(error)) => return Err(error),
    };
    second::confirm(context, dataset, &mut summary)?;
    Ok(summary)
}

fn read_object(plan: &Plan<'_>, output: &mut dyn Output) -> Result<DatasetSummary, Stop> {
    if let Some(state) = unfinished(plan)? {
        return go_on(plan, state, output);
    }
    let former = match plan.former_state()? {
        Some(state) if shows_more(plan, &state)? => None,
        former => former,
    };
    if let Some(state) = former.as_ref().filter(|state| changes::are_shown(plan, state)) {
        let mut reading = Reading::new(plan, Fields::known(plan, &state.fields));
        let why = match changes::read(&mut reading, state, output)? {
            ByChanges::Done(summary) => return Ok(summary),
            ByChanges::Whole(why) => why,
        };
        log::info!("{} is read whole: {why}", plan.dataset.name);
        let fields = Fields::described(plan).map_err(|stop| match stop {
            Stop::Dataset(summary) => Stop::dataset(reading.filled(*summary)),
            Stop::Run(error) => Stop::Run(error),
        })?;
        reading.start_over(fields);
        return read_whole(&mut reading, None, output);
    }
    let fields = match &former {
        Some(state) => Fields::known(plan, &state.fields),
        None => Fields::described(plan)?,
    };
    let mut reading = Reading::new(plan, fields);
    if let Some(state) = &former {
        reading.state.described_at = state.described_at;
    }
    read_whole(&mut reading, former.and_then(|state| state.count), output)
}

/// Whether the org shows a field now that it hid at the last reading: what was missing is described
/// again in every run.
fn shows_more(plan: &Plan<'_>, former: &State) -> Result<bool, Stop> {
    if Fields::known(plan, &former.fields).missing.is_empty() {
        return Ok(false);
    }
    let described = Fields::described(plan)?;
    Ok(described.asked.iter().any(|field| !former.fields.contains(field)))
}

/// Where a run stopped midway, if its records were kept and it can be continued.
fn unfinished(plan: &Plan<'_>) -> Result<Option<State>, Stop> {
    if !plan.context.resume || plan.dataset.row_cap.is_some() {
        return Ok(None);
    }
    Ok(plan.stored_state()?.filter(|state| {
        let midway = !state.done && state.since.is_none() && state.after.is_some();
        midway && plan.is_young(state.whole_at) && plan.copies.are_those_of(&state.copies)
    }))
}

/// Continues where a run stopped.
fn go_on(plan: &Plan<'_>, state: State, output: &mut dyn Output) -> Result<DatasetSummary, Stop> {
    let mut reading = Reading::new(plan, Fields::known(plan, &state.fields));
    reading.cursor.conditions = plan.retention();
    reading.cursor.after = state.after.clone();
    reading.cursor.answered = state.rows;
    reading.tally.earlier = state.rows;
    reading.tally.recall(&state);
    reading.cursor.stamps.newest = state.newest;
    let began = state.whole_at;
    reading.state = State { newest: None, ..state };
    let mut summary = read_and_prove(&mut reading, output)?;
    // What this run handed over is not all there is.
    summary.total = summary.expected;
    finish(&reading, summary, began, output)
}

/// Reads every record. `former_count` is the number of records at the last reading.
fn read_whole(
    reading: &mut Reading<'_>,
    former_count: Option<u64>,
    output: &mut dyn Output,
) -> Result<DatasetSummary, Stop> {
    let began = reading.plan.org_now();
    reading.cursor.conditions = reading.plan.retention();
    if let Some(cap) = reading.plan.dataset.row_cap {
        return capped::read(reading, cap, output);
    }
    if let Some(summary) = jobs::read(reading, former_count, output)? {
        return finish(reading, summary, began, output);
    }
    let summary = read_and_prove(reading, output)?;
    finish(reading, summary, began, output)
}
