//! What others do to an org's answers, between it and the connector or between two runs: each story
//! ends with the org's records, or with a run that says that it is not complete.

use connector_api::ErrorKind;
use connector_api::message::{CollectMode, DatasetStatus};
use salesforce_sim::{Action, Fault, RequestKind, RetryAfter, SimulatedOrg, Spoiled};

use crate::host::{Records, Run, TestHost};

/// A small org that was read whole once, and what was read.
fn read_once(datasets: &[&str], settings: &[(&str, &str)]) -> (SimulatedOrg, TestHost, Records) {
    let org = SimulatedOrg::builder().users(60).logins_per_user(1).seed(3).start();
    org.show_everything();
    org.set_policy(|policy| policy.bulk.rows_per_part = 8);
    let mut host = TestHost::authorized(&org, settings);
    let run = host.full(datasets);
    for dataset in datasets {
        run.is_complete(dataset);
    }
    let truth = host.records.clone();
    (org, host, truth)
}

fn gateway(status: u16) -> Action {
    Action::GatewayPage { status, retry_after: None }
}

/// The records are the org's, or the run is not complete; and the next run is right.
#[track_caller]
fn right_or_honest(org: &SimulatedOrg, host: &mut TestHost, truth: &Records, dataset: &str) -> Run {
    let run = host.full(&[dataset]);
    let good = run.summary.error.is_none() && run.of(dataset).status == DatasetStatus::Complete;
    assert!(!good || host.records[dataset] == truth[dataset], "{:?}", run.of(dataset));
    assert_ne!(run.of(dataset).status, DatasetStatus::Absent, "{:?}", run.of(dataset));
    assert_ne!(run.of(dataset).status, DatasetStatus::Denied, "{:?}", run.of(dataset));
    org.faults().clear();
    host.full(&[dataset]).is_complete(dataset);
    assert!(host.records[dataset] == truth[dataset], "the next run");
    run
}

#[test]
fn a_gateways_page_instead_of_data_or_a_describe_is_no_missing_right() {
    let (org, mut host, truth) = read_once(&["user"], &[]);
    for kind in [RequestKind::Page, RequestKind::Describe] {
        for status in [200, 403, 404, 407, 421, 451] {
            org.faults()
                .set([Fault::new(gateway(status)).on_kind(kind).on_object("User").always()]);
            let run = right_or_honest(&org, &mut host, &truth, "user");
            assert!(run.summary.error.is_some() || !run.of("user").status.has_every_record());

            org.faults().set([Fault::new(gateway(status)).on_kind(kind).on_object("User")]);
            host.full(&["user"]).is_complete("user");
        }
    }
}

#[test]
fn a_token_endpoint_that_is_not_there_ends_no_schedule() {
    let (org, mut host, truth) = read_once(&["user_license"], &[]);
    let json = |status| Action::OauthError {
        error: "invalid_grant".into(),
        description: "try later".into(),
        status,
    };
    for action in [gateway(200), gateway(403), gateway(404), json(429), json(500), json(503)] {
        org.expire_sessions();
        org.faults().set([Fault::new(action.clone()).on_kind(RequestKind::Token).always()]);
        let error = match host.try_run(CollectMode::Full, &["user_license"], false) {
            Ok(run) => run.summary.error.expect("an error"),
            Err(error) => error,
        };
        assert!(!matches!(error.kind, ErrorKind::AUTH | ErrorKind::CONFIG), "{action:?}: {error}");
        org.faults().clear();
        host.full(&["user_license"]).is_complete("user_license");
        assert!(host.records["user_license"] == truth["user_license"]);
    }
}

#[test]
fn a_job_that_is_short_doubled_empty_or_without_a_column_is_not_believed() {
    let (org, mut host, truth) = read_once(&["user"], &[("bulk_rows", "50")]);
    let actions = [
        Action::CutList { keep_percent: 66 },
        Action::Doubles { instead: true },
        Action::EmptyList,
        Action::DropColumn { column: Some("LastLoginDate".into()) },
    ];
    for action in actions {
        let results = Fault::new(action.clone()).on_kind(RequestKind::JobResults).always();
        // A job that lies about its records does so in its own count as well.
        let counted = Fault::new(action).on_kind(RequestKind::JobPolled).always();
        org.faults().set([results, counted]);
        let run = right_or_honest(&org, &mut host, &truth, "user");
        assert!(run.requests("POST", "/jobs/query") > 0, "it is read by a job");
    }
}

