//! `plugins check`: every connector passes every check, and each check can fail.

use std::fs;
use std::path::Path;

use salesforce_sim::SimulatedOrg;
use serde_json::Value;

use crate::host::{Host, Ran, library};

const CHECKS: [&str; 17] = [
    "symbols",
    "load",
    "describe",
    "missing_settings",
    "unknown_keys",
    "bad_requests",
    "unknown_operation",
    "before_configure",
    "life_cycle",
    "instances",
    "without_grant",
    "unknown_dataset",
    "cancel",
    "collect",
    "resume",
    "secrets",
    "stdout",
];
/// What needs a grant, and so is not tried with made-up settings.
const WITH_GRANT: [&str; 4] = ["unknown_dataset", "cancel", "collect", "resume"];

fn check(host: &Host, file: &Path, more: &[&str]) -> (Value, Ran) {
    host.json(&[&["plugins", "check", file.to_str().expect("a path")], more].concat())
}

/// The checks that ended so.
fn names<'a>(document: &'a Value, status: &str) -> Vec<&'a str> {
    let checks = document["checks"].as_array().expect("checks").iter();
    checks
        .filter(|check| check["status"] == status)
        .map(|check| check["check"].as_str().expect("a name"))
        .collect()
}

#[test]
fn a_connector_with_settings_and_a_grant_passes_every_check() {
    let host = Host::new();
    let profile = host.write(
        "memory.toml",
        "token = 'mem-canary-token'\n[settings]\ndomain = 'north'\n[secrets]\npassphrase = 'canary-phrase'\n",
    );
    let settings = ["--settings", profile.to_str().expect("a path")];
    let (document, ran) = check(&host, &library("memory_connector"), &settings);
    let ran = ran.ok();
    assert_eq!(names(&document, "ok"), CHECKS, "{document:#}");
    assert!(!ran.shown().contains("canary"), "{ran:#?}");

    // The same, as a person sees it: one line for each check.
    let file = library("memory_connector");
    let file = file.to_str().expect("a path");
    let ran = host.run(&[&["plugins", "check", file], &settings[..]].concat()).ok();
    let lines: Vec<String> = CHECKS.iter().map(|name| format!("{name}: ok")).collect();
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), lines, "{ran:#?}");
}

#[test]
fn the_salesforce_connector_passes_against_the_simulated_org() {
    let org = SimulatedOrg::builder()
        .users(60)
        .logins_per_user(1)
        .seed(7)
        .policy(|policy| policy.client_credentials_flow = true)
        .start();
    let username = org.username().to_owned();
    org.set_policy(|policy| policy.run_as = Some(username));
    let host = Host::behind(&org);
    let profile = host.write(
        "salesforce.toml",
        &format!(
            "[settings]\ngrant = 'client_credentials'\ndomain = '{}'\nclient_id = '{}'\nproxy = '{}'\nca_file = '{}'\n[secrets]\nclient_secret = '{}'\n",
            org.my_domain_host(),
            org.client_id(),
            org.proxy_url(),
            host.path("ca.pem").display(),
            org.client_secret(),
        ),
    );
    let settings = ["--settings", profile.to_str().expect("a path")];
    let (document, ran) = check(&host, &library("salesforce_plugin"), &settings);
    let ran = ran.ok();
    assert_eq!(names(&document, "ok"), CHECKS, "{document:#}");
    assert!(org.violations().is_empty(), "{:?}", org.violations());
    for secret in org.issued_secrets() {
        assert!(!ran.shown().contains(&secret), "a secret is shown");
    }
}

#[test]
fn with_made_up_settings_nothing_leaves_the_computer_and_the_rest_is_not_applicable() {
    // A host without any network settings: what the connector would reach is not there.
    let host = Host::new();
    for package in ["salesforce_plugin", "memory_connector"] {
        let (document, ran) = check(&host, &library(package), &[]);
        ran.ok();
        assert_eq!(names(&document, "not_applicable"), WITH_GRANT, "{package}: {document:#}");
        assert_eq!(names(&document, "ok").len(), CHECKS.len() - WITH_GRANT.len());
    }
}

