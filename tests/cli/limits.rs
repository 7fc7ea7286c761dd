//! What one run may use of the machine.

use std::fs;

use crate::host::{Host, dataset};

/// The connector brings this many people: some megabytes of records.
const PEOPLE: u64 = 30_000;

fn host(config: &str) -> Host {
    let host = Host::new();
    host.add_good_one();
    host.good_one_collects("nothing");
    set(&host, config);
    let people = format!("people={PEOPLE}");
    host.run(&["connectors", "edit", "good", "--set", &people]).ok();
    host
}

fn set(host: &Host, config: &str) {
    fs::write(host.home().join("config.toml"), config).expect("the settings");
}

#[test]
fn a_run_that_brings_more_than_it_may_fails_and_what_was_published_stays() {
    let host = host("run_mib = 1\n");
    for way in [&["collect", "good", "--full"][..], &["collect", "good", "--full", "--isolate"]] {
        let (collected, ran) = host.json(way);
        ran.code(1);
        assert_eq!(collected["status"], "failed", "{collected:#}");
        let message = collected["error"]["message"].as_str().expect("a reason");
        assert!(message.contains("more than 1 MiB of records"), "{message}");
    }
    let out = host.path("out");
    let out = out.to_str().expect("a path");
    host.run(&["export", "good", "--format", "jsonl", "--out", out]).ok();
    let people = fs::read_to_string(host.path("out/person.jsonl")).expect("an export");
    assert_eq!(people.lines().count(), 9, "what was published before stays");
    // The control: with room for it the same run is complete.
    set(&host, "run_mib = 256\n");
    let (collected, ran) = host.json(&["collect", "good", "--full"]);
    ran.ok();
    assert_eq!(dataset(&collected, "person")["rows"], PEOPLE, "{collected:#}");
}

/// A pipe and a device have no end; neither is read to it.
#[cfg(unix)]
#[test]
fn settings_that_are_no_regular_file_are_refused_at_once() {
    let host = Host::new();
    host.run(&["features", "enable", "salesforce"]).ok();
    let config = host.home().join("config.toml");
    std::os::unix::fs::symlink("/dev/zero", &config).expect("a link");
    let ran = host.run(&["status"]);
    ran.code(2).shows("not a regular file");
}
