//! Every refusal of the OAuth endpoints that a switch does not make, worded by a script, and
//! the ones a switch makes, row by row.

use std::time::Duration;

use salesforce_sim::{Action, Fault, IpRestriction, Policy, RefreshTokenPolicy, SimulatedOrg};

use crate::client::{Story, parameter};

fn refusal(error: &str, description: &str) -> Action {
    Action::OauthError { error: error.into(), description: description.into(), status: 400 }
}

#[test]
fn a_script_can_word_every_refusal_of_the_token_endpoint() {
    let story = Story::new();
    let token = story.org.issue_refresh_token();
    for (error, description) in [
        ("invalid_grant", "activation secret invalid"),
        ("invalid_grant", "Audience validation failed"),
        ("invalid_grant", "expired authorization code"),
        ("invalid_client", "client identifier invalid"),
        ("invalid_scope", ""),
        ("unknown_error", "retry your request"),
        ("server_error", ""),
        ("service_unavailable", ""),
        ("system_down", ""),
        ("slow_down", ""),
        ("authorization_pending", ""),
        ("use_dpop_nonce", ""),
        ("invalid_dpop_proof", ""),
    ] {
        story.org.faults().set([Fault::new(refusal(error, description))]);
        let answer = story.refresh(&token);
        assert_eq!(answer.oauth_error(), (error.to_owned(), description.to_owned()));
        assert_eq!(answer.header("content-type"), Some("application/json;charset=UTF-8"));
    }
    let busy = Action::OauthError {
        error: "rate_limit_exceeded".into(),
        description: "login rate exceeded".into(),
        status: 429,
    };
    story.org.faults().set([Fault::new(busy)]);
    assert_eq!(story.refresh(&token).status, 429);
    assert_eq!(story.refresh(&token).status, 200);
}

#[test]
fn a_scripted_refusal_comes_in_the_form_that_was_asked_for() {
    let story = Story::new();
    story.org.faults().push(Fault::new(refusal("unknown_error", "retry your request")));
    let answer = story.token_request(&[("grant_type", "refresh_token"), ("format", "urlencoded")]);
    assert_eq!(answer.text, "error=unknown_error&error_description=retry+your+request");
}

#[test]
fn a_script_can_word_every_refusal_of_the_authorize_page() {
    let story = Story::new();
    for (error, description) in [
        ("invalid_request", "HTTPS required"),
        ("oauth_flow_disabled", ""),
        ("app_blocked", ""),
        ("app_not_found", ""),
        ("ecapp_policy_not_found", ""),
        ("oauth_policy_not_found", ""),
    ] {
        story.org.faults().set([Fault::new(refusal(error, description))]);
        let address = story.org.approve(&story.authorize_url(&[]));
        assert!(address.contains("/setup/secur/RemoteAccessErrorPage.apexp?"), "{address}");
        assert_eq!(parameter(&address, "error"), error);
        assert_eq!(parameter(&address, "error_description"), description);
    }
}

#[test]
fn a_code_can_be_refused_for_the_address_while_a_refresh_is_not() {
    let story = Story::new();
    let (code, token) = (story.code(&[]), story.org.issue_refresh_token());
    story.org.set_policy(|policy| policy.ip_restriction = IpRestriction::CodeExchange);
    assert_eq!(story.exchange(&code, &[]).oauth_error().1, "ip restricted");
    assert_eq!(story.refresh(&token).status, 200);
    story.org.set_policy(|policy| policy.ip_restriction = IpRestriction::All);
    assert_eq!(story.refresh(&token).oauth_error().1, "ip restricted");
}

#[test]
fn the_login_beyond_the_hours_limit_is_refused_for_an_hour() {
    let story = Story::new();
    let token = story.org.issue_refresh_token();
    assert_eq!(Policy::default().logins_per_hour, 3_600);
    story.org.set_policy(|policy| policy.logins_per_hour = 2);
    assert_eq!(story.refresh(&token).status, 200);
    assert_eq!(story.refresh(&token).status, 200);
    assert_eq!(story.refresh(&token).oauth_error().0, "rate_limit_exceeded");
    story.org.advance(Duration::from_secs(3_600));
    assert_eq!(story.refresh(&token).status, 200);
}

