//! A query job of Bulk API 2.0 from its making to its end, with the answers that Salesforce
//! documents.

use std::collections::BTreeMap;

use connector_api::message::DatasetStatus;
use salesforce_sim::{Action, Fault, Policy, SimulatedOrg};

use crate::host::TestHost;

const JOBS: &str = "/services/data/v66.0/jobs/query";
const ID: &str = "750000000000001AAA";

fn job(state: &str, records: u64) -> Action {
    answer(
        format!(
            r#"{{"id":"{ID}","operation":"query","object":"PermissionSetLicenseAssign","createdById":"005000000000001AAA","createdDate":"2026-05-06T10:00:00.000+0000","state":"{state}","concurrencyMode":"Parallel","contentType":"CSV","apiVersion":66.0,"jobType":"V2Query","lineEnding":"LF","columnDelimiter":"COMMA","numberRecordsProcessed":{records}}}"#
        ),
        "application/json;charset=UTF-8",
        &[],
    )
}

fn answer(body: String, content_type: &str, headers: &[(&str, &str)]) -> Action {
    Action::Status {
        code: 200,
        body,
        content_type: Some(content_type.into()),
        headers: headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
    }
}

fn set(from: u64, to: u64, locator: &str) -> Action {
    let head =
        "\"Id\",\"AssigneeId\",\"PermissionSetLicenseId\",\"CreatedDate\",\"SystemModstamp\"\n";
    let rows: String = (from..to)
        .map(|n| {
            format!(
                "\"2LA{n:012}AAA\",\"005000000000001AAA\",\"0PL000000000001AAA\",\"2026-05-06T10:00:00.000Z\",\"2026-05-06T10:00:00.000Z\"\n"
            )
        })
        .collect();
    let count = (to - from).to_string();
    answer(
        format!("{head}{rows}"),
        "text/csv",
        &[("Sforce-Locator", locator), ("Sforce-NumberOfRecords", &count)],
    )
}

