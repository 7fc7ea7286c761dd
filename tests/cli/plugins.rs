//! Libraries that misbehave beside good ones, and what is installed.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

use crate::host::{Host, library};

#[test]
fn a_connector_library_exports_its_two_symbols_and_nothing_else() {
    use connector_api::module::{HANDSHAKE_SYMBOL, ROOT_MODULE_SYMBOL};
    use object::{Object, ObjectSymbol};
    for package in ["salesforce_plugin", "chaos_plugin"] {
        let bytes = fs::read(library(package)).expect("the library");
        let file = object::File::parse(&*bytes).expect("a library");
        let mut names: Vec<&str> = file
            .dynamic_symbols()
            .filter(|symbol| symbol.is_definition())
            .map(|symbol| symbol.name().expect("a name"))
            .collect();
        names.sort_unstable();
        assert_eq!(names, [HANDSHAKE_SYMBOL, ROOT_MODULE_SYMBOL], "{package}");
    }
}

#[test]
fn a_missing_plugin_is_refused_with_what_to_do() {
    let host = Host::new();
    host.run(&["features", "enable", "salesforce"]).ok();
    fs::remove_file(host.plugins().join(library("salesforce_plugin").file_name().expect("a name")))
        .expect("removed");
    let secret = host.write("secret", "x");
    host.run(&[
        "connectors",
        "new",
        "salesforce",
        "--name",
        "n",
        "--domain",
        "acme",
        "--client-id",
        "id",
        "--client-secret-file",
        secret.to_str().expect("a path"),
    ])
    .code(6)
    .one_error("salesforce", "plugins");
}

#[test]
fn an_installed_plugin_is_pinned_and_a_changed_one_is_found() {
    let host = Host::new();
    let file = library("chaos_plugin");
    host.run(&["plugins", "install", file.to_str().expect("a path")]).ok();
    host.run(&["plugins", "verify"]).ok();
    let installed = host.plugins().join(file.file_name().expect("a name"));
    let mut bytes = fs::read(&installed).expect("the library");
    bytes.push(0);
    // A new file in its place: writing into a library that is loaded somewhere would break its user.
    fs::remove_file(&installed).expect("removed");
    fs::File::create(&installed).and_then(|mut file| file.write_all(&bytes)).expect("written");
    host.run(&["plugins", "verify"]).code(6);
}

fn chaos(call: &str) -> Host {
    let mut host = Host::new();
    host.add_plugin(&library("chaos_plugin"));
    host.run(&["features", "enable", "chaos"]).ok();
    host.run(&["connectors", "new", "chaos", "--name", "c", "--domain", "d", "--client-id", "i"])
        .ok();
    host.run_with_input(&["connectors", "authorize", "c", "--token-file", "-"], "anything").ok();
    host.set("CHAOS", call);
    host
}

#[test]
fn a_connector_that_behaves_collects_its_three_things() {
    let host = chaos("nothing");
    let (collected, ran) = host.json(&["collect", "c"]);
    ran.ok();
    assert_eq!(collected["status"], "complete");
    assert_eq!(collected["datasets"][0]["rows"], 3);
}

#[test]
fn a_panic_in_any_call_is_one_clear_line_and_the_other_plugin_goes_on() {
    for (call, arguments, codes) in [
        ("describe", vec!["plugins", "verify"], [6, 6]),
        ("describe", vec!["collect", "c"], [6, 6]),
        ("new", vec!["collect", "c"], [1, 6]),
        ("configure", vec!["collect", "c"], [1, 6]),
        ("enable", vec!["collect", "c"], [1, 6]),
        ("collect", vec!["collect", "c"], [1, 6]),
        ("payload", vec!["collect", "c"], [1, 6]),
        ("authorize", vec!["connectors", "authorize", "c", "--print-url"], [1, 6]),
        ("check", vec!["connectors", "check", "c"], [1, 6]),
    ] {
        let host = chaos(call);
        let ran = host.run(&arguments);
        assert!(codes.contains(&ran.code), "{call}: {ran:#?}");
        let shown = ran.shown();
        let panics: Vec<&str> = shown.lines().filter(|line| line.contains("panic")).collect();
        assert_eq!(panics.len(), 1, "{call}: {ran:#?}");
        assert!(!ran.shown().contains("RUST_BACKTRACE"), "{call}: {ran:#?}");
        let (features, _) = host.json(&["features", "list"]);
        let good = features
            .as_array()
            .expect("features")
            .iter()
            .any(|feature| feature["feature"] == "salesforce" && !feature["plugin"].is_null());
        assert!(good, "{call}: the other plugin is gone: {features}");
    }
}

#[test]
fn a_panic_while_leaving_does_not_spoil_what_was_collected() {
    for call in ["disable", "drop"] {
        let host = chaos(call);
        let (collected, ran) = host.json(&["collect", "c"]);
        ran.ok();
        assert_eq!(collected["status"], "complete", "{call}");
    }
}

