//! Answers that are not the org's: a proxy's page, an empty body, a status of the way. None of them may
//! decide that something is denied, absent or dead, and none may be remembered.

use connector_api::Connector as _;
use connector_api::ErrorKind;
use connector_api::message::{DatasetStatus, FindingStatus};
use salesforce_sim::{Action, Fault, SimulatedOrg};

use crate::host::{Run, TestHost};

const PAGE: &str = "<html><head><title>Access denied</title></head><body>Ask IT</body></html>";

fn answer(code: u16, body: &str, kind: &str) -> Action {
    Action::Status { code, body: body.into(), content_type: Some(kind.into()), headers: vec![] }
}

/// What stands between a server and an org, by what it answers.
fn gateways() -> Vec<Action> {
    let mut answers = Vec::new();
    for code in [200, 400, 401, 403, 404, 405, 407, 408, 410, 420, 421, 429, 451, 500, 502, 503] {
        answers.push(answer(code, PAGE, "text/html"));
        answers.push(answer(code, "", "text/plain"));
    }
    for code in [201, 202, 203, 206] {
        answers.push(answer(
            code,
            r#"{"totalSize":0,"done":true,"records":[]}"#,
            "application/json",
        ));
    }
    for code in [403, 404, 500] {
        answers.push(answer(code, r#"{"message":"Forbidden"}"#, "application/json"));
    }
    answers.push(answer(
        200,
        r#"[{"errorCode":"INVALID_TYPE","message":"x"}]"#,
        "application/json",
    ));
    answers
}

fn org() -> SimulatedOrg {
    SimulatedOrg::builder().users(60).logins_per_user(1).seed(3).start()
}

/// The run does not say that the dataset is denied, absent or complete; nothing that ends a schedule.
#[track_caller]
fn is_a_passing_failure(run: &Run, dataset: &str, what: &Action) {
    match &run.summary.error {
        Some(error) => assert!(
            matches!(error.kind, ErrorKind::RETRYABLE | ErrorKind::RATE_LIMITED),
            "{what:?}: {:?} {error}",
            error.kind
        ),
        None => {
            let summary = run.of(dataset);
            assert!(
                matches!(summary.status, DatasetStatus::Failed | DatasetStatus::Incomplete),
                "{what:?}: {summary:?}"
            );
        }
    }
}

/// Plays each gateway for good, and then once, on the requests that `place` picks.
fn every_gateway(dataset: &str, place: fn(Fault) -> Fault) {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    host.full(&[dataset]).is_complete(dataset);
    let whole = host.records[dataset].clone();
    for gateway in gateways() {
        org.faults().set([place(Fault::new(gateway.clone())).always()]);
        let run = host.full(&[dataset]);
        assert!(org.faults().played() > 0, "{gateway:?} was not played");
        is_a_passing_failure(&run, dataset, &gateway);
        org.faults().set([place(Fault::new(gateway.clone()))]);
        let run = host.full(&[dataset]);
        run.is_complete(dataset);
        assert!(host.records[dataset] == whole, "{gateway:?}");
    }
    org.faults().clear();
    host.full(&[dataset]).is_complete(dataset);
}

#[test]
fn a_gateways_answer_to_a_query_is_no_answer_of_the_org() {
    every_gateway("user_role", |fault| fault.on_object("UserRole").on_path_with("/query"));
}

#[test]
fn a_gateways_answer_to_a_describe_is_no_answer_of_the_org_and_is_not_remembered() {
    every_gateway("user_role", |fault| fault.on_path_with("/UserRole/describe"));
}

#[test]
fn a_gateways_answer_about_the_versions_is_no_answer_of_the_org() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    for gateway in gateways() {
        org.faults()
            .set([Fault::new(gateway.clone()).on_path("/services/data").on_method("GET").always()]);
        let error = host.fails(&["user_role"]);
        assert!(
            matches!(error.kind, ErrorKind::RETRYABLE | ErrorKind::SCHEMA),
            "{gateway:?}: {:?} {error}",
            error.kind
        );
        org.faults().clear();
        host.full(&["user_role"]).is_complete("user_role");
    }
}

#[test]
fn a_failure_repeats_what_was_answered() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    let page = answer(403, PAGE, "text/html");
    org.faults().set([Fault::new(page).on_object("UserRole").on_path_with("/query").always()]);
    let reason = host.full(&["user_role"]).of("user_role").reason.clone().expect("a reason");
    assert!(reason.contains("403") && reason.contains("Access denied"), "{reason}");
}