#[test]
fn one_part_of_eight_that_is_gone_costs_that_part_and_not_the_run() {
    let (org, mut host, truth) = read_once(&["user"], &[("bulk_rows", "50")]);
    for status in [404, 503] {
        org.faults()
            .set([Fault::new(gateway(status)).on_kind(RequestKind::JobResults).nth(8).always()]);
        let run = host.full(&["user"]);
        run.is_complete("user");
        assert!(host.records["user"] == truth["user"], "{status}");
    }
}

#[test]
fn a_list_of_licences_that_goes_to_nothing_is_held() {
    for mode in [CollectMode::Full, CollectMode::Incremental] {
        let (org, mut host, truth) = read_once(&["user_license", "profile"], &[]);
        org.empty_object("UserLicense");
        let run = host.try_run(mode, &["user_license", "profile"], false).expect("a run");
        assert!(run.held, "{:?}", run.of("user_license"));
        assert_ne!(run.of("user_license").status, DatasetStatus::Absent);
        assert!(host.records["user_license"] == truth["user_license"], "what was held stays");
        org.show_everything();
        host.full(&["user_license"]).is_complete("user_license");
    }
}

#[test]
fn a_parent_that_is_hidden_between_two_runs_costs_its_fields_only() {
    let (org, mut host, truth) = read_once(&["user"], &[]);
    org.hide_object("Profile");
    let run = host.full(&["user"]);
    let user = run.of("user");
    assert_eq!(user.status, DatasetStatus::Degraded, "{user:?}");
    assert!(user.missing_fields.iter().any(|field| field.starts_with("Profile.")), "{user:?}");
    assert_eq!(user.rows, truth["user"].len() as u64);
    org.show_everything();
    host.full(&["user"]).is_complete("user");
    assert!(host.records["user"] == truth["user"]);
}

#[test]
fn half_an_emoji_and_the_year_20190_cost_one_value_each() {
    let (org, mut host, truth) = read_once(&["user"], &[]);
    let spoiled = [(Spoiled::HalfSurrogate, "Department"), (Spoiled::YearTooLarge, "CreatedDate")];
    for (value, column) in spoiled {
        org.faults().set([Fault::new(Action::Spoil { value, column: Some(column.into()) })
            .on_kind(RequestKind::Page)
            .on_object("User")
            .always()]);
        let run = host.full(&["user"]);
        let user = run.of("user");
        assert_eq!(user.status, DatasetStatus::Degraded, "{value:?}: {user:?}");
        assert_eq!(user.rows, truth["user"].len() as u64, "{value:?}: {user:?}");
        let same = truth["user"].iter().filter(|(key, record)| {
            host.records["user"].get(*key).is_some_and(|held| held == *record)
        });
        assert!(same.count() + 1 >= truth["user"].len(), "{value:?}: one record differs at most");
        org.faults().clear();
        host.full(&["user"]).is_complete("user");
        assert!(host.records["user"] == truth["user"]);
    }
}

#[test]
fn what_was_not_visible_is_described_again_once_the_right_is_there() {
    let (org, mut host, truth) = read_once(&["user_login"], &[]);
    org.without_permission("PermissionsManageUsers");
    let run = host.full(&["user_login"]);
    assert!(!run.of("user_login").status.has_every_record(), "{:?}", run.of("user_login"));
    org.show_everything();
    let run = host.changes(&["user_login"]);
    run.is_complete("user_login");
    assert!(host.records["user_login"] == truth["user_login"]);
}

#[test]
fn a_retry_after_that_is_a_date_is_waited_for() {
    let (org, mut host, _) = read_once(&["user"], &[]);
    let busy = |wait| Action::GatewayPage { status: 503, retry_after: Some(wait) };
    org.faults().set([Fault::new(busy(RetryAfter::Date(3_600))).on_object("User").always()]);
    let error = host.full(&["user"]).summary.error.expect("an error");
    assert_eq!(error.kind, ErrorKind::RATE_LIMITED, "{error}");
    let wait = error.retry_after_ms.expect("a time to wait");
    assert!((3_500_000..=3_600_000).contains(&wait), "{wait}");
}
