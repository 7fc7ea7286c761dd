//! Bulk API 2.0 query jobs.

use std::time::Duration;

use reqwest::Method;
use salesforce_sim::{
    Action, BulkErrors, BulkQueue, EmptyCsv, Fault, OrgBuilder, SimulatedOrg, Violation,
};
use serde_json::{Value, json};

use crate::client::{Answer, Story};

const JOBS: &str = "/services/data/v60.0/jobs/query";

fn story(build: impl FnOnce(OrgBuilder) -> OrgBuilder) -> Story {
    Story::of(build(SimulatedOrg::builder().users(300).seed(7)).start())
}

impl Story {
    fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let request = self.client.request(method, self.url(path)).bearer_auth(&self.token);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        Answer::of(request.send().expect("an answer"))
    }

    fn create(&self, body: &Value) -> Answer {
        self.send(Method::POST, JOBS, Some(body))
    }

    fn job(&self, soql: &str) -> String {
        let answer = self.create(&json!({"operation": "query", "query": soql}));
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    /// A job that was polled until it was over.
    fn finished(&self, soql: &str) -> String {
        let id = self.job(soql);
        let over = |state: &Value| state == "JobComplete" || state == "Failed";
        assert!(
            (0..5).any(|_| over(&self.get(&format!("{JOBS}/{id}")).json()["state"])),
            "the job ends"
        );
        id
    }

    /// Every part of a result by its locators, with the header of each.
    fn parts(&self, id: &str, more: &str) -> Vec<Answer> {
        let mut parts = vec![self.get(&format!("{JOBS}/{id}/results?{more}"))];
        loop {
            let last = parts.last().expect("a part");
            match last.header("sforce-locator").expect("a locator") {
                "null" => return parts,
                locator => {
                    let next = format!("{JOBS}/{id}/results?{more}&locator={locator}");
                    parts.push(self.get(&next));
                }
            }
        }
    }
}

/// Records of CSV in which every value is quoted.
fn records(csv: &str, delimiter: char) -> Vec<Vec<String>> {
    let mut records = vec![vec![String::new()]];
    let mut quoted = false;
    let mut characters = csv.chars().peekable();
    while let Some(character) = characters.next() {
        let record = records.last_mut().expect("a record");
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                record.last_mut().expect("a value").push('"');
            }
            '"' => quoted = !quoted,
            '\n' if !quoted => records.push(vec![String::new()]),
            '\r' if !quoted => {}
            other if !quoted && other == delimiter => record.push(String::new()),
            other => {
                assert!(quoted, "every value is quoted: {other:?}");
                record.last_mut().expect("a value").push(other);
            }
        }
    }
    assert_eq!(records.pop(), Some(vec![String::new()]), "the last line ends");
    records
}

#[test]
fn a_job_goes_from_upload_complete_to_job_complete_and_tells_what_the_reference_tells() {
    let story = story(|org| org.policy(|policy| policy.bulk.queue = BulkQueue::Polls(2)));
    let created = story.create(&json!({"operation": "query", "query": "SELECT Id FROM User",
        "contentType": "CSV", "columnDelimiter": "PIPE", "lineEnding": "CRLF"}));
    let job = created.json();
    let id = job["id"].as_str().expect("an id").to_owned();
    assert!(id.starts_with("750") && id.len() == 18);
    let keys: Vec<&String> = job.as_object().expect("an object").keys().collect();
    assert_eq!(keys.len(), 12, "{keys:?}");
    assert_eq!(job["state"], "UploadComplete");
    assert_eq!(job["object"], "User");
    assert_eq!(job["apiVersion"].to_string(), "60.0");
    assert_eq!((&job["columnDelimiter"], &job["lineEnding"]), (&json!("PIPE"), &json!("CRLF")));
    assert_eq!(job["createdById"], story.org.estate().admin().user_id.as_str());
    let path = format!("{JOBS}/{id}");
    let early = story.get(&format!("{path}/results"));
    assert_eq!(early.refusal(), (400, "INVALIDJOBSTATE".to_owned()));
    let looks: Vec<Value> = (0..4).map(|_| story.get(&path).json()).collect();
    let states: Vec<&str> = looks.iter().filter_map(|job| job["state"].as_str()).collect();
    assert_eq!(states, ["UploadComplete", "InProgress", "JobComplete", "JobComplete"]);
    assert_eq!(looks[0]["jobType"], "V2Query");
    assert_eq!(looks[1]["numberRecordsProcessed"], 0);
    assert_eq!(looks[2]["numberRecordsProcessed"], story.org.truth().total_users);
    assert_eq!(looks[2]["isPkChunkingSupported"], true);
    let csv = story.get(&format!("{path}/results"));
    assert_eq!(csv.header("content-type"), Some("text/csv"));
    assert!(csv.text.starts_with("\"Id\"\r\n\"005"), "{}", &csv.text[..40]);
    assert!(story.org.violations().is_empty());
}

