//! Collections: query jobs, opt-in datasets, pseudonyms, least rights, the chained journal and Ctrl-C.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use salesforce_sim::SimulatedOrg;

use crate::host::{Host, NAME, dataset};

fn org(users: u64) -> SimulatedOrg {
    SimulatedOrg::builder().users(users).logins_per_user(1).seed(4).start()
}

fn edit(host: &Host, settings: &[&str]) {
    let mut arguments = vec!["connectors", "edit", NAME];
    settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
    host.run(&arguments).ok();
}

fn ids(host: &Host, name: &str) -> BTreeSet<String> {
    let out = host.path("ids");
    let path = out.to_str().expect("a path");
    host.run(&["export", NAME, "--format", "jsonl", "--out", path, "--dataset", name]).ok();
    let text = std::fs::read_to_string(out.join(format!("{name}.jsonl"))).expect("the export");
    let found: BTreeSet<String> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON")["Id"].to_string()
        })
        .collect();
    assert_eq!(found.len(), text.lines().count(), "no record twice");
    found
}

#[test]
fn a_large_dataset_is_read_by_a_query_job_that_is_deleted_afterwards() {
    let org = org(6_000);
    let host = Host::authorized(&org);
    edit(&host, &["bulk_rows=2000"]);
    let collected = host.collect(0);
    assert_eq!(dataset(&collected, "user")["rows"], org.truth().total_users, "{collected:#}");
    assert_eq!(ids(&host, "user").len() as u64, org.truth().total_users);
    let jobs = |method: &str| {
        let journal = org.journal();
        let on_jobs = |path: &str| path.contains("/jobs/query");
        journal.iter().filter(|entry| entry.method == method && on_jobs(&entry.path)).count()
    };
    assert!(jobs("POST") >= 1, "a job was made");
    assert_eq!(jobs("POST"), jobs("DELETE"), "each job was deleted");
    assert!(org.violations().is_empty(), "{:#?}", org.violations());

    // The same by pages: record for record.
    edit(&host, &["bulk_rows=0"]);
    let by_job = ids(&host, "user");
    host.run(&["collect", NAME, "--full"]).ok();
    assert_eq!(ids(&host, "user"), by_job);
}

#[test]
fn optional_datasets_are_read_only_where_they_are_asked_for() {
    let org = org(200);
    let host = Host::authorized(&org);
    let names = |collected: &serde_json::Value| -> BTreeSet<String> {
        let datasets = collected["datasets"].as_array().expect("datasets").iter();
        datasets.map(|one| one["dataset"].as_str().expect("a name").to_owned()).collect()
    };
    let usual = names(&host.collect(0));
    assert!(usual.contains("user") && !usual.contains("auth_session"), "{usual:?}");
    edit(&host, &["datasets=setup_audit_trail,-user_role"]);
    let collected = host.collect(0);
    assert_eq!(dataset(&collected, "setup_audit_trail")["status"], "complete", "{collected:#}");
    assert_eq!(dataset(&collected, "user_role")["status"], "absent", "{collected:#}");
}

#[test]
fn with_pseudonyms_no_name_of_a_person_is_stored() {
    let org = org(60);
    let host = Host::authorized(&org);
    edit(&host, &["pseudonymize=true"]);
    host.collect(0);
    let report = host.report();
    assert!(report["licenses"].as_array().is_some_and(|list| !list.is_empty()));
    let store = ["inventory.db", "inventory.db-wal"]
        .map(|name| std::fs::read(host.home().join(name)).unwrap_or_default())
        .concat();
    let person = org.estate().admin();
    let holds = |text: &str| store.windows(text.len()).any(|window| window == text.as_bytes());
    // The connecting user's name stands in the grant, as an operator must see who granted it.
    let others = org.records();
    let mut looked_at = 0;
    for id in ids(&host, "user").iter().map(|id| id.trim_matches('"')) {
        let Some(other) = others.person_by_id(id) else { continue };
        if other.username == person.username {
            continue;
        }
        looked_at += 1;
        assert!(!holds(&other.username), "{} is stored", other.username);
    }
    assert!(looked_at > 40, "{looked_at}");
    // Positive control: without it, names are stored.
    edit(&host, &["pseudonymize=false"]);
    host.run(&["collect", NAME, "--full"]).ok();
    let store = std::fs::read(host.home().join("inventory.db")).expect("the store");
    let holds = |text: &str| store.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds(&person.username));
}

#[test]
fn the_least_rights_are_written_as_metadata_and_the_journal_is_chained() {
    let org = org(40);
    let host = Host::authorized(&org);
    let out = host.path("rights");
    let path = out.to_str().expect("a path");
    host.run(&["connectors", "permission-set", NAME, "--out", path]).ok();
    let package = std::fs::read_to_string(out.join("package.xml")).expect("package.xml");
    let sets: Vec<String> = std::fs::read_dir(out.join("permissionsets"))
        .expect("sets")
        .map(|entry| std::fs::read_to_string(entry.expect("a file").path()).expect("a set"))
        .collect();
    assert!(package.contains("<name>PermissionSet</name>") && sets.len() == 2, "{package}");
    assert!(
        sets.iter()
            .any(|set| set.contains("<name>ViewSetup</name>") && !set.contains("ManageUsers"))
    );

    let run = host.collect(0)["run_id"].to_string();
    let (journal, ran) = host.json(&["runs", "journal", &run]);
    ran.ok();
    assert_eq!(journal["intact"], true);
    let requests = journal["requests"].as_array().expect("requests");
    let at_salesforce =
        org.journal().iter().filter(|e| e.path.starts_with("/services/data")).count();
    assert_eq!(requests.len(), at_salesforce, "every request to the data API is in the journal");
    for request in requests {
        assert_eq!(request["method"], "GET", "{request}");
        assert_eq!(request["host"], org.my_domain_host());
    }
}

fn end_by(host: &Host, after: Duration, signal: &str) -> (Duration, Option<i32>) {
    let mut child = host.start(&["collect", NAME, "--full"]);
    testkit::pass(child.id(), after);
    let asked = Instant::now();
    let kill = std::process::Command::new("kill").arg(signal).arg(child.id().to_string()).status();
    drop(kill);
    let status = child.wait().expect("ended");
    (asked.elapsed(), status.code())
}

#[test]
fn ctrl_c_ends_a_run_within_a_second_and_the_next_run_is_whole() {
    let org = org(20_000);
    let host = Host::authorized(&org);
    host.run(&["collect", NAME, "--dataset", "organization"]).ok();
    let (took, code) = end_by(&host, Duration::from_millis(900), "-INT");
    assert_eq!(code, Some(1), "cancelled");
    assert!(took < Duration::from_secs(3), "{took:?}");
    let (runs, _) = host.json(&["runs", "list", NAME]);
    assert_eq!(runs[0]["error"]["kind"], "cancelled", "{:#}", runs[0]);
    host.collect(0);
    assert_eq!(ids(&host, "user").len() as u64, org.truth().total_users);
}
