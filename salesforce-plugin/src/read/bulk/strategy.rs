//! Reads a large dataset by a query job, where that costs fewer requests than pages.

use connector_api::message::DatasetSummary;
use connector_api::{Error, Secret};
use serde::{Deserialize, Serialize};

use crate::client::api_error::ApiError;
use crate::dataset::Bulk;
use crate::read::bulk::jobs::{self, Job, Jobs, Waited};
use crate::read::bulk::requests::SessionJobs;
use crate::read::bulk::results;
use crate::read::context::{Output, Stop};
use crate::read::plan::Plan;
use crate::read::proof::prove;
use crate::read::reading::Reading;

/// How many times more records an object must have, if it is not known whether Bulk API serves it.
const PERHAPS_FACTOR: u64 = 10;
/// Age up to which the results of a former run's job are used.
const REUSED_WITHIN_MS: i64 = 6 * 3_600_000;
/// Largest difference between the org's clock and ours.
const CLOCKS_MS: i64 = 120_000;

/// Reads by a job. `None` if pages are the better way, or the org refuses.
///
/// # Errors
/// What ends the dataset or the run.
pub(crate) fn read(
    reading: &mut Reading<'_>,
    former_count: Option<u64>,
    output: &mut dyn Output,
) -> Result<Option<DatasetSummary>, Stop> {
    if !is_worth_a_job(reading, former_count)? {
        return Ok(None);
    }
    let mut query = reading.query();
    query.ordered = false;
    query.limit = None;
    let soql = query.text(None);
    let plan = reading.plan;
    let requests = SessionJobs {
        session: plan.context.session,
        version: plan.context.catalogue.version,
        object: plan.object,
        columns: reading.fields.shape.columns().of_answer(&reading.fields.asked),
    };
    let keeper = Keeper { plan, requests: &requests };
    let job = match keeper.job(&soql) {
        Ok(Some(job)) => job,
        Ok(None) => return Ok(None),
        Err(error) => return Err(reading.failed(error)),
    };
    let result = read_job(reading, &requests, &job, output);
    jobs::discard(&requests, &job.id).map_err(|error| reading.failed(error))?;
    keeper.keep(None);
    result
}

/// Whether a job costs fewer requests.
fn is_worth_a_job(reading: &Reading<'_>, former_count: Option<u64>) -> Result<bool, Stop> {
    let context = reading.plan.context;
    let Some(threshold) = context.session.settings().selection.bulk_rows else {
        return Ok(false);
    };
    let threshold = match reading.plan.dataset.bulk {
        Bulk::Yes => threshold,
        Bulk::Perhaps => threshold.saturating_mul(PERHAPS_FACTOR),
        Bulk::No => return Ok(false),
    };
    let rows = match context.counts.of(reading.plan.object).or(former_count) {
        Some(rows) => Some(rows),
        None => reading.count()?,
    };
    Ok(rows.is_some_and(|rows| rows >= threshold))
}

/// Reads the results of a job. What is missing in them is read by pages.
fn read_job(
    reading: &mut Reading<'_>,
    requests: &SessionJobs<'_>,
    job: &Job,
    output: &mut dyn Output,
) -> Result<Option<DatasetSummary>, Stop> {
    let mut stopped = None;
    let expected = job.number_records_processed;
    let read = results::read(requests, job, |batch, unread| {
        reading.note_unread(&batch, &unread);
        reading.hand_over(&batch, output, expected).map_err(|stop| {
            stopped = Some(stop);
            ApiError::Fatal(Error::cancelled())
        })
    });
    if let Some(stop) = stopped {
        return Err(stop);
    }
    let broken = match read {
        Ok(broken) => broken,
        Err(error @ (ApiError::Fatal(_) | ApiError::Unreachable(_))) => {
            return Err(reading.failed(error));
        }
        Err(error) => Some(error.into_error().message),
    };
    if let Some(reason) = &broken {
        log::warn!("{}: read by pages: {reason}", reading.plan.dataset.name);
        if reading.tally.rows == 0 {
            return Ok(None);
        }
    }
    reading.cursor.promised = expected.or(reading.cursor.promised);
    prove(reading, broken, output).map(Some)
}

/// What is kept of a job outside the run, so that none is left behind by a run that died.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// `None` between the request and its answer.
    id: Option<String>,
    query: String,
    version: u16,
    at_ms: i64,
}