/// A behaviour of the chaos plugin, the one check it breaks, and a word of the reason.
const BROKEN: [(&str, &str, &str); 23] = [
    ("nothing", "", ""),
    ("fickle", "describe", "differently"),
    ("lax", "missing_settings", "`domain`"),
    ("configure", "unknown_keys", "told to panic in configure"),
    ("configure", "bad_requests", "told to panic in configure"),
    ("any-operation", "unknown_operation", "not refused"),
    ("enable-once", "life_cycle", "the second time"),
    ("disable", "life_cycle", "told to panic in disable"),
    ("leak-thread", "instances", "threads"),
    ("leak-file", "instances", "open files"),
    ("new", "instances", "told to panic in new"),
    ("grants", "without_grant", "without a grant"),
    ("any-dataset", "unknown_dataset", "does not declare"),
    ("deaf", "cancel", "went on to its end"),
    ("hang", "cancel", "did not end within"),
    ("columns", "collect", "`Colour`"),
    ("types", "collect", "Utf8"),
    ("miscount", "collect", "counted 4 records"),
    ("auth", "collect", "the grant was revoked"),
    ("no-resume", "resume", "it cannot go on"),
    ("large-state", "resume", "checkpoint is too long"),
    ("tell", "secrets", "log record of `chaos_plugin` holds a secret"),
    ("leak", "secrets", "panic"),
];

#[test]
fn each_check_fails_for_a_connector_that_breaks_its_promise() {
    for (told, broken, reason) in BROKEN {
        let mut host = Host::new();
        host.set("CHAOS", told);
        let only = if broken.is_empty() { vec![] } else { vec!["--only", broken] };
        let within = if told == "hang" { "1" } else { "60" };
        let more = [&only[..], &["--within", within]].concat();
        let (document, ran) = check(&host, &library("chaos_plugin"), &more);
        if broken.is_empty() {
            ran.ok();
            assert_eq!(names(&document, "failed"), [""; 0], "the control: {document:#}");
            continue;
        }
        ran.code(4);
        assert_eq!(names(&document, "failed"), [broken], "{told}: {document:#}");
        let verdict = document["checks"].to_string();
        assert!(verdict.contains(reason), "{told}: {verdict}");
        assert!(!verdict.contains("canary"), "{told}: {verdict}");
    }
}

#[test]
fn a_crash_is_a_result_and_so_is_a_line_on_standard_output() {
    let host = Host::new();
    let file = library("chaos_plugin");
    for (behaviour, broken, reason) in [
        ("segfault", "collect", "segmentation fault"),
        ("abort-now", "collect", "aborted"),
        ("exit-0", "collect", "exit code 0"),
        ("overflow", "collect", "overflowed its stack"),
        ("noise", "stdout", "noise 0"),
    ] {
        let profile = host.write(
            "chaos.toml",
            &format!("[settings]\ndomain = 'd'\nclient_id = 'i'\nbehaviour = '{behaviour}'\n"),
        );
        let profile = profile.to_str().expect("a path");
        let more = ["--only", broken, "--settings", profile];
        let (document, ran) = check(&host, &file, &more);
        ran.code(4);
        assert_eq!(names(&document, "failed"), [broken], "{behaviour}: {document:#}");
        assert!(document["checks"].to_string().contains(reason), "{behaviour}: {document:#}");
    }
}

#[test]
fn a_file_that_cannot_be_loaded_is_refused_after_its_first_checks() {
    let host = Host::new();
    let good = fs::read(library("chaos_plugin")).expect("the library");
    let cut = host.path("libcut.so");
    fs::write(&cut, &good[..good.len() / 2]).expect("a file");
    let (document, ran) = check(&host, &cut, &[]);
    ran.code(6);
    assert_eq!(names(&document, "failed"), ["symbols", "load"], "{document:#}");
    assert_eq!(document["checks"].as_array().map(Vec::len), Some(2));
    let mut host = Host::new();
    host.set("CHAOS", "describe");
    check(&host, &library("chaos_plugin"), &[]).1.code(6);
}

#[test]
fn a_wrong_profile_or_check_is_named_and_its_values_are_not_shown() {
    let host = Host::new();
    let file = library("chaos_plugin");
    let profile = host.write("profile.toml", "[secrets]\nclient_secret = canary");
    let settings = ["--settings", profile.to_str().expect("a path")];
    let (_, ran) = check(&host, &file, &settings);
    let ran = ran.code(2).one_error("line 2", "[secrets]");
    assert!(!ran.shown().contains("canary"), "{ran:#?}");
    check(&host, &file, &["--only", "speed"]).1.code(2).one_error("`speed`", "before_configure");
}
