//! The commands, in an order in which an operator could use them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use salesforce_sim::{Action, Fault, SimulatedOrg, StoppedClock};
use serde_json::Value;

use super::recorder::{Recorder, folder, reworded};
use crate::host::{Host, NAME, library};
use crate::serve::Served;

/// Where the clocks of org and host stand.
const NOON: &str = "2026-03-18T12:00:00Z";

fn noon() -> DateTime<Utc> {
    NOON.parse().expect("a time")
}

/// The clock of an org and the file that is the clock of its host.
struct Clocks {
    host: fs::File,
    org: SimulatedOrg,
}

impl Clocks {
    fn set(host: &mut Host) -> fs::File {
        let path = host.path("clock");
        let file = fs::File::create(&path).expect("a clock");
        file.write_all_at(&noon().timestamp().to_ne_bytes(), 0).expect("it is set");
        host.set("LD_PRELOAD", library("set_clock").to_str().expect("a path"));
        host.set("SET_CLOCK", path.to_str().expect("a path"));
        file
    }

    fn advance(&self, days: u32) {
        self.org.advance(Duration::from_secs(86_400) * days);
        let now = self.org.now().timestamp();
        self.host.write_all_at(&now.to_ne_bytes(), 0).expect("it is set");
    }
}

fn org(users: u64, without: &[&str]) -> SimulatedOrg {
    let org = SimulatedOrg::builder()
        .users(users)
        .seed(5)
        .client_id("the-client-id")
        .clock(Arc::new(StoppedClock::at(noon())));
    without.iter().fold(org, |org, permission| org.without_permission(permission)).start()
}

/// A host behind that org, whose clocks agree.
fn host_behind(org: SimulatedOrg) -> (Host, Clocks) {
    let mut host = Host::behind(&org);
    let clock = Clocks::set(&mut host);
    (host, Clocks { host: clock, org })
}

fn recorder<'h>(host: &'h Host, org: &SimulatedOrg, story: &'static str) -> Recorder<'h> {
    let proxy = org.proxy_url();
    let address = proxy.trim_start_matches("http://").trim_end_matches('/').to_owned();
    Recorder::new(host, story).masking(&address, "proxy")
}

/// The id of the last record of a dataset, as it is exported.
fn last_id(host: &Host, dataset: &str) -> String {
    let out = host.path("ids");
    let folder = out.to_str().expect("a path");
    host.run(&["export", NAME, "--format", "jsonl", "--dataset", dataset, "--out", folder]).ok();
    let text = fs::read_to_string(out.join(format!("{dataset}.jsonl"))).expect("the file");
    let record: Value = serde_json::from_str(text.lines().last().expect("a record")).expect("JSON");
    record["Id"].as_str().expect("an id").to_owned()
}

