//! Signed assertions: the JWT bearer flow (RFC 7523, section 2.1) and an app that signs
//! instead of sending its secret (section 2.2).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use serde_json::Value;

use super::answer::TokenAnswer;
use super::error::{BAD_SECRET, OAuthError, UNKNOWN_CLIENT};
use super::token::{Fields, check_user, without_approval};
use crate::core::Core;
use crate::hosts::Door;
use crate::policy::Policy;
use crate::sync::lock;

/// `grant_type` of the JWT bearer flow.
pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const CLIENT_ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

const INVALID: OAuthError = OAuthError::grant("invalid assertion");
const WRONG_AUDIENCE: OAuthError = OAuthError::grant("audience is invalid");
const NOT_APPROVED: OAuthError = OAuthError::grant("user hasn't approved this consumer");
/// How far the clocks of the org and of a client may be apart.
const SKEW: TimeDelta = TimeDelta::minutes(3);
/// An `exp` from here on is in milliseconds; in seconds it would be the year 5138.
const MILLISECONDS_FROM: f64 = 1e11;

/// Exchanges the assertion of an app for a session of the user it names.
pub(super) fn jwt_bearer(
    core: &Core,
    policy: &Policy,
    fields: &Fields,
    door: Door,
) -> Result<TokenAnswer, OAuthError> {
    let claims = Claims::of(fields.get("assertion").unwrap_or_default()).ok_or(INVALID)?;
    let known = claims.text("iss") == Some(core.app.client_id.as_str());
    if !known || policy.app_propagating || door == Door::OtherGeneric {
        return Err(UNKNOWN_CLIENT);
    }
    if policy.org_inactive {
        return Err(OAuthError::grant("inactive organization"));
    }
    if !claims.signed_by(core) {
        return Err(INVALID);
    }
    if claims.text("aud") != Some(format!("https://{}", core.hosts.generic()).as_str()) {
        return Err(WRONG_AUDIENCE);
    }
    if !claims.in_time(core, policy) {
        return Err(INVALID);
    }
    // A user who does not exist is not told from one who has not approved the app.
    let username = claims.text("prn").or_else(|| claims.text("sub")).unwrap_or_default();
    let person = core.estate.person_by_username(username).ok_or(NOT_APPROVED)?;
    let approved = policy.pre_authorized.iter().any(|name| name.eq_ignore_ascii_case(username))
        || lock(&core.grants).has_approval(&person.user_id);
    if !approved {
        return Err(NOT_APPROVED);
    }
    check_user(core, policy, &person.user_id)?;
    let scopes = policy.scopes.iter().filter(|scope| *scope != "refresh_token").cloned().collect();
    let mut answer = without_approval(core, policy, &person.user_id, scopes);
    answer.remove("signature");
    answer.remove("issued_at");
    Ok(answer)
}

/// Whether the request authenticates the app with an assertion instead of its secret.
pub(super) fn is_present(fields: &Fields) -> bool {
    fields.get("client_assertion").is_some()
}

/// Checks the assertion an app authenticates with; `host` is the one it was sent to.
pub(super) fn check_client(
    core: &Core,
    policy: &Policy,
    fields: &Fields,
    host: &str,
) -> Result<(), OAuthError> {
    let claims = Claims::of(fields.get("client_assertion").unwrap_or_default());
    let claims = claims
        .filter(|_| fields.get("client_assertion_type") == Some(CLIENT_ASSERTION_TYPE))
        .ok_or(BAD_SECRET)?;
    let key = Some(core.app.client_id.as_str());
    if claims.text("iss") != key || fields.get("client_id").is_some_and(|id| Some(id) != key) {
        return Err(UNKNOWN_CLIENT);
    }
    let audience = claims.text("aud").unwrap_or_default();
    let host = format!("https://{host}");
    let addressed = audience == host || audience == format!("{host}/services/oauth2/token");
    let good = claims.text("sub") == key
        && addressed
        && claims.signed_by(core)
        && claims.in_time(core, policy);
    if good { Ok(()) } else { Err(BAD_SECRET) }
}

/// A JWT that was taken apart but not yet believed.
struct Claims {
    signed: String,
    signature: Vec<u8>,
    values: Value,
}

impl Claims {
    fn of(assertion: &str) -> Option<Self> {
        let (signed, signature) = assertion.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok();
        let header: Value = serde_json::from_slice(&decode(header)?).ok()?;
        if header["alg"] != "RS256" {
            return None;
        }
        let values: Value = serde_json::from_slice(&decode(payload)?).ok()?;
        Some(Self { signed: signed.to_owned(), signature: decode(signature)?, values })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.values[name].as_str()
    }

    fn signed_by(&self, core: &Core) -> bool {
        core.app
            .verifier
            .as_ref()
            .is_some_and(|verifier| verifier.accepts(self.signed.as_bytes(), &self.signature))
    }

    /// Whether `exp` is there, as a number or as its text, and not over. The platform sets no bound to
    /// a distant one.
    fn in_time(&self, core: &Core, policy: &Policy) -> bool {
        let expires = &self.values["exp"];
        let text = || expires.as_str().and_then(|text| text.parse().ok());
        let Some(expires) = expires.as_f64().or_else(text) else { return false };
        let seconds = if expires >= MILLISECONDS_FROM { expires / 1_000.0 } else { expires };
        let now = core.shown_time(policy) - SKEW;
        // Whole seconds of any date are exact in a double.
        seconds > now.timestamp() as f64
    }
}
