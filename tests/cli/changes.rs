//! Runs by changes: what is stored afterwards is what a whole reading stores; pauses; sudden loss.

use std::collections::BTreeMap;
use std::time::Duration;

use salesforce_sim::{Action, Fault, SimulatedOrg};
use serde_json::Value;

use crate::host::{Host, NAME, dataset};

fn org(users: u64) -> SimulatedOrg {
    SimulatedOrg::builder().users(users).logins_per_user(3).seed(9).start()
}

/// Every stored record of every dataset, by dataset and key, as the last snapshot has it.
fn stored(host: &Host, name: &str) -> BTreeMap<String, BTreeMap<String, Value>> {
    let out = host.path(name);
    let path = out.to_str().expect("a path");
    host.run(&["export", NAME, "--format", "jsonl", "--out", path]).ok();
    let mut datasets = BTreeMap::new();
    for entry in std::fs::read_dir(&out).expect("the export") {
        let file = entry.expect("a file").path();
        let text = std::fs::read_to_string(&file).expect("text");
        let mut records = BTreeMap::new();
        for line in text.lines() {
            let record: Value = serde_json::from_str(line).expect("JSON");
            let key = record["Id"].as_str().or(record["Name"].as_str()).expect("a key").to_owned();
            assert!(
                records.insert(key.clone(), record).is_none(),
                "{}: {key} twice",
                file.display()
            );
        }
        datasets.insert(file.file_stem().expect("a name").to_string_lossy().into_owned(), records);
    }
    datasets
}

/// The store after a run by changes equals the store after reading everything again.
#[track_caller]
fn changes_equal_a_whole_reading(host: &Host, round: &str) {
    let (changes, ran) = host.json(&["collect", NAME]);
    assert_eq!(ran.code, 0, "{round}: {ran:#?}");
    assert_eq!(changes["status"], "complete", "{round}: {changes:#}");
    let by_changes = stored(host, &format!("{round}-changes"));
    let (whole, ran) = host.json(&["collect", NAME, "--full"]);
    assert_eq!(ran.code, 0, "{round}: {ran:#?}");
    assert!(
        changes["api_calls"].as_u64() < whole["api_calls"].as_u64(),
        "{round}: {} calls by changes, {} for all",
        changes["api_calls"],
        whole["api_calls"]
    );
    let whole = stored(host, &format!("{round}-whole"));
    for (name, records) in &whole {
        // The counters of requests move with every request.
        if name == "limits" {
            continue;
        }
        let others = by_changes.get(name).unwrap_or_else(|| panic!("{round}: no {name}"));
        for (key, record) in records {
            assert_eq!(others.get(key), Some(record), "{round}: {name} {key}");
        }
        let gone: Vec<&String> = others.keys().filter(|key| !records.contains_key(*key)).collect();
        assert!(gone.is_empty(), "{round}: {name} still has {gone:?}");
    }
}

#[test]
fn a_run_by_changes_leaves_what_a_whole_reading_leaves() {
    let org = org(3_000);
    let host = Host::authorized(&org);
    let (first, ran) = host.json(&["collect", NAME]);
    ran.ok();
    assert_eq!(dataset(&first, "user")["mode"], "full", "nothing was stored before: {first:#}");
    changes_equal_a_whole_reading(&host, "nothing-changed");

    let users: Vec<String> = stored(&host, "users")["user"]
        .iter()
        .filter(|(_, record)| record["IsActive"] == true)
        .map(|(id, _)| id.clone())
        .collect();
    let assignments = stored(&host, "assignments")["permission_set_assignment"]
        .keys()
        .cloned()
        .collect::<Vec<_>>();
    let made = org.mutate(|edit| {
        edit.deactivate_user(&users[700])?;
        edit.remove("PermissionSetAssignment", &assignments[3])?;
        edit.remove("PermissionSetAssignment", &assignments[40])?;
        edit.new_user("Standard User")
    });
    made.expect("the org changes");
    changes_equal_a_whole_reading(&host, "people-come-and-go");

    // Ties over a page border: 2,100 records with one stamp.
    org.touch("User", users[..2_100].iter().map(String::as_str)).expect("touched");
    changes_equal_a_whole_reading(&host, "ties");

    // A day passes; people log in, some of those logins show up late.
    org.advance(Duration::from_secs(86_400));
    org.delay_logins(Duration::from_secs(600));
    changes_equal_a_whole_reading(&host, "a-day");
    org.delay_logins(Duration::ZERO);
    org.advance(Duration::from_secs(3_600));
    changes_equal_a_whole_reading(&host, "late-logins");
}

