//! The authorization endpoint: what the person sees and what the callback gets.

use salesforce_sim::{Pkce, SimulatedOrg};

use crate::client::{Answer, Story, parameter};

fn refusal(address: &str) -> (String, String) {
    (parameter(address, "error"), parameter(address, "error_description"))
}

#[test]
fn allow_leads_to_the_success_page_with_a_code_and_the_state_unchanged() {
    let story = Story::new();
    let address = story
        .org
        .approve(&story.authorize_url(&[("state", "a+b c&d=é"), ("scope", "api refresh_token")]));
    assert!(
        address.starts_with("https://login.salesforce.com/services/oauth2/success?code=aPrx"),
        "{address}"
    );
    assert!(address.contains("%3D%3D&state="), "{address}");
    assert_eq!(parameter(&address, "state"), "a+b c&d=é");
    assert!(parameter(&address, "code").ends_with("=="));
}

#[test]
fn deny_leads_back_without_a_code() {
    let story = Story::new();
    let address = story.org.deny(&story.authorize_url(&[("state", "s")]));
    assert!(
        address.ends_with(
            "?error=access_denied&error_description=end-user+denied+authorization&state=s"
        ),
        "{address}"
    );
}

#[test]
fn a_scripted_client_finds_the_form_in_the_page() {
    let story = Story::new();
    let page = Answer::of(story.client.get(story.authorize_url(&[])).send().expect("a page"));
    assert_eq!(page.status, 200);
    let between = |before: &str| {
        page.text.split(before).nth(1).and_then(|rest| rest.split('"').next()).expect("a field")
    };
    let (action, source) = (between("action=\""), between("name=\"source\" value=\""));
    let wrong = [
        ("source", source),
        ("username", story.org.username()),
        ("password", "wrong"),
        ("action", "allow"),
    ];
    let again = story.post(action, &wrong);
    assert_eq!(again.status, 200);
    assert!(again.text.contains("Please check your username and password."));
    let right = [
        ("source", source),
        ("username", story.org.username()),
        ("password", story.org.password()),
        ("action", "allow"),
    ];
    let done = story.post(action, &right);
    assert_eq!(done.status, 302);
    assert!(!parameter(done.header("location").expect("a callback"), "code").is_empty());
    // The same page cannot be answered twice.
    assert!(
        story
            .post(action, &right)
            .header("location")
            .expect("a page")
            .contains("RemoteAccessErrorPage")
    );
}

#[test]
fn refusals_that_must_not_reach_the_callback_stay_on_the_platform() {
    let story = Story::new();
    for (more, error, description) in [
        (("client_id", "3MVGwrong"), "invalid_client_id", "client identifier invalid"),
        (
            ("redirect_uri", "https://evil.example/"),
            "redirect_uri_mismatch",
            "redirect_uri must match configuration",
        ),
        (("redirect_uri", ""), "redirect_uri_missing", "redirect_uri not provided"),
    ] {
        let address = story.org.approve(&story.authorize_url(&[more]));
        assert!(
            address.contains("acme.my.salesforce.com/setup/secur/RemoteAccessErrorPage.apexp?"),
            "{address}"
        );
        assert_eq!(refusal(&address), (error.to_owned(), description.to_owned()));
    }
}

#[test]
fn a_callback_that_differs_in_one_character_is_not_the_registered_one() {
    let story = Story::new();
    let uri = format!("{}/", story.org.redirect_uri());
    let address = story.org.approve(&story.authorize_url(&[("redirect_uri", &uri)]));
    assert_eq!(refusal(&address).0, "redirect_uri_mismatch");
}

#[test]
fn refusals_of_the_request_are_told_to_the_callback() {
    let story = Story::new();
    for (more, error) in [
        (("scope", "api full"), "invalid_scope"),
        (("scope", "api,refresh_token"), "invalid_scope"),
        (("response_type", "device_code"), "unsupported_response_type"),
        (("immediate", "true"), "immediate_unsuccessful"),
        (("code_challenge", "too-short"), "invalid_request"),
    ] {
        let address = story.org.approve(&story.authorize_url(&[more, ("state", "s")]));
        assert!(address.starts_with(&story.org.redirect_uri()), "{address}");
        assert_eq!(
            (refusal(&address).0.as_str(), parameter(&address, "state").as_str()),
            (error, "s"),
            "{more:?}"
        );
    }
}

#[test]
fn a_required_challenge_that_is_missing_is_answered_with_a_bare_body() {
    let story =
        Story::of(SimulatedOrg::builder().policy(|policy| policy.pkce = Pkce::Required).start());
    let answer = Answer::of(story.client.get(story.authorize_url(&[])).send().expect("an answer"));
    assert_eq!(
        answer.text,
        "error=invalid_request&error_description=missing+required+code+challenge"
    );
    assert_eq!(answer.header("content-type"), None);
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    assert!(!story.code(&[("code_challenge", challenge)]).is_empty());
}

#[test]
fn what_the_administrator_forbids_is_shown_on_the_error_page() {
    let story = Story::new();
    let error = |change: fn(&mut salesforce_sim::Policy)| {
        story.org.set_policy(|policy| *policy = salesforce_sim::Policy::default());
        story.org.set_policy(change);
        refusal(&story.org.approve(&story.authorize_url(&[]))).0
    };
    assert_eq!(error(|policy| policy.app_blocked = true), "OAUTH_APP_BLOCKED");
    assert_eq!(error(|policy| policy.app_not_installed = true), "invalid_client");
    assert_eq!(error(|policy| policy.not_admin_approved = true), "invalid_app_access");
    assert_eq!(error(|policy| policy.user_inactive = true), "inactive_user");
    assert_eq!(error(|policy| policy.org_inactive = true), "inactive_org");
    assert_eq!(error(|policy| policy.app_propagating = true), "invalid_client_id");
    assert_eq!(error(|policy| policy.outside_login_hours = true), "invalid_grant");
    assert_eq!(error(|policy| policy.logins_per_hour = 0), "rate_limit_exceeded");
}

#[test]
fn the_user_agent_flow_puts_its_tokens_behind_the_hash() {
    let story = Story::new();
    let address =
        story.org.approve(&story.authorize_url(&[("response_type", "token"), ("state", "s")]));
    let fragment = address.split_once('#').expect("a fragment").1;
    let value = |name: &str| {
        url::form_urlencoded::parse(fragment.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    assert!(value("access_token").starts_with("00D"));
    assert!(value("refresh_token").starts_with("5Aep"));
    assert_eq!(value("state"), "s");
    assert!(address.contains("%21"), "the exclamation mark is encoded: {address}");
    story.org.set_policy(|policy| policy.user_agent_flow = false);
    let address = story.org.approve(&story.authorize_url(&[("response_type", "token")]));
    assert_eq!(refusal(&address).0, "unsupported_response_type");
}