#[test]
fn csv_says_what_rest_says() {
    let story = story(|org| org);
    let fields = "Id, Name, IsActive, LastLoginDate, NumberOfFailedLogins, FederationIdentifier, Profile.Name, \
                  Profile.UserLicense.LicenseDefinitionKey";
    let soql = format!("SELECT {fields} FROM User ORDER BY Id");
    let rest = story.query(&soql).json();
    let id = story.finished(&soql);
    let parts = story.parts(&id, "maxRecords=70");
    assert_eq!(parts.len(), 5);
    assert_eq!(parts[0].header("sforce-numberofrecords"), Some("70"));
    assert_eq!(parts[4].header("sforce-numberofrecords"), Some("20"));
    let mut rows = Vec::new();
    for part in &parts {
        let mut records = records(&part.text, ',');
        let header = records.remove(0).join(", ");
        assert_eq!(header, fields.replace("                  ", ""), "each part has the header");
        rows.append(&mut records);
    }
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.replace("+0000", "Z"),
        other => other.to_string(),
    };
    let expected: Vec<Vec<String>> = rest["records"]
        .as_array()
        .expect("records")
        .iter()
        .map(|row| {
            let mut cells: Vec<String> = [
                "Id",
                "Name",
                "IsActive",
                "LastLoginDate",
                "NumberOfFailedLogins",
                "FederationIdentifier",
            ]
            .iter()
            .map(|field| text(&row[field]))
            .collect();
            cells.push(text(&row["Profile"]["Name"]));
            cells.push(text(&row["Profile"]["UserLicense"]["LicenseDefinitionKey"]));
            cells
        })
        .collect();
    assert_eq!(rows, expected);
    assert!(rows.iter().any(|row| row[1].contains('\n')), "a line feed inside a value");
    assert!(rows.iter().any(|row| row[1].contains('"')), "a quote inside a value");
    assert!(rows.iter().any(|row| row[6].is_empty()), "a profile nobody sees");
}

#[test]
fn locators_are_stable_and_unsorted_results_are_in_no_promised_order() {
    let story = story(|org| org);
    let id = story.finished("SELECT Id FROM User");
    let first = story.parts(&id, "maxRecords=100");
    let again = story.parts(&id, "maxRecords=100");
    assert_eq!(first.len(), 3);
    for (a, b) in first.iter().zip(&again) {
        assert_eq!((a.header("sforce-locator"), &a.text), (b.header("sforce-locator"), &b.text));
    }
    let ids: Vec<String> = first
        .iter()
        .flat_map(|part| records(&part.text, ',').split_off(1))
        .map(|mut record| record.remove(0))
        .collect();
    assert!(!ids.is_sorted());
    let unique: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(unique.len() as u64, story.org.truth().total_users);
    let wrong = story.get(&format!("{JOBS}/{id}/results?locator=made-up"));
    assert_eq!(wrong.status, 400);
}

#[test]
fn parts_can_be_read_in_parallel_since_version_58() {
    let story = story(|org| org.policy(|policy| policy.bulk.rows_per_part = 40));
    let id = story.finished("SELECT Id FROM User ORDER BY Id");
    let pages = story.get(&format!("{JOBS}/{id}/resultPages")).json();
    assert_eq!(pages["resultPages"].as_array().map(Vec::len), Some(5));
    assert_eq!(pages["done"], false);
    let next = pages["nextRecordsUrl"].as_str().expect("a next page").to_owned();
    let rest = story.get(&next).json();
    assert_eq!((&rest["done"], &rest["nextRecordsUrl"]), (&json!(true), &Value::Null));
    let urls = [&pages, &rest].into_iter().flat_map(|page| {
        page["resultPages"]
            .as_array()
            .expect("parts")
            .iter()
            .filter_map(|p| p["resultUrl"].as_str())
    });
    let rows: usize = urls.map(|url| records(&story.get(url).text, ',').len() - 1).sum();
    assert_eq!(rows as u64, story.org.truth().total_users);
    story.org.set_policy(|policy| policy.bulk.next_record_url = true);
    let other = story.get(&format!("{JOBS}/{id}/resultPages")).json();
    assert!(other["nextRecordUrl"].is_string() && other.get("nextRecordsUrl").is_none());
    let old = Story { token: story.org.issue_access_token(), ..story };
    let created = old.send(
        Method::POST,
        "/services/data/v57.0/jobs/query",
        Some(&json!({"operation": "query", "query": "SELECT Id FROM User"})),
    );
    let id = created.json()["id"].as_str().expect("an id").to_owned();
    for _ in 0..2 {
        old.get(&format!("/services/data/v57.0/jobs/query/{id}"));
    }
    assert_eq!(old.get(&format!("/services/data/v57.0/jobs/query/{id}/resultPages")).status, 404);
}