#[test]
fn documents_of_features_and_connectors_keep_their_shape() {
    let (host, clocks) = host_behind(org(60, &[]));
    let org = &clocks.org;
    let secret = host.write("client-secret", org.client_secret());
    let secret = secret.to_str().expect("a path");
    let mut golden = recorder(&host, org, "connectors");
    golden.case("usage-no-such-command", &["nonsense"]);
    golden.case("usage-missing-argument", &["collect"]);
    golden.case("usage-not-a-number", &["runs", "show", "three"]);
    golden.case("features-list-fresh", &["features", "list"]);
    golden.case("features-show", &["features", "show", "salesforce"]);
    golden.case("features-show-unknown", &["features", "show", "nothing"]);
    golden.case("connectors-list-fresh", &["connectors", "list"]);
    golden.case("connectors-show-unknown", &["connectors", "show", "nothing"]);
    golden.case("status-fresh", &["status"]);
    golden.case("runs-list-fresh", &["runs", "list"]);
    golden.case("report-all-fresh", &["report", "--all"]);
    let new = ["connectors", "new", "salesforce", "--name", NAME];
    let app = ["--domain", org.my_domain_host(), "--client-id", org.client_id()];
    let full = [&new[..], &app, &["--client-secret-file", secret]].concat();
    golden.case("connectors-new-feature-disabled", &full);
    golden.case("features-enable", &["features", "enable", "salesforce"]);
    golden.case("features-enable-unknown", &["features", "enable", "nothing"]);
    golden.case("features-list", &["features", "list"]);
    golden.case("connectors-new-incomplete", &new);
    let wrong = ["--domain", "https://example.com/x", "--set", "timeout_s=x", "--set", "nosuch=1"];
    golden.case("connectors-new-problems", &[&new[..], &wrong].concat());
    golden.case(
        "connectors-new",
        &[&full[..], &["--description", "main", "--schedule", "daily 02:30"]].concat(),
    );
    golden.case("connectors-new-name-taken", &full);
    golden.case("connectors-edit-schedule", &["connectors", "edit", NAME, "--schedule", "often"]);
    let set = ["--set", "api_budget_percent=50", "--description", "the main org"];
    golden.case("connectors-edit", &[&["connectors", "edit", NAME], &set[..]].concat());
    golden.case("connectors-show-new", &["connectors", "show", NAME]);
    golden.case("connectors-list-new", &["connectors", "list"]);
    golden.case("connectors-check-unauthorized", &["connectors", "check", NAME]);
    golden.case("collect-unauthorized", &["collect", NAME]);
    golden.case("report-never-read", &["report", NAME]);
    golden.case("report-all-never-read", &["report", "--all"]);
    let token = ["connectors", "authorize", NAME, "--token-file", "-"];
    golden.case_with_input("connectors-authorize-not-begun", &token, "abc");
    let link = golden.case("connectors-authorize-link", &[&token[..3], &["--print-url"]].concat());
    golden.case("connectors-show-pending", &["connectors", "show", NAME]);
    golden.case_with_input("connectors-authorize-wrong", &token, "https://example.com/?code=x");
    let pasted = org.approve(link["url"].as_str().expect("a link"));
    golden.case_with_input("connectors-authorize", &token, &pasted);
    golden.case("connectors-check", &["connectors", "check", NAME]);
    golden.case("connectors-show", &["connectors", "show", NAME]);
    let out = host.path("setup");
    let out = out.to_str().expect("a path");
    golden.case("connectors-permission-set", &["connectors", "permission-set", NAME, "--out", out]);
    golden.case("collect", &["collect", NAME]);
    golden.case("connectors-list", &["connectors", "list"]);
    golden.case("status", &["status"]);
    golden.case("features-disable", &["features", "disable", "salesforce"]);
    golden.case("collect-feature-disabled", &["collect", NAME]);
    golden.case("features-disable-unknown", &["features", "disable", "nothing"]);
    golden.case("features-enable-again", &["features", "enable", "salesforce"]);
    golden.case("connectors-rotate-key", &["connectors", "rotate-key"]);
    org.revoke_tokens();
    golden.case("collect-revoked", &["collect", NAME]);
    golden.case("connectors-check-revoked", &["connectors", "check", NAME]);
    golden.case("connectors-list-revoked", &["connectors", "list"]);
    golden.case("connectors-deauthorize", &["connectors", "deauthorize", NAME]);
    golden.case("connectors-delete-unasked", &["connectors", "delete", NAME]);
    golden.case("connectors-delete", &["connectors", "delete", NAME, "--yes"]);
    golden.case("connectors-delete-unknown", &["connectors", "delete", NAME, "--yes"]);
    golden.finish();
}

#[test]
fn documents_of_runs_and_of_the_store_keep_their_shape() {
    let (host, clocks) = host_behind(org(60, &["PermissionsViewSetup"]));
    host.run(&["features", "enable", "salesforce"]).ok();
    host.create(&clocks.org).ok();
    host.authorize(&clocks.org).ok();
    let mut golden = recorder(&host, &clocks.org, "runs");
    golden.case("connectors-check-findings", &["connectors", "check", NAME]);
    golden.case("collect-partial", &["collect", NAME]);
    golden.case("collect-unknown", &["collect", "nothing"]);
    golden.case("collect-no-such-dataset", &["collect", NAME, "--dataset", "nothing"]);
    golden.case("runs-show-partial", &["runs", "show", "1"]);
    golden.case("report-partial", &["report", NAME]);
    golden.case("findings-partial", &["findings", NAME]);
    let out = host.path("partial");
    let out = out.to_str().expect("a path");
    let export = ["export", NAME, "--format", "csv", "--out", out];
    golden.case("export-partial", &export);
    golden.case("export-denied", &[&export[..], &["--dataset", "user_license"]].concat());
    clocks.org.show_everything();
    clocks.advance(1);
    golden.case("collect-full", &["collect", NAME, "--full"]);
    clocks.org.faults().push(Fault::new(Action::DailyLimit).on_path("/services/data").always());
    golden.case("collect-paused", &["collect", NAME]);
    golden.case("runs-list", &["runs", "list"]);
    golden.case("runs-list-of-one", &["runs", "list", NAME, "--limit", "1"]);
    golden.case("runs-list-unknown", &["runs", "list", "nothing"]);
    golden.case("runs-show", &["runs", "show", "2"]);
    golden.case("runs-show-unknown", &["runs", "show", "99"]);
    golden.case("runs-journal", &["runs", "journal", "2"]);
    golden.case("runs-journal-unknown", &["runs", "journal", "99"]);
    golden.case("store-check", &["store", "check"]);
    let copy = host.path("copy.db");
    let copy = copy.to_str().expect("a path");
    golden.case("store-backup", &["store", "backup", copy]);
    golden.case("store-backup-exists", &["store", "backup", copy]);
    golden.case("store-restore", &["store", "restore", copy]);
    golden.case("store-restore-no-copy", &["store", "restore", "/dev/null"]);
    golden.finish();
}

