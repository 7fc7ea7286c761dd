//! What Salesforce's authorize and token endpoints answer when they refuse, as kind, message, hint.
//!
//! `invalid_grant` alone means a dozen things, so the description decides too. One row for each
//! documented refusal; the first that fits is taken. Rows that a person or a setting must cure are
//! [`ErrorKind::AUTH`] and [`ErrorKind::CONFIG`], passing ones [`ErrorKind::RETRYABLE`] and
//! [`ErrorKind::RATE_LIMITED`].
//!
//! # Source
//! Salesforce Help, "OAuth 2.0 Authorization Errors"; the vocabulary of the Mobile SDK's
//! `OAuthErrorCode`.

use std::borrow::Cow;

use connector_api::{Error, ErrorKind};
use serde::Deserialize;

use crate::transport::answer::Answer;
use crate::transport::foreign_text::ForeignText;
use crate::transport::masker::Masker;

/// Salesforce counts logins over an hour, and may block an address that keeps failing.
const HOUR_MS: u64 = 60 * 60 * 1_000;

/// The request that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// A person at the authorize page.
    Authorize,
    /// The exchange of a code.
    Code,
    /// The exchange of a refresh token.
    Refresh,
    /// A grant that needs no person.
    Mint,
}

/// A refusal of an authorize, token or revocation endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OAuthRefusal {
    pub(crate) error: String,
    /// As it came, for comparing; never shown.
    description: String,
    said: ForeignText,
}

#[derive(Deserialize)]
struct ErrorObject {
    error: String,
    error_description: Option<String>,
}

impl OAuthRefusal {
    /// The error object of an answer, JSON or form, if it is one.
    pub(crate) fn of(answer: &Answer) -> Option<OAuthRefusal> {
        let body = as_json(&answer.body)?;
        let object: ErrorObject = serde_json::from_slice(&body).ok()?;
        is_code(&object.error).then(|| {
            let description = object.error_description.unwrap_or_default();
            OAuthRefusal { said: answer.foreign(&description), error: object.error, description }
        })
    }

    /// A refusal in the address that a person pasted.
    pub(crate) fn pasted(masker: &Masker, error: &str, description: &str) -> OAuthRefusal {
        OAuthRefusal {
            error: if is_code(error) { error.into() } else { masker.text(error).to_string() },
            description: description.into(),
            said: masker.text(description),
        }
    }

    /// A refusal in lower case, for comparing.
    fn plain(&self) -> (String, String) {
        (self.error.to_ascii_lowercase(), self.description.to_ascii_lowercase())
    }

    /// Whether it only says that another request with the same token is under way. The old text for
    /// that, on a refresh, was the one for an old code.
    pub(crate) fn is_lock(&self, flow: Flow) -> bool {
        let (error, text) = self.plain();
        error == "invalid_grant"
            && (text.contains("token request is already being processed")
                || (flow == Flow::Refresh && text.contains("expired authorization code")))
    }

    /// Whether it proves that a refresh token is dead for good.
    pub(crate) fn is_dead_token(&self) -> bool {
        let (error, text) = self.plain();
        error == "invalid_grant"
            && (text.contains("expired access/refresh token")
                || text.contains("token validity expired"))
    }

    /// Whether a code was not recognised, as one that lost its end is not.
    pub(crate) fn is_mangled_code(&self) -> bool {
        let (error, text) = self.plain();
        error == "invalid_grant" && (text.is_empty() || text.contains("invalid"))
    }

    /// Whether a JWT's `aud` was not what this org expects.
    pub(crate) fn is_audience(&self) -> bool {
        let (error, text) = self.plain();
        error == "invalid_grant" && text.contains("audience")
    }