#[test]
fn a_result_is_read_in_the_version_the_job_was_made_in() {
    let story = story(|org| org);
    let id = story.finished("SELECT Id FROM User");
    let other = format!("/services/data/v61.0/jobs/query/{id}/results");
    assert_eq!(story.get(&other).status, 409);
    assert_eq!(story.get(&format!("{JOBS}/{id}/results")).status, 200);
}

#[test]
fn what_only_rest_can_do_is_refused() {
    let story = story(|org| org);
    for (soql, code) in [
        ("SELECT COUNT() FROM User", "API_ERROR"),
        ("SELECT COUNT(Id) FROM User", "API_ERROR"),
        ("SELECT ProfileId FROM User GROUP BY ProfileId", "API_ERROR"),
        ("SELECT Id FROM User OFFSET 5", "API_ERROR"),
        ("SELECT Id, (SELECT Id FROM PermissionSetAssignments) FROM User", "API_ERROR"),
        ("SELECT TYPEOF License WHEN UserLicense THEN Name END FROM PermissionSet", "API_ERROR"),
        ("SELECT FIELDS(ALL) FROM User LIMIT 10", "API_ERROR"),
        ("SELECT Id, Address FROM User", "API_ERROR"),
        ("SELECT UserId FROM OauthToken", "INVALIDENTITY"),
        ("SELECT Nothing FROM User", "INVALID_FIELD"),
        ("SELECT Id FROM Nothing", "INVALID_TYPE"),
        ("SELECT Id FROM", "MALFORMED_QUERY"),
    ] {
        let refused = story.create(&json!({"operation": "query", "query": soql}));
        assert_eq!(refused.refusal(), (400, code.to_owned()), "{soql}");
    }
    let refused =
        story.create(&json!({"operation": "query", "query": "SELECT UserId FROM OauthToken"}));
    let message = &refused.json()[0]["message"];
    assert_eq!(message, "Entity 'OauthToken' is not supported by the Bulk API.");
    for body in [
        json!({"operation": "insert", "query": "SELECT Id FROM User"}),
        json!({"operation": "query"}),
        json!({"operation": "query", "query": "SELECT Id FROM User", "columnDelimiter": "DOT"}),
        json!({"operation": "query", "query": "SELECT Id FROM User", "contentType": "JSON"}),
    ] {
        assert_eq!(story.create(&body).status, 400, "{body}");
    }
    story.org.set_policy(|policy| {
        policy.bulk.refused_objects.insert("User".to_owned());
    });
    let refused = story.create(&json!({"operation": "query", "query": "SELECT Id FROM User"}));
    assert_eq!(refused.refusal().1, "INVALIDENTITY");
}

#[test]
fn a_bad_query_can_surface_as_a_failed_job() {
    let story = story(|org| org.policy(|policy| policy.bulk.errors = BulkErrors::AsFailed));
    let id = story.finished("SELECT Nothing FROM User");
    let job = story.get(&format!("{JOBS}/{id}")).json();
    assert_eq!(job["state"], "Failed");
    assert!(job["errorMessage"].as_str().expect("a reason").contains("INVALID_FIELD"), "{job}");
    assert_eq!(story.get(&format!("{JOBS}/{id}/results")).status, 400);
}

#[test]
fn query_all_finds_what_lies_in_the_recycle_bin() {
    let story = story(|org| org);
    let count = |operation: &str| {
        let body = json!({"operation": operation, "query": "SELECT Id, IsDeleted FROM Account"});
        let id = story.create(&body).json()["id"].as_str().expect("an id").to_owned();
        (0..2).for_each(|_| drop(story.get(&format!("{JOBS}/{id}"))));
        records(&story.get(&format!("{JOBS}/{id}/results")).text, ',').len()
    };
    assert!(count("queryAll") > count("query"));
}