#[test]
fn a_paused_run_goes_on_after_its_last_record_and_publishes_nothing_before() {
    let org = org(7_000);
    let host = Host::authorized(&org);
    let daily = Fault::new(Action::DailyLimit).on_object("User").on_soql_with("Username");
    org.faults().push(daily.nth(3).always());
    let paused = host.collect(5);
    assert_eq!(paused["status"], "paused", "{paused:#}");
    assert!(paused["error"]["hint"].is_string(), "{paused:#}");
    host.run(&["report", NAME]).code(1).one_error("nothing was collected", "collect");
    let before = org.journal().len();
    org.faults().clear();
    let (done, ran) = host.json(&["collect", NAME]);
    ran.ok();
    assert_eq!(done["run_id"], paused["run_id"], "the same run goes on");
    assert_eq!(done["status"], "complete", "{done:#}");
    assert_eq!(dataset(&done, "user")["rows"], org.truth().total_users, "{done:#}");
    let records = stored(&host, "after");
    assert_eq!(records["user"].len() as u64, org.truth().total_users);
    let pages = org.journal()[before..]
        .iter()
        .filter(|entry| entry.object.as_deref() == Some("User") && entry.rows > 0)
        .map(|entry| entry.rows)
        .sum::<u64>();
    assert!(pages < org.truth().total_users, "{pages} users were read again");
    changes_equal_a_whole_reading(&host, "after-a-pause");
}

#[test]
fn a_paused_run_is_given_up_when_everything_is_asked_for_or_the_settings_changed() {
    let org = org(5_000);
    let host = Host::authorized(&org);
    let pause = || {
        let daily = Fault::new(Action::DailyLimit).on_object("User").on_soql_with("Username");
        org.faults().set([daily.nth(2).always()]);
        let paused = host.json(&["collect", NAME, "--full"]).0;
        assert_eq!(paused["status"], "paused", "{paused:#}");
        org.faults().clear();
        paused["run_id"].clone()
    };
    let first = pause();
    let (whole, ran) = host.json(&["collect", NAME, "--full"]);
    ran.ok();
    assert_ne!(whole["run_id"], first);
    assert_eq!(stored(&host, "whole")["user"].len() as u64, org.truth().total_users);
    let second = pause();
    host.run(&["connectors", "edit", NAME, "--set", "fields=user.Email"]).ok();
    let (other, ran) = host.json(&["collect", NAME]);
    ran.ok();
    assert_ne!(other["run_id"], second);
    assert_eq!(stored(&host, "other")["user"].len() as u64, org.truth().total_users);
}

