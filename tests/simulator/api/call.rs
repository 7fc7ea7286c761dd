//! What every data request passes through: version, token, permission, allowance.

use std::sync::Arc;

use estate::ApiError;

use super::soql_text::object_of;
use super::{Caller, ROOT, ResourceRequest, composite, resource, versions};
use crate::core::Core;
use crate::fault::Action;
use crate::hosts::Door;
use crate::http::{Delivery, Hold, Request, Response};
use crate::journal::Trace;
use crate::oauth::Session;
use crate::policy::SessionAnswer;
use crate::sync::lock;

/// An error of the data API: an array of one.
pub(crate) fn error(status: u16, code: &str, message: &str) -> Response {
    Response::json(status, ApiError::new(status, code, message).to_body())
}

/// Whether `method` changes something at `path`. Composite requests only read although they are sent with `POST`, and
/// so do query jobs, which are created, aborted and deleted.
pub(crate) fn is_write(method: &str, path: &str) -> bool {
    if matches!(method, "GET" | "HEAD" | "OPTIONS") || !path.starts_with(ROOT) {
        return false;
    }
    let below = path.trim_start_matches(ROOT).trim_start_matches('/');
    let resource = below.split_once('/').map_or("", |(_, rest)| rest).trim_end_matches('/');
    let composite = method == "POST" && matches!(resource, "composite" | "composite/batch");
    let job = match resource.strip_prefix("jobs/query") {
        Some("") => method == "POST",
        Some(id) => {
            matches!(method, "PATCH" | "DELETE") && id.starts_with('/') && !id[1..].contains('/')
        }
        None => false,
    };
    !(composite || job)
}

/// Notes the SOQL and the object of a request, for faults and for the journal.
pub(crate) fn sight(core: &Core, request: &Request, trace: &mut Trace) {
    let mut parts =
        request.path.trim_start_matches(ROOT).split('/').filter(|part| !part.is_empty()).skip(1);
    let mut resource = parts.next();
    if resource == Some("tooling") {
        resource = parts.next();
    }
    match (resource, parts.next()) {
        (Some("query" | "queryAll"), None) => {
            trace.soql = request.query.get("q").map(str::to_owned);
            trace.object = trace.soql.as_deref().and_then(object_of);
        }
        (Some("query" | "queryAll"), Some(locator)) => {
            if let Some((soql, object)) = core.locators.describe(locator) {
                trace.soql = Some(soql);
                trace.object = Some(object);
            }
        }
        (Some("jobs"), Some("query")) => match parts.next() {
            Some(id) => {
                if let Some((soql, object)) = core.jobs.describe(id) {
                    trace.soql = Some(soql);
                    trace.object = Some(object);
                }
            }
            None if request.method == "POST" => {
                let job = serde_json::from_slice::<serde_json::Value>(&request.body);
                trace.soql = job.ok().and_then(|job| job["query"].as_str().map(str::to_owned));
                trace.object = trace.soql.as_deref().and_then(object_of);
            }
            None => {}
        },
        (Some("sobjects"), Some(object)) => trace.object = Some(object.to_owned()),
        _ => {}
    }
}

/// Answers a request below `/services/data`.
pub(crate) fn data(
    core: &Arc<Core>,
    request: &Request,
    door: Door,
    fault: Option<&Action>,
    trace: &mut Trace,
) -> Response {
    let below = request.path.trim_start_matches(ROOT).trim_matches('/');
    if below.is_empty() {
        return if request.is_read() {
            Response::json(200, versions::list(core.policy().newest_version))
        } else {
            method_not_allowed(&request.method, "GET,HEAD")
        };
    }
    let (version, path) = below.split_once('/').unwrap_or((below, ""));
    let version = match versions::parse(version, core.policy().newest_version) {
        Ok(version) => version,
        Err(refusal) => return noted(refusal, trace),
    };
    let session = match authenticate(core, request, door, trace) {
        Ok(session) => session,
        Err(refusal) => return noted(refusal, trace),
    };
    let in_work = Arc::clone(&core.in_work);
    if core
        .policy()
        .budget
        .concurrent_calls
        .is_some_and(|most| Arc::strong_count(&in_work) > most + 1)
    {
        core.usage.count(core.clock.now(), 1);
        let refusal = error(
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
        );
        return noted(refusal, trace);
    }
    let viewer = core.viewer(&session.user_id);
    let caller = Caller { core, session, viewer, version, fault };
    let resource_request = ResourceRequest {
        method: &request.method,
        path: path.trim_matches('/'),
        query: &request.query,
        query_options: request.header("sforce-query-options"),
        if_modified_since: request.header("if-modified-since"),
        accept: request.header("accept"),
        content_type: request.header("content-type"),
        body: &request.body,
    };
    let mut response = match resource_request.path {
        "composite" | "composite/batch" => {
            composite::answer(&caller, &resource_request, request, trace)
        }
        _ => {
            core.usage.count(core.clock.now(), 1);
            resource::answer(&caller, &resource_request, trace)
                .unwrap_or_else(|error| refuse(&error))
        }
    };
    if response.status != 204
        && let Some(info) = core.usage.header(core.clock.now(), &core.policy())
    {
        response.set("Sforce-Limit-Info", info);
    }
    response.hold = Some(Hold::new(in_work));
    if let (Some(pause), Delivery::Whole) = (core.policy().budget.call_time, &response.delivery) {
        response.delivery = Delivery::Drip { bytes: response.body.len().max(1), pause };
    }
    if version <= versions::LAST_DEPRECATED {
        let text = "299 - \"This API is deprecated and will be removed by Summer '28. Please see https://help.salesforce.com for details.\"";
        response.set("Warning", text);
    }
    noted(response, trace)
}

