//! What Salesforce's authorize and token endpoints answer when they refuse, as kind, message, hint.
//!
//! `invalid_grant` alone means a dozen things, so the description decides too.
//!
//! # Source
//! Salesforce Help, "OAuth 2.0 Authorization Errors".

use connector_api::{Error, ErrorKind};

const AUTHORIZE_AGAIN: &str = "authorize the connector again (`connectors authorize`)";

/// Whether the refusal only says that another request with the same token is under way.
pub(crate) fn is_lock(error: &str, description: &str) -> bool {
    error.eq_ignore_ascii_case("invalid_grant")
        && description.to_ascii_lowercase().contains("token request is already being processed")
}

/// An error of the token or authorize endpoint.
pub(crate) fn explain(error: &str, description: &str) -> Error {
    let (code, text) = (error.to_ascii_lowercase(), description.to_ascii_lowercase());
    let (kind, hint) = advice(&code, &text);
    let shown = match (error.is_empty(), description.is_empty()) {
        (false, false) => format!("{error}: {description}"),
        (false, true) => error.to_owned(),
        _ => "no reason given".to_owned(),
    };
    // The text comes from the network: one line, and not without end.
    let shown: String = shown.chars().filter(|c| !c.is_control()).take(300).collect();
    Error::new(kind, format_args!("Salesforce refused the authorization ({shown})")).with_hint(hint)
}

