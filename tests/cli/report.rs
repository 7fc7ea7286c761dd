//! The report, held against what the simulated org was filled with.

use salesforce_sim::{LicenseTruth, SimulatedOrg};
use serde_json::{Value, json};

use crate::host::{Host, NAME};

#[track_caller]
fn equals_the_seed(report: &Value, org: &SimulatedOrg) {
    let licenses = report["licenses"].as_array().expect("licences");
    let truth = org.truth();
    let user: Vec<&Value> = licenses.iter().filter(|l| l["family"] == "user").collect();
    assert_eq!(user.len(), truth.licenses.len(), "every pool, also those with 0 of 0");
    for filled in &truth.licenses {
        let said = user
            .iter()
            .find(|license| license["id"] == filled.id.as_str())
            .unwrap_or_else(|| panic!("{} is missing", filled.name));
        assert_eq!(figures(said), expected(filled), "{} {}", filled.name, filled.id);
        assert_eq!(said["key"], filled.license_definition_key.as_str());
    }
}

const FIGURES: [&str; 8] = [
    "purchased",
    "assigned",
    "available",
    "active",
    "inactive",
    "never",
    "machine_only",
    "unknown",
];

fn figures(license: &Value) -> Vec<Option<i64>> {
    FIGURES.iter().map(|figure| license[*figure].as_i64()).collect()
}

fn expected(filled: &LicenseTruth) -> Vec<Option<i64>> {
    let purchased = filled.monthly_logins_entitlement.unwrap_or(filled.purchased);
    let used = filled.monthly_logins_used.unwrap_or(filled.used);
    [
        purchased,
        used,
        purchased - used,
        filled.active,
        filled.inactive,
        filled.never,
        filled.machine_only,
        filled.unknown,
    ]
    .map(Some)
    .to_vec()
}

#[test]
fn the_report_equals_what_the_org_was_filled_with_for_any_seed_and_size() {
    for (users, seed) in [(20, 1), (333, 2), (2_500, 3)] {
        let org = SimulatedOrg::builder().users(users).seed(seed).start();
        let host = Host::authorized(&org);
        host.collect(0);
        let report = host.report();
        assert_eq!(report["connector"], NAME);
        assert_eq!(report["org"]["id"], org.organization_id());
        equals_the_seed(&report, &org);
        let seats = |family: &str| {
            report["licenses"].as_array().expect("licences").iter().any(|l| l["family"] == family)
        };
        for family in ["user", "permission_set", "package", "usage", "limit"] {
            assert!(seats(family), "no licences of family {family}");
        }
    }
}

/// Positive control: the comparison notices one seat.
#[test]
#[should_panic(expected = "Salesforce")]
fn a_report_that_is_one_seat_off_is_noticed() {
    let org = SimulatedOrg::builder().users(60).start();
    let host = Host::authorized(&org);
    host.collect(0);
    let mut report = host.report();
    let licenses = report["licenses"].as_array_mut().expect("licences");
    let first = licenses.iter_mut().find(|license| license["key"] == "SFDC").expect("SFDC");
    first["active"] = json!(first["active"].as_i64().expect("a number") + 1);
    equals_the_seed(&report, &org);
}

#[test]
fn an_earlier_snapshot_can_be_reported_on_and_a_missing_one_is_named() {
    let org = SimulatedOrg::builder().users(60).start();
    let host = Host::authorized(&org);
    host.collect(0);
    let first = host.report();
    host.collect(0);
    let (again, ran) = host.json(&[
        "report",
        NAME,
        "--as-of",
        &first["snapshot"].as_i64().expect("a number").to_string(),
    ]);
    ran.ok();
    assert_eq!(again, first);
    host.run(&["report", NAME, "--as-of", "77"]).code(1).one_error("no snapshot 77", "2, 1");
}

