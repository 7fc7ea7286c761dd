//! What the org writes down.

use salesforce_sim::{Entry, SimulatedOrg, Violation};

use crate::client::{Answer, Story};

#[test]
fn a_query_is_written_down_with_its_text_rows_bytes_and_user() {
    let story = Story::new();
    let answer = story.query("SELECT Id FROM User LIMIT 3");
    let entry = story.org.journal().pop().expect("an entry");
    assert_eq!((entry.method.as_str(), entry.path.as_str()), ("GET", "/services/data/v60.0/query"));
    assert_eq!(entry.soql.as_deref(), Some("SELECT Id FROM User LIMIT 3"));
    assert_eq!(entry.object.as_deref(), Some("User"));
    assert_eq!((entry.status, entry.rows), (Some(200), 3));
    assert!(entry.bytes > 0);
    assert_eq!(entry.user_id, Some(story.org.estate().admin().user_id));
    assert_eq!(entry.token_generation, Some(1));
    assert_eq!(Some(entry.request_id.as_str()), answer.header("x-sfdc-request-id"));
    assert!(entry.violations.is_empty());
}

#[test]
fn a_new_access_token_is_a_new_generation() {
    let mut story = Story::new();
    story.query("SELECT Id FROM User LIMIT 1");
    story.token = story.org.issue_access_token();
    story.query("SELECT Id FROM User LIMIT 1");
    let generations: Vec<_> =
        story.org.journal().into_iter().map(|entry| entry.token_generation).collect();
    assert_eq!(generations, [Some(1), Some(2)]);
}

#[test]
fn a_token_in_a_url_is_noted_and_not_written_down() {
    let story = Story::new();
    let token = story.token.clone();
    let answer = Answer::of(
        story
            .client
            .get(story.url(&format!("/services/data/v60.0/limits?access_token={token}")))
            .send()
            .expect("an answer"),
    );
    assert_eq!(answer.status, 401, "it is no way to authenticate either");
    let entry = story.org.journal().pop().expect("an entry");
    assert_eq!(entry.violations, [Violation::SecretInUrl]);
    assert!(!format!("{entry:?}").contains(&token));
    assert_eq!(entry.query, "access_token=***");
}

#[test]
fn a_whole_run_leaves_no_secret_in_the_journals_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("journal.jsonl");
    let story = Story::of(SimulatedOrg::builder().journal_file(&file).start());
    let code = story.code(&[]);
    let tokens = story.exchange(&code, &[]).json();
    story.refresh(tokens["refresh_token"].as_str().expect("a token"));
    story.query("SELECT Id FROM User LIMIT 1");
    let text = std::fs::read_to_string(&file).expect("a journal");
    let entries: Vec<Entry> =
        text.lines().map(|line| serde_json::from_str(line).expect("an entry")).collect();
    assert_eq!(entries, story.org.journal());
    assert!(entries.iter().any(|entry| entry.grant_type.as_deref() == Some("refresh_token")));
    let secrets = [code.as_str(), &story.token, story.org.client_secret(), story.org.password()];
    let issued =
        ["access_token", "refresh_token"].map(|key| tokens[key].as_str().expect("a token"));
    for secret in secrets.into_iter().chain(issued) {
        assert!(!text.contains(secret));
    }
}

#[test]
fn refusals_are_written_down_with_their_code() {
    let story = Story::new();
    story.query("SELECT Nothing FROM User");
    story.refresh("5Aepnothing");
    let errors: Vec<_> =
        story.org.journal().into_iter().map(|entry| entry.error.unwrap_or_default()).collect();
    assert_eq!(errors, ["INVALID_FIELD", "invalid_grant"]);
}

#[test]
fn a_code_that_is_exchanged_twice_is_noted() {
    let story = Story::new();
    let code = story.code(&[]);
    story.exchange(&code, &[]);
    assert!(story.org.violations().is_empty(), "the browser's own callback is none either");
    story.exchange(&code, &[]);
    let violations: Vec<Violation> =
        story.org.violations().into_iter().map(|(violation, _)| violation).collect();
    assert_eq!(violations, [Violation::RepeatedCode]);
}

#[test]
fn writing_is_noted() {
    let story = Story::new();
    let path = story.url("/services/data/v60.0/sobjects/User/005000000000001");
    for request in [story.client.patch(&path), story.client.delete(&path)] {
        request.bearer_auth(&story.token).send().expect("an answer");
    }
    let violations: Vec<Violation> =
        story.org.violations().into_iter().map(|(violation, _)| violation).collect();
    assert_eq!(violations, [Violation::WriteMethod; 2]);
}

#[test]
fn everything_that_was_given_out_can_be_searched_for() {
    let story = Story::of(
        SimulatedOrg::builder().policy(|policy| policy.rotate_refresh_tokens = true).start(),
    );
    let code = story.code(&[]);
    let first = story.exchange(&code, &[]).json();
    let second = story.refresh(first["refresh_token"].as_str().expect("a token")).json();
    let issued = story.org.issued_secrets();
    let mut given = vec![code, story.token.clone()];
    for answer in [&first, &second] {
        for key in ["access_token", "refresh_token"] {
            given.push(answer[key].as_str().expect("a token").to_owned());
        }
    }
    assert_eq!(issued.len(), given.len());
    assert!(given.iter().all(|secret| issued.contains(secret)));
}
