//! The demo: the one command that a newcomer runs.

use crate::host::{Host, library};

#[test]
fn the_demo_tells_the_whole_story_and_its_report_equals_the_seed() {
    let host = Host::new();
    let ran = host.run(&["demo", "--users", "400"]).ok();
    for step in [
        "$ host-harness features enable salesforce",
        "$ host-harness connectors new salesforce --name production",
        "/services/oauth2/success?code=…",
        "is authorized: user ",
        "$ host-harness connectors check production",
        "$ host-harness collect production",
        "user licences: ",
        "no Salesforce org is contacted",
        "Every figure of the report equals what the org was filled with.",
        "The data lies in ",
    ] {
        assert!(ran.stdout.contains(step), "`{step}` is missing: {}", ran.shown());
    }
    // What it says to try next works, without the org.
    host.run(&["report", "production"]).ok();
    assert!(!host.home().join("token").exists() && !host.home().join("client-secret").exists());

    // A second demo does not write into a home that is in use.
    host.run(&["demo"]).code(2).one_error("in use", "--home");
}

#[test]
fn with_json_the_demo_prints_one_document() {
    let host = Host::new();
    let (document, ran) = host.json(&["demo", "--users", "60"]);
    ran.ok();
    assert_eq!(document["simulated"], true);
    assert_eq!(document["equals_the_seed"], true);
    assert!(document["report"]["licenses"].as_array().is_some_and(|list| !list.is_empty()));
}

#[test]
fn without_the_plugin_the_demo_says_what_is_missing() {
    let host = Host::new();
    let name = library("salesforce_plugin");
    std::fs::remove_file(host.plugins().join(name.file_name().expect("a name"))).expect("removed");
    host.run(&["demo", "--users", "60"]).code(1).shows("no connector library offers");
}
