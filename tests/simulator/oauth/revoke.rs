//! Revocation and introspection.

use serde_json::json;

use super::error::BAD_SECRET;
use crate::clock::delta;
use crate::core::Core;
use crate::http::{Request, Response, basic_credentials};
use crate::journal::Trace;
use crate::sync::lock;

/// `POST /services/oauth2/revoke`, or `GET` with `?token=`.
pub(crate) fn revoke(core: &Core, request: &Request, trace: &mut Trace) -> Response {
    let form = request.form();
    let token = form.filled("token").or_else(|| request.query.filled("token")).unwrap_or_default();
    let mut grants = lock(&core.grants);
    let approval = grants.approval_by_token(token).map(|approval| approval.id);
    let revoked = match approval {
        Some(id) => {
            grants.revoke_approval(id);
            true
        }
        None => grants.end_session(token),
    };
    if revoked {
        return Response::empty(200);
    }
    let known_kind = token.starts_with("5Aep") || token.starts_with("00D");
    let error = if known_kind { "invalid_token" } else { "unsupported_token_type" };
    trace.error = Some(error.to_owned());
    let description = if known_kind { "invalid token" } else { "this token type is not supported" };
    Response::json(400, json!({"error": error, "error_description": description}).to_string())
}

/// `POST /services/oauth2/introspect`.
pub(crate) fn introspect(core: &Core, request: &Request, trace: &mut Trace) -> Response {
    if request.method != "POST" {
        return Response::new(405, "text/html;charset=UTF-8", "Only POST allowed");
    }
    let form = request.form();
    let basic = request.header("authorization").and_then(basic_credentials);
    let (key, secret) = match (&basic, form.get("client_id")) {
        (Some((key, secret)), None) => (Some(key.as_str()), Some(secret.as_str())),
        (_, key) => (key, form.get("client_secret")),
    };
    if key != Some(core.app.client_id.as_str()) || secret != Some(core.app.client_secret.as_str()) {
        trace.error = Some(BAD_SECRET.error.to_owned());
        let body = json!({"error": BAD_SECRET.error, "error_description": BAD_SECRET.description});
        return Response::json(400, body.to_string());
    }
    let policy = core.policy();
    let token = form.get("token").unwrap_or_default();
    let now = core.clock.now();
    let mut grants = lock(&core.grants);
    let found = match grants.session(token).filter(|session| session.is_alive(now, &policy)) {
        Some(session) => {
            let expires = session.used_at + delta(policy.session_timeout);
            Some((
                session.user_id.clone(),
                session.scopes.clone(),
                "access_token",
                session.issued_at,
                Some(expires),
            ))
        }
        None => grants.approval_by_token(token).map(|approval| {
            (approval.user_id.clone(), approval.scopes.clone(), "refresh_token", now, None)
        }),
    };
    drop(grants);
    let Some((user_id, scopes, kind, issued, expires)) = found.filter(|_| policy.introspection)
    else {
        return Response::json(200, json!({"active": false}).to_string());
    };
    let mut body = json!({
        "active": true,
        "scope": scopes.into_iter().collect::<Vec<_>>().join(" "),
        "client_id": core.app.client_id,
        "username": core.estate.person_by_id(&user_id).map(|person| person.username),
        "sub": core.identity_url(&user_id),
        "token_type": kind,
        "iat": issued.timestamp(),
        "nbf": issued.timestamp(),
    });
    if let Some(expires) = expires {
        body["exp"] = expires.timestamp().into();
    }
    Response::json(200, body.to_string())
}