    /// The refusal as an error: what it means, when it happened and in which org, so that its row in
    /// the Login History can be found, and what to do.
    pub(crate) fn explain(&self, flow: Flow, organization_id: Option<&str>) -> Error {
        let (error, text) = self.plain();
        let row = if self.is_lock(flow) {
            &LOCK
        } else {
            ROWS.iter().find(|row| row.fits(&error, &text)).unwrap_or(&OTHER)
        };
        let at = chrono::Utc::now().format("%Y-%m-%d %H:%M:%S UTC");
        let org = organization_id
            .and_then(|id| id.get(..15))
            .map_or_else(String::new, |id| format!(", org {id}"));
        let message = format_args!("{} ({}; {at}{org})", row.meaning, self.shown()).to_string();
        let explained = Error::new(row.kind, message).with_hint(row.hint);
        let hourly = row.kind == ErrorKind::RATE_LIMITED || std::ptr::eq(row, &raw const OTHER);
        if hourly { explained.with_retry_after_ms(HOUR_MS) } else { explained }
    }

    /// Salesforce's own words, on one line.
    pub(crate) fn shown(&self) -> String {
        match (self.error.is_empty(), self.said.is_empty()) {
            (false, false) => format!("{}: {}", self.error, self.said),
            (false, true) => self.error.clone(),
            _ => "no reason given".to_owned(),
        }
    }
}

/// Whether a text has the shape of an error's name.
fn is_code(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// The body as a JSON object: a form-encoded answer is converted. `None` for anything else, e.g. HTML or
/// nothing.
pub(crate) fn as_json(body: &[u8]) -> Option<Cow<'_, [u8]>> {
    let text = std::str::from_utf8(body).ok()?.trim();
    if text.starts_with('{') {
        return Some(Cow::Borrowed(body));
    }
    if text.starts_with('<') || !text.contains('=') {
        return None;
    }
    let pairs: serde_json::Map<String, serde_json::Value> =
        url::form_urlencoded::parse(text.as_bytes())
            .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
            .collect();
    serde_json::to_vec(&pairs).ok().map(Cow::Owned)
}

struct Row {
    /// Codes it is about.
    codes: &'static [&'static str],
    /// Any of these in the description; none: whatever it says.
    words: &'static [&'static str],
    kind: ErrorKind,
    meaning: &'static str,
    hint: &'static str,
}

impl Row {
    fn fits(&self, error: &str, text: &str) -> bool {
        self.codes.contains(&error)
            && (self.words.is_empty() || self.words.iter().any(|words| text.contains(words)))
    }
}

const fn row(
    codes: &'static [&'static str],
    words: &'static [&'static str],
    kind: ErrorKind,
    meaning: &'static str,
    hint: &'static str,
) -> Row {
    Row { codes, words, kind, meaning, hint }
}

const AUTH: ErrorKind = ErrorKind::AUTH;
const CONFIG: ErrorKind = ErrorKind::CONFIG;
const RETRY: ErrorKind = ErrorKind::RETRYABLE;
const GRANT: &[&str] = &["invalid_grant"];

static LOCK: Row = row(
    GRANT,
    &[],
    RETRY,
    "Salesforce is already processing a request with the same token",
    "try again in a few seconds; two servers must not share one grant: authorize each of them",
);

/// Nobody knows whether it passes, so nothing is stopped by it.
static OTHER: Row = row(
    &[],
    &[],
    RETRY,
    "Salesforce refused the authorization for a reason this connector does not know",
    "see Setup > Login History for this user and the app's OAuth policies; the next run asks again",
);

