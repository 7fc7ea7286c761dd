//! Reads a large dataset by a query job, where that costs fewer requests than pages.

use std::io::Read;
use std::time::Duration;

use connector_api::message::{DatasetStatus, DatasetSummary};
use connector_api::{Error, Secret};
use serde::{Deserialize, Serialize};

use crate::client::allow_list;
use crate::client::api_error::ApiError;
use crate::client::request::Request;
use crate::client::session::Session;
use crate::dataset::Bulk;
use crate::read::bulk::jobs::{self, Job, Jobs, SET_RECORDS, Take};
use crate::read::bulk::results::{self, Parts};
use crate::read::csv_rows::Results;
use crate::read::page::Columns;
use crate::read::reader::{Ended, Output, Reader};

/// An object of which it is not known whether Bulk API serves it is tried from so many times more
/// records on.
const PERHAPS_FACTOR: u64 = 10;
/// Results of a former run's job are used up to this age.
const REUSED_WITHIN_MS: i64 = 6 * 3_600_000;
/// The org's clock and ours may differ by so much.
const CLOCKS_MS: i64 = 120_000;

/// What is kept of a job outside the run, so that none is left behind by a run that died.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// None between the request and its answer.
    id: Option<String>,
    query: String,
    version: u16,
    at_ms: i64,
}

