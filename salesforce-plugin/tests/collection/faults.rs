//! What may go wrong between the connector and an org while a dataset is read: either every record
//! is there and none came twice, or the run says what is missing.

use std::collections::BTreeMap;

use connector_api::ErrorKind;
use connector_api::message::DatasetStatus;
use salesforce_sim::{Action, Fault, SimulatedOrg};

use crate::host::{Run, TestHost};

/// Five pages of users.
fn org() -> SimulatedOrg {
    SimulatedOrg::builder().users(9_000).logins_per_user(1).seed(3).start()
}

fn all_users(org: &SimulatedOrg, host: &TestHost, run: &Run) {
    run.is_complete("user");
    run.nothing_twice("user");
    assert_eq!(host.records["user"].len() as u64, org.truth().total_users);
}

fn refused(code: u16, error: &str, message: &str) -> Action {
    Action::Status {
        code,
        body: format!(r#"[{{"message":"{message}","errorCode":"{error}"}}]"#),
        content_type: Some("application/json;charset=UTF-8".into()),
        headers: Vec::new(),
    }
}

/// Ten pages of `UserLogin`, an authorized host, and the records as they are read without a fault.
fn ten_pages(rows_of_a_page: u64) -> (SimulatedOrg, TestHost, BTreeMap<String, String>) {
    let users = rows_of_a_page * 9 + rows_of_a_page / 2;
    let org = SimulatedOrg::builder().users(users).logins_per_user(0).seed(3).start();
    org.set_policy(|policy| {
        policy.page_size = Some(rows_of_a_page);
        policy.daily_api_limit = 1_000_000;
    });
    let mut host = TestHost::authorized(&org, &[]);
    let run = host.full(&["user_login"]);
    run.is_complete("user_login");
    let whole = host.records["user_login"].clone();
    assert_eq!(whole.len() as u64, org.truth().row_counts["UserLogin"]);
    let pages = |entry: &&salesforce_sim::Entry| {
        let first = entry.soql.as_deref().is_some_and(|soql| soql.contains("IsFrozen"));
        first || entry.path.contains("/query/")
    };
    assert_eq!(org.journal().iter().filter(pages).count(), 10);
    (org, host, whole)
}

#[test]
fn every_fault_at_every_page_leaves_every_record_once() {
    let (org, mut host, whole) = ten_pages(200);
    let faults = [
        Action::ServerUnavailable,
        Action::Status { code: 429, body: String::new(), content_type: None, headers: Vec::new() },
        Action::CloseAfter { bytes: 1_000, chunked: true },
        Action::CloseAfter { bytes: 1_000, chunked: false },
        Action::TruncateBody { bytes: 5_000 },
        Action::CorruptGzip { offset: 40 },
        Action::HtmlPage,
        Action::NoNextPage,
        Action::SameLocator,
        Action::OverlapPage { rows: 7 },
        Action::TruncatePage { rows: 90 },
        Action::TotalSize { by: 3 },
        Action::ExpireSession,
        Action::KillLocators,
        Action::ConcurrentLimit,
        Action::ExtraKeys,
        refused(400, "QUERY_TIMEOUT", "Your query request was running for too long."),
        refused(400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
    ];
    // A session that ends takes its locators with it, or does not.
    let alive = faults.iter().map(|action| (action, false));
    for (action, locators_die) in alive.chain([(&Action::ExpireSession, true)]) {
        org.set_policy(|policy| policy.locators_die_with_session = locators_die);
        for page in 1..=10 {
            org.faults().set([Fault::new(action.clone())
                .on_object("UserLogin")
                .on_soql_with("IsFrozen")
                .nth(page)]);
            let run = host.full(&["user_login"]);
            assert!(org.faults().played() > 0, "{action:?} at page {page} was not played");
            println!("{action:?} at page {page}, locators die with sessions: {locators_die}");
            run.is_complete("user_login");
            run.nothing_twice("user_login");
            assert!(host.records["user_login"] == whole);
        }
    }
}

#[test]
fn a_day_without_requests_left_at_any_page_pauses_and_the_next_run_has_every_record() {
    let (org, mut host, whole) = ten_pages(200);
    for page in 1..=10 {
        org.faults().set([Fault::new(Action::DailyLimit)
            .on_object("UserLogin")
            .on_soql_with("IsFrozen")
            .nth(page)]);
        let run = host.full(&["user_login"]);
        let error = run.summary.error.as_ref().expect("an error");
        assert_eq!(error.kind, ErrorKind::RATE_LIMITED, "page {page}: {error}");
        org.faults().clear();
        host.full(&["user_login"]).is_complete("user_login");
        assert!(host.records["user_login"] == whole, "page {page}");
    }
}

/// In two halves, for two cores. `PAIRS=1000` tries two thousand pairs, `SEED` others.
#[test]
fn any_two_faults_leave_every_record_once_or_the_run_says_so_and_the_next_one_does() {
    any_two_faults(1);
}

#[test]
fn any_two_other_faults_leave_every_record_once_or_the_run_says_so_and_the_next_one_does() {
    any_two_faults(2);
}

fn any_two_faults(seed: u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("SEED").unwrap_or(seed);
    let pairs = number("PAIRS").unwrap_or(200);
    println!("SEED={seed} PAIRS={pairs}");
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut below = |most: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % most as u64).expect("a small number")
    };
    let (org, mut host, whole) = ten_pages(40);
    let actions = [
        Action::ServerUnavailable,
        Action::CloseAfter { bytes: 900, chunked: true },
        Action::TruncateBody { bytes: 4_000 },
        Action::HtmlPage,
        Action::NoNextPage,
        Action::SameLocator,
        Action::EmptyPage,
        Action::OverlapPage { rows: 3 },
        Action::TruncatePage { rows: 10 },
        Action::TotalSize { by: -2 },
        Action::ExpireSession,
        Action::KillLocators,
        Action::ConcurrentLimit,
        Action::DailyLimit,
        refused(400, "QUERY_TIMEOUT", "Your query request was running for too long."),
    ];
    let mut complete = 0;
    for pair in 0..pairs {
        org.set_policy(|policy| policy.locators_die_with_session = pair % 2 == 0);
        let faults: Vec<Fault> = (0..2)
            .map(|_| {
                let action = actions[below(actions.len())].clone();
                Fault::new(action).on_object("UserLogin").nth(below(13) as u64 + 1)
            })
            .collect();
        let shown = format!("pair {pair}: {faults:?}");
        org.faults().set(faults);
        let run = host.full(&["user_login"]);
        org.faults().clear();
        let summary = run.of("user_login");
        if run.handed_over.contains_key("user_login") {
            run.nothing_twice("user_login");
        }
        if summary.status == DatasetStatus::Complete && run.summary.error.is_none() {
            assert!(host.records["user_login"] == whole, "complete, and not the same: {shown}");
            complete += 1;
            continue;
        }
        let told = run.summary.error.is_some() || summary.reason.is_some();
        assert!(told, "{shown}: {summary:?}");
        host.full(&["user_login"]).is_complete("user_login");
        assert!(host.records["user_login"] == whole, "the next run: {shown}");
    }
    println!("{complete} of {pairs} pairs survived at once");
    assert!(complete * 2 > pairs, "most pairs are survived: {complete}");
}

