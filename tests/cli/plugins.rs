//! A plugins folder as it happens: rubbish beside good libraries, and libraries that misbehave.

use std::fs;
use std::io::Write;

use connector_api::module::Handshake;

use crate::host::{Host, library};

/// The good plugin's bytes with another contract version in its handshake.
fn of_another_contract() -> Vec<u8> {
    let mut bytes = fs::read(library("salesforce_plugin")).expect("the library");
    let magic = Handshake::MAGIC;
    let places: Vec<usize> = bytes
        .windows(magic.len())
        .enumerate()
        .filter(|(_, w)| **w == magic)
        .map(|(at, _)| at)
        .collect();
    for at in places {
        bytes[at + 20..at + 24].copy_from_slice(&2_u32.to_ne_bytes());
    }
    bytes
}

#[test]
fn rubbish_beside_the_good_plugin_is_one_line_each_and_the_good_one_works() {
    let host = Host::new();
    let good = fs::read(library("salesforce_plugin")).expect("the library");
    let put =
        |name: &str, bytes: &[u8]| fs::write(host.plugins().join(name), bytes).expect("a file");
    put("libempty.so", b"");
    put("libtext.so", b"this is not a library\n");
    put("libhalf.so", &good[..good.len() / 2]);
    put("libalmost.so", &good[..good.len() - 1]);
    put("libheader.so", &good[..64]);
    put("libnewer.so", &of_another_contract());
    put("libtwin.so", &good);
    put("notes.txt", b"bring milk");
    fs::create_dir(host.plugins().join("libfolder.so")).expect("a folder");

    let ran = host.run(&["plugins", "list"]);
    for (name, reason) in [
        ("libempty.so", "empty"),
        ("libtext.so", "not a library"),
        ("libhalf.so", "cut short"),
        ("libalmost.so", "cut short"),
        ("libheader.so", "cut short"),
        (
            "libnewer.so",
            "it needs contract 2.0, this host has 1.0: rebuild the connector with connector-api 1",
        ),
        ("libfolder.so", "folder"),
        ("libtwin.so", "salesforce"),
    ] {
        let shown = ran.shown();
        let lines: Vec<&str> = shown.lines().filter(|line| line.contains(name)).collect();
        assert!(lines.len() == 1 && lines[0].contains(reason), "{name}: {lines:#?} in {shown}");
    }
    assert!(!ran.shown().contains("notes.txt"));
    host.run(&["plugins", "verify"]).code(6);
    host.run(&["features", "enable", "salesforce"]).ok();
    let (features, _) = host.json(&["features", "list"]);
    assert_eq!(features[0]["enabled"], true);
}

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