fn advice(code: &str, text: &str) -> (ErrorKind, &'static str) {
    use ErrorKind as K;
    let says = |words: &str| text.contains(words);
    match code {
        "invalid_grant" if says("token request is already being processed") => (
            K::RETRYABLE,
            "another request used the same token at this moment; try again in a few seconds",
        ),
        "invalid_grant" if says("expired authorization code") => (
            K::AUTH,
            "a code works once and for 15 minutes: open the authorize link again and paste the new address at once",
        ),
        "invalid_grant" if says("invalid authorization code") => (
            K::AUTH,
            "the code was changed on its way or belongs to another app: open the link again and paste the whole address of the page that follows",
        ),
        "invalid_grant" if says("code verifier") || says("code challenge") => (
            K::AUTH,
            "the code belongs to an earlier authorize link: open the newest link and paste the address that follows",
        ),
        "invalid_grant" if says("expired access/refresh token") => (
            K::AUTH,
            "the token was revoked, expired, replaced, or pushed out by a sixth approval of this user and app; authorize again, and see the app's refresh token policy (Setup > External Client Apps or Connected Apps > OAuth policies)",
        ),
        "invalid_grant" if says("token validity expired") => (
            K::AUTH,
            "the app's refresh token policy ends tokens after a time: set it to `valid until revoked`, then authorize again",
        ),
        "invalid_grant" if says("inactive user") => (
            K::AUTH,
            "activate the connecting user in Setup > Users, or authorize with another user",
        ),
        "invalid_grant" if says("inactive organization") => {
            (K::AUTH, "the org is expired or locked: contact Salesforce")
        }
        "invalid_grant" if says("ip restricted") || says("login hours") => (
            K::AUTH,
            "allow this server's outbound IP address in the user's profile (Login IP Ranges, Login Hours) and in the app's IP policy",
        ),
        "invalid_grant" if says("user hasn't approved") => (
            K::AUTH,
            "approve the app for this user: open the authorize link, or pre-authorize the user in the app's policies",
        ),
        "invalid_grant" if says("authentication failure") => {
            (K::AUTH, "check the user's state in Setup > Login History")
        }
        "invalid_grant" if says("activation secret invalid") => (K::AUTH, AUTHORIZE_AGAIN),
        "invalid_grant" if says("no client credentials user") => {
            (K::AUTH, "set the `Run As` user in the app's client credentials policy")
        }
        "invalid_grant" if says("not supported on this domain") => {
            (K::CONFIG, "enter the org's own My Domain name as the domain")
        }
        "invalid_grant" => (K::AUTH, AUTHORIZE_AGAIN),
        "invalid_client_id" => (
            K::CONFIG,
            "compare the Client ID with the app's Consumer Key and the domain with the org it is in; a new app needs up to 10 minutes",
        ),
        "invalid_client" if says("must be installed") => (
            K::AUTH,
            "install the app: Setup > Connected Apps OAuth Usage > Install; or create it in this org",
        ),
        "invalid_client" => (
            K::CONFIG,
            "compare the Client Secret with the app's Consumer Secret and enter it again",
        ),
        "redirect_uri_mismatch" | "redirect_uri_missing" => (
            K::CONFIG,
            "the app's Callback URL must be exactly the connector's `redirect_uri`; a new app needs up to 10 minutes",
        ),
        "invalid_app_access" => (
            K::AUTH,
            "assign the app to the user's profile or a permission set (app policies: admin approved users)",
        ),
        "unsupported_grant_type" | "unsupported_response_type" | "oauth_flow_disabled" => (
            K::CONFIG,
            "the org or app switched this flow off (Setup > OAuth and OpenID Connect Settings), or the domain is wrong",
        ),
        "invalid_scope" => (K::CONFIG, "add the scopes `api` and `refresh_token` to the app"),
        "invalid_request" if says("code challenge") || says("code verifier") => (
            K::AUTH,
            "use the link that this connector prints: it carries the code challenge the app asks for",
        ),
        "invalid_request" => (K::CONFIG, "check Client ID, Client Secret and Callback URL"),
        "access_denied" => (K::AUTH, "press Allow, logged in as the user the connector is to use"),
        "inactive_user" => (K::AUTH, "activate the user in Setup > Users, or use another user"),
        "inactive_org" => (K::AUTH, "the org is locked, closed or suspended: contact Salesforce"),
        "oauth_approval_error_generic" | "oauth_app_blocked" | "app_blocked" => {
            (K::AUTH, "unblock or install the app: Setup > Connected Apps OAuth Usage")
        }
        "rate_limit_exceeded" => {
            (K::RATE_LIMITED, "the user logged in more than 3,600 times in an hour: wait one hour")
        }
        "use_dpop_nonce" | "invalid_dpop_proof" => (
            K::CONFIG,
            "the app demands DPoP, which this connector does not support: switch it off for this app",
        ),
        "unknown_error" | "server_error" | "service_unavailable" | "system_down" | "slow_down" => {
            (K::RETRYABLE, "Salesforce had a passing fault: try again")
        }
        _ => (K::AUTH, "see Setup > Login History for this user and the app's policies"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_code_with_many_meanings_gives_different_advice() {
        let hint = |description: &str| explain("invalid_grant", description).hint.unwrap();
        let hints = [
            hint("expired authorization code"),
            hint("expired access/refresh token"),
            hint("inactive user"),
            hint("ip restricted"),
            hint("token request is already being processed"),
        ];
        let distinct: std::collections::BTreeSet<_> = hints.iter().collect();
        assert_eq!(distinct.len(), hints.len());
        assert_eq!(
            explain("invalid_grant", "Token request is already being processed").kind,
            ErrorKind::RETRYABLE
        );
    }

    #[test]
    fn wrong_settings_are_told_from_a_dead_grant() {
        assert_eq!(
            explain("invalid_client_id", "client identifier invalid").kind,
            ErrorKind::CONFIG
        );
        assert_eq!(explain("invalid_client", "invalid client credentials").kind, ErrorKind::CONFIG);
        assert_eq!(
            explain("redirect_uri_mismatch", "redirect_uri must match configuration").kind,
            ErrorKind::CONFIG
        );
        assert_eq!(explain("access_denied", "end-user denied authorization").kind, ErrorKind::AUTH);
        assert_eq!(explain("server_error", "").kind, ErrorKind::RETRYABLE);
    }

    #[test]
    fn text_from_the_network_stays_on_one_line() {
        let message = explain("invalid_grant", "a\nb\u{1b}[31m").message;
        assert!(!message.contains('\n') && !message.contains('\u{1b}'), "{message}");
    }
}