/// The rows, those with words before those without.
static ROWS: &[Row] = &[
    row(
        GRANT,
        &["expired access/refresh token"],
        AUTH,
        "the grant is not valid any more: it was revoked, stayed unused too long, was replaced by a newer token or pushed out by a sixth approval of this user and app, or the app's policy ends it at once",
        "authorize the connector again; see Setup > Connected Apps OAuth Usage, and Refresh Token Policy in the app's OAuth policies; if runs from a VPN or shared proxy ended like this, see whether the user was frozen for a high-risk address",
    ),
    row(
        GRANT,
        &["token validity expired"],
        AUTH,
        "the app's policy ended the grant after its time",
        "set Refresh Token Policy in the app's OAuth policies to `valid until revoked`, then authorize the connector again",
    ),
    row(
        GRANT,
        &["expired authorization code"],
        AUTH,
        "the code is older than 15 minutes or was used before",
        "open a new link of `connectors authorize`, press Allow, and paste the new address at once",
    ),
    row(
        GRANT,
        &["invalid authorization code"],
        AUTH,
        "the code was changed on its way, or belongs to another app",
        "open the link again and paste the whole address of the page that follows, from `https://` to its end",
    ),
    row(
        GRANT,
        &["code verifier", "code challenge"],
        AUTH,
        "the code belongs to an earlier authorize link",
        "open the newest link of `connectors authorize` and paste the address that follows",
    ),
    row(
        GRANT,
        &["user hasn't approved", "user hasn’t approved"],
        CONFIG,
        "the user has not approved this app",
        "pre-authorize the user: in the app's OAuth policies set Permitted Users to `Admin approved users are pre-authorized` and assign the user's profile or permission set",
    ),
    row(
        GRANT,
        &["inactive user", "user is inactive"],
        CONFIG,
        "the user is inactive or frozen",
        "activate the user in Setup > Users, or authorize with another user",
    ),
    row(
        GRANT,
        &["inactive organization", "inactive org"],
        CONFIG,
        "the org is expired or locked",
        "contact Salesforce, or correct the domain if another org is meant",
    ),
    row(
        GRANT,
        &["ip restricted", "login hours", "ip range"],
        CONFIG,
        "this server's address or the present time is not allowed",
        "allow the server's outbound IP address under Login IP Ranges and the time under Login Hours of the user's profile (Setup > Profiles), in the app's IP Relaxation and in its IP allowlist for refresh tokens",
    ),
    row(
        GRANT,
        &["activation secret invalid"],
        AUTH,
        "the activation of the user or device is not valid any more",
        "authorize the connector again; see `LOGIN_OAUTH_INVALID_DS` in Setup > Login History",
    ),
    row(
        GRANT,
        &["audience", "invalid assertion", "assertion"],
        CONFIG,
        "the signed assertion was not accepted",
        "the private key must belong to the certificate in the app (Use digital signatures), `audience` must be https://login.salesforce.com or, for a sandbox, https://test.salesforce.com, and this server's clock must be right",
    ),
    row(
        GRANT,
        &["no client credentials user"],
        CONFIG,
        "the app has no user to run as",
        "set Run As in the app's policies (Client Credentials Flow)",
    ),
    row(
        GRANT,
        &["not supported on this domain"],
        CONFIG,
        "this flow works on the org's own domain only",
        "enter the org's My Domain name (Setup > My Domain) as the domain, not `login` or `test`",
    ),
    row(
        GRANT,
        &["client credentials flow not enabled"],
        CONFIG,
        "the client credentials flow is switched off for the app",
        "tick Enable Client Credentials Flow in the app's settings and set Run As in its policies",
    ),
    row(
        GRANT,
        &["invalid user credentials"],
        CONFIG,
        "the user's credentials were not accepted",
        "log in with the right user; see Setup > Login History for the reason",
    ),
    row(
        GRANT,
        &["authentication failure"],
        CONFIG,
        "the login failed, and Salesforce says why only in its Login History",
        "see Setup > Login History: a wrong password or Security Token, a locked user, or the username-password flow being blocked (Setup > OAuth and OpenID Connect Settings)",
    ),
    row(
        GRANT,
        &[],
        AUTH,
        "Salesforce does not accept the grant",
        "authorize the connector again (`connectors authorize`); Setup > Login History says more",
    ),
    row(
        &["invalid_client_id"],
        &[],
        CONFIG,
        "no app with this Client ID is known there",
        "compare the Client ID with the app's Consumer Key and the domain with the org the app is in; a new or edited app needs up to 10 minutes",
    ),
    row(
        &["invalid_client"],
        &["must be installed", "be installed into"],
        CONFIG,
        "the app comes from another org and is not installed in this one",
        "Setup > Connected Apps OAuth Usage > Install, or authorize with a user who has `Approve Uninstalled Connected Apps`",
    ),
    row(
        &["invalid_client"],
        &["client identifier invalid", "invalid client credentials"],
        CONFIG,
        "the Client Secret is not the app's",
        "copy the Consumer Secret of the app again (Setup > App Manager > View > Manage Consumer Details); it may have been rotated",
    ),
    row(
        &["invalid_client"],
        &[],
        CONFIG,
        "the app's credentials were not accepted",
        "compare Client ID and Client Secret with the app, and see whether it is installed under Setup > Connected Apps OAuth Usage",
    ),
    row(
        &["invalid_app_access"],
        &[],
        CONFIG,
        "the user is not approved for this app",
        "assign the app to the user's profile or permission set (the app's policies > Permitted Users: admin approved users)",
    ),
    row(
        &["redirect_uri_missing"],
        &[],
        CONFIG,
        "no Callback URL arrived",
        "enter the app's Callback URL as `redirect_uri`",
    ),
    row(
        &["redirect_uri_mismatch"],
        &[],
        CONFIG,
        "the Callback URL is not one of the app's",
        "the app's Callback URL must be exactly the connector's `redirect_uri`; a new or edited app needs up to 10 minutes",
    ),
    row(
        &["unsupported_grant_type"],
        &[],
        CONFIG,
        "this kind of grant is switched off, or the host does not serve it",
        "switch the flow on in the app and under Setup > OAuth and OpenID Connect Settings, or choose another `grant`; check the domain",
    ),
    row(
        &["unsupported_response_type"],
        &[],
        CONFIG,
        "the org switched this flow off",
        "allow the authorization code flow under Setup > OAuth and OpenID Connect Settings",
    ),
    row(
        &["invalid_scope"],
        &[],
        CONFIG,
        "the app lacks a scope that was asked for",
        "add the scopes `api`, `id` and `refresh_token` to the app's OAuth settings",
    ),
    row(
        &["invalid_request"],
        &["missing required code challenge"],
        CONFIG,
        "the app asks for PKCE and the link carried no code challenge",
        "use the link that `connectors authorize` prints, which carries one; or clear Require PKCE in the app",
    ),
    row(
        &["invalid_request"],
        &["code verifier", "code challenge"],
        AUTH,
        "the code belongs to another authorize link",
        "open the newest link of `connectors authorize`, and paste the address that follows",
    ),
    row(
        &["invalid_request"],
        &["https required"],
        CONFIG,
        "the request did not arrive over https",
        "a proxy between this server or browser and Salesforce changes the address: let https pass unchanged",
    ),
    row(
        &["invalid_request"],
        &["must use get", "must use post"],
        CONFIG,
        "the request arrived with another method",
        "open the link itself in the browser; a proxy or a redirect changed the request",
    ),
    row(
        &["invalid_request"],
        &[],
        CONFIG,
        "Salesforce misses something in the request",
        "check Client ID, Client Secret, `redirect_uri` and the fields of the chosen `grant`",
    ),
    row(
        &["access_denied", "access-denied"],
        &[],
        AUTH,
        "the request was denied at the page",
        "open the link again, log in as the user the connector is to use, and press Allow",
    ),
    row(
        &["inactive_user"],
        &[],
        CONFIG,
        "the user who logged in is inactive",
        "log in with another user, or activate this one in Setup > Users",
    ),
    row(
        &["inactive_org"],
        &[],
        CONFIG,
        "the org is locked, closed or suspended",
        "contact Salesforce Support about the org's state",
    ),
    row(
        &["rate_limit_exceeded"],
        &[],
        ErrorKind::RATE_LIMITED,
        "the user logged in more than 3,600 times within an hour",
        "wait one hour; see `Login Rate Exceeded` in Setup > Login History for who does it",
    ),
    row(
        &["immediate_unsuccessful"],
        &[],
        AUTH,
        "the page needed a person and was told not to ask one",
        "open the link of `connectors authorize` itself: it does not ask for `immediate`",
    ),
    row(
        &["oauth_approval_error_generic"],
        &[],
        CONFIG,
        "the app must be installed into the org",
        "Setup > Connected Apps OAuth Usage > Install, or give the user `Approve Uninstalled Connected Apps`",
    ),
    row(
        &["oauth_app_blocked"],
        &[],
        CONFIG,
        "an administrator blocked the app",
        "Setup > Connected Apps OAuth Usage > Unblock; see also Setup > API Access Control",
    ),
    row(
        &["app_blocked"],
        &[],
        CONFIG,
        "the app is blocked in this org",
        "unblock it under Setup > Connected Apps OAuth Usage",
    ),
    row(
        &["oauth_flow_disabled"],
        &[],
        CONFIG,
        "the org disabled this OAuth flow",
        "allow it under Setup > OAuth and OpenID Connect Settings, or choose another `grant`",
    ),
    row(
        &["oauth_ec_app_not_found"],
        &[],
        CONFIG,
        "the External Client App is not installed in this org",
        "create or install the app in the org that the domain names, and take its Consumer Key as Client ID: the key of another org, or of a sandbox made before the app, does not work there",
    ),
    row(
        &["oauth_app_access_denied"],
        &[],
        CONFIG,
        "the app does not let this user or address in",
        "press Allow at the page; else see IP Relaxation and Permitted Users in the app's policies, and Setup > API Access Control",
    ),
    row(
        &["app_not_found"],
        &["not installed"],
        CONFIG,
        "the External Client App is not installed in this org any more",
        "install the app in the org again (after a sandbox refresh or a copy too), then authorize the connector again",
    ),
    row(
        &["app_not_found"],
        &[],
        CONFIG,
        "the app does not exist in this org",
        "compare the Client ID and the domain with the org where the app is (Setup > App Manager)",
    ),
    row(
        &["ecapp_policy_not_found"],
        &[],
        CONFIG,
        "the External Client App has no policy in this org",
        "open the app's Policies tab (Setup > External Client App Manager) and save it once",
    ),
    row(
        &["oauth_policy_not_found"],
        &[],
        CONFIG,
        "the app has no OAuth policy in this org",
        "open the app's OAuth policies (Setup > Manage Connected Apps) and save them once",
    ),
    row(
        &["unknown_error"],
        &[],
        RETRY,
        "Salesforce had a fault it does not name",
        "try again; see https://status.salesforce.com if it stays",
    ),
    row(
        &["server_error"],
        &[],
        RETRY,
        "Salesforce had an internal fault",
        "try again in a few minutes; see https://status.salesforce.com if it stays",
    ),
    row(
        &["service_unavailable"],
        &[],
        RETRY,
        "Salesforce's login service is not available",
        "try again later; see https://status.salesforce.com",
    ),
    row(
        &["system_down"],
        &[],
        RETRY,
        "Salesforce is down, for maintenance perhaps",
        "try again after the maintenance; see https://status.salesforce.com",
    ),
    row(
        &["slow_down"],
        &[],
        RETRY,
        "Salesforce asks for fewer requests",
        "try again in a few minutes; see whether other servers use the same app",
    ),
    row(
        &["authorization_pending"],
        &[],
        RETRY,
        "somebody still has to approve at Salesforce",
        "finish the approval in the browser, then try again",
    ),
    row(
        &["use_dpop_nonce"],
        &[],
        CONFIG,
        "the app demands DPoP, which this connector does not support",
        "switch DPoP off in the app's OAuth settings",
    ),
    row(
        &["invalid_dpop_proof"],
        &[],
        CONFIG,
        "the app demands a DPoP proof, which this connector cannot give",
        "clear Require DPoP in the app's OAuth settings",
    ),
];

#[cfg(test)]
#[path = "oauth_error_tests.rs"]
mod tests;