/// The answer to an [`ApiError`].
pub(super) fn refuse(error: &ApiError) -> Response {
    Response::json(error.status, error.to_body())
}

pub(super) fn method_not_allowed(method: &str, allowed: &str) -> Response {
    let message = format!("HTTP Method '{method}' not allowed. Allowed are {allowed}");
    error(405, "METHOD_NOT_ALLOWED", &message).with("Allow", allowed)
}

/// Keeps the error code of a refusal for the journal.
fn noted(response: Response, trace: &mut Trace) -> Response {
    if response.status >= 400
        && trace.error.is_none()
        && let Ok(body) = serde_json::from_slice::<serde_json::Value>(&response.body)
    {
        trace.error = body[0]["errorCode"].as_str().map(str::to_owned);
    }
    response
}

fn authenticate(
    core: &Core,
    request: &Request,
    door: Door,
    trace: &mut Trace,
) -> Result<Session, Response> {
    const EXPIRED: &str = "Session expired or invalid";
    let invalid = |message| Err(error(401, "INVALID_SESSION_ID", message));
    let Some(token) = request.bearer() else { return invalid(EXPIRED) };
    let policy = core.policy();
    let now = core.clock.now();
    let mut grants = lock(&core.grants);
    if let Some(session) = grants.session(token) {
        trace.user_id = Some(session.user_id.clone());
        trace.token_generation = Some(session.generation);
    }
    // A session lives on its own host; elsewhere nobody knows it.
    if door != Door::MyDomain {
        return invalid(EXPIRED);
    }
    let Some(session) = grants.use_session(token, now, &policy) else { return invalid(EXPIRED) };
    match policy.session_answer {
        SessionAnswer::Accepted => {}
        SessionAnswer::AlwaysExpired => {
            grants.note_refusal(session.approval);
            return invalid(EXPIRED);
        }
        SessionAnswer::NotForRest => {
            return invalid("This session is not valid for use with the REST API");
        }
        SessionAnswer::NotAttached => return invalid("Connected app is not attached to Agent"),
    }
    drop(grants);
    if !["api", "full", "web"].iter().any(|scope| session.scopes.contains(*scope)) {
        return invalid("This session is not valid for use with the REST API");
    }
    let allowed = core.viewer(&session.user_id).permissions.contains("PermissionsApiEnabled");
    if !policy.api_enabled || !allowed {
        let message = "The REST API is not enabled for this Organization.";
        return Err(error(403, "API_DISABLED_FOR_ORG", message));
    }
    if core.usage.is_used_up(now, &policy) {
        return Err(error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."));
    }
    Ok(session)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_methods_that_change_something_are_writes() {
        assert!(!is_write("GET", "/services/data/v60.0/query"));
        assert!(!is_write("POST", "/services/data/v60.0/composite"));
        assert!(!is_write("POST", "/services/data/v60.0/composite/batch/"));
        assert!(!is_write("POST", "/services/data/v60.0/jobs/query"));
        assert!(!is_write("PATCH", "/services/data/v60.0/jobs/query/750"));
        assert!(!is_write("DELETE", "/services/data/v60.0/jobs/query/750"));
        assert!(is_write("PUT", "/services/data/v60.0/jobs/query/750"));
        assert!(is_write("POST", "/services/data/v60.0/jobs/query/750"));
        assert!(is_write("DELETE", "/services/data/v60.0/jobs/query"));
        assert!(is_write("DELETE", "/services/data/v60.0/jobs/query/750/results"));
        assert!(is_write("POST", "/services/data/v60.0/sobjects/User"));
        assert!(is_write("DELETE", "/services/data/v60.0/sobjects/User/005"));
        assert!(is_write("POST", "/services/data/v60.0/jobs/ingest"));
        assert!(!is_write("POST", "/services/oauth2/token"));
    }

    #[test]
    fn a_refusal_is_an_array_of_one() {
        let response = error(401, "INVALID_SESSION_ID", "Session expired or invalid");
        let body: serde_json::Value = serde_json::from_slice(&response.body).expect("JSON");
        assert_eq!(
            body,
            serde_json::json!([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}])
        );
    }
}