#[test]
fn a_page_that_is_always_short_is_incomplete_and_says_how_many_are_missing() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    org.faults().set([Fault::new(Action::TruncatePage { rows: 0 })
        .on_object("User")
        .on_soql_with("Username")
        .always()]);
    let run = host.full(&["user"]);
    let summary = run.of("user");
    assert_eq!(summary.status, DatasetStatus::Incomplete, "{summary:?}");
    assert_eq!(summary.expected, Some(org.truth().total_users));
}

#[test]
fn a_field_that_vanishes_midway_is_named_and_the_rest_is_kept() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    let gone = refused(
        400,
        "INVALID_FIELD",
        "No such column 'Division' on entity 'User'. If you are attempting to use a custom field",
    );
    org.faults().set([Fault::new(gone).on_object("User").on_soql_with("Division").nth(3)]);
    let run = host.full(&["user"]);
    let summary = run.of("user");
    assert_eq!(summary.status, DatasetStatus::Degraded, "{summary:?}");
    assert_eq!(summary.missing_fields, ["Division"]);
    run.nothing_twice("user");
    assert_eq!(host.records["user"].len() as u64, org.truth().total_users);
}

#[test]
fn an_object_that_vanishes_midway_is_denied_and_named() {
    let org = SimulatedOrg::builder().users(9_000).seed(3).start();
    let mut host = TestHost::authorized(&org, &[]);
    org.faults().set([
        Fault::new(Action::HideObject { object: "UserLogin".into() })
            .on_object("UserLogin")
            .on_soql_with("IsFrozen")
            .nth(2),
        Fault::new(Action::KillLocators).on_object("UserLogin").on_soql_with("IsFrozen").nth(2),
    ]);
    let run = host.full(&["user_login"]);
    let status = run.of("user_login").status;
    assert!(
        matches!(status, DatasetStatus::Denied | DatasetStatus::Absent),
        "{:?}",
        run.of("user_login")
    );
}

