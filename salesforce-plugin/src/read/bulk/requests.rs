//! The HTTP requests of query jobs.

use std::io::Read;
use std::time::Duration;

use connector_api::Error;
use serde::Deserialize;

use crate::client::allow_list;
use crate::client::api_error::ApiError;
use crate::client::session::{Request, Session};
use crate::read::bulk::jobs::{Job, Jobs, Parts, SET_RECORDS, Take};
use crate::read::csv_rows::Results;
use crate::read::page::Columns;

/// Query jobs by the session's requests.
pub(crate) struct SessionJobs<'a> {
    pub(crate) session: &'a Session,
    pub(crate) version: u16,
    pub(crate) object: &'static str,
    pub(crate) columns: Columns,
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