#[test]
fn a_job_is_aborted_while_it_works_and_deleted_when_it_is_over() {
    let story = story(|org| org.policy(|policy| policy.bulk.queue = BulkQueue::Stuck));
    let abort = json!({"state": "Aborted"});
    let id = story.job("SELECT Id FROM User");
    let path = format!("{JOBS}/{id}");
    let refused = story.send(Method::DELETE, &path, None);
    assert_eq!(refused.refusal(), (400, "API_ERROR".to_owned()));
    assert!(refused.text.contains("the job is not terminated"));
    let aborted = story.send(Method::PATCH, &path, Some(&abort));
    assert_eq!((aborted.status, &aborted.json()["state"]), (200, &json!("Aborted")));
    let gone = story.send(Method::DELETE, &path, None);
    assert_eq!((gone.status, gone.header("sforce-limit-info")), (204, None));
    assert_eq!(story.get(&path).refusal(), (404, "NOT_FOUND".to_owned()));
    story.org.set_policy(|policy| policy.bulk.queue = BulkQueue::Polls(0));
    let path = format!("{JOBS}/{}", story.job("SELECT Id FROM User"));
    let late = story.send(Method::PATCH, &path, Some(&abort));
    assert_eq!(late.refusal(), (400, "INVALIDJOBSTATE".to_owned()));
    assert!(late.text.contains("Aborting already Completed Job not allowed"));
    assert!(story.org.violations().is_empty(), "jobs are no records");
    story.send(Method::PUT, &path, Some(&abort));
    assert_eq!(story.org.violations()[0].0, Violation::WriteMethod);
}

#[test]
fn the_list_shows_own_jobs_and_leads_on_under_another_name() {
    let story = story(|org| org.policy(|policy| policy.bulk.jobs_per_page = 2));
    let ids: Vec<String> = (0..3).map(|_| story.job("SELECT Id FROM User")).collect();
    let page = story.get(JOBS).json();
    assert_eq!(page["done"], false);
    assert_eq!(page["records"].as_array().map(Vec::len), Some(2));
    let next = page["nextRecordsUrl"].as_str().expect("a next page");
    assert!(next.contains("/jobs/ingest?queryLocator="), "{next}");
    let last = story.get(next).json();
    assert_eq!((&last["done"], &last["nextRecordsUrl"]), (&json!(true), &Value::Null));
    assert_eq!(last["records"][0]["id"], ids[0].as_str());
    assert_eq!(last["records"][0]["object"], "User");
    let ingest = story.get("/services/data/v60.0/jobs/query?jobType=Classic").json();
    assert_eq!(ingest["records"], json!([]));
}

