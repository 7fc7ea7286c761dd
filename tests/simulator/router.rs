//! From a request to an answer: host, path, fault, handler, journal.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use estate::Editor;

use crate::api;
use crate::core::Core;
use crate::fault::{Action, RetryAfter, Sighting, alter};
use crate::hosts::Door;
use crate::http::{Delivery, Request, Response, TEXT_HTML, accepts_gzip};
use crate::journal::{Entry, Trace, Violation, form_has_secret, has_secret, redact};
use crate::kind::RequestKind;
use crate::oauth;
use crate::random::hex;
use crate::sync::lock;

const MAINTENANCE: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><title>Maintenance | Salesforce</title></head><body><h1>We are down for maintenance.</h1></body></html>\n";
const UNAVAILABLE: &str = "<html><head><title>503 Service Unavailable</title></head><body><h1>Service Unavailable</h1></body></html>\n";
const NO_ROUTE: &str = "<html><body><h1>We are setting things up.</h1><p>This can take a few minutes.</p></body></html>\n";
/// The static page behind the usual callback.
const SUCCESS_PATH: &str = "/services/oauth2/success";
/// Bodies below this are not worth compressing.
const COMPRESS_FROM: usize = 256;

/// Answers one request and writes it into the journal.
pub(crate) fn answer(core: &Arc<Core>, request: &Request) -> Response {
    let mut trace = Trace::default();
    let door = core.hosts.door(&request.host);
    note_violations(request, door, &mut trace);
    sight(core, request, &mut trace);
    trace.kind = RequestKind::of(request, trace.soql.as_deref());
    let fault = core.faults.take(&Sighting {
        method: &request.method,
        kind: trace.kind,
        host: &request.host,
        path: &request.path,
        object: trace.object.as_deref(),
        soql: trace.soql.as_deref(),
        grant_type: trace.grant_type.as_deref(),
    });
    let mut response = match fault.as_ref().and_then(|action| instead(core, action, request)) {
        Some(response) => response,
        None => handle(core, request, door, fault.as_ref(), &mut trace),
    };
    // A fault that finds nothing to change was not played.
    let played =
        fault.as_ref().filter(|action| action.concerns(trace.kind) && alter(action, &mut response));
    finish(core, request, &mut response);
    record(core, request, &response, played, trace);
    response
}

fn note_violations(request: &Request, door: Option<Door>, trace: &mut Trace) {
    if request.plain {
        trace.violation(Violation::PlainHttp);
    }
    // The callback of the code flow is where a code may be; only a browser goes there.
    if has_secret(&request.query) && request.path != SUCCESS_PATH {
        trace.violation(Violation::SecretInUrl);
    }
    if door == Some(Door::Foreign) {
        trace.violation(Violation::ForeignHost);
        if form_has_secret(&request.form()) {
            trace.violation(Violation::SecretToForeignHost);
        }
    }
    let foreign = match door {
        Some(Door::MyDomain | Door::Former) => false,
        // Basic credentials of the app may go to a login host, a user's token may not.
        Some(Door::Generic | Door::OtherGeneric) => request.bearer().is_some(),
        Some(Door::Lightning | Door::Setup | Door::Foreign) | None => {
            request.header("authorization").is_some()
        }
    };
    if foreign {
        trace.violation(Violation::AuthorizationToForeignHost);
    }
    if api::is_write(&request.method, &request.path) {
        trace.violation(Violation::WriteMethod);
    }
}

/// Finds out what a request is about before anything is decided.
fn sight(core: &Core, request: &Request, trace: &mut Trace) {
    if request.path.starts_with(api::ROOT) {
        api::sight(core, request, trace);
    } else if request.path == "/services/oauth2/token" {
        let form = request.form();
        trace.grant_type = form.get("grant_type").map(str::to_owned);
    }
}

