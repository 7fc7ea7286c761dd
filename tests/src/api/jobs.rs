//! Bulk API 2.0 paths. This org supports no object in bulk, which a client must be able to
//! live with: it reads by REST instead.

use estate::ApiError;
use serde_json::Value;

use super::call::method_not_allowed;
use super::soql_text::object_of;
use super::{Caller, ResourceRequest};
use crate::http::Response;

/// Answers `/jobs/...`.
pub(super) fn answer(
    caller: &Caller<'_>,
    request: &ResourceRequest<'_>,
    parts: &[&str],
) -> Result<Response, ApiError> {
    match (request.method, parts) {
        ("GET" | "HEAD", ["query" | "ingest"]) => {
            Ok(Response::json(200, r#"{"done":true,"records":[],"nextRecordsUrl":null}"#))
        }
        ("POST", ["query"]) => Err(create(caller, request.body)),
        (_, ["query"]) => Ok(method_not_allowed(request.method, "GET,HEAD,POST")),
        _ => Err(ApiError::new(404, "NOT_FOUND", "The requested resource does not exist")),
    }
}

fn create(caller: &Caller<'_>, body: &[u8]) -> ApiError {
    let job: Value = match serde_json::from_slice(body) {
        Ok(job) => job,
        Err(error) => return ApiError::new(400, "JSON_PARSER_ERROR", error.to_string()),
    };
    let Some(soql) = job["query"].as_str() else {
        return ApiError::new(400, "API_ERROR", "Query is required");
    };
    // Bad SOQL is told before the object's support for bulk is looked at.
    match estate::query(&caller.core.estate, &caller.viewer, soql, caller.version, false) {
        Err(error) => error,
        Ok(_) => {
            let object = object_of(soql).unwrap_or_default();
            ApiError::new(
                400,
                "INVALIDENTITY",
                format!("Entity '{object}' is not supported by the Bulk API."),
            )
        }
    }
}