/// Makes a dataset's job, and remembers it until it is deleted.
struct Keeper<'a> {
    plan: &'a Plan<'a>,
    requests: &'a SessionJobs<'a>,
}

impl Keeper<'_> {
    /// A job for that query that is done: a former run's, or a new one.
    fn job(&self, soql: &str) -> Result<Option<Job>, ApiError> {
        if let Some(job) = self.former_job(soql)? {
            return Ok(Some(job));
        }
        // A job that failed, or a lost answer: one more try.
        for _ in 0..2 {
            let at_ms = self.plan.context.now_ms;
            let kept = |id| Kept { id, query: soql.into(), version: self.requests.version, at_ms };
            self.keep(Some(&kept(None)));
            let created = match self.requests.create(soql) {
                Ok(job) => job,
                Err(ApiError::Refused(refusal)) => {
                    log::info!("{}: read by pages ({})", self.plan.dataset.name, refusal.shown());
                    self.keep(None);
                    return Ok(None);
                }
                Err(ApiError::Unavailable(error)) => {
                    log::warn!("{}: the job's answer was lost: {error}", self.plan.dataset.name);
                    self.discard_orphans(at_ms)?;
                    continue;
                }
                Err(ApiError::Malformed(reason)) => {
                    log::warn!(
                        "{}: the job's answer is not understood: {reason}",
                        self.plan.dataset.name
                    );
                    self.discard_orphans(at_ms)?;
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
            self.keep(Some(&kept(Some(created.id.clone()))));
            let id = created.id.clone();
            match jobs::wait(self.requests, created)? {
                Waited::Complete(job) => return Ok(Some(job)),
                Waited::Useless(reason) => {
                    log::warn!("{}: {reason}", self.plan.dataset.name);
                    jobs::discard(self.requests, &id)?;
                    self.keep(None);
                }
            }
        }
        log::warn!("{}: read by pages", self.plan.dataset.name);
        Ok(None)
    }

    /// What a former run left: its job is used if it asks the same and is young, and deleted if not.
    fn former_job(&self, soql: &str) -> Result<Option<Job>, ApiError> {
        let host = self.plan.context.session.host();
        let stored = host.secret_get(&self.keeper())?;
        let Some(kept) = stored.and_then(|text| serde_json::from_str::<Kept>(text.expose()).ok())
        else {
            return Ok(None);
        };
        let Some(id) = kept.id else {
            self.discard_orphans(kept.at_ms)?;
            return Ok(None);
        };
        let usable = kept.query == soql
            && kept.version == self.requests.version
            && self.plan.context.now_ms.saturating_sub(kept.at_ms) < REUSED_WITHIN_MS;
        if usable
            && let Ok(job) = self.requests.get(&id)
            && let Waited::Complete(job) = jobs::wait(self.requests, job)?
        {
            log::info!("{}: goes on with the job of a former run", self.plan.dataset.name);
            return Ok(Some(job));
        }
        jobs::discard(self.requests, &id)?;
        self.keep(None);
        Ok(None)
    }

    fn discard_orphans(&self, at_ms: i64) -> Result<(), ApiError> {
        let (_, user) = self.plan.context.session.ids();
        let listed = match (self.requests.list(), user) {
            (Ok(listed), Some(user)) => {
                jobs::orphans(&listed, self.plan.object, &user, at_ms - CLOCKS_MS)
                    .into_iter()
                    .map(|job| job.id.clone())
                    .collect()
            }
            (Err(ApiError::Fatal(error)), _) => return Err(ApiError::Fatal(error)),
            _ => Vec::new(),
        };
        for id in listed {
            jobs::discard(self.requests, &id)?;
        }
        self.keep(None);
        Ok(())
    }

    fn keeper(&self) -> String {
        format!("bulk_job.{}", self.plan.dataset.name)
    }

    /// Notes the job, or that there is none any more. A note that cannot be stored is no reason to
    /// stop: the job is deleted by this run, or by Salesforce after seven days.
    fn keep(&self, kept: Option<&Kept>) {
        let text = kept.and_then(|kept| serde_json::to_string(kept).ok()).map(Secret::new);
        let stored = self.plan.context.session.host().secret_put(&self.keeper(), text.as_ref());
        if let Err(error) = stored {
            log::warn!("{}: the job could not be noted: {error}", self.plan.dataset.name);
        }
    }
}