#[test]
fn a_sudden_loss_is_held_back_until_an_operator_says_yes() {
    let org = org(400);
    let host = Host::authorized(&org);
    host.collect(0);
    let before = host.report();
    // As after a change of sharing: the org shows fewer, and its own counter says what it said.
    let some: Vec<String> =
        stored(&host, "before")["permission_set_assignment"].keys().cloned().collect();
    assert!(some.len() >= 50, "{}", some.len());
    org.mutate(|edit| {
        some.iter()
            .take(some.len() / 2)
            .try_for_each(|id| edit.remove("PermissionSetAssignment", id))
    })
    .expect("the org changes");
    let counter = Action::Status {
        code: 200,
        body: format!(
            r#"{{"sObjects":[{{"name":"PermissionSetAssignment","count":{}}}]}}"#,
            some.len()
        ),
        content_type: Some("application/json;charset=UTF-8".into()),
        headers: Vec::new(),
    };
    org.faults().set([Fault::new(counter).on_path_with("recordCount").always()]);
    let (held, ran) = host.json(&["collect", NAME]);
    ran.code(1);
    assert_eq!(held["status"], "failed", "{held:#}");
    let lost = dataset(&held, "permission_set_assignment");
    assert_eq!(lost["status"], "incomplete", "{lost}");
    assert_eq!(lost["held"], true, "{lost}");
    assert!(held["error"]["message"].as_str().is_some_and(|text| text.contains("shrank suddenly")));
    assert!(held["error"]["hint"].as_str().is_some_and(|text| text.contains("--accept-shrink")));
    assert_eq!(host.report(), before, "what was published stays");
    host.run(&["collect", NAME, "--accept-shrink"]).ok();
    assert_eq!(
        stored(&host, "after")["permission_set_assignment"].len(),
        some.len() - some.len() / 2
    );
}

/// The rights are the same and the org's own counter agrees: so few are right.
#[test]
fn a_sudden_loss_that_the_orgs_own_counter_confirms_is_published() {
    let org = org(400);
    let host = Host::authorized(&org);
    host.collect(0);
    let some: Vec<String> =
        stored(&host, "before")["permission_set_license_assign"].keys().cloned().collect();
    org.mutate(|edit| {
        some.iter()
            .take(some.len() / 2)
            .try_for_each(|id| edit.remove("PermissionSetLicenseAssign", id))
    })
    .expect("the org changes");
    let (run, ran) = host.json(&["collect", NAME]);
    ran.ok();
    let fewer = dataset(&run, "permission_set_license_assign");
    assert_eq!((&fewer["status"], &fewer["confirmed"]), (&"complete".into(), &true.into()));
}

/// Eleven licences, and then none.
#[test]
fn a_list_that_goes_to_nothing_is_held_back() {
    let org = org(60);
    let host = Host::authorized(&org);
    host.collect(0);
    let before = host.report();
    let none = Action::Status {
        code: 200,
        body: r#"{"totalSize":0,"done":true,"records":[]}"#.into(),
        content_type: Some("application/json;charset=UTF-8".into()),
        headers: Vec::new(),
    };
    org.faults().set([Fault::new(none).on_object("UserLicense").always()]);
    let (held, ran) = host.json(&["collect", NAME]);
    ran.code(1);
    assert_eq!(held["status"], "failed", "{held:#}");
    assert_eq!(dataset(&held, "user_license")["held"], true);
    assert_eq!(host.report(), before, "what was published stays");
    org.faults().clear();
    host.collect(0);
}

/// Twice a sixth is more than a fifth.
#[test]
fn losses_add_up_until_they_are_confirmed() {
    let org = org(400);
    let host = Host::authorized(&org);
    host.collect(0);
    let all: Vec<String> =
        stored(&host, "before")["permission_set_assignment"].keys().cloned().collect();
    let counter = Action::Status {
        code: 200,
        body: format!(
            r#"{{"sObjects":[{{"name":"PermissionSetAssignment","count":{}}}]}}"#,
            all.len()
        ),
        content_type: Some("application/json;charset=UTF-8".into()),
        headers: Vec::new(),
    };
    org.faults().set([Fault::new(counter).on_path_with("recordCount").always()]);
    for (part, code) in [(0, 0), (1, 1)] {
        org.mutate(|edit| {
            all.iter()
                .skip(part * (all.len() / 6))
                .take(all.len() / 6)
                .try_for_each(|id| edit.remove("PermissionSetAssignment", id))
        })
        .expect("the org changes");
        let (run, ran) = host.json(&["collect", NAME]);
        ran.code(code);
        let lost = dataset(&run, "permission_set_assignment");
        assert_eq!(lost.get("held").is_some(), code == 1, "{lost}");
    }
}