#[test]
fn documents_of_reports_and_findings_keep_their_shape() {
    let (host, clocks) = host_behind(org(400, &[]));
    let org = &clocks.org;
    host.run(&["features", "enable", "salesforce"]).ok();
    host.create(org).ok();
    host.authorize(org).ok();
    host.collect(0);
    clocks.advance(1);
    let given = last_id(&host, "permission_set_assignment");
    let leaver = last_id(&host, "user");
    let changed = org.mutate(|edit| {
        edit.new_user("Standard User")?;
        edit.deactivate_user(&leaver)?;
        edit.remove("PermissionSetAssignment", &given)
    });
    changed.expect("the org changes");
    host.collect(0);
    let mut golden = recorder(&host, org, "reports");
    golden.case("report", &["report", NAME]);
    golden.case("report-as-of", &["report", NAME, "--as-of", "1"]);
    golden.case("report-as-of-a-day", &["report", NAME, "--as-of", "2001-01-01"]);
    golden.case("report-as-of-no-day", &["report", NAME, "--as-of", "yesterday"]);
    golden.case("report-unknown", &["report", "nothing"]);
    golden.case("report-days", &["report", NAME, "--active-days", "30", "--grace-days", "0"]);
    golden.case("report-all", &["report", "--all"]);
    golden.case("findings", &["findings", NAME, "--limit", "40"]);
    let listed =
        golden.case("findings-of-rules", &["findings", NAME, "--rule", "R02", "--rule", "R14"]);
    golden.case("findings-no-such-rule", &["findings", NAME, "--rule", "R99"]);
    golden.case("findings-as-of", &["findings", NAME, "--as-of", "1", "--rule", "R01"]);
    let user = listed["findings"]["seats"][0]["username"].as_str().expect("a name").to_owned();
    golden.case("findings-explain", &["findings", "explain", NAME, &user]);
    golden.case("findings-explain-admin", &["findings", "explain", NAME, org.username()]);
    golden.case("findings-explain-unknown", &["findings", "explain", NAME, "nobody"]);
    golden.case("diff", &["diff", NAME, "1", "2"]);
    golden.case("diff-unknown", &["diff", NAME, "1", "77"]);
    let add = ["exemptions", "add", NAME, &user, "--reason", "on leave", "--owner", "HR"];
    let exempt = [&add[..], &["--rule", "R02", "--until", "2026-12-31"]].concat();
    golden.case("exemptions-add", &exempt);
    golden.case("exemptions-add-over", &[&add[..], &["--until", "2020-12-31"]].concat());
    golden.case(
        "exemptions-add-no-such-rule",
        &[&add[..], &["--until", "2026-12-31", "--rule", "X"]].concat(),
    );
    golden.case("exemptions-list", &["exemptions", "list", NAME]);
    golden.case("findings-exempt", &["findings", NAME, "--rule", "R02"]);
    golden.case("exemptions-remove", &["exemptions", "remove", NAME, "1"]);
    golden.case("exemptions-remove-unknown", &["exemptions", "remove", NAME, "1"]);
    let lists = org.estate().elsewhere();
    let files = [("prices", &lists.prices), ("contract", &lists.contract), ("staff", &lists.staff)];
    for kind in ["prices", "contract", "staff", "activity"] {
        golden.case(&format!("imports-template-{kind}"), &["imports", "template", kind, NAME]);
        golden.case(&format!("imports-template-{kind}-plain"), &["imports", "template", kind]);
    }
    for (kind, text) in files {
        let file = host.write(&format!("{kind}.csv"), text);
        let file = file.to_str().expect("a path").to_owned();
        golden.case(&format!("imports-add-{kind}"), &["imports", "add", NAME, kind, &file]);
    }
    let wrong =
        host.write("wrong.csv", "license,unit_price,currency,period\nuser/SFDC,much,EUR,month\n");
    let wrong = wrong.to_str().expect("a path");
    golden.case("imports-add-wrong", &["imports", "add", NAME, "prices", wrong]);
    golden.case("imports-check-wrong", &["imports", "check", NAME, "prices", wrong]);
    let prices = host.path("prices.csv");
    let prices = prices.to_str().expect("a path");
    golden.case("imports-check", &["imports", "check", NAME, "prices", prices]);
    golden.case("imports-undo-first", &["imports", "undo", NAME, "contract"]);
    golden.case("imports-list", &["imports", "list", NAME]);
    golden.case("report-priced", &["report", NAME]);
    golden.case("findings-priced", &["findings", NAME, "--limit", "5"]);
    golden.case("findings-pool-rules", &["findings", NAME, "--rule", "R16", "--rule", "R21"]);
    let what_if = host.write(
        "what-if.toml",
        "currency = 'EUR'\ngrowth_percent = 10\nheadroom_percent = 5\n[prices]\n'user/SFDC' = 1000\n",
    );
    let what_if = what_if.to_str().expect("a path");
    golden.case("report-what-if", &["report", NAME, "--what-if", what_if]);
    let wrong = host.write("wrong.toml", "prices = 3\n");
    golden.case(
        "report-what-if-wrong",
        &["report", NAME, "--what-if", wrong.to_str().expect("a path")],
    );
    golden.case("report-all-priced", &["report", "--all"]);
    golden.case("diff-priced", &["diff", NAME, "1", "2"]);
    host.run(&["imports", "add", NAME, "prices", prices]).ok();
    golden.case("imports-undo", &["imports", "undo", NAME, "prices"]);
    golden.case("imports-remove", &["imports", "remove", NAME, "prices"]);
    for format in ["csv", "jsonl", "parquet"] {
        let out = host.path(format);
        let out = out.to_str().expect("a path");
        golden
            .case(&format!("export-{format}"), &["export", NAME, "--format", format, "--out", out]);
    }
    let out = host.path("none");
    let out = out.to_str().expect("a path");
    golden.case(
        "export-no-such-dataset",
        &["export", NAME, "--format", "csv", "--out", out, "--dataset", "nothing"],
    );
    clocks.advance(4);
    golden.case("report-all-stale", &["report", "--all"]);
    golden.finish();
}

