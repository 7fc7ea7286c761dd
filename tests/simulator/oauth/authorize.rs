//! The authorization endpoint: the request, the person's decision, the redirect.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::form_urlencoded::Serializer;

use super::answer::TokenAnswer;
use super::error::{NOT_APPROVED, OAuthError, UNKNOWN_CLIENT};
use super::store::{Authorization, Code, Scopes, new_code, new_source};
use super::token::person_refusal;
use super::{ERROR_PATH, page};
use crate::core::Core;
use crate::hosts::Door;
use crate::http::{Params, Request, Response, TEXT_HTML};
use crate::journal::Trace;
use crate::policy::{IpRestriction, Pkce};
use crate::sync::lock;

/// Why there is no page with a button.
enum Refusal {
    /// The callback cannot be trusted, or the app not used: shown by the platform itself.
    Page(OAuthError),
    /// Told to the callback.
    Callback(Box<Authorization>, OAuthError),
    /// The body of the answer and nothing more.
    Bare(OAuthError),
}

/// `GET /services/oauth2/authorize`: a page with a form, or a refusal.
pub(crate) fn authorize(core: &Core, request: &Request, door: Door, trace: &mut Trace) -> Response {
    match check(core, request, door) {
        Ok(authorization) => {
            let source = new_source();
            let html = page::login(&source, &authorization, None);
            lock(&core.grants).pending.insert(source, authorization);
            Response::new(200, TEXT_HTML, html)
        }
        Err(Refusal::Page(error)) => {
            trace.error = Some(error.error.to_owned());
            Response::found(&error_location(&error, request.query.get("state")))
        }
        Err(Refusal::Callback(authorization, error)) => {
            trace.error = Some(error.error.to_owned());
            Response::found(&refused(&authorization, &error))
        }
        Err(Refusal::Bare(error)) => {
            trace.error = Some(error.error.to_owned());
            let mut response = Response::empty(400);
            response.body = error_pairs(&error, None).into_bytes();
            response
        }
    }
}

fn check(core: &Core, request: &Request, door: Door) -> Result<Authorization, Refusal> {
    let policy = core.policy();
    let query = &request.query;
    let page = |error| Err(Refusal::Page(error));
    if request.method != "GET" {
        return page(OAuthError::new("invalid_request", "must use GET"));
    }
    if policy.org_inactive {
        return page(OAuthError::new("inactive_org", "org locked, closed or suspended"));
    }
    let known = query.get("client_id") == Some(core.app.client_id.as_str());
    if !known || policy.app_propagating || door == Door::OtherGeneric {
        return page(UNKNOWN_CLIENT);
    }
    if policy.app_blocked {
        return page(OAuthError::new("OAUTH_APP_BLOCKED", "this app is blocked by admin"));
    }
    if policy.app_not_installed {
        return page(OAuthError::new("invalid_client", "app must be installed into org"));
    }
    let Some(redirect_uri) = query.filled("redirect_uri") else {
        return page(OAuthError::new("redirect_uri_missing", "redirect_uri not provided"));
    };
    if !core.app.redirect_uris.iter().any(|registered| registered == redirect_uri) {
        return page(OAuthError::new(
            "redirect_uri_mismatch",
            "redirect_uri must match configuration",
        ));
    }
    let response_type = query.get("response_type").unwrap_or_default();
    let implicit = response_type == "token";
    let mut authorization = Authorization {
        redirect_uri: redirect_uri.to_owned(),
        state: query.get("state").map(str::to_owned),
        scopes: Scopes::new(),
        challenge: None,
        implicit,
        login_hint: query.get("login_hint").unwrap_or_default().to_owned(),
    };
    if !(response_type == "code" || implicit && policy.user_agent_flow) {
        authorization.implicit = false;
        let error = OAuthError::new("unsupported_response_type", "response type not supported");
        return Err(Refusal::Callback(Box::new(authorization), error));
    }
    match scopes(query, &policy.scopes) {
        Some(scopes) => authorization.scopes = scopes,
        None => {
            let error = OAuthError::new(
                "invalid_scope",
                "the requested scope is invalid, unknown, or malformed",
            );
            return Err(Refusal::Callback(Box::new(authorization), error));
        }
    }
    if !implicit && policy.pkce != Pkce::Off {
        match challenge(query) {
            Ok(challenge) => authorization.challenge = challenge,
            Err(error) => return Err(Refusal::Callback(Box::new(authorization), error)),
        }
        if authorization.challenge.is_none() && policy.pkce == Pkce::Required {
            return Err(Refusal::Bare(OAuthError::new(
                "invalid_request",
                "missing required code challenge",
            )));
        }
    }
    if query.get("immediate") == Some("true") {
        return Err(Refusal::Callback(
            Box::new(authorization),
            OAuthError::new("immediate_unsuccessful", ""),
        ));
    }
    Ok(authorization)
}

/// The scopes asked for: all assigned ones if none is named, `None` if one is not assigned.
fn scopes(query: &Params, assigned: &Scopes) -> Option<Scopes> {
    let Some(asked) = query.filled("scope") else { return Some(assigned.clone()) };
    asked
        .split_ascii_whitespace()
        .map(|scope| if scope == "offline_access" { "refresh_token" } else { scope })
        .map(|scope| assigned.contains(scope).then(|| scope.to_owned()))
        .collect()
}

