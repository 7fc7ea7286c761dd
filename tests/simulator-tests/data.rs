//! The data API: what it answers and what it refuses, to the letter.

use std::collections::BTreeSet;

use salesforce_sim::{SessionAnswer, SimulatedOrg, Violation};
use serde_json::{Value, json};

use crate::client::{Answer, Story};

#[test]
fn versions_are_listed_for_everyone_and_are_not_counted() {
    let story = Story::new();
    let answer =
        Answer::of(story.client.get(story.url("/services/data")).send().expect("an answer"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("sforce-limit-info"), None);
    let versions = answer.json();
    assert_eq!(
        versions[0],
        json!({"label": "Summer '14", "url": "/services/data/v31.0", "version": "31.0"})
    );
    assert_eq!(
        versions.as_array().and_then(|list| list.last()).expect("a version")["version"],
        "66.0"
    );
    assert_eq!(
        story.get("/services/data/v60.0/limits").header("sforce-limit-info"),
        Some("api-usage=1/15000")
    );
}

#[test]
fn retired_versions_are_gone_and_future_ones_are_not_found() {
    let story = Story::new();
    let gone = story.get("/services/data/v30.0/limits");
    assert_eq!(gone.refusal(), (410, "GONE".to_owned()));
    let future = story.get("/services/data/v67.0/limits");
    assert_eq!(future.refusal(), (404, "NOT_FOUND".to_owned()));
    assert_eq!(future.json()[0]["message"], "The requested resource does not exist");
}

#[test]
fn a_missing_or_dead_token_is_refused_with_an_array() {
    let story = Story::new();
    let expected =
        json!([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]);
    let missing = story.client.get(story.url("/services/data/v60.0/limits"));
    let missing = Answer::of(missing.send().expect("an answer"));
    assert_eq!((missing.status, missing.json()), (401, expected.clone()));
    story.org.expire_sessions();
    let dead = story.get("/services/data/v60.0/limits");
    assert_eq!((dead.status, dead.json()), (401, expected));
}

#[test]
fn some_refusals_cannot_be_cured_by_a_refresh() {
    let story = Story::new();
    let message = |answer: SessionAnswer| {
        story.org.set_policy(|policy| policy.session_answer = answer);
        let refused = story.get("/services/data/v60.0/limits");
        assert_eq!(refused.refusal(), (401, "INVALID_SESSION_ID".to_owned()));
        refused.json()[0]["message"].as_str().expect("a message").to_owned()
    };
    assert_eq!(
        message(SessionAnswer::NotForRest),
        "This session is not valid for use with the REST API"
    );
    assert_eq!(message(SessionAnswer::NotAttached), "Connected app is not attached to Agent");
    assert_eq!(message(SessionAnswer::AlwaysExpired), "Session expired or invalid");
}

#[test]
fn a_token_without_the_api_scope_is_no_good_for_data() {
    let story = Story::new();
    let token = story.exchange(&story.code(&[("scope", "id")]), &[]).json();
    assert_eq!(token["scope"], "id");
    assert!(token.get("refresh_token").is_none(), "nobody asked for one");
    let request = story.client.get(story.url("/services/data/v60.0/limits"));
    let answer = request
        .bearer_auth(token["access_token"].as_str().expect("a token"))
        .send()
        .expect("an answer");
    assert_eq!(answer.status(), 401);
}

#[test]
fn answers_carry_the_headers_of_the_platform() {
    let story = Story::new();
    let answer = story.query("SELECT Id FROM User LIMIT 1");
    for (name, value) in [
        ("content-type", "application/json;charset=UTF-8"),
        ("cache-control", "no-cache,must-revalidate,max-age=0,no-store,private"),
        ("server", "sfdcedge"),
        ("vary", "Accept-Encoding"),
        ("x-content-type-options", "nosniff"),
        ("strict-transport-security", "max-age=63072000; includeSubDomains"),
        ("transfer-encoding", "chunked"),
        ("sforce-limit-info", "api-usage=1/15000"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    let id = answer.header("x-sfdc-request-id").expect("an id");
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(answer.header("x-request-id"), Some(id));
    assert_eq!(answer.header("expires_in"), None);
}

#[test]
fn the_client_may_choose_the_request_id() {
    let story = Story::new();
    let id = "0123456789abcdef0123456789abcdef";
    let request =
        story.client.get(story.url("/services/data/v60.0/limits")).bearer_auth(&story.token);
    let answer = Answer::of(request.header("X-SFDC-Request-Id", id).send().expect("an answer"));
    assert_eq!(answer.header("x-sfdc-request-id"), Some(id));
    assert_eq!(story.org.journal().last().expect("an entry").request_id, id);
}

#[test]
fn limits_agree_with_the_counter() {
    let story = Story::new();
    story.query("SELECT Id FROM User LIMIT 1");
    let limits = story.get("/services/data/v60.0/limits").json();
    assert_eq!(limits["DailyApiRequests"], json!({"Max": 15_000, "Remaining": 14_998}));
    assert!(limits["PermissionSets"]["CreateCustom"]["Max"].is_u64());
    assert!(limits.as_object().expect("an object").len() >= 70);
    story.org.without_permission("PermissionsManageUsers");
    assert!(story.get("/services/data/v60.0/limits").json().get("DataStorageMB").is_none());
}

#[test]
fn the_daily_allowance_ends_and_comes_back_after_a_day() {
    let story =
        Story::of(SimulatedOrg::builder().policy(|policy| policy.daily_api_limit = 2).start());
    assert_eq!(story.get("/services/data/v60.0/limits").status, 200);
    assert_eq!(story.get("/services/data/v60.0/limits").status, 200);
    let refused = story.get("/services/data/v60.0/limits");
    assert_eq!(refused.refusal(), (403, "REQUEST_LIMIT_EXCEEDED".to_owned()));
    assert_eq!(refused.json()[0]["message"], "TotalRequests Limit exceeded.");
    story.org.set_policy(|policy| {
        policy.session_timeout = std::time::Duration::from_secs(7 * 24 * 3_600)
    });
    story.org.advance(std::time::Duration::from_secs(25 * 3_600));
    assert_eq!(story.get("/services/data/v60.0/limits").status, 200);
}

#[test]
fn without_the_api_permission_everything_is_refused() {
    let story =
        Story::of(SimulatedOrg::builder().without_permission("PermissionsApiEnabled").start());
    assert_eq!(
        story.get("/services/data/v60.0/limits").refusal(),
        (403, "API_DISABLED_FOR_ORG".to_owned())
    );
}

#[test]
fn permissions_decide_whose_logins_are_seen() {
    let rows = |builder: salesforce_sim::OrgBuilder| {
        let story =
            Story::of(builder.users(60).without_permission("PermissionsManageUsers").start());
        story.query("SELECT COUNT() FROM LoginHistory").json()["totalSize"]
            .as_u64()
            .expect("a count")
    };
    let own = rows(SimulatedOrg::builder());
    let all = rows(SimulatedOrg::builder().with_permission("PermissionsMonitorLoginHistory"));
    assert!(own < all, "{own} of {all}");
}

#[test]
fn a_describe_can_be_skipped_while_nothing_changed() {
    let story = Story::new();
    let path = "/services/data/v60.0/sobjects/User/describe";
    let first = story.get(path);
    assert_eq!(first.json()["name"], "User");
    let modified = first.header("last-modified").expect("a date").to_owned();
    assert!(first.header("etag").is_some());
    let again = || {
        let request = story.client.get(story.url(path)).bearer_auth(&story.token);
        Answer::of(request.header("If-Modified-Since", &modified).send().expect("an answer"))
    };
    let fresh = again();
    assert_eq!((fresh.status, fresh.text.as_str()), (304, ""));
    story.org.advance(std::time::Duration::from_secs(60));
    story.org.hide_field("User", "Email");
    let changed = again();
    assert_eq!(changed.status, 200);
    assert_ne!(changed.text, first.text);
}

#[test]
fn a_hidden_object_is_missing_everywhere() {
    let story = Story::of(SimulatedOrg::builder().hide_object("UserLogin").start());
    let names: BTreeSet<String> = story.get("/services/data/v60.0/sobjects").json()["sobjects"]
        .as_array()
        .expect("objects")
        .iter()
        .filter_map(|object| object["name"].as_str().map(str::to_owned))
        .collect();
    assert!(names.contains("User") && !names.contains("UserLogin"));
    let describe = story.get("/services/data/v60.0/sobjects/UserLogin/describe");
    assert_eq!(describe.refusal(), (404, "NOT_FOUND".to_owned()));
    assert_eq!(story.query("SELECT Id FROM UserLogin").refusal(), (400, "INVALID_TYPE".to_owned()));
}

#[test]
fn a_record_is_read_by_its_id_with_the_asked_fields() {
    let story = Story::new();
    let id = story.query("SELECT Id FROM User LIMIT 1").json()["records"][0]["Id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let record =
        story.get(&format!("/services/data/v60.0/sobjects/User/{id}?fields=Id,Username")).json();
    assert_eq!(record["Id"], json!(id));
    assert!(record["Username"].is_string() && record.get("Email").is_none());
}

#[test]
fn counts_and_packages_are_there() {
    let story = Story::new();
    let counts = story.get("/services/data/v60.0/limits/recordCount?sObjects=User,Nothing").json();
    assert_eq!(
        counts["sObjects"],
        json!([{"count": story.org.truth().total_users, "name": "User"}])
    );
    let soql = "SELECT+Id,SubscriberPackage.NamespacePrefix+FROM+InstalledSubscriberPackage";
    let packages = story.get(&format!("/services/data/v60.0/tooling/query?q={soql}")).json();
    assert_eq!(packages["entityTypeName"], "InstalledSubscriberPackage");
    assert_eq!(packages["queryLocator"], Value::Null);
    assert_eq!(packages["size"], packages["totalSize"]);
    let licenses = story.query("SELECT NamespacePrefix FROM PackageLicense ORDER BY Id").json();
    assert_eq!(packages["size"], licenses["totalSize"]);
    let namespace = &licenses["records"][0]["NamespacePrefix"];
    assert_eq!(&packages["records"][0]["SubscriberPackage"]["NamespacePrefix"], namespace);
}

#[test]
fn writing_is_refused_and_noted() {
    let story = Story::new();
    let user = story.url("/services/data/v60.0/sobjects/User/005000000000001AAA");
    let refused = story.client.delete(&user).bearer_auth(&story.token).send().expect("an answer");
    assert_eq!(Answer::of(refused).refusal(), (403, "INSUFFICIENT_ACCESS_OR_READONLY".to_owned()));
    let query = story.url("/services/data/v60.0/query?q=SELECT+Id+FROM+User");
    let refused =
        Answer::of(story.client.post(query).bearer_auth(&story.token).send().expect("an answer"));
    assert_eq!(refused.refusal(), (405, "METHOD_NOT_ALLOWED".to_owned()));
    assert_eq!(
        refused.json()[0]["message"],
        "HTTP Method 'POST' not allowed. Allowed are GET,HEAD"
    );
    let violations: Vec<Violation> =
        story.org.violations().into_iter().map(|(violation, _)| violation).collect();
    assert_eq!(violations, [Violation::WriteMethod, Violation::WriteMethod]);
}

fn composite(story: &Story, path: &str, body: &Value) -> Answer {
    let request = story
        .client
        .post(story.url(&format!("/services/data/v60.0/{path}")))
        .bearer_auth(&story.token);
    Answer::of(request.json(body).send().expect("an answer"))
}

#[test]
fn a_composite_request_answers_each_part_and_counts_once() {
    let story = Story::new();
    let body = json!({"compositeRequest": [
        {"method": "GET", "referenceId": "count", "url": "/services/data/v60.0/query?q=SELECT+COUNT()+FROM+User"},
        {"method": "GET", "referenceId": "wrong", "url": "/services/data/v60.0/query/?q=SELECT+COUNT()+FROM+XYZZY"},
        {"method": "GET", "referenceId": "old", "url": "/services/data/v60.0/sobjects/User/describe",
         "httpHeaders": {"If-Modified-Since": "Fri, 31 Dec 2100 23:59:59 GMT"}},
    ]});
    let answer = composite(&story, "composite", &body);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("sforce-limit-info"), Some("api-usage=1/15000"));
    let parts = answer.json()["compositeResponse"].clone();
    assert_eq!(
        parts[0]["body"],
        json!({"totalSize": story.org.truth().total_users, "done": true, "records": []})
    );
    assert_eq!(parts[0]["httpHeaders"], json!({}));
    assert_eq!(
        (&parts[1]["httpStatusCode"], &parts[1]["body"][0]["errorCode"]),
        (&json!(400), &json!("INVALID_TYPE"))
    );
    assert_eq!((&parts[2]["httpStatusCode"], &parts[2]["body"]), (&json!(304), &Value::Null));
    assert!(parts[2]["httpHeaders"]["ETag"].is_string());
    assert!(story.org.violations().is_empty());
}

#[test]
fn a_composite_request_has_its_limits() {
    let story = Story::new();
    let part = |url: &str| json!({"method": "GET", "referenceId": "r", "url": format!("/services/data/v60.0/{url}")});
    let parts = |url: &str, count: usize| json!({"compositeRequest": vec![part(url); count]});
    let query = "query?q=SELECT+Id+FROM+User+LIMIT+1";
    assert_eq!(composite(&story, "composite", &parts(query, 5)).status, 200);
    assert_eq!(composite(&story, "composite", &parts(query, 6)).refusal().0, 400);
    assert_eq!(composite(&story, "composite", &parts("limits", 25)).status, 200);
    assert_eq!(composite(&story, "composite", &parts("limits", 26)).refusal().0, 400);
}

#[test]
fn a_batch_counts_every_part_and_halts_when_told() {
    let story = Story::new();
    let body = json!({"haltOnError": true, "batchRequests": [
        {"method": "GET", "url": "v60.0/limits"},
        {"method": "GET", "url": "v60.0/sobjects/Nothing/describe"},
        {"method": "GET", "url": "v60.0/limits"},
    ]});
    let answer = composite(&story, "composite/batch", &body);
    assert_eq!(answer.header("sforce-limit-info"), Some("api-usage=3/15000"));
    let body = answer.json();
    assert_eq!(body["hasErrors"], true);
    assert_eq!(body["results"][0]["statusCode"], 200);
    assert_eq!(body["results"][1]["result"][0]["errorCode"], "NOT_FOUND");
    assert_eq!(body["results"][2]["statusCode"], 412);
    assert_eq!(body["results"][2]["result"][0]["errorCode"], "BATCH_PROCESSING_HALTED");
}

#[test]
fn a_uri_of_more_than_16384_bytes_is_too_long() {
    let story = Story::new();
    let soql = format!("SELECT Id FROM User WHERE Id IN ('{}')", "x".repeat(16_400));
    assert_eq!(story.query(&soql).status, 414);
    assert_eq!(story.org.journal().last().expect("an entry").status, Some(414));
}

#[test]
fn answers_are_compressed_for_those_who_accept_it_and_say_so_in_their_tag() {
    let story = Story::new();
    let request = |encoding: &str| {
        let request = story.client.get(story.url("/services/data/v60.0/sobjects/User/describe"));
        let request = request.bearer_auth(&story.token).header("Accept-Encoding", encoding);
        request.send().expect("an answer")
    };
    // The client takes `Content-Encoding` away when it has decoded the body; the tag stays.
    let tag =
        |encoding: &str| request(encoding).headers()["etag"].to_str().expect("text").to_owned();
    assert!(!tag("identity").contains("gzip"));
    assert!(tag("gzip").ends_with("--gzip\""));
    let sent = || story.org.journal().last().expect("an entry").bytes;
    let plain = request("identity").bytes().expect("a body");
    assert_eq!(sent(), plain.len() as u64);
    let compressed = request("gzip").bytes().expect("a body");
    assert_eq!(compressed, plain);
    assert!(sent() < plain.len() as u64 / 2);
    let head =
        story.client.head(story.url("/services/data/v60.0/limits")).bearer_auth(&story.token);
    let head = Answer::of(head.send().expect("an answer"));
    assert_eq!((head.status, head.text.as_str()), (200, ""));
}

#[test]
fn media_types_that_an_endpoint_does_not_take_are_refused() {
    let story = Story::new();
    let ask = |method: reqwest::Method, path: &str, headers: &[(&str, &str)], body: &str| {
        let mut request = story.client.request(method, story.url(path)).bearer_auth(&story.token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.body(body.to_owned()).send().expect("an answer");
        answer.status().as_u16()
    };
    use reqwest::Method;
    let limits = "/services/data/v60.0/limits";
    assert_eq!(ask(Method::GET, limits, &[("Accept", "text/html")], ""), 406);
    assert_eq!(ask(Method::GET, limits, &[("Accept", "text/html, */*;q=0.1")], ""), 200);
    let jobs = "/services/data/v60.0/jobs/query";
    let job = r#"{"operation":"query","query":"SELECT Id FROM User"}"#;
    assert_eq!(ask(Method::POST, jobs, &[("Content-Type", "text/plain")], job), 415);
    assert_eq!(ask(Method::POST, jobs, &[("Content-Type", "application/json")], job), 200);
}

#[test]
fn resources_newer_than_the_asked_version_are_unknown() {
    let story = Story::new();
    let status =
        |version: u16, path: &str| story.get(&format!("/services/data/v{version}.0/{path}")).status;
    assert_eq!([status(46, "jobs/query"), status(47, "jobs/query")], [404, 200]);
    assert_eq!([status(39, "limits/recordCount"), status(40, "limits/recordCount")], [404, 200]);
    let describe = "sobjects/UserPermissionAccess/describe";
    assert_eq!([status(40, describe), status(41, describe)], [404, 200]);
}

#[test]
fn tooling_queries_take_conditions_order_and_limit() {
    let story = Story::new();
    let ids = |rest: &str| -> Vec<String> {
        let soql = format!("SELECT Id FROM InstalledSubscriberPackage {rest}");
        let soql: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
        let page = story.get(&format!("/services/data/v60.0/tooling/query?q={soql}")).json();
        let rows = page["records"].as_array().expect("rows").clone();
        assert_eq!(page["totalSize"], rows.len());
        rows.iter().map(|row| row["Id"].as_str().expect("an id").to_owned()).collect()
    };
    let all = ids("ORDER BY Id");
    assert!(all.len() > 2 && all.is_sorted());
    assert_eq!(ids("ORDER BY Id DESC LIMIT 1"), all[all.len() - 1..]);
    assert_eq!(ids(&format!("WHERE Id > '{}' ORDER BY Id LIMIT 2000", all[0])), all[1..]);
}