/// The org's own count of the records.
fn counted(records: u64) -> Fault {
    let body = format!(r#"{{"totalSize":{records},"done":true,"records":[]}}"#);
    Fault::new(answer(body, "application/json;charset=UTF-8", &[]))
        .on_object("PermissionSetLicenseAssign")
        .on_soql_with("COUNT()")
        .always()
}

fn deleted() -> Action {
    Action::Status { code: 204, body: String::new(), content_type: None, headers: Vec::new() }
}

/// Two looks, three sets of which one is empty, and the job's count of all of them; the org counts
/// as many records.
fn script(records: u64) -> Vec<Fault> {
    let on = |method: &str, path: &str, action: Action| {
        Fault::new(action).on_method(method).on_path(path)
    };
    let (one, results) = (format!("{JOBS}/{ID}"), format!("{JOBS}/{ID}/results"));
    vec![
        on("GET", &results, set(0, 3, "MQ")).times(1),
        on("GET", &results, set(3, 3, "Mg")).times(1),
        on("GET", &results, set(3, 5, "null")).times(1),
        on("DELETE", &one, deleted()).always(),
        on("GET", &one, job("InProgress", 0)).times(1),
        on("GET", &one, job("JobComplete", records)).always(),
        counted(records),
        on("POST", JOBS, job("UploadComplete", 0)).always(),
    ]
}

fn large() -> (SimulatedOrg, TestHost) {
    let org = SimulatedOrg::builder().users(200).seed(4).start();
    let host = TestHost::authorized(&org, &[("bulk_rows", "1")]);
    (org, host)
}

#[test]
fn a_large_dataset_comes_by_a_job_that_is_deleted_afterwards() {
    let (org, mut host) = large();
    org.faults().set(script(5));
    let run = host.full(&["permission_set_license_assign"]);
    let summary = run.is_complete("permission_set_license_assign");
    assert_eq!((summary.rows, summary.expected), (5, Some(5)));
    run.nothing_twice("permission_set_license_assign");
    assert_eq!(run.requests("POST", "/jobs/query"), 1);
    assert_eq!(run.requests("DELETE", "/jobs/query/*"), 1);
    assert_eq!(run.requests("GET", "/jobs/query/*/results"), 3);
    assert!(run.journal.iter().all(|entry| !entry.path.contains(ID)), "no id in the journal");
    assert_eq!(host.secret("bulk_job.permission_set_license_assign"), None);
    assert!(host.slept_ms() >= 1_000, "it is looked at after pauses");
}

#[test]
fn a_job_that_fell_short_is_read_by_pages_and_incomplete_if_they_do_not_fit_either() {
    let (org, mut host) = large();
    org.faults().set(script(6));
    let run = host.full(&["permission_set_license_assign"]);
    let summary = run.of("permission_set_license_assign");
    assert_eq!(summary.status, DatasetStatus::Incomplete, "{summary:?}");
    let why = summary.reason.as_deref().unwrap_or_default();
    assert!(why.contains("records arrived, the org counts 6"), "{summary:?}");
    assert_eq!(run.requests("DELETE", "/jobs/query/*"), 1, "deleted all the same");
}

#[test]
fn a_job_that_fails_is_made_once_more_and_then_read_by_pages() {
    let (org, mut host) = large();
    let one = format!("{JOBS}/{ID}");
    org.faults().set([
        Fault::new(deleted()).on_method("DELETE").on_path(&one).always(),
        Fault::new(job("Failed", 0)).on_method("GET").on_path(&one).always(),
        Fault::new(job("UploadComplete", 0)).on_method("POST").on_path(JOBS).always(),
    ]);
    let run = host.full(&["permission_set_license_assign"]);
    let summary = run.is_complete("permission_set_license_assign");
    assert_eq!(summary.rows, org.truth().row_counts["PermissionSetLicenseAssign"]);
    assert_eq!(run.requests("POST", "/jobs/query"), 2);
    assert_eq!(run.requests("DELETE", "/jobs/query/*"), 2);
}

/// A run died between its request for a job and the answer.
#[test]
fn a_job_whose_answer_was_lost_is_found_and_deleted_and_others_are_left_alone() {
    let (org, mut host) = large();
    host.full(&["organization"]);
    let user = org.journal().iter().rev().find_map(|entry| entry.user_id.clone()).expect("a user");
    let made_ms = 1_778_061_600_000u64; // 2026-05-06T10:00:00Z
    host.keep_secret(
        "bulk_job.permission_set_license_assign",
        &format!(r#"{{"id":null,"query":"SELECT Id","version":66,"at_ms":{made_ms}}}"#),
    );
    let listed = |id: &str, by: &str, date: &str| {
        format!(
            r#"{{"id":"{id}","object":"PermissionSetLicenseAssign","createdById":"{by}","createdDate":"{date}","state":"JobComplete"}}"#
        )
    };
    let jobs = [
        listed("750000000000007AAA", &user, "2026-05-06T10:00:05.000+0000"),
        listed("750000000000008AAA", "005000000000009AAA", "2026-05-06T10:00:05.000+0000"),
        listed("750000000000009AAA", &user, "2026-05-05T10:00:05.000+0000"),
    ];
    let list = format!(r#"{{"done":true,"records":[{}],"nextRecordsUrl":null}}"#, jobs.join(","));
    let orphan = format!("{JOBS}/750000000000007AAA");
    let mut faults = vec![Fault::new(deleted()).on_method("DELETE").on_path(&orphan).always()];
    faults.extend(script(5));
    faults.push(
        Fault::new(answer(list, "application/json", &[])).on_method("GET").on_path(JOBS).times(1),
    );
    org.faults().set(faults);
    let run = host.full(&["permission_set_license_assign"]);
    run.is_complete("permission_set_license_assign");
    let gone: Vec<String> = org
        .journal()
        .iter()
        .filter(|entry| entry.method == "DELETE")
        .map(|entry| entry.path.clone())
        .collect();
    assert_eq!(gone, [orphan, format!("{JOBS}/{ID}")]);
}

/// An org whose results come in eight parts, and what a reading by pages gives.
fn in_parts(
    change: impl FnOnce(&mut Policy),
) -> (SimulatedOrg, TestHost, BTreeMap<String, String>) {
    let org = SimulatedOrg::builder().users(11_000).logins_per_user(0).seed(4).start();
    org.set_policy(|policy| {
        policy.bulk.rows_per_part = 1_500;
        change(policy);
    });
    let mut host = TestHost::authorized(&org, &[("bulk_rows", "0")]);
    host.full(&["user"]).is_complete("user");
    let by_pages = host.records["user"].clone();
    assert_eq!(by_pages.len() as u64, org.truth().total_users);
    let host = TestHost::authorized(&org, &[("bulk_rows", "1000")]);
    (org, host, by_pages)
}

#[test]
fn a_large_result_is_read_by_parts_and_is_the_same_as_by_pages() {
    for next_record_url in [false, true] {
        let (org, mut host, by_pages) =
            in_parts(|policy| policy.bulk.next_record_url = next_record_url);
        let run = host.full(&["user"]);
        run.is_complete("user");
        run.nothing_twice("user");
        assert!(host.records["user"] == by_pages, "record for record");
        // Five parts are named at a time; Salesforce writes the way to more of them in small letters.
        let named = ["/resultPages", "/resultpages"].map(|path| run.requests("GET", path));
        assert_eq!(named, [1, 1]);
        assert_eq!(run.requests("GET", "/results"), 8);
        assert!(org.violations().is_empty(), "{:#?}", org.violations());
    }
}

#[test]
fn an_org_that_names_no_parts_is_read_by_sets() {
    let (org, mut host, by_pages) = in_parts(|_| ());
    let none = Action::Status {
        code: 404,
        body: r#"[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]"#
            .into(),
        content_type: Some("application/json".into()),
        headers: Vec::new(),
    };
    org.faults().set([Fault::new(none).on_path_with("resultPages").always()]);
    let run = host.full(&["user"]);
    run.is_complete("user");
    run.nothing_twice("user");
    assert!(host.records["user"] == by_pages, "record for record");
    assert_eq!(run.requests("GET", "/results"), 8);
}

#[test]
fn every_fault_at_every_part_leaves_every_record_once() {
    let (org, mut host, by_pages) = in_parts(|_| ());
    let faults = [
        Action::ServerUnavailable,
        Action::CloseAfter { bytes: 300_000, chunked: true },
        Action::CloseAfter { bytes: 300_000, chunked: false },
        Action::CloseAfter { bytes: 900, chunked: true },
        Action::TruncateBody { bytes: 200_000 },
        Action::CorruptGzip { offset: 40 },
        Action::HtmlPage,
        Action::ExpireSession,
        Action::ConcurrentLimit,
        Action::CutRecord,
    ];
    for action in faults {
        for part in [2, 8] {
            org.faults().set([Fault::new(action.clone()).on_path_with("/results").nth(part)]);
            let run = host.full(&["user"]);
            assert!(org.faults().played() > 0, "{action:?} at part {part} was not played");
            println!("{action:?} at part {part}");
            run.is_complete("user");
            run.nothing_twice("user");
            assert!(host.records["user"] == by_pages, "{action:?} at part {part}");
        }
    }
}

#[test]
fn the_records_of_a_part_that_is_missing_are_read_by_pages() {
    let (org, mut host, by_pages) = in_parts(|_| ());
    org.faults().set([Fault::new(Action::MissingPart).on_path_with("resultPages").times(1)]);
    let run = host.full(&["user"]);
    assert_eq!(org.faults().played(), 1);
    run.is_complete("user");
    run.nothing_twice("user");
    assert!(host.records["user"] == by_pages, "record for record");
    assert_eq!(run.requests("DELETE", "/jobs/query/*"), 1);
}

#[test]
fn results_that_are_always_cut_off_are_read_by_pages_instead() {
    let (org, mut host, by_pages) = in_parts(|_| ());
    org.faults().set([Fault::new(Action::CutRecord).on_path_with("/results").always()]);
    let run = host.full(&["user"]);
    run.is_complete("user");
    run.nothing_twice("user");
    assert!(host.records["user"] == by_pages);
}
