use std::collections::BTreeSet;

use super::*;

fn explain(error: &str, description: &str, step: Flow) -> Error {
    OAuthRefusal::pasted(&Masker::default(), error, description)
        .explain(step, Some("00D000000000001AAA"))
}

/// Both tables of the platform's refusals, with the class of each: R, a person authorizes again;
/// C, a setting is changed; T, it passes; L, it passes after an hour; H, nobody knows, so it is asked
/// again after an hour.
const TABLE: &[(Flow, &str, &str, char)] = &[
    (Flow::Authorize, "access_denied", "end-user denied authorization", 'R'),
    (Flow::Authorize, "invalid_client_id", "client identifier invalid", 'C'),
    (Flow::Authorize, "redirect_uri_mismatch", "redirect_uri must match configuration", 'C'),
    (Flow::Authorize, "redirect_uri_missing", "redirect_uri not provided", 'C'),
    (Flow::Authorize, "unsupported_response_type", "response type not supported", 'C'),
    (
        Flow::Authorize,
        "invalid_scope",
        "the requested scope is invalid, unknown, or malformed",
        'C',
    ),
    (Flow::Authorize, "invalid_request", "missing required code challenge", 'C'),
    (Flow::Authorize, "invalid_request", "HTTPS required", 'C'),
    (Flow::Authorize, "invalid_request", "must use GET", 'C'),
    (Flow::Authorize, "invalid_grant", "invalid user credentials", 'C'),
    (Flow::Authorize, "invalid_grant", "IP restricted or invalid login hours", 'C'),
    (Flow::Authorize, "inactive_user", "user is inactive", 'C'),
    (Flow::Authorize, "inactive_org", "organization is locked, closed, or suspended", 'C'),
    (Flow::Authorize, "rate_limit_exceeded", "number of logins exceeded", 'L'),
    (Flow::Authorize, "immediate_unsuccessful", "", 'R'),
    (Flow::Authorize, "invalid_client", "app must be installed into org", 'C'),
    (Flow::Authorize, "OAUTH_APPROVAL_ERROR_GENERIC", "", 'C'),
    (Flow::Authorize, "OAUTH_APP_BLOCKED", "this app is blocked by admin", 'C'),
    (Flow::Authorize, "invalid_app_access", "user is not admin approved to access this app", 'C'),
    (Flow::Authorize, "oauth_flow_disabled", "", 'C'),
    (Flow::Authorize, "app_blocked", "", 'C'),
    (Flow::Authorize, "OAUTH_EC_APP_NOT_FOUND", "", 'C'),
    (Flow::Authorize, "OAUTH_APP_ACCESS_DENIED", "", 'C'),
    (Flow::Authorize, "app_not_found", "", 'C'),
    (Flow::Refresh, "app_not_found", "External client app is not installed in this org", 'C'),
    (Flow::Authorize, "ecapp_policy_not_found", "", 'C'),
    (Flow::Authorize, "oauth_policy_not_found", "", 'C'),
    (Flow::Refresh, "invalid_grant", "expired access/refresh token", 'R'),
    (Flow::Refresh, "invalid_grant", "token validity expired", 'R'),
    (Flow::Refresh, "invalid_grant", "token request is already being processed", 'T'),
    (Flow::Code, "invalid_grant", "expired authorization code", 'R'),
    (Flow::Code, "invalid_grant", "invalid authorization code", 'R'),
    (Flow::Code, "invalid_grant", "invalid code verifier", 'R'),
    (Flow::Mint, "invalid_grant", "authentication failure - Invalid Password", 'C'),
    (Flow::Mint, "invalid_grant", "user hasn't approved this consumer", 'C'),
    (Flow::Refresh, "invalid_grant", "inactive user", 'C'),
    (Flow::Refresh, "invalid_grant", "inactive organization", 'C'),
    (Flow::Refresh, "invalid_grant", "activation secret invalid", 'R'),
    (Flow::Mint, "invalid_grant", "Audience validation failed", 'C'),
    (Flow::Mint, "invalid_grant", "no client credentials user enabled", 'C'),
    (Flow::Mint, "invalid_grant", "request not supported on this domain", 'C'),
    (Flow::Mint, "invalid_grant", "client credentials flow not enabled", 'C'),
    (Flow::Mint, "invalid_client", "invalid client credentials", 'C'),
    (Flow::Mint, "unsupported_grant_type", "grant type not supported", 'C'),
    (Flow::Code, "invalid_request", "invalid code verifier", 'R'),
    (Flow::Mint, "invalid_request", "username not provided", 'C'),
    (Flow::Mint, "unknown_error", "retry your request", 'T'),
    (Flow::Mint, "server_error", "", 'T'),
    (Flow::Mint, "service_unavailable", "", 'T'),
    (Flow::Mint, "system_down", "", 'T'),
    (Flow::Mint, "slow_down", "", 'T'),
    (Flow::Mint, "authorization_pending", "", 'T'),
    (Flow::Mint, "use_dpop_nonce", "", 'C'),
    (Flow::Mint, "invalid_dpop_proof", "", 'C'),
    (Flow::Refresh, "invalid_grant", "something new", 'R'),
    (Flow::Refresh, "something_new", "", 'H'),
];

