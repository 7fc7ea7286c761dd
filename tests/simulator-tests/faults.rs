//! Every fault, as a client meets it.

use std::error::Error as _;
use std::io::Read;

use salesforce_sim::{Action, Fault, RequestKind, RetryAfter, SimulatedOrg};
use serde_json::Value;

use crate::client::{Answer, Story};

const SOQL: &str = "SELECT Id FROM User ORDER BY Id";

fn paged() -> Story {
    Story::of(
        SimulatedOrg::builder().users(50).policy(|policy| policy.page_size = Some(20)).start(),
    )
}

/// The answer to the first query while `action` is played.
fn first(story: &Story, action: Action) -> Answer {
    story.org.faults().set([Fault::new(action).on_object("User")]);
    story.query(SOQL)
}

/// How reading the body of the first query ends while `action` is played.
fn body_error(action: Action) -> reqwest::Error {
    let story = paged();
    story.org.faults().set([Fault::new(action)]);
    let response = story.try_get(&crate::client::query_path(SOQL)).expect("the head is fine");
    assert_eq!(response.status(), 200);
    response.text().expect_err("the body is not")
}

fn rows(page: &Value) -> usize {
    page["records"].as_array().map_or(0, Vec::len)
}

#[test]
fn answers_can_be_replaced() {
    let story = paged();
    let busy = first(
        &story,
        Action::Status {
            code: 503,
            body: "later".to_owned(),
            content_type: Some("text/plain".to_owned()),
            headers: vec![("Retry-After".to_owned(), "7".to_owned())],
        },
    );
    assert_eq!(
        (busy.status, busy.text.as_str(), busy.header("retry-after")),
        (503, "later", Some("7"))
    );
    assert_eq!(story.query(SOQL).status, 200, "once is once");
    let page = first(&story, Action::HtmlPage);
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html;charset=UTF-8")));
    assert!(page.text.contains("<title>Maintenance | Salesforce</title>"));
    assert_eq!(first(&story, Action::EdgeNoRoute).status, 420);
    assert_eq!(first(&story, Action::EdgeUnavailable).status, 503);
    assert_eq!(
        first(&story, Action::ServerUnavailable).refusal(),
        (503, "SERVER_UNAVAILABLE".to_owned())
    );
    let concurrent = first(&story, Action::ConcurrentLimit);
    assert_eq!(concurrent.refusal(), (403, "REQUEST_LIMIT_EXCEEDED".to_owned()));
    let message = "ConcurrentRequests (Concurrent API Requests) Limit exceeded.";
    assert_eq!(concurrent.json()[0]["message"], message);
    assert_eq!(
        first(&story, Action::DailyLimit).json()[0]["message"],
        "TotalRequests Limit exceeded."
    );
}

#[test]
fn a_connection_can_end_before_the_answer() {
    for action in [Action::CloseBeforeAnswer, Action::Reset { bytes: None }] {
        let story = paged();
        story.org.faults().set([Fault::new(action).always()]);
        let error = story.try_get(&crate::client::query_path(SOQL)).expect_err("no answer");
        assert!(error.is_request(), "{error:?}");
        assert_eq!(story.org.journal().last().expect("an entry").status, None);
    }
}

#[test]
fn a_body_can_end_early_with_either_framing() {
    for chunked in [false, true] {
        let error = body_error(Action::CloseAfter { bytes: 100, chunked });
        assert!(error.is_body() || error.is_decode(), "{error:?}");
    }
}

#[test]
fn a_connection_can_be_reset_in_the_middle_of_a_body() {
    let error = body_error(Action::Reset { bytes: Some(100) });
    let mut chain = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        chain.push(error.to_string());
        cause = error.source();
    }
    assert!(chain.iter().any(|text| text.contains("reset")), "{chain:?}");
}