/// The answer of faults that keep the request from being carried out, and the side effects
/// of those that do not.
fn instead(core: &Core, action: &Action, request: &Request) -> Option<Response> {
    match action {
        Action::Status { code, body, content_type, headers } => {
            let mut response = Response::empty(*code);
            response.body = body.clone().into_bytes();
            response.headers.extend(
                content_type.iter().map(|value| ("Content-Type".to_owned(), value.clone())),
            );
            response.headers.extend(headers.iter().cloned());
            Some(response)
        }
        Action::OauthError { error, description, status } => {
            Some(oauth::scripted_refusal(request, *status, error, description))
        }
        Action::GatewayPage { status, retry_after } => {
            Some(gateway_page(core, *status, *retry_after))
        }
        Action::HtmlPage => Some(Response::new(200, TEXT_HTML, MAINTENANCE)),
        Action::EdgeUnavailable => Some(Response::new(503, "text/html", UNAVAILABLE)),
        Action::EdgeNoRoute => Some(Response::new(420, "text/html", NO_ROUTE)),
        Action::ServerUnavailable => Some(api::error(503, "SERVER_UNAVAILABLE", "Server too busy")),
        Action::ConcurrentLimit => Some(api::error(
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
        )),
        Action::DailyLimit => {
            Some(api::error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."))
        }
        Action::ExpireSession => {
            if let Some(token) = request.bearer() {
                lock(&core.grants).end_session(token);
            }
            None
        }
        Action::RevokeTokens => {
            lock(&core.grants).revoke_all();
            None
        }
        Action::KillLocators => {
            core.locators.clear();
            None
        }
        Action::HideObject { object } => {
            core.change_visibility(|visibility| {
                visibility.hidden_objects.insert(object.clone());
            });
            None
        }
        // A record that is not there cannot change; the answer then shows that.
        Action::AddUser { profile } => {
            let _ = core.edit(|edit| edit.new_user(profile));
            None
        }
        Action::AddRecord { object, fields } => {
            let fields: Vec<(&str, serde_json::Value)> =
                fields.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            let _ = core.edit(|edit| edit.add(object, &fields));
            None
        }
        Action::TranslateLabels => {
            let _ = core.edit(Editor::translate_labels);
            None
        }
        Action::EmptyObject { object } => {
            core.change_visibility(|visibility| {
                visibility.emptied_objects.insert(object.clone());
            });
            None
        }
        Action::RemoveRecord { object, id } => {
            let _ = core.edit(|edit| match object.as_str() {
                "User" => edit.deactivate_user(id),
                _ => edit.remove(object, id),
            });
            None
        }
        Action::TouchRecords { object, ids } => {
            let _ = core.touch(object, ids.iter().map(String::as_str));
            None
        }
        Action::WithoutPermission { permission } => {
            core.change_visibility(|visibility| {
                visibility.removed_permissions.insert(permission.clone());
            });
            None
        }
        _ => None,
    }
}

/// What a gateway, a proxy or a captive portal answers in the org's place.
fn gateway_page(core: &Core, status: u16, retry_after: Option<RetryAfter>) -> Response {
    let page = format!(
        "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>\r\n<hr><center>gateway</center>\r\n</body>\r\n</html>\r\n"
    );
    let mut response = Response::new(status, "text/html", page);
    response.foreign = true;
    if let Some(wait) = retry_after {
        let wait = match wait {
            RetryAfter::Seconds(seconds) => seconds.to_string(),
            RetryAfter::Date(seconds) => {
                let seconds = TimeDelta::seconds(i64::try_from(seconds).unwrap_or(i64::MAX));
                http_date(core.shown_time(&core.policy()) + seconds)
            }
        };
        response.set("Retry-After", wait);
    }
    response
}

fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn handle(
    core: &Arc<Core>,
    request: &Request,
    door: Option<Door>,
    fault: Option<&Action>,
    trace: &mut Trace,
) -> Response {
    let Some(door) = door else { return Response::new(420, "text/html", NO_ROUTE) };
    let here = format!("{}{}", request.path, query_suffix(request));
    if request.plain {
        let mut response = Response::found(&format!("https://{}{here}", request.host));
        response.status = 301;
        return response;
    }
    if door == Door::Foreign {
        return Response::json(200, "{}");
    }
    if door == Door::Lightning {
        return Response::found(&format!("{}{here}", core.instance_url()));
    }
    let path = request.path.as_str();
    let oauth_page = |response: Response| if request.is_read() { response } else { not_found() };
    match path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path) {
        oauth::AUTHORIZE_PATH => oauth::authorize(core, request, door, trace),
        oauth::DECISION_PATH if request.method == "POST" => oauth::decide(core, request, trace),
        oauth::ERROR_PATH => oauth_page(oauth::error_page(request)),
        SUCCESS_PATH => oauth_page(oauth::success()),
        "/services/oauth2/token" => oauth::token(core, request, door, trace),
        "/services/oauth2/revoke" => oauth::revoke(core, request, trace),
        "/services/oauth2/introspect" => oauth::introspect(core, request, trace),
        "/services/oauth2/userinfo" => oauth::userinfo(core, request, trace),
        "/.well-known/openid-configuration" => oauth_page(oauth::discovery(core, &request.host)),
        other if other.starts_with("/id/") && request.is_read() => {
            oauth::identity(core, request, trace)
        }
        other if other == api::ROOT || other.starts_with("/services/data/") => {
            api::data(core, request, door, fault, trace)
        }
        _ => not_found(),
    }
}

fn query_suffix(request: &Request) -> String {
    if request.raw_query.is_empty() { String::new() } else { format!("?{}", request.raw_query) }
}