#[test]
fn own_logins_only_are_called_so() {
    let org = SimulatedOrg::builder().users(300).seed(3).start();
    org.without_permission("PermissionsManageUsers");
    let mut host = TestHost::authorized(&org, &[]);
    let run = host.full(&["login_history"]);
    assert_eq!(run.of("login_history").status, DatasetStatus::PartialSelf);
}

#[test]
fn an_address_that_is_too_long_is_shared_by_two_queries() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    let too_long =
        Action::Status { code: 414, body: String::new(), content_type: None, headers: Vec::new() };
    org.faults().set([Fault::new(too_long).on_object("User").on_soql_with("Username").times(1)]);
    let split = host.full(&["user"]);
    all_users(&org, &host, &split);
    let joined = host.records.clone();
    org.faults().clear();
    host.full(&["user"]);
    assert!(joined["user"] == host.records["user"], "joined records are those of one query");
}

#[test]
fn a_log_is_read_in_windows_once_a_query_took_too_long() {
    let org = SimulatedOrg::builder().users(500).logins_per_user(10).seed(3).start();
    let mut host = TestHost::authorized(&org, &[]);
    host.full(&["login_history"]);
    let whole = host.records["login_history"].clone();
    assert!(whole.len() > 2_000, "{}", whole.len());
    let slow = refused(400, "QUERY_TIMEOUT", "Your query request was running for too long.");
    org.faults().set([Fault::new(slow).on_object("LoginHistory").on_soql_with("LoginType").nth(2)]);
    let run = host.full(&["login_history"]);
    run.is_complete("login_history");
    run.nothing_twice("login_history");
    assert!(host.records["login_history"] == whole, "the same logins");
    assert!(
        org.journal().iter().any(|e| e.soql.as_deref().is_some_and(|q| q.contains("LoginTime <"))),
        "windows were used"
    );
}

#[test]
fn a_query_that_took_too_long_is_asked_for_less_at_a_time() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    let slow = refused(400, "QUERY_TIMEOUT", "Your query request was running for too long.");
    org.faults().set([Fault::new(slow).on_object("User").on_soql_with("Username").times(3)]);
    let run = host.full(&["user"]);
    all_users(&org, &host, &run);
    let limited =
        |e: &salesforce_sim::Entry| e.soql.as_deref().is_some_and(|q| q.contains("LIMIT 250"));
    assert!(org.journal().iter().any(limited), "a thousand, halved twice");
}

#[test]
fn a_result_that_salesforce_cuts_off_is_read_by_users() {
    let org = SimulatedOrg::builder().users(700).seed(3).start();
    let mut host = TestHost::authorized(&org, &[]);
    let run = host.full(&["oauth_token"]);
    let whole = run.of("oauth_token").clone();
    assert_eq!(whole.status, DatasetStatus::Complete, "{whole:?}");
    // The org counts more records than it shows in one result.
    org.faults().set([Fault::new(Action::TotalSize { by: 2_500 })
        .on_object("OauthToken")
        .on_soql_with("COUNT()")
        .always()]);
    let run = host.full(&["oauth_token"]);
    let parts = run.of("oauth_token");
    assert_eq!(parts.rows, whole.rows, "the same records, by a few users at a time");
    assert_eq!(parts.status, DatasetStatus::Incomplete, "they are fewer than counted: {parts:?}");
    assert!(
        org.journal().iter().any(|e| e.soql.as_deref().is_some_and(|q| q.contains("UserId IN (")))
    );
}