#[test]
fn a_cut_body_holds_exactly_the_bytes_before_the_cut() {
    let story =
        Story::of(SimulatedOrg::builder().users(50).policy(|policy| policy.gzip = false).start());
    let whole = story.query(SOQL).text;
    story.org.faults().set([Fault::new(Action::CloseAfter { bytes: 77, chunked: false })]);
    let mut response = story.try_get(&crate::client::query_path(SOQL)).expect("a head");
    assert_eq!(response.content_length(), Some(whole.len() as u64));
    let mut got = Vec::new();
    let mut piece = [0_u8; 16];
    while let Ok(count @ 1..) = response.read(&mut piece) {
        got.extend_from_slice(&piece[..count]);
    }
    assert_eq!(got, &whole.as_bytes()[..77]);
    assert_eq!(story.org.journal().last().expect("an entry").bytes, 77);
}

#[test]
fn a_stalled_answer_never_ends_and_does_not_keep_the_org_from_stopping() {
    let story = paged();
    story.org.faults().set([Fault::new(Action::Stall { bytes: Some(10) })]);
    let response = story.try_get(&crate::client::query_path(SOQL)).expect("a head");
    let Story { org, .. } = story;
    drop(org);
    assert!(response.text().is_err());
}

#[test]
fn a_slow_answer_is_complete_in_the_end() {
    let story = paged();
    let whole = story.query(SOQL).json();
    let slow = first(&story, Action::Drip { bytes: 200, pause_ms: 1 }).json();
    assert_eq!(rows(&slow), rows(&whole));
}

#[test]
fn a_body_can_be_damaged_without_the_connection_noticing() {
    let story = paged();
    let cut = first(&story, Action::TruncateBody { bytes: 50 });
    assert_eq!((cut.status, cut.text.len()), (200, 50));
    assert!(first(&story, Action::Bom).text.starts_with("\u{feff}{"));
    assert_eq!(story.org.journal().last().expect("an entry").fault.as_deref(), Some("bom"));
    let extended = first(&story, Action::ExtraKeys).json();
    assert!(extended.get("futureKey").is_some() && extended["done"] == false);
}

#[test]
fn compression_can_be_damaged_or_pretended() {
    for action in [Action::CorruptGzip { offset: 30 }, Action::FalseEncoding] {
        let error = body_error(action);
        assert!(error.is_decode() || error.is_body(), "{error:?}");
    }
}

#[test]
fn pages_can_lie() {
    let story = paged();
    let honest = story.query(SOQL).json();
    let total = honest["totalSize"].as_i64().expect("a total");
    let lost = first(&story, Action::TruncatePage { rows: 5 }).json();
    assert_eq!(
        (rows(&lost), &lost["done"], lost.get("nextRecordsUrl")),
        (5, &Value::Bool(true), None)
    );
    let endless = first(&story, Action::NoNextPage).json();
    assert_eq!(
        (rows(&endless), &endless["done"], endless.get("nextRecordsUrl")),
        (20, &Value::Bool(false), None)
    );
    let empty = first(&story, Action::EmptyPage).json();
    assert_eq!((rows(&empty), &empty["done"]), (0, &Value::Bool(false)));
    let more = story.get(empty["nextRecordsUrl"].as_str().expect("a locator")).json();
    assert_eq!(more["records"], honest["records"], "nothing is lost behind an empty page");
    let off = first(&story, Action::TotalSize { by: -3 }).json();
    assert_eq!(off["totalSize"].as_i64(), Some(total - 3));
}

#[test]
fn a_page_can_lead_to_itself_or_overlap_the_last_one() {
    let story = paged();
    let next = story.query(SOQL).json()["nextRecordsUrl"].as_str().expect("a locator").to_owned();
    story.org.faults().set([Fault::new(Action::SameLocator).on_path_with("/query/")]);
    assert_eq!(story.get(&next).json()["nextRecordsUrl"], next.as_str());
    let honest = story.get(&next).json();
    story.org.faults().set([Fault::new(Action::OverlapPage { rows: 3 }).on_path_with("/query/")]);
    let overlapping = story.get(&next).json();
    assert_eq!(rows(&overlapping), 23);
    assert_eq!(overlapping["records"][3], honest["records"][0]);
    assert_eq!(overlapping["nextRecordsUrl"], honest["nextRecordsUrl"]);
}