impl Reader<'_> {
    /// Reads by a job. None where pages are the better way, or the org refuses.
    pub(crate) fn read_by_job(
        &mut self,
        output: &mut dyn Output,
    ) -> Result<Option<DatasetSummary>, Ended> {
        if !self.is_worth_a_job()? {
            return Ok(None);
        }
        let mut query = self.query();
        query.ordered = false;
        query.limit = None;
        let soql = query.text(None);
        let Some(columns) =
            self.shape.as_ref().map(|shape| Columns::new(shape.columns().fields().to_vec()))
        else {
            return Ok(None);
        };
        let jobs = SessionJobs {
            session: self.context.session,
            version: self.context.catalogue.version,
            object: self.object,
            columns,
        };
        let job = match self.job(&jobs, &soql) {
            Ok(Some(job)) => job,
            Ok(None) => return Ok(None),
            Err(error) => return Err(self.failed(error)),
        };
        let result = self.read_job(&jobs, &job, output);
        jobs::discard(&jobs, &job.id).map_err(|error| self.failed(error))?;
        self.keep(None);
        result
    }

    /// Whether a job costs fewer requests.
    fn is_worth_a_job(&self) -> Result<bool, Ended> {
        let Some(threshold) = self.context.session.settings().selection.bulk_rows else {
            return Ok(false);
        };
        let threshold = match self.dataset.bulk {
            Bulk::Yes => threshold,
            Bulk::Perhaps => threshold.saturating_mul(PERHAPS_FACTOR),
            Bulk::No => return Ok(false),
        };
        let rows = match self.context.counts.of(self.object).or(self.former_count) {
            Some(rows) => Some(rows),
            None => self.count()?,
        };
        Ok(rows.is_some_and(|rows| rows >= threshold))
    }

    /// A job for that query that is done: a former run's, or a new one.
    fn job(&self, jobs: &SessionJobs<'_>, soql: &str) -> Result<Option<Job>, ApiError> {
        if let Some(job) = self.former_job(jobs, soql)? {
            return Ok(Some(job));
        }
        // A job that failed, or a lost answer: one more try.
        for _ in 0..2 {
            let at_ms = self.context.now_ms;
            let kept = |id| Kept { id, query: soql.into(), version: jobs.version, at_ms };
            self.keep(Some(&kept(None)));
            let created = match jobs.create(soql) {
                Ok(job) => job,
                Err(ApiError::Refused(refusal)) => {
                    log::info!("{}: read by pages ({})", self.dataset.name, refusal.shown());
                    self.keep(None);
                    return Ok(None);
                }
                Err(ApiError::Unavailable(error)) => {
                    log::warn!("{}: the job's answer was lost: {error}", self.dataset.name);
                    self.discard_orphans(jobs, at_ms)?;
                    continue;
                }
                Err(ApiError::Malformed(reason)) => {
                    log::warn!(
                        "{}: the job's answer is not understood: {reason}",
                        self.dataset.name
                    );
                    self.discard_orphans(jobs, at_ms)?;
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
            self.keep(Some(&kept(Some(created.id.clone()))));
            let id = created.id.clone();
            match jobs::wait(jobs, created)? {
                jobs::Ended::Complete(job) => return Ok(Some(job)),
                jobs::Ended::Useless(reason) => {
                    log::warn!("{}: {reason}", self.dataset.name);
                    jobs::discard(jobs, &id)?;
                    self.keep(None);
                }
            }
        }
        log::warn!("{}: read by pages", self.dataset.name);
        Ok(None)
    }

    /// What a former run left: its job is used if it asks the same and is young, and deleted if not.
    fn former_job(&self, jobs: &SessionJobs<'_>, soql: &str) -> Result<Option<Job>, ApiError> {
        let host = self.context.session.host();
        let stored = host.secret_get(&self.keeper())?;
        let Some(kept) = stored.and_then(|text| serde_json::from_str::<Kept>(text.expose()).ok())
        else {
            return Ok(None);
        };
        let Some(id) = kept.id else {
            self.discard_orphans(jobs, kept.at_ms)?;
            return Ok(None);
        };
        let usable = kept.query == soql
            && kept.version == jobs.version
            && self.context.now_ms.saturating_sub(kept.at_ms) < REUSED_WITHIN_MS;
        if usable
            && let Ok(job) = jobs.get(&id)
            && let jobs::Ended::Complete(job) = jobs::wait(jobs, job)?
        {
            log::info!("{}: goes on with the job of a former run", self.dataset.name);
            return Ok(Some(job));
        }
        jobs::discard(jobs, &id)?;
        self.keep(None);
        Ok(None)
    }

    fn discard_orphans(&self, jobs: &SessionJobs<'_>, at_ms: i64) -> Result<(), ApiError> {
        let (_, user) = self.context.session.ids();
        let listed = match (jobs.list(), user) {
            (Ok(listed), Some(user)) => {
                jobs::orphans(&listed, self.object, &user, at_ms - CLOCKS_MS)
                    .into_iter()
                    .map(|job| job.id.clone())
                    .collect()
            }
            (Err(ApiError::Fatal(error)), _) => return Err(ApiError::Fatal(error)),
            _ => Vec::new(),
        };
        for id in listed {
            jobs::discard(jobs, &id)?;
        }
        self.keep(None);
        Ok(())
    }

    fn read_job(
        &mut self,
        jobs: &SessionJobs<'_>,
        job: &Job,
        output: &mut dyn Output,
    ) -> Result<Option<DatasetSummary>, Ended> {
        let mut ended = None;
        let expected = job.number_records_processed;
        let read = results::read(jobs, job, |batch| {
            self.hand_over(&batch, output, expected).map_err(|reason| {
                ended = Some(reason);
                ApiError::Fatal(Error::cancelled())
            })
        });
        if let Some(ended) = ended {
            return Err(ended);
        }
        let broken = match read {
            Ok(broken) => broken,
            Err(error @ (ApiError::Fatal(_) | ApiError::Unreachable(_))) => {
                return Err(self.failed(error));
            }
            Err(error) if self.answered == 0 => {
                log::warn!("{}: read by pages: {}", self.dataset.name, error.into_error());
                return Ok(None);
            }
            Err(error) => Some(error.into_error().message),
        };
        self.promised = expected.or(self.promised);
        if let Some(expected) = expected.filter(|expected| *expected < self.answered) {
            let reason = format!("{} records arrived, the job counted {expected}", self.answered);
            return Ok(Some(self.summary(DatasetStatus::Incomplete, Some(reason))));
        }
        self.judged(broken).map(Some)
    }

    fn keeper(&self) -> String {
        format!("bulk_job.{}", self.dataset.name)
    }

    /// Notes the job, or that there is none any more. A note that cannot be stored is no reason to
    /// stop: the job is deleted by this run, or by Salesforce after seven days.
    fn keep(&self, kept: Option<&Kept>) {
        let text = kept.and_then(|kept| serde_json::to_string(kept).ok()).map(Secret::new);
        let stored = self.context.session.host().secret_put(&self.keeper(), text.as_ref());
        if let Err(error) = stored {
            log::warn!("{}: the job could not be noted: {error}", self.dataset.name);
        }
    }
}

/// Query jobs by the session's requests.
struct SessionJobs<'a> {
    session: &'a Session,
    version: u16,
    object: &'static str,
    columns: Columns,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    records: Vec<Job>,
}

/// The first version whose results can be read by parts.
const PARTS_SINCE: u16 = 58;
/// Records of one batch.
const BATCH_ROWS: usize = 2_000;

/// Parts of a result, as the org names them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NamedParts {
    #[serde(default)]
    result_pages: Vec<NamedPart>,
    // The documentation writes it in both ways.
    #[serde(default, alias = "nextRecordUrl")]
    next_records_url: Option<String>,
    #[serde(default)]
    done: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NamedPart {
    result_url: String,
}

