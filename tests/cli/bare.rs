//! A library without the contract's guard: what the host alone withstands, and what ends it.

use std::fs;

use crate::host::{Host, dataset, library};

/// A host with the bare library beside a good one, and the connector `b`.
fn host() -> Host {
    let host = Host::new();
    let heavy = library("salesforce_plugin");
    fs::remove_file(host.plugins().join(heavy.file_name().expect("a name"))).expect("removed");
    host.add_plugin(&library("bare_plugin"));
    host.add_good_one();
    host.run(&["features", "enable", "bare"]).ok();
    host.run(&["connectors", "new", "bare", "--name", "b"]).ok();
    host
}

fn behave(host: &Host, behaviour: &str) {
    host.run(&["connectors", "edit", "b", "--set", &format!("behaviour={behaviour}")]).ok();
}

#[test]
fn a_library_that_presents_itself_badly_is_one_line_and_the_good_one_collects() {
    let mut host = host();
    host.good_one_collects("nothing");
    assert_eq!(host.json(&["plugins", "list"]).0["refused"].to_string(), "[]", "the control");
    for (told, reason) in [
        ("root", "its root module cannot be made"),
        ("json", "its description is not understood"),
        ("names", "id `bare\\0\\u{1b}[31m"),
    ] {
        host.set("BARE", told);
        let (list, ran) = host.json(&["plugins", "list"]);
        ran.ok();
        let refused = list["refused"].as_array().expect("refused");
        let why = refused[0]["reason"].as_str().expect("a reason");
        assert!(refused.len() == 1 && why.contains(reason), "{told}: {why}");
        let ran = host.run(&["plugins", "verify"]).code(6);
        assert!(!ran.shown().contains(['\0', '\u{1b}', '\u{202e}']), "{told}: {ran:#?}");
        assert_eq!(ran.shown().lines().filter(|line| line.contains(why)).count(), 1, "{ran:#?}");
        host.good_one_collects(told);
    }
}

#[test]
fn a_panic_without_a_guard_ends_the_host_and_in_a_process_of_its_own_only_the_run() {
    let host = host();
    behave(&host, "panic");
    let ran = host.run(&["collect", "b"]).code(1);
    assert!(ran.stderr.contains("panic across the ffi boundary"), "{ran:#?}");
    let (collected, ran) = host.json(&["collect", "b", "--isolate"]);
    ran.code(1);
    assert_eq!(collected["status"], "failed", "{collected:#}");
    let message = collected["error"]["message"].as_str().expect("a reason");
    assert!(message.contains("exit code 1 before its work was done"), "{message}");
    host.good_one_collects("the panic");
}

#[test]
fn a_summary_that_is_no_json_fails_the_run() {
    let host = host();
    behave(&host, "summary");
    for way in [&["collect", "b"][..], &["collect", "b", "--isolate"]] {
        let (collected, ran) = host.json(way);
        ran.code(1);
        let message = collected["error"]["message"].as_str().expect("a reason");
        assert!(message.contains("not understood"), "{message}");
    }
}

#[test]
fn records_of_two_threads_all_arrive() {
    let host = host();
    behave(&host, "threads");
    for way in [&["collect", "b", "--full"][..], &["collect", "b", "--full", "--isolate"]] {
        let (collected, ran) = host.json(way);
        ran.ok();
        assert_eq!(dataset(&collected, "thing")["rows"], 8, "{collected:#}");
    }
}

#[test]
fn who_uses_the_sink_after_its_run_is_refused_and_the_run_stays_as_it_was() {
    let host = host();
    behave(&host, "keep");
    let (collected, ran) = host.json(&["-v", "collect", "b"]);
    let ran = ran.ok();
    assert_eq!(dataset(&collected, "thing")["rows"], 1, "{collected:#}");
    let said = ran.stderr.lines().find(|line| line.contains("the sink answers in the end"));
    let said = said.unwrap_or_else(|| panic!("{ran:#?}"));
    assert!(said.contains("the run is over: nothing more is accepted"), "{said}");
    host.good_one_collects("it");
}