fn challenge(query: &Params) -> Result<Option<String>, OAuthError> {
    let Some(challenge) = query.filled("code_challenge") else { return Ok(None) };
    // The method may be left out; the platform knows only this one.
    if query.get("code_challenge_method").is_some_and(|method| method != "S256") {
        return Err(OAuthError::new("invalid_request", "code challenge method not supported"));
    }
    match URL_SAFE_NO_PAD.decode(challenge) {
        Ok(digest) if digest.len() == 32 => Ok(Some(challenge.to_owned())),
        _ => Err(OAuthError::new("invalid_request", "invalid code challenge")),
    }
}

/// `POST` of the page's form: the person logs in and presses Allow or Deny.
pub(crate) fn decide(core: &Core, request: &Request, trace: &mut Trace) -> Response {
    let form = request.form();
    let source = form.get("source").unwrap_or_default();
    let Some(authorization) = lock(&core.grants).pending.get(source).cloned() else {
        return Response::found(&error_location(
            &OAuthError::new("invalid_request", "the authorization request is over; start again"),
            None,
        ));
    };
    let username = form.get("username").unwrap_or_default();
    let person = core
        .estate
        .person_by_username(username)
        .filter(|_| form.get("password") == Some(&core.login.password));
    let Some(person) = person else {
        let failure = "Please check your username and password.";
        return Response::new(200, TEXT_HTML, page::login(source, &authorization, Some(failure)));
    };
    trace.user_id = Some(person.user_id.clone());
    lock(&core.grants).pending.remove(source);
    match outcome(core, &authorization, &person, form.get("action") == Some("allow")) {
        Ok(location) => Response::found(&location),
        Err(Refusal::Callback(authorization, error)) => {
            trace.error = Some(error.error.to_owned());
            Response::found(&refused(&authorization, &error))
        }
        Err(Refusal::Page(error) | Refusal::Bare(error)) => {
            trace.error = Some(error.error.to_owned());
            Response::found(&error_location(&error, authorization.state.as_deref()))
        }
    }
}

fn outcome(
    core: &Core,
    authorization: &Authorization,
    person: &estate::Person,
    allowed: bool,
) -> Result<String, Refusal> {
    let policy = core.policy();
    if person_refusal(&policy, person).is_some() {
        return Err(Refusal::Page(OAuthError::new("inactive_user", "user is inactive")));
    }
    if policy.ip_restriction == IpRestriction::All || policy.outside_login_hours {
        return Err(Refusal::Page(OAuthError::grant("IP restricted or invalid login hours")));
    }
    if policy.not_admin_approved {
        return Err(Refusal::Page(NOT_APPROVED));
    }
    let now = core.clock.now();
    if !lock(&core.grants).count_login(&person.user_id, now, &policy) {
        return Err(Refusal::Page(OAuthError::new(
            "rate_limit_exceeded",
            "number of logins exceeded",
        )));
    }
    if !allowed {
        let error = OAuthError::new("access_denied", "end-user denied authorization");
        return Err(Refusal::Callback(Box::new(authorization.clone()), error));
    }
    if authorization.implicit {
        let mut grants = lock(&core.grants);
        let scopes = authorization.scopes.clone();
        let approval = scopes
            .contains("refresh_token")
            .then(|| grants.approve(&person.user_id, scopes.clone(), now, &policy));
        let refresh_token = approval
            .and_then(|id| grants.approval(id))
            .map(|approval| approval.refresh_token.clone());
        let session = grants.open_session(
            &core.estate.organization_id(),
            &person.user_id,
            scopes,
            approval,
            now,
        );
        drop(grants);
        let mut answer = TokenAnswer::new(core, &policy, &session, refresh_token);
        if let Some(state) = &authorization.state {
            answer.push("state", state);
        }
        return Ok(format!("{}#{}", authorization.redirect_uri, answer.to_form()));
    }
    let code = new_code();
    lock(&core.grants).codes.insert(
        code.clone(),
        Code {
            user_id: person.user_id.clone(),
            redirect_uri: authorization.redirect_uri.clone(),
            scopes: authorization.scopes.clone(),
            challenge: authorization.challenge.clone(),
            issued_at: now,
            used: false,
        },
    );
    let mut pairs = Serializer::new(String::new());
    pairs.append_pair("code", &code);
    if let Some(state) = &authorization.state {
        pairs.append_pair("state", state);
    }
    Ok(with_query(&authorization.redirect_uri, &pairs.finish()))
}

/// The static page behind the usual callback.
pub(crate) fn success() -> Response {
    Response::new(200, TEXT_HTML, page::SUCCESS)
}

/// The page that shows a refusal to the person.
pub(crate) fn error_page(request: &Request) -> Response {
    let error = request.query.get("error").unwrap_or_default();
    let description = request.query.get("error_description").unwrap_or_default();
    Response::new(200, TEXT_HTML, page::error(error, description))
}

fn error_location(error: &OAuthError, state: Option<&str>) -> String {
    format!("{ERROR_PATH}?{}", error_pairs(error, state))
}

fn refused(authorization: &Authorization, error: &OAuthError) -> String {
    let pairs = error_pairs(error, authorization.state.as_deref());
    if authorization.implicit {
        format!("{}#{pairs}", authorization.redirect_uri)
    } else {
        with_query(&authorization.redirect_uri, &pairs)
    }
}

fn error_pairs(error: &OAuthError, state: Option<&str>) -> String {
    let mut pairs = Serializer::new(String::new());
    pairs.append_pair("error", error.error);
    if !error.description.is_empty() {
        pairs.append_pair("error_description", &error.description);
    }
    if let Some(state) = state {
        pairs.append_pair("state", state);
    }
    pairs.finish()
}

fn with_query(uri: &str, query: &str) -> String {
    format!("{uri}{}{query}", if uri.contains('?') { '&' } else { '?' })
}