#[test]
fn jobs_of_others_do_not_exist() {
    let mut story = story(|org| org);
    let id = story.finished("SELECT Id FROM User");
    let stranger = {
        let rows = story
            .query("SELECT Username FROM User WHERE IsActive = true AND UserType = 'Standard'");
        let rows = rows.json();
        let names = rows["records"].as_array().expect("records").iter();
        let usable = |name: &&str| {
            let person = story.org.estate().person_by_username(name);
            person.is_some_and(|person| person.is_active && !person.is_frozen)
        };
        let mut others = names.filter_map(|row| row["Username"].as_str()).filter(usable);
        others.find(|name| *name != story.org.username()).expect("a user").to_owned()
    };
    let address = story.org.approve_as(&stranger, &story.authorize_url(&[]));
    let token = story.exchange(&crate::client::parameter(&address, "code"), &[]).json();
    story.token = token["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(story.get(&format!("{JOBS}/{id}")).status, 404);
    assert_eq!(story.get(&format!("{JOBS}/{id}/results")).status, 404);
    assert_eq!(story.get(JOBS).json()["records"], json!([]));
}

#[test]
fn results_live_for_seven_days_and_the_queue_follows_the_clock() {
    let story = story(|org| {
        org.policy(|policy| {
            policy.bulk.queue = BulkQueue::Clock(Duration::from_secs(600));
            policy.session_timeout = Duration::from_secs(30 * 24 * 3_600);
        })
    });
    let id = story.job("SELECT Id FROM User");
    let state = || story.get(&format!("{JOBS}/{id}")).json()["state"].clone();
    assert_eq!(state(), "UploadComplete");
    story.org.advance(Duration::from_secs(301));
    assert_eq!(state(), "InProgress");
    story.org.advance(Duration::from_secs(300));
    assert_eq!(state(), "JobComplete");
    story.org.advance(Duration::from_secs(7 * 24 * 3_600 - 700));
    assert_eq!(story.get(&format!("{JOBS}/{id}/results")).status, 200);
    story.org.advance(Duration::from_secs(200));
    assert_eq!(story.get(&format!("{JOBS}/{id}/results")).status, 404);
}

#[test]
fn every_request_is_one_call_and_every_job_is_counted() {
    let story = story(|org| org.policy(|policy| policy.bulk.daily_jobs = 2));
    let remaining = |story: &Story, key: &str| {
        story.get("/services/data/v60.0/limits").json()[key]["Remaining"].as_u64()
    };
    let before = remaining(&story, "DailyApiRequests").expect("a number");
    let id = story.finished("SELECT Id FROM User");
    story.get(&format!("{JOBS}/{id}/results"));
    story.send(Method::DELETE, &format!("{JOBS}/{id}"), None);
    // Create, two looks, one result, one deletion, and the question itself.
    assert_eq!(remaining(&story, "DailyApiRequests"), Some(before - 6));
    assert_eq!(remaining(&story, "DailyBulkV2QueryJobs"), Some(1));
    story.job("SELECT Id FROM User");
    let refused = story.create(&json!({"operation": "query", "query": "SELECT Id FROM User"}));
    assert_eq!(refused.refusal(), (400, "LIMIT_EXCEEDED".to_owned()));
    assert_eq!(remaining(&story, "DailyBulkV2QueryJobs"), Some(0));
}

#[test]
fn an_empty_result_is_a_header_or_nothing() {
    let story = story(|org| org);
    let id = story.finished("SELECT Id, Name FROM User WHERE Name = 'nobody at all'");
    let result = story.get(&format!("{JOBS}/{id}/results"));
    assert_eq!(result.text, "\"Id\",\"Name\"\n");
    assert_eq!(result.header("sforce-locator"), Some("null"));
    assert_eq!(result.header("sforce-numberofrecords"), Some("0"));
    story.org.set_policy(|policy| policy.bulk.empty_result = EmptyCsv::NoBody);
    assert_eq!(story.get(&format!("{JOBS}/{id}/results")).text, "");
}

#[test]
fn texts_may_hold_nul() {
    let story = story(|org| org.policy(|policy| policy.bulk.nul_every = Some(10)));
    let id = story.finished("SELECT Id, Name FROM User ORDER BY Id");
    let text = story.get(&format!("{JOBS}/{id}/results")).text;
    assert_eq!(text.matches('\0').count(), 30);
}

#[test]
fn a_job_can_fail_be_aborted_be_deleted_or_wait_for_ever_by_itself() {
    let play = |action: Action| {
        let story = story(|org| org);
        let path = format!("{JOBS}/{}", story.job("SELECT Id FROM User"));
        story.org.faults().push(Fault::new(action).on_object("User").on_method("GET"));
        let looks: Vec<Answer> = (0..6).map(|_| story.get(&path)).collect();
        assert_eq!(story.org.faults().played(), 1);
        looks
    };
    let failed = play(Action::FailJob { message: "InternalServerError : retry".to_owned() });
    assert_eq!(failed[0].json()["state"], "Failed");
    assert_eq!(failed[5].json()["errorMessage"], "InternalServerError : retry");
    assert_eq!(play(Action::AbortJob)[0].json()["state"], "Aborted");
    assert_eq!(play(Action::DeleteJob)[0].status, 404);
    let held = play(Action::HoldJob);
    assert!(held.iter().all(|look| look.json()["state"] == "UploadComplete"));
}

#[test]
fn a_part_can_end_inside_a_record_or_be_missing() {
    let story = story(|org| org);
    let id = story.finished("SELECT Id, Name FROM User ORDER BY Id");
    let whole = story.get(&format!("{JOBS}/{id}/results")).text;
    story.org.faults().push(Fault::new(Action::CutRecord).on_path_with("/results"));
    let cut = story.get(&format!("{JOBS}/{id}/results"));
    assert_eq!(cut.status, 200);
    assert!(whole.starts_with(&cut.text) && cut.text.len() < whole.len());
    assert!(!cut.text.ends_with('\n'));
    story.org.faults().set([Fault::new(Action::MissingPart).on_path_with("/results")]);
    let rows: usize = story
        .parts(&id, "maxRecords=50")
        .iter()
        .map(|part| records(&part.text, ',').len() - 1)
        .sum();
    assert_eq!(rows, 250, "one part of 50 is missing");
}

#[test]
fn a_job_whose_answer_was_lost_is_found_in_the_list() {
    let story = story(|org| org);
    story.org.faults().push(Fault::new(Action::CloseBeforeAnswer).on_method("POST"));
    let request = story.client.post(story.url(JOBS)).bearer_auth(&story.token);
    let lost = request.json(&json!({"operation": "query", "query": "SELECT Id FROM User"})).send();
    assert!(lost.is_err());
    let jobs = story.get(JOBS).json();
    assert_eq!(jobs["records"].as_array().map(Vec::len), Some(1));
    assert_eq!(jobs["records"][0]["object"], "User");
}
