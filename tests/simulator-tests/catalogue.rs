//! The org's refusals against a table of the platform's, case by case.

use reqwest::blocking::RequestBuilder;
use salesforce_sim::{Action, Fault, Policy, SessionAnswer, SimulatedOrg};
use serde_json::Value;

use crate::client::{Answer, Story, query_path};

const CATALOGUE: &str = include_str!("../fixtures/errors/catalogue.json");

fn case(name: &str) -> Value {
    let cases: Vec<Value> = serde_json::from_str(CATALOGUE).expect("a table");
    cases
        .into_iter()
        .find(|case| case["name"] == name)
        .unwrap_or_else(|| panic!("no case `{name}`"))
}

/// Compares status and body; a body that is text is compared by its content type only, for
/// its words are the platform's own to change.
fn agrees(name: &str, answer: &Answer) {
    let case = case(name);
    assert_eq!(
        u64::from(answer.status),
        case["status"].as_u64().expect("a status"),
        "{name}: {}",
        answer.text
    );
    let kind = answer
        .header("content-type")
        .expect("a content type")
        .replace(' ', "")
        .to_ascii_lowercase();
    let wanted =
        case["contentType"].as_str().expect("a content type").replace(' ', "").to_ascii_lowercase();
    assert_eq!(kind, wanted, "{name}");
    if case["body"].is_array() {
        assert_eq!(answer.json(), case["body"], "{name}");
    }
}

fn send(request: RequestBuilder) -> Answer {
    Answer::of(request.send().expect("an answer"))
}

#[test]
fn refusals_of_a_session_agree_with_the_table() {
    let story = Story::new();
    let limits = || story.get("/services/data/v60.0/limits");
    for (answer, name) in [
        (SessionAnswer::AlwaysExpired, "session-expired"),
        (SessionAnswer::NotForRest, "session-not-for-rest"),
        (SessionAnswer::NotAttached, "app-not-attached"),
    ] {
        story.org.set_policy(|policy| policy.session_answer = answer);
        agrees(name, &limits());
    }
    story.org.set_policy(|policy| *policy = Policy { api_enabled: false, ..Policy::default() });
    agrees("api-disabled-for-org", &limits());
    story.org.set_policy(|policy| *policy = Policy { daily_api_limit: 0, ..Policy::default() });
    agrees("total-requests", &limits());
    let userinfo = story.client.get(story.url("/services/oauth2/userinfo")).bearer_auth("00D!no");
    let refused = send(userinfo);
    agrees("bad-oauth-token", &refused);
    assert_eq!(case("bad-oauth-token")["body"], refused.text.as_str());
}

#[test]
fn refusals_of_a_query_agree_with_the_table() {
    let story = Story::of(SimulatedOrg::builder().users(50).start());
    agrees("invalid-type", &story.query("select count() from XYZZY"));
    agrees("invalid-field", &story.query("SELECT Id, Foo FROM UserLicense"));
    agrees("malformed-query", &story.query("SELECT Id FROM"));
    agrees("offset-too-big", &story.query("SELECT Id FROM User LIMIT 1 OFFSET 2001"));
    agrees(
        "invalid-query-locator",
        &story.get("/services/data/v60.0/query/0r8000000000000000-2000"),
    );
    let newest =
        query_path("SELECT Id FROM UserLicense WHERE UsedLicenses > 0").replace("v60.0", "v66.0");
    agrees("field-not-filterable", &story.get(&newest));
}

#[test]
fn refusals_of_a_path_agree_with_the_table() {
    let story = Story::new();
    agrees("not-found", &story.get("/services/data/v60.0/nothing"));
    agrees("not-found", &story.get("/services/data/v60.0/sobjects/Nothing/describe"));
    agrees("version-gone", &story.get("/services/data/v21.0/limits"));
    agrees(
        "uri-too-long",
        &story.get(&format!("/services/data/v60.0/query?q={}", "x".repeat(16_400))),
    );
    let long = story.client.get(story.url("/services/data")).header("X-Long", "x".repeat(16_400));
    agrees("headers-too-long", &send(long));
}

#[test]
fn faults_agree_with_the_table() {
    let story = Story::new();
    for (action, name) in [
        (Action::ConcurrentLimit, "concurrent-requests"),
        (Action::DailyLimit, "total-requests"),
        (Action::ServerUnavailable, "server-unavailable"),
        (Action::EdgeUnavailable, "edge-503-html"),
        (Action::EdgeNoRoute, "edge-420-html"),
        (Action::HtmlPage, "maintenance-html-200"),
    ] {
        story.org.faults().set([Fault::new(action)]);
        agrees(name, &story.get("/services/data/v60.0/limits"));
    }
}