#[test]
fn the_orgs_daily_limit_and_the_runs_own_share_pause_it() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    org.faults().set([Fault::new(Action::DailyLimit).on_object("User").always()]);
    let error = host.full(&["user"]).summary.error.expect("an error");
    assert_eq!(error.kind, ErrorKind::RATE_LIMITED);
    assert!(error.retry_after_ms.is_some());
    org.faults().clear();

    // One percent of 15,000 requests.
    let mut host = TestHost::authorized(&org, &[("api_share_run_percent", "1")]);
    org.faults().set([Fault::new(Action::EmptyPage).on_object("UserLogin").always()]);
    let run = host.full(&["user_login"]);
    assert!(run.summary.api_calls <= 150, "{}", run.summary.api_calls);
}

#[test]
fn an_org_whose_requests_are_mostly_used_is_left_alone() {
    let org = SimulatedOrg::builder().users(50).seed(3).start();
    let used = |header: &str| Action::Status {
        code: 200,
        body: r#"{"totalSize":0,"done":true,"records":[]}"#.into(),
        content_type: Some("application/json;charset=UTF-8".into()),
        headers: vec![("Sforce-Limit-Info".into(), header.into())],
    };
    let host = TestHost::authorized(&org, &[]);
    let mostly = used("api-usage=12100/15000");
    org.faults().set([Fault::new(mostly).on_object("UserPermissionAccess").times(1)]);
    let before = org.journal().len();
    let error = host.fails(&["user"]);
    assert_eq!(error.kind, ErrorKind::RATE_LIMITED, "{error}");
    assert!(error.message.contains("12100 of the org's 15000"), "{error}");
    assert_eq!(org.journal().len() - before, 2, "the versions, the self check, and no more");

    // The control: at a lesser share, or with a larger one allowed, it is read.
    let mut host = TestHost::authorized(&org, &[("api_share_org_percent", "90")]);
    let mostly = used("api-usage=12100/15000");
    org.faults().set([Fault::new(mostly).on_object("UserPermissionAccess").times(1)]);
    host.full(&["user"]).is_complete("user");
}

#[test]
fn a_paused_run_goes_on_after_the_last_record() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    org.faults()
        .set([Fault::new(Action::DailyLimit).on_object("User").on_soql_with("Username").nth(3)]);
    let first = host.full(&["user", "user_role"]);
    assert_eq!(first.summary.error.as_ref().map(|e| e.kind), Some(ErrorKind::RATE_LIMITED));
    let before = &first.handed_over["user"];
    assert!(!before.is_empty());
    org.faults().clear();
    let second = host.resume(&first, &["user", "user_role"]);
    second.is_complete("user");
    let mut keys: Vec<&String> = before.iter().chain(&second.handed_over["user"]).collect();
    keys.sort();
    let all = keys.len();
    keys.dedup();
    assert_eq!((keys.len(), all as u64), (all, org.truth().total_users), "each user once");
}

#[test]
fn a_long_wait_that_the_org_asks_for_parks_the_run() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    let busy = Action::Status {
        code: 503,
        body: String::new(),
        content_type: None,
        headers: vec![("Retry-After".into(), "3600".into())],
    };
    org.faults().set([Fault::new(busy).on_object("User").always()]);
    let error = host.full(&["user"]).summary.error.expect("an error");
    assert_eq!(error.kind, ErrorKind::RATE_LIMITED, "{error}");
    assert_eq!(error.retry_after_ms, Some(3_600_000));
    assert_eq!(host.slept_ms(), 0);
}

#[test]
fn a_large_dataset_that_bulk_refuses_is_read_by_pages() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[("bulk_rows", "1000")]);
    let run = host.full(&["user"]);
    all_users(&org, &host, &run);
    assert_eq!(run.requests("POST", "/jobs/query"), 1);
    assert_eq!(host.secret("bulk_job.user"), None, "no job is left behind");
}

#[test]
fn a_cancelled_run_hands_nothing_over() {
    let org = SimulatedOrg::builder().users(50).seed(3).start();
    let mut host = TestHost::authorized(&org, &[]);
    host.full(&["user"]);
    host.cancel();
    let error = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| host.full(&["user"])));
    assert!(error.is_err() || error.is_ok_and(|run| run.summary.error.is_some()));
}