#[test]
fn a_policy_that_changes_later_ends_what_was_granted_before() {
    let story = Story::new();
    let token = story.org.issue_refresh_token();
    assert_eq!(story.refresh(&token).status, 200);
    story
        .org
        .set_policy(|policy| policy.refresh_token_policy = RefreshTokenPolicy::ImmediatelyExpire);
    assert_eq!(story.refresh(&token).oauth_error().1, "expired access/refresh token");
}

#[test]
fn an_app_that_is_not_known_yet_becomes_known() {
    let story =
        Story::of(SimulatedOrg::builder().policy(|policy| policy.app_propagating = true).start());
    let token = story.org.issue_refresh_token();
    assert_eq!(story.refresh(&token).oauth_error().0, "invalid_client_id");
    story.org.set_policy(|policy| policy.app_propagating = false);
    assert_eq!(story.refresh(&token).status, 200);
}

#[test]
fn a_denial_can_be_spelled_as_the_help_page_spells_it() {
    let story = Story::new();
    let callback = format!("{}?error=access-denied&state=s", story.org.redirect_uri());
    let found = Action::Status {
        code: 302,
        body: String::new(),
        content_type: None,
        headers: vec![("Location".into(), callback.clone())],
    };
    story.org.faults().push(Fault::new(found).on_path("/setup/secur/RemoteAccessAuthorization"));
    assert_eq!(story.org.deny(&story.authorize_url(&[("state", "s")])), callback);
}

#[test]
fn limits_of_codes_approvals_and_scopes_are_switches() {
    let story = Story::of(
        SimulatedOrg::builder()
            .policy(|policy| {
                policy.authorization_code_lifetime = Duration::from_secs(120);
                policy.approvals_per_user = 2;
                policy.scopes.insert("web".to_owned());
            })
            .start(),
    );
    let code = story.code(&[("scope", "web")]);
    assert_eq!(story.exchange(&code, &[]).json()["scope"], "web");
    let code = story.code(&[]);
    story.org.advance(Duration::from_secs(120));
    assert_eq!(story.exchange(&code, &[]).oauth_error().1, "expired authorization code");
    let tokens: Vec<String> = (0..3).map(|_| story.org.issue_refresh_token()).collect();
    assert_eq!(story.refresh(&tokens[0]).oauth_error().1, "expired access/refresh token");
    assert_eq!(story.refresh(&tokens[1]).status, 200);
}

#[test]
fn a_live_token_reads_inactive_to_an_app_that_may_not_introspect() {
    let story =
        Story::of(SimulatedOrg::builder().policy(|policy| policy.introspection = false).start());
    let form = [
        ("token", story.token.as_str()),
        ("client_id", story.org.client_id()),
        ("client_secret", story.org.client_secret()),
    ];
    let answer = story.post("/services/oauth2/introspect", &form);
    assert_eq!((answer.status, answer.text.as_str()), (200, r#"{"active":false}"#));
}

#[test]
fn revoking_can_fail_and_then_the_token_lives_on() {
    let story = Story::new();
    let token = story.org.issue_refresh_token();
    let revoke = || story.post("/services/oauth2/revoke", &[("token", &token)]);
    story
        .org
        .faults()
        .push(Fault::new(Action::ServerUnavailable).on_path("/services/oauth2/revoke"));
    assert_eq!(revoke().status, 503);
    assert_eq!(story.refresh(&token).status, 200);
    let query = story.client.get(story.url("/services/oauth2/revoke")).query(&[("token", &token)]);
    assert_eq!(query.send().expect("an answer").status(), 200, "the older way works as well");
    story.org.faults().push(Fault::new(Action::FormBody).on_path("/services/oauth2/revoke"));
    assert_eq!(revoke().text, "error=invalid_token&error_description=invalid+token");
}