#[test]
fn a_session_can_end_in_the_middle_of_a_query() {
    let mut story = paged();
    story.org.faults().push(Fault::new(Action::ExpireSession).on_object("User").nth(2));
    let next = story.query(SOQL).json()["nextRecordsUrl"].as_str().expect("a locator").to_owned();
    assert_eq!(story.get(&next).status, 401);
    assert_eq!(story.get(&next).status, 401, "from here on");
    story.token = story.org.issue_access_token();
    assert_eq!(rows(&story.get(&next).json()), 20);
}

#[test]
fn tokens_locators_objects_and_permissions_can_go_in_the_middle_of_a_run() {
    let story = paged();
    let refresh_token = story.org.issue_refresh_token();
    let next = story.query(SOQL).json()["nextRecordsUrl"].as_str().expect("a locator").to_owned();
    story.org.faults().set([Fault::new(Action::KillLocators).on_path_with("/query/")]);
    assert_eq!(story.get(&next).refusal().1, "INVALID_QUERY_LOCATOR");
    story.org.faults().set([
        Fault::new(Action::HideObject { object: "UserLogin".to_owned() })
            .on_object("UserLogin")
            .nth(2),
        Fault::new(Action::WithoutPermission { permission: "PermissionsViewRoles".to_owned() })
            .on_object("UserRole"),
    ]);
    assert_eq!(story.query("SELECT Id FROM UserLogin LIMIT 1").status, 200);
    assert_eq!(story.query("SELECT Id FROM UserLogin LIMIT 1").refusal().1, "INVALID_TYPE");
    assert_eq!(story.query("SELECT Id FROM UserRole LIMIT 1").refusal().1, "INVALID_TYPE");
    story.org.faults().set([Fault::new(Action::RevokeTokens)]);
    assert_eq!(story.query(SOQL).status, 401);
    assert_eq!(story.refresh(&refresh_token).oauth_error().1, "expired access/refresh token");
}

#[test]
fn faults_reach_the_token_endpoint_too() {
    let story = paged();
    let refresh_token = story.org.issue_refresh_token();
    story.org.faults().set([Fault::new(Action::HtmlPage).on_grant("refresh_token")]);
    assert!(story.refresh(&refresh_token).text.starts_with("<!DOCTYPE html>"));
    assert_eq!(story.refresh(&refresh_token).status, 200);
}

#[test]
fn a_lost_answer_to_a_rotating_refresh_leaves_the_old_token_rotated_out() {
    let story = Story::of(
        SimulatedOrg::builder().policy(|policy| policy.rotate_refresh_tokens = true).start(),
    );
    let token = story.org.issue_refresh_token();
    story.org.faults().set([
        Fault::new(Action::CloseAfter { bytes: 10, chunked: false }).on_grant("refresh_token")
    ]);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.as_str()),
        ("client_id", story.org.client_id()),
        ("client_secret", story.org.client_secret()),
    ];
    let lost =
        story.client.post(story.url("/services/oauth2/token")).form(&form).send().expect("a head");
    assert!(lost.text().is_err());
    // The lock of the first request may still be held while its connection is being closed.
    let answer = loop {
        let (_, description) = story.refresh(&token).oauth_error();
        if description != "token request is already being processed" {
            break description;
        }
    };
    assert_eq!(answer, "expired access/refresh token");
}