#[test]
fn documents_of_a_second_connector_and_of_libraries_keep_their_shape() {
    let mut host = Host::new();
    let _clock = Clocks::set(&mut host);
    let copied = |package: &str| {
        let file = library(package);
        let copy = host.path(&file.file_name().expect("a name").to_string_lossy());
        fs::copy(&file, &copy).expect("the library is copied");
        copy.to_str().expect("a path").to_owned()
    };
    let memory = copied("memory_connector");
    let no_library = host.write("libnothing.so", "nothing");
    let no_library = no_library.to_str().expect("a path");
    let mut golden = Recorder::new(&host, "plugins");
    golden.case("plugins-list", &["plugins", "list"]);
    golden.case("plugins-install", &["plugins", "install", &memory]);
    golden.case("plugins-install-no-library", &["plugins", "install", no_library]);
    golden.case("plugins-list-installed", &["plugins", "list"]);
    golden.case("plugins-verify", &["plugins", "verify"]);
    golden.case("plugins-check", &["plugins", "check", &memory]);
    golden.case("plugins-check-only", &["plugins", "check", &memory, "--only", "load"]);
    golden.case("plugins-check-no-such-check", &["plugins", "check", &memory, "--only", "x"]);
    golden.case("plugins-check-no-library", &["plugins", "check", no_library]);
    golden.case("features-show", &["features", "show", "memory"]);
    host.run(&["features", "enable", "memory"]).ok();
    let new = ["connectors", "new", "memory", "--name", "m", "--domain", "north"];
    golden.case("connectors-new", &[&new[..], &["--set", "people=9"]].concat());
    golden.case("connectors-authorize-link", &["connectors", "authorize", "m", "--print-url"]);
    let token = ["connectors", "authorize", "m", "--token-file", "-"];
    golden.case_with_input("connectors-authorize-wrong", &token, "abc");
    golden.case_with_input("connectors-authorize", &token, "mem-abc");
    golden.case("connectors-check", &["connectors", "check", "m"]);
    golden.case("collect", &["collect", "m"]);
    golden.case("collect-isolated", &["collect", "m", "--isolate"]);
    golden.case("runs-journal", &["runs", "journal", "1"]);
    golden.case("report", &["report", "m"]);
    golden.case("findings", &["findings", "m"]);
    golden.case("diff", &["diff", "m", "1", "2"]);
    let served = Served::ready(&host);
    let process = format!("process {}", served.id());
    let mut golden = golden.masking(&process, "process");
    golden.case("status-served", &["status"]);
    golden.case("connectors-list-served", &["connectors", "list"]);
    golden.case("serve-second", &["serve"]);
    served.stop();
    golden.case("connectors-deauthorize", &["connectors", "deauthorize", "m"]);
    let file = host.plugins().join(library("memory_connector").file_name().expect("a name"));
    let mut bytes = fs::read(&file).expect("the library");
    bytes.push(0);
    fs::remove_file(&file).expect("removed");
    fs::write(&file, bytes).expect("changed");
    golden.case("plugins-list-refused", &["plugins", "list"]);
    golden.case("plugins-verify-refused", &["plugins", "verify"]);
    golden.case("collect-refused", &["collect", "m"]);
    golden.case("features-list-refused", &["features", "list"]);
    golden.case("status-refused", &["status"]);
    golden.finish();
}

