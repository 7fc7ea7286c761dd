//! Allowances: what the org says of them, and what it does when they are used up.

use std::sync::Barrier;
use std::time::Duration;

use salesforce_sim::{AppLimit, LimitInfo, QueryTimeout, SimulatedOrg};

use crate::client::{Answer, Story, query_path};

const LIMITS: &str = "/services/data/v60.0/limits";

fn info(answer: &Answer) -> &str {
    answer.header("sforce-limit-info").expect("the header")
}

#[test]
fn the_header_counts_the_org_and_the_app_and_the_limits_agree() {
    let story = Story::new();
    story.org.set_policy(|policy| {
        policy.budget.used_by_others = 40;
        policy.budget.app_limit =
            Some(AppLimit { name: "License Connector".to_owned(), calls: 250 });
    });
    for _ in 0..16 {
        story.get(LIMITS);
    }
    let answer = story.get(LIMITS);
    let expected = "api-usage=57/15000; per-app-api-usage=17/250(appName=License Connector)";
    assert_eq!(info(&answer), expected);
    let requests = &answer.json()["DailyApiRequests"];
    assert_eq!((&requests["Max"], &requests["Remaining"]), (&15_000.into(), &14_943.into()));
    assert_eq!(requests["License Connector"]["Remaining"], 233);
}

#[test]
fn the_header_can_go_backwards_or_be_absent() {
    let story = Story::new();
    story.org.set_policy(|policy| policy.budget.limit_info = LimitInfo::Backwards(3));
    let texts: Vec<String> = (0..6).map(|_| info(&story.get(LIMITS)).to_owned()).collect();
    assert!(!texts.is_sorted(), "{texts:?}");
    story.org.set_policy(|policy| policy.budget.limit_info = LimitInfo::Absent);
    assert_eq!(story.get(LIMITS).header("sforce-limit-info"), None);
}

#[test]
fn the_day_ends_for_the_org_and_for_the_app() {
    let story = Story::new();
    story.org.set_policy(|policy| {
        policy.daily_api_limit = 100;
        policy.budget.used_by_others = 98;
    });
    assert_eq!(story.get(LIMITS).status, 200);
    assert_eq!(story.get(LIMITS).status, 200);
    let refused = story.get(LIMITS);
    assert_eq!(refused.refusal(), (403, "REQUEST_LIMIT_EXCEEDED".to_owned()));
    assert_eq!(refused.json()[0]["message"], "TotalRequests Limit exceeded.");
    story.org.set_policy(|policy| policy.budget.over_run = 1);
    assert_eq!(info(&story.get(LIMITS)), "api-usage=101/100", "a paid org may go above");
    story.org.set_policy(|policy| {
        policy.daily_api_limit = 15_000;
        policy.budget.app_limit = Some(AppLimit { name: "Connector".to_owned(), calls: 3 });
    });
    assert_eq!(story.get(LIMITS).refusal().1, "REQUEST_LIMIT_EXCEEDED");
}

#[test]
fn one_call_too_many_at_once_is_refused() {
    let story = Story::of(SimulatedOrg::builder().users(60).start());
    story.org.set_policy(|policy| {
        policy.budget.concurrent_calls = Some(1);
        policy.budget.call_time = Some(Duration::from_millis(400));
    });
    let together = Barrier::new(3);
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let call = || {
            // Three connections are opened before any of them asks.
            together.wait();
            story.get(LIMITS)
        };
        let calls: Vec<_> = (0..3).map(|_| scope.spawn(call)).collect();
        calls.into_iter().map(|call| call.join().expect("an answer")).collect()
    });
    let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 403).collect();
    assert!(!refused.is_empty() && refused.len() < 3);
    for answer in refused {
        assert_eq!(answer.refusal().1, "REQUEST_LIMIT_EXCEEDED");
        assert!(
            answer.text.contains("ConcurrentRequests (Concurrent API Requests) Limit exceeded.")
        );
    }
    assert_eq!(story.get(LIMITS).status, 200, "alone it is answered");
}

#[test]
fn a_window_too_large_runs_too_long_and_its_halves_do_not() {
    let story = Story::new();
    let count = |from: &str, to: &str| {
        format!(
            "SELECT Id FROM LoginHistory WHERE LoginTime >= {from} AND LoginTime < {to} ORDER BY LoginTime, Id"
        )
    };
    let now = story.org.now();
    let day =
        |ago: i64| (now - chrono::TimeDelta::days(ago)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    story.org.set_policy(|policy| {
        policy.budget.query_timeout = Some(QueryTimeout::on("LoginHistory").above_days(30));
    });
    let refused = story.query(&count(&day(90), &day(30)));
    assert_eq!(refused.refusal(), (400, "QUERY_TIMEOUT".to_owned()));
    assert_eq!(refused.json()[0]["message"], "Your query request was running for too long.");
    assert_eq!(story.query(&count(&day(60), &day(30))).status, 200);
    assert_eq!(story.query("SELECT Id FROM LoginHistory").refusal().1, "QUERY_TIMEOUT");
    assert_eq!(story.query("SELECT Id FROM User").status, 200, "other objects are quick");
    // The keyset of a later page has the same window.
    let keyset = format!(
        "SELECT Id FROM LoginHistory WHERE (LoginTime > {0} OR (LoginTime = {0} AND Id > '0Ya000000000000')) AND LoginTime < {1}",
        day(55),
        day(30)
    );
    assert_eq!(story.query(&keyset).status, 200);
    story.org.set_policy(|policy| {
        policy.budget.query_timeout = Some(QueryTimeout::on("LoginHistory").above_rows(20));
    });
    assert_eq!(story.query(&count(&day(60), &day(1))).refusal().1, "QUERY_TIMEOUT");
    assert_eq!(story.query("SELECT Id FROM LoginHistory LIMIT 20").status, 200);
}

#[test]
fn an_address_of_more_than_16384_bytes_is_too_long() {
    let story = Story::new();
    let soql = |length: usize| {
        let start = query_path("SELECT Id FROM User WHERE Name != ''").len();
        query_path(&format!("SELECT Id FROM User WHERE Name != '{}'", "x".repeat(length - start)))
    };
    assert_eq!(story.get(&soql(16_385)).status, 414);
    assert_ne!(story.get(&soql(15_000)).status, 414);
}