#[test]
fn every_documented_refusal_has_its_own_kind_message_and_hint() {
    let (mut meanings, mut hints) = (BTreeSet::new(), BTreeSet::new());
    for (step, error, description, class) in TABLE {
        let explained = explain(error, description, *step);
        let expected = match class {
            'R' => ErrorKind::AUTH,
            'C' => ErrorKind::CONFIG,
            'T' | 'H' => ErrorKind::RETRYABLE,
            _ => ErrorKind::RATE_LIMITED,
        };
        assert_eq!(explained.kind, expected, "{error}: {description}");
        let (meaning, _) = explained.message.rsplit_once(" (").expect("Salesforce's words");
        assert!(meanings.insert(meaning.to_owned()), "{error}: {description}: {meaning}");
        assert!(hints.insert(explained.hint.unwrap_or_default()), "{error}: {description}");
        assert!(explained.message.contains(error), "{}", explained.message);
        assert!(explained.message.contains(description), "{}", explained.message);
    }
}

#[test]
fn every_row_is_reached_by_the_table() {
    let reached: BTreeSet<String> = TABLE
        .iter()
        .map(|(step, error, description, _)| {
            explain(error, description, *step).hint.unwrap_or_default()
        })
        .collect();
    for row in ROWS.iter().chain([&LOCK, &OTHER]) {
        let unreached = !reached.contains(row.hint);
        // One row is only a net under three others of the same code.
        assert!(
            !unreached || row.meaning == "the app's credentials were not accepted",
            "{}",
            row.meaning
        );
    }
}

#[test]
fn spelling_and_case_do_not_matter() {
    let kind = |error, description| explain(error, description, Flow::Authorize).kind;
    assert_eq!(kind("Access-Denied", "End-User Denied Authorization"), ErrorKind::AUTH);
    assert_eq!(kind("INVALID_GRANT", "Inactive User"), ErrorKind::CONFIG);
}

#[test]
fn the_old_text_of_the_lock_counts_only_on_a_refresh() {
    let refusal =
        OAuthRefusal::pasted(&Masker::default(), "invalid_grant", "expired authorization code");
    assert!(refusal.is_lock(Flow::Refresh) && !refusal.is_lock(Flow::Code));
    assert_eq!(refusal.explain(Flow::Refresh, None).kind, ErrorKind::RETRYABLE);
    assert_eq!(refusal.explain(Flow::Code, None).kind, ErrorKind::AUTH);
}

#[test]
fn the_message_names_time_and_org_so_that_the_login_history_can_be_searched() {
    let message = explain("invalid_grant", "inactive user", Flow::Refresh).message;
    assert!(message.contains(" UTC, org 00D000000000001)"), "{message}");
    assert!(!message.contains("00D000000000001AAA"), "{message}");
    let unknown = OAuthRefusal::default().explain(Flow::Refresh, None).message;
    assert!(unknown.contains("no reason given") && unknown.contains(" UTC)"), "{unknown}");
}

#[test]
fn the_login_limit_says_when_to_come_back() {
    let limited = explain("rate_limit_exceeded", "login rate exceeded", Flow::Mint);
    assert_eq!(limited.retry_after_ms, Some(3_600_000));
}

#[test]
fn text_from_the_network_stays_on_one_line_and_ends() {
    let message =
        explain("invalid_grant", &format!("a\nb\u{1b}[31m{}", "x".repeat(5_000)), Flow::Code)
            .message;
    assert!(!message.contains('\n') && !message.contains('\u{1b}'), "{message}");
    assert!(message.len() < 1_000);
}
