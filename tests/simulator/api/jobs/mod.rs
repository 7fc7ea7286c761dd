//! Bulk API 2.0 query jobs: `/jobs/query`.

mod answers;
mod store;

use estate::ApiError;
use serde_json::Value;

pub(crate) use store::Jobs;
use store::{Format, Job};

use super::call::method_not_allowed;
use super::soql_text::object_of;
use super::{Caller, ResourceRequest};
use crate::data_policy::BulkErrors;
use crate::fault::Action;
use crate::http::Response;
use crate::journal::Trace;

/// The first version with query jobs.
const QUERY_JOBS_SINCE: u16 = 47;
/// The first version whose results can be read in parallel.
const PARALLEL_SINCE: u16 = 58;
/// Sees and ends jobs of others.
const MANAGE: &str = "PermissionsManageDataIntegrations";

/// Answers `/jobs/...`.
pub(super) fn answer(
    caller: &Caller<'_>,
    request: &ResourceRequest<'_>,
    parts: &[&str],
    trace: &mut Trace,
) -> Result<Response, ApiError> {
    if caller.version < QUERY_JOBS_SINCE {
        return Err(ApiError::not_found());
    }
    let read = matches!(request.method, "GET" | "HEAD");
    match parts {
        ["ingest"] if read && request.query.filled("queryLocator").is_none() => {
            Ok(Response::json(200, r#"{"done":true,"records":[],"nextRecordsUrl":null}"#))
        }
        // The next page of query jobs may be found under the other kind of jobs.
        ["query" | "ingest"] if read => Ok(answers::list(caller, request)),
        ["query"] if request.method == "POST" => create(caller, request.body),
        ["query"] => Ok(method_not_allowed(request.method, "GET,HEAD,POST")),
        ["query", id] => {
            play(caller, id);
            match request.method {
                "GET" | "HEAD" => {
                    let job = caller.core.jobs.look(caller, id, true)?;
                    Ok(Response::json(200, answers::job(&job, true)))
                }
                "PATCH" => abort(caller, id, request.body),
                "DELETE" => delete(caller, id),
                method => Ok(method_not_allowed(method, "DELETE,GET,HEAD,PATCH")),
            }
        }
        ["query", id, "results"] if read => {
            play(caller, id);
            answers::results(caller, request, &finished(caller, id)?, trace)
        }
        ["query", id, pages] if read && pages.eq_ignore_ascii_case("resultPages") => {
            play(caller, id);
            if caller.version < PARALLEL_SINCE {
                return Err(ApiError::not_found());
            }
            answers::result_pages(caller, request, &finished(caller, id)?)
        }
        ["query", _, _] if !read => Ok(method_not_allowed(request.method, "GET,HEAD")),
        _ => Err(ApiError::not_found()),
    }
}

/// A finished job whose result is asked for in the right version.
fn finished(caller: &Caller<'_>, id: &str) -> Result<Job, ApiError> {
    let job = caller.core.jobs.look(caller, id, false)?;
    if job.version != caller.version {
        let message = format!(
            "The job was created in API version {}.0, but its results were requested in version {}.0.",
            job.version, caller.version
        );
        return Err(ApiError::new(409, "API_ERROR", message));
    }
    if job.state != "JobComplete" {
        let message = format!("The job is in state {}; its results are not available.", job.state);
        return Err(ApiError::new(400, "INVALIDJOBSTATE", message));
    }
    Ok(job)
}

/// Faults that happen to a job rather than to an answer.
fn play(caller: &Caller<'_>, id: &str) {
    let jobs = &caller.core.jobs;
    match caller.fault {
        Some(Action::FailJob { message }) => jobs.end(id, "Failed", Some(message)),
        Some(Action::AbortJob) => jobs.end(id, "Aborted", None),
        Some(Action::DeleteJob) => {
            jobs.forget(id);
        }
        Some(Action::HoldJob) => jobs.hold(id),
        _ => {}
    }
}

fn create(caller: &Caller<'_>, body: &[u8]) -> Result<Response, ApiError> {
    let wrong = |message: String| ApiError::new(400, "API_ERROR", message);
    let job: Value = serde_json::from_slice(body)
        .map_err(|error| ApiError::new(400, "JSON_PARSER_ERROR", error.to_string()))?;
    let policy = caller.core.policy();
    let all_rows = match job["operation"].as_str() {
        Some("query") => false,
        Some("queryAll") => true,
        other => {
            let given = other.unwrap_or("null");
            return Err(wrong(format!("Unsupported operation for a query job: {given}")));
        }
    };
    let Some(soql) = job["query"].as_str().filter(|soql| !soql.trim().is_empty()) else {
        return Err(wrong("Query is required".to_owned()));
    };
    let choice = |key: &str, default: &str| match &job[key] {
        Value::Null => Ok(default.to_owned()),
        Value::String(text) => Ok(text.clone()),
        other => Err(wrong(format!("{other} is not a valid value for {key}"))),
    };
    if choice("contentType", "CSV")? != "CSV" {
        return Err(wrong("contentType must be CSV".to_owned()));
    }
    let (delimiter, line_ending) =
        (choice("columnDelimiter", "COMMA")?, choice("lineEnding", "LF")?);
    let Some(format) = Format::new(&delimiter, &line_ending) else {
        return Err(wrong(format!(
            "{delimiter} and {line_ending} are not valid values for columnDelimiter and lineEnding"
        )));
    };
    let now = caller.core.clock.now();
    if caller.core.jobs.created.spent(now) >= policy.bulk.daily_jobs {
        let message = "The limit of query jobs in 24 hours was exceeded.";
        return Err(ApiError::new(400, "LIMIT_EXCEEDED", message));
    }
    let object = object_of(soql).unwrap_or_default();
    let records = caller.core.records();
    let result = estate::bulk_query(&records, &caller.viewer, soql, caller.version, all_rows)
        .and_then(|result| match policy.bulk.refused_objects.contains(result.entity()) {
            true => Err(refused(result.entity())),
            false => Ok(result),
        });
    let result = match (result, policy.bulk.errors) {
        (Err(error), BulkErrors::AtCreate) => return Err(error),
        (result, _) => result,
    };
    let object = result.as_ref().map_or(object, |result| result.entity().to_owned());
    let made = Job::new(caller, all_rows, soql, &object, format, result, &policy.bulk.queue);
    caller.core.jobs.created.count(now, 1);
    let answer = answers::job(&made, false);
    caller.core.jobs.keep(made);
    Ok(Response::json(200, answer))
}

fn refused(object: &str) -> ApiError {
    let message = format!("Entity '{object}' is not supported by the Bulk API.");
    ApiError::new(400, "INVALIDENTITY", message)
}

fn abort(caller: &Caller<'_>, id: &str, body: &[u8]) -> Result<Response, ApiError> {
    let change: Value = serde_json::from_slice(body)
        .map_err(|error| ApiError::new(400, "JSON_PARSER_ERROR", error.to_string()))?;
    let job = caller.core.jobs.look(caller, id, false)?;
    if change["state"] != "Aborted" {
        return Err(ApiError::new(400, "API_ERROR", "Only the state Aborted can be set"));
    }
    if job.is_over() {
        let state = if job.state == "JobComplete" { "Completed" } else { job.state };
        let message = format!("Aborting already {state} Job not allowed");
        return Err(ApiError::new(400, "INVALIDJOBSTATE", message));
    }
    caller.core.jobs.end(id, "Aborted", None);
    let job = caller.core.jobs.look(caller, id, false)?;
    Ok(Response::json(200, answers::job(&job, true)))
}

fn delete(caller: &Caller<'_>, id: &str) -> Result<Response, ApiError> {
    let job = caller.core.jobs.look(caller, id, false)?;
    if !job.is_over() {
        let message = "Error encountered when deleting the job because the job is not terminated";
        return Err(ApiError::new(400, "API_ERROR", message));
    }
    caller.core.jobs.forget(id);
    Ok(Response::empty(204))
}
