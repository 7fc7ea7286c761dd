//! The token endpoint.

use std::sync::Arc;

use super::answer::{Format, TokenAnswer};
use super::assertion::{self, JWT_BEARER};
use super::error::{
    AUTHENTICATION_FAILURE, BAD_SECRET, EXPIRED_TOKEN, NOT_APPROVED, OAuthError, UNKNOWN_CLIENT,
};
use super::store::Scopes;
use crate::core::Core;
use crate::hosts::Door;
use crate::http::{Hold, Params, Request, Response, basic_credentials};
use crate::journal::{Trace, Violation};
use crate::policy::{IpRestriction, Pkce, Policy};
use crate::random::s256;
use crate::sync::lock;

/// `POST /services/oauth2/token`.
pub(crate) fn token(
    core: &Arc<Core>,
    request: &Request,
    door: Door,
    trace: &mut Trace,
) -> Response {
    if request.method != "POST" {
        return Response::new(405, "text/html;charset=UTF-8", "Only POST allowed");
    }
    let fields = Fields::of(request);
    trace.grant_type = fields.get("grant_type").map(str::to_owned);
    let format = Format::of(fields.get("format"), request.header("accept").unwrap_or_default());
    let mut hold = None;
    let mut response = match grant(core, &fields, door, trace, &mut hold) {
        Ok(answer) => answer.respond(200, format),
        Err(error) => {
            trace.error = Some(error.error.to_owned());
            TokenAnswer::refusal(&error).respond(400, format)
        }
    };
    response.hold = hold;
    response
}

/// The request's parameters: those of the form, then those of the URL.
pub(super) struct Fields {
    form: Params,
    query: Params,
    basic: Option<(String, String)>,
    host: String,
}