#[test]
fn a_gateway_answers_with_any_status_and_without_a_header_of_salesforce() {
    let story = paged();
    for status in [200, 403, 404, 407, 408, 420, 421, 451, 502] {
        let page = first(&story, Action::GatewayPage { status, retry_after: None });
        assert_eq!((page.status, page.header("content-type")), (status, Some("text/html")));
        for header in ["server", "x-sfdc-request-id", "sforce-limit-info", "retry-after"] {
            assert_eq!(page.header(header), None, "{status} {header}");
        }
    }
    let wait = |retry_after| {
        let busy = Action::GatewayPage { status: 503, retry_after: Some(retry_after) };
        first(&story, busy).header("retry-after").expect("a header").to_owned()
    };
    assert_eq!(wait(RetryAfter::Seconds(120)), "120");
    let date = chrono::DateTime::parse_from_rfc2822(&wait(RetryAfter::Date(120)));
    let ahead = date.expect("an HTTP date").timestamp() - story.org.now().timestamp();
    assert!((115..=120).contains(&ahead), "{ahead}");
}

#[test]
fn a_fault_can_be_about_a_kind_of_request() {
    let story = paged();
    let seen = |kind: RequestKind| {
        story.org.faults().set([Fault::new(Action::GatewayPage {
            status: 403,
            retry_after: None,
        })
        .on_kind(kind)
        .always()]);
        [
            story.get("/services/data/").status,
            story.get("/services/data/v60.0/sobjects/User/describe").status,
            story.query("SELECT COUNT() FROM User").status,
            story.query(SOQL).status,
            story.get("/services/data/v60.0/limits").status,
        ]
    };
    assert_eq!(seen(RequestKind::Versions), [403, 200, 200, 200, 200]);
    assert_eq!(seen(RequestKind::Describe), [200, 403, 200, 200, 200]);
    assert_eq!(seen(RequestKind::Count), [200, 200, 403, 200, 200]);
    assert_eq!(seen(RequestKind::Page), [200, 200, 200, 403, 200]);
    assert_eq!(seen(RequestKind::Limits), [200, 200, 200, 200, 403]);
    let kinds: Vec<RequestKind> = story.org.journal().iter().map(|entry| entry.kind).collect();
    assert!(kinds.contains(&RequestKind::Versions) && kinds.contains(&RequestKind::Count));
}

#[test]
fn a_body_of_two_gzip_members_is_the_same_body() {
    let story = paged();
    let whole = story.query(SOQL).text;
    // The locator differs, the records do not.
    let two = first(&story, Action::TwoGzipMembers).text;
    let records = |text: &str| text.split("\"records\"").nth(1).map(str::to_owned);
    // This client reads the first member only: what is missing is the second half.
    assert!(records(&whole).is_some());
    assert!(whole.len() > two.len() || records(&whole) == records(&two));
}

#[test]
fn an_object_can_be_emptied_and_labels_be_translated_between_two_questions() {
    let story = paged();
    let stamps = "SELECT Id, Name, SystemModstamp FROM Profile ORDER BY Id";
    let before = story.query(stamps).json();
    story.org.faults().set([Fault::new(Action::TranslateLabels).on_object("Profile")]);
    let after = story.query(stamps).json();
    let of = |page: &Value, field: &str| page["records"][0][field].as_str().map(str::to_owned);
    assert_eq!(of(&after, "Name"), of(&before, "Name").map(|name| format!("{name} (traduit)")));
    assert_eq!(of(&after, "SystemModstamp"), of(&before, "SystemModstamp"));
    story.org.empty_object("Profile");
    assert_eq!(story.query(stamps).json()["totalSize"], 0);
    assert_eq!(story.query("SELECT COUNT() FROM Profile").json()["totalSize"], 0);
    story.org.show_everything();
    assert_eq!(story.query(stamps).json()["totalSize"], before["totalSize"]);
}

#[test]
fn a_record_can_be_added_with_an_earlier_date() {
    let story = paged();
    let fields = [("CreatedDate", "2026-01-02T03:04:05.000+0000"), ("Action", "late")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.into())).into_iter().collect();
    let late = Action::AddRecord { object: "SetupAuditTrail".to_owned(), fields };
    story.org.faults().set([Fault::new(late).on_object("SetupAuditTrail")]);
    let row = story.query("SELECT CreatedDate FROM SetupAuditTrail WHERE Action = 'late'").json();
    assert_eq!(row["records"][0]["CreatedDate"], "2026-01-02T03:04:05.000+0000");
}
