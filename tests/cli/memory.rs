//! A second connector, which shares nothing with the first: the host treats it like any other, in its
//! own process and in a worker's.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::host::{Host, dataset, library};

/// Longer than stopping takes on a busy machine, far shorter than the pause that is interrupted.
const SOON: Duration = Duration::from_secs(30);

/// The two ways a connector can run.
const WAYS: [&[&str]; 2] = [&["collect", "m"], &["collect", "m", "--isolate"]];

/// A host with the connector `m`, authorized.
fn host(settings: &[&str]) -> Host {
    let host = Host::new();
    host.add_plugin(&library("memory_connector"));
    host.run(&["features", "enable", "memory"]).ok();
    let new = ["connectors", "new", "memory", "--name", "m", "--domain", "north"];
    let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    host.run(&[&new[..], &settings].concat()).ok();
    host.run_with_input(&["connectors", "authorize", "m", "--token-file", "-"], "mem-token\n").ok();
    host
}

/// The records of a dataset, as they are exported.
fn exported(host: &Host, dataset: &str) -> Vec<Value> {
    let out = host.path("out");
    host.run(&["export", "m", "--format", "jsonl", "--out", out.to_str().expect("a path")]).ok();
    let lines = std::fs::read_to_string(out.join(format!("{dataset}.jsonl"))).expect("the export");
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn edit(host: &Host, setting: &str) {
    host.run(&["connectors", "edit", "m", "--set", setting]).ok();
}

#[test]
fn a_second_connector_is_collected_exported_and_reported_like_any_other() {
    for collect in WAYS {
        let host = host(&[]);
        host.run(&["connectors", "check", "m"]).ok();
        let (collected, ran) = host.json(collect);
        ran.ok();
        assert_eq!(collected["status"], "complete", "{collected:#}");
        assert_eq!(dataset(&collected, "license")["rows"], 3);
        assert_eq!(dataset(&collected, "person")["rows"], 5_000);
        assert_eq!(dataset(&collected, "event")["rows"], 10);
        assert!(!collected.to_string().contains("badge"), "nobody asked for it: {collected:#}");

        let (runs, _) = host.json(&["runs", "list", "m"]);
        assert_eq!(runs[0]["status"], "complete", "{runs:#}");
        let (journal, _) = host.json(&["runs", "journal", &collected["run_id"].to_string()]);
        assert!(journal.to_string().contains("/person"), "{journal:#}");

        let people = exported(&host, "person");
        assert_eq!(people.len(), 5_000);
        let person = |id: &str| {
            people.iter().find(|person| person["Id"] == id).unwrap_or_else(|| panic!("no {id}"))
        };
        let (first, left) = (person("P00000000"), person("P00000009"));
        assert_eq!(first["Name"], Value::Null, "{first}");
        assert_eq!(first["IsActive"], true);
        assert_eq!(left["Name"], "Person 9, \"Näme\" 9", "{left}");
        assert_eq!(left["Score"], 1.125);
        assert_eq!(left["Logins"], Value::Null);
        assert_eq!(left["LeftOn"], "2026-01-10");
        assert_eq!(left["License.Name"], "Reader");

        let (report, ran) = host.json(&["report", "m"]);
        ran.ok();
        let writer = report["licenses"]
            .as_array()
            .and_then(|licenses| licenses.iter().find(|license| license["key"] == "Writer"))
            .unwrap_or_else(|| panic!("no `Writer` in {report:#}"));
        // Every fifth person writes; every tenth has left, none of them a writer.
        assert_eq!((&writer["purchased"], &writer["assigned"]), (&1_500.into(), &1_000.into()));
    }
}

#[test]
fn a_run_that_was_paused_goes_on_after_its_last_record() {
    for collect in WAYS {
        // Two batches a run: licences and 2,000 people; the other 3,000; events.
        let host = host(&["allowance=2"]);
        let mut runs = Vec::new();
        for (code, people) in [(5, 2_000), (5, 5_000), (0, 5_000)] {
            let (run, ran) = host.json(collect);
            ran.code(code);
            assert_eq!(dataset(&run, "person")["rows"], people, "{run:#}");
            runs.push(run);
        }
        assert_eq!(
            (&runs[0]["status"], &runs[2]["status"]),
            (&"paused".into(), &"complete".into())
        );
        assert!(runs.iter().all(|run| run["run_id"] == runs[0]["run_id"]), "it is one run");
        assert_eq!(exported(&host, "person").len(), 5_000);
    }
}

#[test]
fn a_later_run_reads_only_the_events_that_happened_since() {
    for collect in WAYS {
        let host = host(&["people=10", "events=2500"]);
        host.json(collect).1.ok();
        edit(&host, "events=2503");
        let (later, ran) = host.json(collect);
        ran.ok();
        let event = dataset(&later, "event");
        assert_eq!((&event["rows"], &event["mode"]), (&3.into(), &"incremental".into()));
        assert_eq!(exported(&host, "event").len(), 2_503);
    }
}

#[test]
fn a_run_in_its_pause_stops_when_it_is_interrupted() {
    for collect in WAYS {
        let host = host(&["pause_ms=3600000"]);
        let mut child = host
            .command(&[&["-vv"], collect].concat())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the host starts");
        let mut lines = BufReader::new(child.stderr.take().expect("its log")).lines();
        let reads = "reads with a grant of 9 letters";
        let read = lines.by_ref().map_while(Result::ok).any(|line| line.contains(reads));
        assert!(read, "the run did not begin");
        let began = Instant::now();
        kill_process(Pid::from_child(&child), Signal::INT).expect("it is there");
        // Read on, so that it is not held up by a full pipe.
        lines.map_while(Result::ok).for_each(drop);
        let status = child.wait().expect("it ends");
        assert!(began.elapsed() < SOON, "it took {:?}", began.elapsed());
        assert_eq!(status.code(), Some(1));
        let (runs, _) = host.json(&["runs", "list", "m"]);
        assert_eq!(runs[0]["error"]["kind"], "cancelled", "{runs:#}");
    }
}

#[test]
fn settings_and_tokens_it_does_not_take_are_named() {
    let host = host(&[]);
    host.run(&["connectors", "edit", "m", "--set", "people=many"])
        .code(2)
        .one_error("`people`: it is not a number", "whole number");
    host.run(&["connectors", "edit", "m", "--domain", "North 1"])
        .code(2)
        .one_error("`domain`", "lower-case");
    host.run_with_input(&["connectors", "authorize", "m", "--token-file", "-"], "another\n")
        .code(3)
        .one_error("no token of the Memory service", "mem-");
    let host = Host::new();
    host.add_plugin(&library("memory_connector"));
    host.run(&["features", "enable", "memory"]).ok();
    host.run(&["connectors", "new", "memory", "--name", "m"])
        .code(2)
        .one_error("`domain`", "space");
    host.run(&["connectors", "new", "memory", "--name", "m", "--domain", "north"]).ok();
    host.run(&["collect", "m"]).code(3).one_error("authoriz", "connectors authorize");
}