#[test]
fn a_refusal_of_everything_is_one_cause_said_once() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    let refusal = answer(
        403,
        r#"[{"errorCode":"INSUFFICIENT_ACCESS","message":"insufficient access rights on cross-reference id"}]"#,
        "application/json",
    );
    org.faults().set([Fault::new(refusal.clone()).on_path("/services/data/v").always()]);
    let error = host.fails(&["user_role", "user"]);
    assert_eq!(error.kind, ErrorKind::DENIED, "{error}");
    assert!(error.message.contains("INSUFFICIENT_ACCESS"), "{error}");
    assert!(error.hint.as_deref().is_some_and(|hint| hint.contains("API Access Control")));
    let report = host.connector().check().expect("a report");
    let failed: Vec<_> =
        report.findings.iter().filter(|f| f.status == FindingStatus::Failed).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    // One object alone is a missing right, and nothing else is concerned.
    org.faults().set([Fault::new(refusal).on_object("UserRole").always()]);
    let run = host.full(&["user_role", "profile"]);
    assert_eq!(run.of("user_role").status, DatasetStatus::Denied);
    run.is_complete("profile");
}

#[test]
fn a_row_that_is_locked_is_read_at_the_next_try() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    let locked = answer(
        400,
        r#"[{"errorCode":"UNABLE_TO_LOCK_ROW","message":"unable to obtain exclusive access"}]"#,
        "application/json",
    );
    org.faults().set([Fault::new(locked).on_object("UserRole").on_path_with("/query")]);
    host.full(&["user_role"]).is_complete("user_role");
    assert_eq!(org.faults().played(), 1);
}

#[test]
fn a_pause_that_is_asked_for_as_a_date_is_kept() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    let later = chrono::Utc::now() + chrono::TimeDelta::seconds(90);
    let busy = Action::Status {
        code: 503,
        body: String::new(),
        content_type: None,
        headers: vec![(
            "Retry-After".into(),
            later.format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        )],
    };
    org.faults().set([Fault::new(busy).on_object("UserRole").on_path_with("/query")]);
    host.full(&["user_role"]).is_complete("user_role");
    assert!((60_000..=90_000).contains(&host.slept_ms()), "{}", host.slept_ms());
}

#[test]
fn a_relationship_that_is_hidden_is_left_out_with_its_fields() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    let unknown = answer(
        400,
        r#"[{"errorCode":"INVALID_FIELD","message":"\nProfile.Name\n^\nERROR at Row:1:Column:8\nDidn't understand relationship 'Profile' in field path. If you are attempting to use a custom relationship, be sure to append the '__r'."}]"#,
        "application/json",
    );
    org.faults().set([Fault::new(unknown).on_object("User").on_soql_with("Profile.").always()]);
    let run = host.full(&["user"]);
    let summary = run.of("user");
    assert_eq!(summary.status, DatasetStatus::Degraded, "{summary:?}");
    assert_eq!(summary.rows, org.truth().total_users);
    assert!(
        summary.missing_fields.iter().any(|field| field.starts_with("Profile.")),
        "{summary:?}"
    );
}

#[test]
fn an_org_that_moved_names_its_target_and_how_to_agree() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    let moved = Action::Status {
        code: 301,
        body: String::new(),
        content_type: None,
        headers: vec![("Location".into(), "https://acme2.my.salesforce.com/services/data".into())],
    };
    org.faults().set([Fault::new(moved).on_path("/services/data/v").always()]);
    let error = host.fails(&["user_role"]);
    assert_eq!(error.kind, ErrorKind::RETRYABLE, "{error}");
    assert!(error.message.contains("acme2.my.salesforce.com"), "{error}");
    let hint = error.hint.unwrap_or_default();
    assert!(hint.contains("--accept-host acme2.my.salesforce.com"), "{hint}");
    org.faults().clear();
    host.full(&["user_role"]).is_complete("user_role");
}