#[test]
fn the_document_of_the_demo_keeps_its_shape() {
    let mut host = Host::new();
    let _clock = Clocks::set(&mut host);
    let mut golden = Recorder::new(&host, "demo");
    golden.case("demo", &["demo", "--users", "60"]);
    golden.case("demo-in-use", &["demo"]);
    golden.finish();
}

/// Commands without a document of their own.
const NO_DOCUMENT: [&str; 2] = ["shell-completions", "shell-manual"];

#[test]
fn every_command_has_golden_files() {
    let host = Host::new();
    let folder_of_pages = host.path("man");
    host.run(&["shell", "manual", folder_of_pages.to_str().expect("a path")]).ok();
    let mut commands = BTreeSet::new();
    for page in fs::read_dir(folder_of_pages).expect("the pages") {
        let page = page.expect("a page").file_name().into_string().expect("a name");
        if let Some(command) =
            page.strip_prefix("host-harness-").and_then(|rest| rest.strip_suffix(".1"))
        {
            commands.insert(command.to_owned());
        }
    }
    let leaves = commands.iter().filter(|command| {
        let group = format!("{command}-");
        *command == "findings" || !commands.iter().any(|other| other.starts_with(&group))
    });
    let mut covered = BTreeSet::new();
    for story in fs::read_dir(folder()).expect("golden files") {
        let story = story.expect("a folder").path();
        for file in
            story.is_dir().then(|| fs::read_dir(story).expect("golden files")).into_iter().flatten()
        {
            let text = fs::read_to_string(file.expect("a file").path()).expect("text");
            let case: Value = serde_json::from_str(&text).expect("JSON");
            let words = case["arguments"].as_array().expect("arguments").iter();
            let words: Vec<_> = words.filter_map(Value::as_str).take(2).collect();
            covered.insert(words[0].to_owned());
            covered.insert(words.join("-"));
        }
    }
    let missing: Vec<_> = leaves
        .filter(|command| !command.contains("help") && !NO_DOCUMENT.contains(&command.as_str()))
        .filter(|command| !covered.contains(*command))
        .collect();
    assert!(missing.is_empty(), "no golden file of {missing:?}");
}

#[test]
fn the_list_of_reworded_texts_holds_each_once() {
    let list = reworded();
    let set: BTreeSet<_> = list.iter().cloned().collect();
    assert_eq!(set.len(), list.len());
    for text in list {
        println!("{}: {:?} -> {:?}", text.field, text.was, text.is);
        assert_ne!(text.was, text.is);
    }
}