#[test]
fn a_batch_that_is_not_as_described_fails_the_run_and_stores_nothing() {
    for call in ["columns", "types"] {
        let host = chaos(call);
        let (collected, ran) = host.json(&["collect", "c"]);
        ran.code(1);
        assert_eq!(collected["status"], "failed", "{call}: {collected:#}");
        host.run(&["report", "c"]).code(1);
    }
}

/// What a library hands over, or does to its own thread, how its run ends, and a word of the reason.
const HANDED_OVER: [(&str, &str, &str); 18] = [
    ("no-rows", "complete", ""),
    ("early-checkpoint", "complete", ""),
    ("thread-panic", "complete", ""),
    ("twice", "partial", "3 records were counted, 6 arrived"),
    ("no-columns", "failed", "its key column `Id` is missing"),
    ("wide", "failed", "it does not declare the column `C0`"),
    ("many-rows", "failed", "50000000 rows, at most 65536 are accepted"),
    ("changed", "failed", "its columns differ from those of its first batch"),
    ("null-key", "failed", "its key `Id` is null in 2 records"),
    ("bad-text", "failed", "utf-8"),
    ("bad-offsets", "failed", "offset"),
    ("offsets-beyond", "failed", "offset"),
    ("released", "failed", "it was released before"),
    ("panic-number", "failed", "panic in `collect`"),
    ("odd-error", "failed", "a\0b\u{1b}"),
    ("long-error", "failed", "xxx"),
    ("long-end", "failed", "yyy"),
    ("long-summary", "failed", "longer than 7 MiB"),
];
/// A longer error helps nobody.
const LONGEST_ERROR: usize = 5_000;

#[test]
fn whatever_is_handed_over_costs_at_most_that_run_in_both_ways_to_run_it() {
    let host = chaos("nothing");
    // Less to look at in each command.
    fs::remove_file(host.plugins().join(library("salesforce_plugin").file_name().expect("a name")))
        .expect("removed");
    host.add_good_one();
    let mut wrong = Vec::new();
    for (behaviour, status, reason) in HANDED_OVER {
        host.run(&["connectors", "edit", "c", "--set", &format!("behaviour={behaviour}")]).ok();
        for way in [&["collect", "c", "--full"][..], &["collect", "c", "--full", "--isolate"]] {
            let (collected, ran) = host.json(way);
            let message = collected["error"]["message"].as_str();
            let why = message.or(collected["datasets"][0]["reason"].as_str()).unwrap_or_default();
            let shown = ran.shown();
            let readable = !shown.chars().any(|c| c.is_control() && c != '\n');
            let as_told = collected["status"] == status && why.contains(reason);
            if !as_told || !readable || shown.len() > 2 * LONGEST_ERROR {
                wrong.push(format!("{behaviour} {way:?}: {why:.300} {}", collected["status"]));
            }
        }
        host.good_one_collects(behaviour);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The text of a run's log until that line.
fn read_until(child: &mut Child, text: &str) -> impl Iterator<Item = String> + use<> {
    let stderr = child.stderr.take().expect("its log");
    let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
    assert!(lines.by_ref().any(|line| line.contains(text)), "no `{text}` in the log");
    lines
}

#[test]
fn what_comes_after_a_cancel_is_refused_and_the_run_is_taken_back() {
    let host = chaos("nothing");
    host.run(&["connectors", "edit", "c", "--set", "behaviour=insistent"]).ok();
    let mut command = host.command(&["-vv", "collect", "c"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut run = command.spawn().expect("the run starts");
    let rest = read_until(&mut run, "a chaos connector was made");
    host.run(&["features", "disable", "chaos"]).ok();
    let rest: Vec<String> = rest.collect();
    assert_eq!(run.wait().expect("it ends").code(), Some(1), "{rest:#?}");
    let told = rest.iter().filter(|line| line.contains("the sink answers `cancelled`")).count();
    assert_eq!(told, 2, "{rest:#?}");
    let (runs, _) = host.json(&["runs", "list", "c"]);
    assert_eq!(runs[0]["status"], "failed", "{runs:#}");
    assert!(runs[0]["error"]["message"].to_string().contains("was disabled"), "{runs:#}");
    host.run(&["report", "c"]).code(1);
}

#[test]
fn the_host_ends_cleanly_while_a_thread_of_the_library_still_calls_it() {
    let host = chaos("nothing");
    host.run(&["connectors", "edit", "c", "--set", "behaviour=stray-thread"]).ok();
    for _ in 0..10 {
        let (collected, ran) = host.json(&["collect", "c", "--full"]);
        ran.ok();
        assert_eq!(collected["status"], "complete", "{collected:#}");
    }
}