impl Fields {
    fn of(request: &Request) -> Self {
        Self {
            form: request.form(),
            query: request.query.clone(),
            basic: request.header("authorization").and_then(basic_credentials),
            host: request.host.clone(),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.form.filled(name).or_else(|| self.query.filled(name))
    }

    /// Key and secret. The header counts only if the body does not repeat the pair.
    fn credentials(&self) -> (Option<&str>, Option<&str>) {
        match (self.get("client_id"), &self.basic) {
            (None, Some((key, secret))) => (Some(key), Some(secret)),
            (key, _) => (key, self.get("client_secret")),
        }
    }
}

fn grant(
    core: &Arc<Core>,
    fields: &Fields,
    door: Door,
    trace: &mut Trace,
    hold: &mut Option<Hold>,
) -> Result<TokenAnswer, OAuthError> {
    let policy = core.policy();
    let grant_type = fields.get("grant_type").unwrap_or_default();
    if grant_type == JWT_BEARER {
        // The assertion is all: it names the app and the user.
        let answer = assertion::jwt_bearer(core, &policy, fields, door)?;
        note(&answer, trace);
        return Ok(answer);
    }
    let secret_required = match grant_type {
        "authorization_code" => policy.require_secret_for_web_server_flow,
        "refresh_token" => policy.require_secret_for_refresh_token_flow,
        "client_credentials" | "password" => true,
        _ => return Err(OAuthError::new("unsupported_grant_type", "grant type not supported")),
    };
    check_client(core, &policy, fields, secret_required, door)?;
    if policy.org_inactive {
        return Err(OAuthError::grant("inactive organization"));
    }
    let answer = match grant_type {
        "authorization_code" => exchange_code(core, &policy, fields, trace)?,
        "refresh_token" => refresh(core, &policy, fields, trace, hold)?,
        "client_credentials" => client_credentials(core, &policy, door)?,
        _ => password(core, &policy, fields)?,
    };
    note(&answer, trace);
    Ok(answer)
}

fn note(answer: &TokenAnswer, trace: &mut Trace) {
    trace.user_id = Some(answer.user_id.clone());
    trace.token_generation = Some(answer.generation);
}

/// Checks key and secret; the secret is checked whenever it is sent, and an assertion is
/// read only when none is.
fn check_client(
    core: &Core,
    policy: &Policy,
    fields: &Fields,
    secret_required: bool,
    door: Door,
) -> Result<(), OAuthError> {
    let (key, secret) = fields.credentials();
    if secret.is_none() && assertion::is_present(fields) {
        if policy.app_propagating || door == Door::OtherGeneric {
            return Err(UNKNOWN_CLIENT);
        }
        return assertion::check_client(core, policy, fields, &fields.host);
    }
    if key != Some(core.app.client_id.as_str())
        || policy.app_propagating
        || door == Door::OtherGeneric
    {
        return Err(UNKNOWN_CLIENT);
    }
    match secret {
        Some(secret) if secret == core.app.client_secret => Ok(()),
        None if !secret_required => Ok(()),
        _ => Err(BAD_SECRET),
    }
}

fn exchange_code(
    core: &Core,
    policy: &Policy,
    fields: &Fields,
    trace: &mut Trace,
) -> Result<TokenAnswer, OAuthError> {
    let now = core.clock.now();
    let text = fields.get("code").unwrap_or_default();
    let Some(code) = lock(&core.grants).codes.get(text).cloned() else {
        return Err(OAuthError::grant("invalid authorization code"));
    };
    if code.used {
        trace.violation(Violation::RepeatedCode);
    }
    if code.used || now - code.issued_at >= crate::clock::delta(policy.authorization_code_lifetime)
    {
        return Err(OAuthError::grant("expired authorization code"));
    }
    match fields.get("redirect_uri") {
        None => return Err(OAuthError::new("redirect_uri_missing", "redirect_uri not provided")),
        Some(uri) if uri != code.redirect_uri => {
            return Err(OAuthError::new(
                "redirect_uri_mismatch",
                "redirect_uri must match configuration",
            ));
        }
        Some(_) => {}
    }
    if let Some(challenge) = code.challenge.as_ref().filter(|_| policy.pkce != Pkce::Off) {
        match fields.get("code_verifier") {
            None => return Err(OAuthError::grant("invalid code verifier")),
            Some(verifier) if s256(verifier) != *challenge => {
                return Err(OAuthError::new("invalid_request", "invalid code verifier"));
            }
            Some(_) => {}
        }
    }
    if matches!(policy.ip_restriction, IpRestriction::CodeExchange | IpRestriction::All) {
        return Err(OAuthError::grant("ip restricted"));
    }
    check_user(core, policy, &code.user_id)?;
    let mut grants = lock(&core.grants);
    match grants.codes.get_mut(text) {
        // Two exchanges at once: the other one was first.
        Some(code) if code.used => return Err(OAuthError::grant("expired authorization code")),
        Some(code) => code.used = true,
        None => return Err(OAuthError::grant("invalid authorization code")),
    }
    let approval = code
        .scopes
        .contains("refresh_token")
        .then(|| grants.approve(&code.user_id, code.scopes.clone(), now, policy));
    let refresh_token =
        approval.and_then(|id| grants.approval(id)).map(|approval| approval.refresh_token.clone());
    let session = grants.open_session(
        &core.estate.organization_id(),
        &code.user_id,
        code.scopes,
        approval,
        now,
    );
    drop(grants);
    Ok(TokenAnswer::new(core, policy, &session, refresh_token))
}

/// Marks a family as being refreshed until the answer has left.
struct Refreshing {
    core: Arc<Core>,
    approval: u64,
}

impl Drop for Refreshing {
    fn drop(&mut self) {
        if let Some(approval) = lock(&self.core.grants).approval(self.approval) {
            approval.refreshing = false;
        }
    }
}

fn refresh(
    core: &Arc<Core>,
    policy: &Policy,
    fields: &Fields,
    trace: &mut Trace,
    hold: &mut Option<Hold>,
) -> Result<TokenAnswer, OAuthError> {
    let Some(token) = fields.get("refresh_token") else {
        return Err(OAuthError::new("invalid_request", "refresh_token not provided"));
    };
    let in_progress = OAuthError::grant("token request is already being processed");
    if policy.refresh_in_progress {
        return Err(in_progress);
    }
    let user_id = {
        let mut grants = lock(&core.grants);
        let Some(family) = grants.family(token) else { return Err(EXPIRED_TOKEN) };
        if family.refreshing {
            return Err(in_progress);
        }
        if family.has_rotated_out(token) {
            trace.violation(Violation::ReplayedRefreshToken);
        }
        family.refreshing = true;
        *hold = Some(Hold::new(Refreshing { core: Arc::clone(core), approval: family.id }));
        family.user_id.clone()
    };
    if matches!(policy.ip_restriction, IpRestriction::Refresh | IpRestriction::All) {
        return Err(OAuthError::grant("ip restricted"));
    }
    check_user(core, policy, &user_id)?;
    let now = core.clock.now();
    let refreshed =
        lock(&core.grants).refresh(&core.estate.organization_id(), token, now, policy)?;
    if policy.watch_refreshes && refreshed.needless {
        trace.violation(Violation::NeedlessRefresh);
    }
    Ok(TokenAnswer::new(core, policy, &refreshed.session, refreshed.rotated))
}

fn client_credentials(core: &Core, policy: &Policy, door: Door) -> Result<TokenAnswer, OAuthError> {
    if !matches!(door, Door::MyDomain | Door::Former) {
        return Err(OAuthError::grant("request not supported on this domain"));
    }
    if !policy.client_credentials_flow {
        return Err(OAuthError::grant("client credentials flow not enabled"));
    }
    let person =
        policy.run_as.as_deref().and_then(|username| core.estate.person_by_username(username));
    let Some(person) = person else {
        return Err(OAuthError::grant("no client credentials user enabled"));
    };
    check_user(core, policy, &person.user_id)?;
    let scopes: Scopes = policy
        .scopes
        .iter()
        .filter(|scope| !matches!(scope.as_str(), "full" | "web" | "refresh_token"))
        .cloned()
        .collect();
    Ok(without_approval(core, policy, &person.user_id, scopes))
}

fn password(core: &Core, policy: &Policy, fields: &Fields) -> Result<TokenAnswer, OAuthError> {
    // Only the login history distinguishes a blocked flow from a wrong password.
    if !policy.password_flow {
        return Err(AUTHENTICATION_FAILURE);
    }
    let expected = format!("{}{}", core.login.password, core.login.security_token);
    let person = core
        .estate
        .person_by_username(fields.get("username").unwrap_or_default())
        .filter(|_| fields.get("password") == Some(expected.as_str()));
    let Some(person) = person else { return Err(AUTHENTICATION_FAILURE) };
    check_user(core, policy, &person.user_id)?;
    let scopes = policy.scopes.iter().filter(|scope| *scope != "refresh_token").cloned().collect();
    Ok(without_approval(core, policy, &person.user_id, scopes))
}

/// A session that no refresh token belongs to.
pub(super) fn without_approval(
    core: &Core,
    policy: &Policy,
    user_id: &str,
    scopes: Scopes,
) -> TokenAnswer {
    let organization = core.estate.organization_id();
    let session =
        lock(&core.grants).open_session(&organization, user_id, scopes, None, core.clock.now());
    TokenAnswer::new(core, policy, &session, None)
}

/// What the user's own state forbids, at every grant.
pub(super) fn check_user(core: &Core, policy: &Policy, user_id: &str) -> Result<(), OAuthError> {
    let person = core.estate.person_by_id(user_id).ok_or(AUTHENTICATION_FAILURE)?;
    if let Some(refusal) = person_refusal(policy, &person) {
        return Err(refusal);
    }
    if policy.ip_restriction == IpRestriction::All || policy.outside_login_hours {
        return Err(OAuthError::grant("ip restricted or invalid login hours"));
    }
    if policy.not_admin_approved {
        return Err(NOT_APPROVED);
    }
    if !lock(&core.grants).count_login(user_id, core.clock.now(), policy) {
        return Err(OAuthError::new("rate_limit_exceeded", "login rate exceeded"));
    }
    Ok(())
}

/// Why this person cannot have tokens.
pub(super) fn person_refusal(policy: &Policy, person: &estate::Person) -> Option<OAuthError> {
    (policy.user_inactive || !person.is_active || person.is_frozen)
        .then(|| OAuthError::grant("inactive user"))
}