fn not_found() -> Response {
    Response::new(
        404,
        TEXT_HTML,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><title>URL No Longer Exists</title></head><body><h1>URL No Longer Exists</h1></body></html>\n",
    )
}

/// Adds what every answer of the platform carries, and compresses.
fn finish(core: &Core, request: &Request, response: &mut Response) {
    let policy = core.policy();
    let request_id = request
        .header("x-sfdc-request-id")
        .filter(|id| {
            matches!(id.len(), 22 | 32) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
        .map_or_else(|| hex(32), str::to_owned);
    response.headers.insert(0, ("Date".to_owned(), http_date(core.shown_time(&policy))));
    let own = [
        ("X-Content-Type-Options", "nosniff"),
        ("Strict-Transport-Security", "max-age=63072000; includeSubDomains"),
        ("X-Robots-Tag", "none"),
        ("Cache-Control", "no-cache,must-revalidate,max-age=0,no-store,private"),
        ("Set-Cookie", "CookieConsentPolicy=0:1; path=/; Max-Age=31536000; secure"),
        ("Server", "sfdcedge"),
        ("Vary", "Accept-Encoding"),
        ("X-SFDC-Request-Id", request_id.as_str()),
        ("X-Request-Id", request_id.as_str()),
    ];
    let added = if response.foreign { &own[..0] } else { &own[..] };
    for (name, value) in added.iter().copied() {
        if response.header(name).is_none() {
            response.headers.push((name.to_owned(), value.to_owned()));
        }
    }
    response.chunked = policy.chunked;
    let accepted = request.header("accept-encoding").is_some_and(accepts_gzip);
    let encoded = response.header("Content-Encoding").is_some();
    if policy.gzip && accepted && !encoded && response.body.len() >= COMPRESS_FROM {
        response.compress();
    }
}

fn record(
    core: &Core,
    request: &Request,
    response: &Response,
    fault: Option<&Action>,
    trace: Trace,
) {
    let whole = u64::try_from(response.body.len()).unwrap_or(u64::MAX);
    let (status, bytes) = match response.delivery {
        Delivery::CloseBeforeAnswer
        | Delivery::Reset { bytes: None }
        | Delivery::Stall { after: None } => (None, 0),
        Delivery::CloseAfter { bytes, .. } => (Some(response.status), bytes.min(whole)),
        Delivery::Reset { bytes } | Delivery::Stall { after: bytes } => {
            (Some(response.status), bytes.unwrap_or(0).min(whole))
        }
        Delivery::Whole | Delivery::Drip { .. } => (Some(response.status), whole),
    };
    core.journal.push(Entry {
        at: core.clock.now(),
        host: request.host.clone(),
        method: request.method.clone(),
        kind: trace.kind,
        path: request.path.clone(),
        query: redact(&request.query),
        soql: trace.soql,
        object: trace.object,
        grant_type: trace.grant_type,
        status,
        error: trace.error,
        rows: trace.rows,
        bytes: if request.method == "HEAD" { 0 } else { bytes },
        user_id: trace.user_id,
        token_generation: trace.token_generation,
        user_agent: request.header("user-agent").map(str::to_owned),
        request_id: response.header("X-SFDC-Request-Id").unwrap_or_default().to_owned(),
        fault: fault.map(Action::name),
        violations: trace.violations,
    });
}

/// The answer to a tunnel request that a fault asks for.
pub(crate) fn fault_of_tunnel(core: &Core, host: &str) -> Option<Response> {
    let request =
        Request { method: "CONNECT".to_owned(), host: host.to_owned(), ..Request::default() };
    let action = core.faults.take(&Sighting { method: "CONNECT", host, ..Sighting::default() })?;
    let mut response = instead(core, &action, &request).unwrap_or_else(|| Response::empty(502));
    alter(&action, &mut response);
    Some(response)
}

/// Writes a tunnel the proxy did not open into the journal.
pub(crate) fn record_refused_tunnel(
    core: &Core,
    host: &str,
    foreign: bool,
    refusal: &Response,
    user_agent: Option<&str>,
) {
    let mut trace = Trace::default();
    if foreign {
        trace.violation(Violation::ForeignHost);
    }
    let request = Request {
        method: "CONNECT".to_owned(),
        host: host.to_owned(),
        headers: user_agent
            .map(|value| ("User-Agent".to_owned(), value.to_owned()))
            .into_iter()
            .collect(),
        ..Request::default()
    };
    record(core, &request, refusal, None, trace);
}

/// Writes a message that was refused before it was understood into the journal.
pub(crate) fn record_unread_request(core: &Core, status: u16) {
    record(core, &Request::default(), &Response::empty(status), None, Trace::default());
}
