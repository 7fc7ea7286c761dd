//! One resource of the API, by path.

use estate::ApiError;
use serde_json::{Map, Value, json};

use super::call::method_not_allowed;
use super::{Caller, ResourceRequest, conditional, jobs, limits, media, query, tooling};
use crate::http::Response;
use crate::journal::Trace;
use crate::sync::lock;

/// The first version that counts records.
const RECORD_COUNT_SINCE: u16 = 40;

fn not_found() -> ApiError {
    ApiError::new(404, "NOT_FOUND", "The requested resource does not exist")
}

/// Answers a request for one resource.
pub(super) fn answer(
    caller: &Caller<'_>,
    request: &ResourceRequest<'_>,
    trace: &mut Trace,
) -> Result<Response, ApiError> {
    let parts: Vec<&str> = request.path.split('/').filter(|part| !part.is_empty()).collect();
    media::check(request, &parts)?;
    if let ["jobs", rest @ ..] = parts.as_slice() {
        return jobs::answer(caller, request, rest, trace);
    }
    if !matches!(request.method, "GET" | "HEAD") {
        return write(request, &parts);
    }
    match parts.as_slice() {
        [] => Ok(Response::json(200, directory(caller))),
        ["query"] => query::first_page(caller, request, false, trace),
        ["queryAll"] => query::first_page(caller, request, true, trace),
        ["query" | "queryAll", locator] => query::next_page(caller, request, locator, trace),
        ["tooling", "query"] => tooling::query(caller, request, trace),
        ["limits"] => Ok(Response::json(200, limits::answer(caller)?)),
        ["limits", "recordCount"] if caller.version >= RECORD_COUNT_SINCE => {
            let asked = request.query.get("sObjects").unwrap_or_default();
            let objects: Vec<&str> =
                asked.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
            Ok(Response::json(
                200,
                estate::record_counts(&caller.core.records(), &caller.viewer, &objects),
            ))
        }
        ["sobjects", rest @ ..] => sobjects(caller, request, rest, trace),
        _ => Err(not_found()),
    }
}

fn sobjects(
    caller: &Caller<'_>,
    request: &ResourceRequest<'_>,
    parts: &[&str],
    trace: &mut Trace,
) -> Result<Response, ApiError> {
    let estate = &caller.core.records();
    let changed_at = *lock(&caller.core.schema_changed_at);
    match parts {
        [] => {
            let body = estate::describe_global(estate, &caller.viewer, caller.version);
            Ok(conditional::answer(body, changed_at, request.if_modified_since))
        }
        [object] => Ok(Response::json(
            200,
            estate::basic_info(estate, &caller.viewer, object, caller.version)?,
        )),
        [object, "describe"] => {
            let body = estate::describe(estate, &caller.viewer, object, caller.version)?;
            Ok(conditional::answer(body, changed_at, request.if_modified_since))
        }
        [object, id, "LogFile"] if object.eq_ignore_ascii_case("EventLogFile") => {
            let content = estate::event_log(estate, &caller.viewer, id, caller.version)?;
            Ok(Response::new(200, "text/csv", content))
        }
        [object, id] => {
            let asked: Option<Vec<&str>> =
                request.query.filled("fields").map(|text| text.split(',').map(str::trim).collect());
            let body = estate::record(
                estate,
                &caller.viewer,
                object,
                id,
                asked.as_deref(),
                caller.version,
            )?;
            trace.rows += 1;
            Ok(Response::json(200, body))
        }
        _ => Err(not_found()),
    }
}

/// The refusal of a write by a user without the right.
fn write(request: &ResourceRequest<'_>, parts: &[&str]) -> Result<Response, ApiError> {
    match (request.method, parts) {
        ("POST", ["sobjects", _]) => Err(ApiError::new(
            403,
            "INSUFFICIENT_ACCESS_OR_READONLY",
            "insufficient access rights on cross-reference id",
        )),
        ("PATCH" | "DELETE", ["sobjects", _, _]) => Err(ApiError::new(
            403,
            "INSUFFICIENT_ACCESS_OR_READONLY",
            "insufficient access rights on object id",
        )),
        (_, ["sobjects", _, _]) => Ok(method_not_allowed(request.method, "DELETE,GET,HEAD,PATCH")),
        (_, ["sobjects", _]) => Ok(method_not_allowed(request.method, "GET,HEAD,POST")),
        _ => Ok(method_not_allowed(request.method, "GET,HEAD")),
    }
}

/// The resources of a version.
fn directory(caller: &Caller<'_>) -> String {
    let root = format!("/services/data/v{}.0", caller.version);
    let mut resources: Map<String, Value> =
        ["sobjects", "query", "queryAll", "limits", "tooling", "composite", "jobs"]
            .iter()
            .map(|name| ((*name).to_owned(), json!(format!("{root}/{name}"))))
            .collect();
    resources
        .insert("identity".to_owned(), json!(caller.core.identity_url(&caller.session.user_id)));
    Value::Object(resources).to_string()
}