impl SessionJobs<'_> {
    /// The path of an address that the org names, if it is one of this job with that shape.
    fn path_of(&self, id: &str, url: &str, shape: &str) -> Option<String> {
        let path = match url.strip_prefix("https://") {
            Some(rest) => rest.strip_prefix(self.session.instance_host().as_str())?,
            None => url,
        };
        let bare = path.split('?').next().unwrap_or_default();
        let job = bare.split('/').nth(6)?;
        let same_job = job.len() >= 15 && job.get(..15) == id.get(..15);
        (same_job && allow_list::shape(bare) == Some(shape)).then(|| path.to_owned())
    }

    /// Reads results as they arrive; answers the locator of the next set.
    fn results(&self, path: &str, take: Take<'_>) -> Result<Option<String>, ApiError> {
        let request = Request { accept: "text/csv", ..Request::get(path, Some(self.object)) };
        let mut results = Results::default();
        let mut consume = |body: &mut dyn Read| results.read(body, &self.columns, BATCH_ROWS, take);
        self.session.stream(&request, &mut consume, |answer, rows| {
            let said = answer.header("sforce-numberofrecords").and_then(|n| n.trim().parse().ok());
            if said.is_some_and(|said: u64| said != rows) {
                return Err(format!("{rows} records arrived of a set that holds another number"));
            }
            // Behind the last set stands the word `null`.
            let next = answer.header("sforce-locator").map(str::trim);
            Ok(next.filter(|locator| !locator.is_empty() && *locator != "null").map(Into::into))
        })
    }

    fn base(&self) -> String {
        // Results must be read with the API version that created the job; another answers 409.
        format!("/services/data/v{}.0/jobs/query", self.version)
    }

    /// The path of a job; an id that does not look like one reaches no path.
    fn path(&self, id: &str) -> Result<String, ApiError> {
        let is_id = matches!(id.len(), 15 | 18) && id.bytes().all(|b| b.is_ascii_alphanumeric());
        if is_id {
            Ok(format!("{}/{id}", self.base()))
        } else {
            Err(ApiError::Malformed("a job's id does not look like one".into()))
        }
    }

    fn send(
        &self,
        method: &'static str,
        path: &str,
        body: Option<&str>,
    ) -> Result<Option<Job>, ApiError> {
        let request =
            Request { method, path, object: Some(self.object), body, accept: "application/json" };
        self.session.request(&request, |answer| {
            if answer.status == 204 || method == "DELETE" {
                return Ok((None, 0));
            }
            let job: Job =
                serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
            Ok((Some(job), 0))
        })
    }
}

fn no_job() -> ApiError {
    ApiError::Malformed("an answer about a job is empty".into())
}

impl Jobs for SessionJobs<'_> {
    fn create(&self, query: &str) -> Result<Job, ApiError> {
        let body = serde_json::json!({
            "operation": "query",
            "query": query,
            "contentType": "CSV",
            "columnDelimiter": "COMMA",
            "lineEnding": "LF",
        })
        .to_string();
        self.send("POST", &self.base(), Some(&body))?.ok_or_else(no_job)
    }

    fn get(&self, id: &str) -> Result<Job, ApiError> {
        self.send("GET", &self.path(id)?, None)?.ok_or_else(no_job)
    }

    fn set(
        &self,
        id: &str,
        locator: Option<&str>,
        take: Take<'_>,
    ) -> Result<Option<String>, ApiError> {
        let mut path = format!("{}/results?maxRecords={SET_RECORDS}", self.path(id)?);
        if let Some(locator) = locator {
            let locator: String =
                url::form_urlencoded::byte_serialize(locator.as_bytes()).collect();
            path.push_str(&format!("&locator={locator}"));
        }
        self.results(&path, take)
    }

    fn parts(&self, id: &str, next: Option<&str>) -> Result<Parts, ApiError> {
        if self.version < PARTS_SINCE {
            return Err(ApiError::Malformed("this version of the API names no parts".into()));
        }
        let path = match next {
            Some(next) => next.to_owned(),
            None => format!("{}/resultPages", self.path(id)?),
        };
        self.session.get(&path, Some(self.object), |answer| {
            let named: NamedParts =
                serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
            let on_path = |url: &str, shape| {
                self.path_of(id, url, shape)
                    .ok_or_else(|| "a part of the results is not a path of this job".to_owned())
            };
            let paths: Result<Vec<String>, String> = named
                .result_pages
                .iter()
                .map(|part| on_path(&part.result_url, "/services/data/*/jobs/query/*/results"))
                .collect();
            let next = named.next_records_url.filter(|next| !next.is_empty());
            let next = next
                .map(|next| on_path(&next, "/services/data/*/jobs/query/*/resultpages"))
                .transpose()?;
            Ok((Parts { paths: paths?, next, done: named.done }, 0))
        })
    }

    fn part(&self, path: &str, take: Take<'_>) -> Result<(), ApiError> {
        self.results(path, take).map(drop)
    }

    fn list(&self) -> Result<Vec<Job>, ApiError> {
        let path = format!("{}?jobType=V2Query", self.base());
        self.session.get(&path, None, |answer| {
            let listed: Listed =
                serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
            let count = listed.records.len() as u64;
            Ok((listed.records, count))
        })
    }

    fn abort(&self, id: &str) -> Result<(), ApiError> {
        self.send("PATCH", &self.path(id)?, Some(r#"{"state":"Aborted"}"#)).map(drop)
    }

    fn delete(&self, id: &str) -> Result<(), ApiError> {
        self.send("DELETE", &self.path(id)?, None).map(drop)
    }

    fn pause(&self, duration: Duration) -> Result<(), Error> {
        self.session.host().sleep(duration)
    }
}