#[test]
fn the_snapshot_before_and_what_was_given_and_taken_since_come_to_the_present_counts() {
    let org = SimulatedOrg::builder().users(600).seed(4).start();
    let host = Host::authorized(&org);
    host.collect(0);
    let first = host.report();
    let of = |report: &Value, family: &str| {
        let lines = report["reconciliation"].as_array().expect("lines").clone();
        lines.into_iter().find(|line| line["id"] == "I5" && line["subject"] == family)
    };
    let alone = of(&first, "organization").expect("a line");
    assert_eq!(alone["status"], "not_assessed", "nothing to compare with: {alone}");

    let out = host.path("before");
    let folder = out.to_str().expect("a path");
    host.run(&["export", NAME, "--format", "jsonl", "--out", folder]).ok();
    let records = |dataset: &str| -> Vec<Value> {
        let text = std::fs::read_to_string(out.join(format!("{dataset}.jsonl"))).expect("a file");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let users = records("user");
    let is_active = |id: &Value| users.iter().any(|u| &u["Id"] == id && u["IsActive"] == true);
    let mut given = records("permission_set_license_assign");
    given.retain(|assign| is_active(&assign["AssigneeId"]));
    let left = given[0]["AssigneeId"].as_str().expect("an id");
    let held = given.iter().filter(|assign| assign["AssigneeId"] == left).count();
    let other = given.iter().find(|assign| assign["AssigneeId"] != left).expect("another");
    org.mutate(|edit| {
        // Their own record of the licence stays as it is.
        edit.deactivate_user(left)?;
        edit.remove("PermissionSetLicenseAssign", other["Id"].as_str().expect("an id"))?;
        edit.new_user("Sales Manager")?;
        edit.new_user("Standard Platform User")
    })
    .expect("the org changes");
    host.collect(0);
    let second = host.report();
    for family in ["user", "permission_set", "package", "feature"] {
        let line = of(&second, family).expect("a line");
        assert_eq!(line["status"], "ok", "{line:#}");
    }
    let line = of(&second, "user").expect("a line");
    let words = line["message"].as_str().expect("words");
    for part in ["2 given to new accounts", "1 gone with accounts made inactive"] {
        assert!(words.contains(part), "{words}");
    }
    let line = of(&second, "permission_set").expect("a line");
    let words = line["message"].as_str().expect("words");
    for part in [&format!("{held} gone with accounts made inactive"), "1 taken"] {
        assert!(words.contains(part), "{words}");
    }

    // Control: a counter that moves though nothing was given is noticed, and the pool is named.
    let truth = org.truth();
    let pool = truth.licenses.iter().find(|l| l.license_definition_key == "SFDC").expect("SFDC");
    org.mutate(|edit| edit.set("UserLicense", &pool.id, &[("UsedLicenses", json!(7))]))
        .expect("the org changes");
    host.collect(0);
    let line = of(&host.report(), "user").expect("a line");
    assert_eq!(line["status"], "difference", "{line:#}");
    assert_eq!(line["pools"][0]["key"], "SFDC", "{line:#}");
    assert_eq!(line["pools"][0]["right"], 7, "{line:#}");
}

#[test]
fn every_format_holds_every_record_and_the_report_comes_as_html_too() {
    let org = SimulatedOrg::builder().users(150).start();
    let host = Host::authorized(&org);
    host.collect(0);
    for format in ["csv", "jsonl", "parquet"] {
        let out = host.path(format);
        let (exported, ran) = host.json(&[
            "export",
            NAME,
            "--format",
            format,
            "--out",
            out.to_str().expect("a path"),
        ]);
        ran.ok();
        let user = exported["files"]
            .as_array()
            .expect("files")
            .iter()
            .find(|file| file["dataset"] == "user")
            .expect("the users");
        assert_eq!(user["rows"], org.truth().total_users, "{format}");
        assert!(out.join(format!("user.{format}")).is_file());
    }
    let html = host.path("report.html");
    host.run(&["report", NAME, "--html", html.to_str().expect("a path")]).ok();
    let page = std::fs::read_to_string(html).expect("the page");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("Salesforce Platform"));
    assert!(!page.contains("<script"), "the page runs nothing");
}
