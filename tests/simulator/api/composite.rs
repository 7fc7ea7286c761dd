//! Several reads in one request.

use serde_json::{Map, Value, json};

use super::call::{error, is_write, method_not_allowed, refuse};
use super::{Caller, ROOT, ResourceRequest, resource, versions};
use crate::http::{Params, Request, Response};
use crate::journal::{Trace, Violation};

const MAX_PARTS: usize = 25;
const MAX_QUERIES: usize = 5;

/// `POST /composite` and `POST /composite/batch`.
pub(super) fn answer(
    caller: &Caller<'_>,
    request: &ResourceRequest<'_>,
    whole: &Request,
    trace: &mut Trace,
) -> Response {
    let now = caller.core.clock.now();
    if request.method != "POST" {
        caller.core.usage.count(now, 1);
        return method_not_allowed(request.method, "POST");
    }
    let json_body =
        whole.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("json"));
    if !json_body {
        caller.core.usage.count(now, 1);
        return error(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "Content type of the request is not supported",
        );
    }
    let body: Value = match serde_json::from_slice(request.body) {
        Ok(body) => body,
        Err(failure) => return error(400, "JSON_PARSER_ERROR", &failure.to_string()),
    };
    if request.path == "composite" {
        caller.core.usage.count(now, 1);
        composite(caller, &body, trace)
    } else {
        batch(caller, &body, trace)
    }
}

fn composite(caller: &Caller<'_>, body: &Value, trace: &mut Trace) -> Response {
    let Some(parts) = body["compositeRequest"].as_array() else {
        return error(400, "JSON_PARSER_ERROR", "compositeRequest is required");
    };
    if parts.len() > MAX_PARTS {
        return limit_exceeded(&format!(
            "The request can't have more than {MAX_PARTS} subrequests."
        ));
    }
    let queries =
        parts.iter().filter(|part| is_query(part["url"].as_str().unwrap_or_default())).count();
    if queries > MAX_QUERIES {
        return limit_exceeded(&format!(
            "The request can't have more than {MAX_QUERIES} query subrequests."
        ));
    }
    let mut answers = Vec::with_capacity(parts.len());
    for part in parts {
        let (Some(method), Some(url), Some(reference)) =
            (part["method"].as_str(), part["url"].as_str(), part["referenceId"].as_str())
        else {
            return error(400, "JSON_PARSER_ERROR", "method, url and referenceId are required");
        };
        let response = match url.strip_prefix(ROOT) {
            Some(rest) => run(caller, method, rest, &part["httpHeaders"], trace),
            None => error(404, "NOT_FOUND", "The requested resource does not exist"),
        };
        let headers: Map<String, Value> = response
            .headers
            .iter()
            .filter(|(name, _)| name == "ETag" || name == "Last-Modified")
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        answers.push(format!(
            r#"{{"body":{},"httpHeaders":{},"httpStatusCode":{},"referenceId":{}}}"#,
            text(&response),
            Value::Object(headers),
            response.status,
            json!(reference),
        ));
    }
    Response::json(200, format!(r#"{{"compositeResponse":[{}]}}"#, answers.join(",")))
}

fn batch(caller: &Caller<'_>, body: &Value, trace: &mut Trace) -> Response {
    let Some(parts) = body["batchRequests"].as_array() else {
        return error(400, "JSON_PARSER_ERROR", "batchRequests is required");
    };
    if parts.len() > MAX_PARTS {
        return limit_exceeded(&format!(
            "The request can't have more than {MAX_PARTS} subrequests."
        ));
    }
    caller.core.usage.count(caller.core.clock.now(), parts.len() as u64);
    let halt = body["haltOnError"] == json!(true);
    let mut has_errors = false;
    let mut results = Vec::with_capacity(parts.len());
    for part in parts {
        let response = if has_errors && halt {
            error(412, "BATCH_PROCESSING_HALTED", "Batch processing halted per request.")
        } else {
            let method = part["method"].as_str().unwrap_or_default();
            let url = part["url"].as_str().unwrap_or_default();
            let rest = url.strip_prefix(ROOT).unwrap_or(url);
            run(caller, method, rest, &Value::Null, trace)
        };
        has_errors |= response.status >= 400;
        results.push(format!(
            r#"{{"statusCode":{},"result":{}}}"#,
            response.status,
            text(&response)
        ));
    }
    Response::json(
        200,
        format!(r#"{{"hasErrors":{has_errors},"results":[{}]}}"#, results.join(",")),
    )
}

/// Answers one part; `target` is its URL from the version on.
fn run(
    caller: &Caller<'_>,
    method: &str,
    target: &str,
    headers: &Value,
    trace: &mut Trace,
) -> Response {
    let (path, query) = target
        .trim_start_matches('/')
        .split_once('?')
        .unwrap_or((target.trim_start_matches('/'), ""));
    let (version, path) = path.split_once('/').unwrap_or((path, ""));
    let version = match versions::parse(version, caller.core.policy().newest_version) {
        Ok(version) => version,
        Err(refusal) => return refusal,
    };
    if is_write(method, &format!("{ROOT}/v{version}.0/{path}")) {
        trace.violation(Violation::WriteMethod);
    }
    let header = |name: &str| {
        headers.as_object().and_then(|headers| {
            headers
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .and_then(|(_, value)| value.as_str())
        })
    };
    let part = ResourceRequest {
        method,
        path: path.trim_matches('/'),
        query: &Params::parse(query.as_bytes()),
        query_options: header("sforce-query-options"),
        if_modified_since: header("if-modified-since"),
        accept: None,
        content_type: None,
        body: &[],
    };
    let caller = Caller {
        core: caller.core,
        session: caller.session.clone(),
        viewer: caller.viewer.clone(),
        version,
        fault: caller.fault,
    };
    resource::answer(&caller, &part, trace).unwrap_or_else(|error| refuse(&error))
}

fn is_query(url: &str) -> bool {
    let path = url.split('?').next().unwrap_or_default().trim_end_matches('/');
    path.ends_with("/query")
        || path.ends_with("/queryAll")
        || path.contains("/query/")
        || path.contains("/queryAll/")
}

/// The unchanged body of a part, so that its fields keep their order.
fn text(response: &Response) -> String {
    if response.body.is_empty() {
        "null".to_owned()
    } else {
        String::from_utf8_lossy(&response.body).into_owned()
    }
}

fn limit_exceeded(message: &str) -> Response {
    error(400, "LIMIT_EXCEEDED", message)
}
