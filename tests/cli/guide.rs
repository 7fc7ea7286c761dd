//! The connector guide, step by step, each with what the person sees.

use salesforce_sim::{Edition, SimulatedOrg};
use serde_json::json;

use crate::host::{Host, NAME};

fn org() -> SimulatedOrg {
    SimulatedOrg::builder().users(120).seed(11).my_domain("acme").start()
}

#[test]
fn the_guide_leads_from_an_empty_server_to_a_licence_report() {
    let org = org();
    let host = Host::behind(&org);

    // "Click on the Features option."
    let (features, ran) = host.json(&["features", "list"]);
    ran.ok();
    assert_eq!(features[0]["feature"], "salesforce");
    assert_eq!(features[0]["title"], "Salesforce Connector");
    assert_eq!(features[0]["enabled"], false);
    assert_eq!(features[0]["plugin"]["contract"], "1.0");
    host.run(&["features", "list"]).ok().shows("Salesforce Connector");

    // A connector needs its feature.
    host.create(&org).code(2).one_error("salesforce", "features enable salesforce");
    let (connectors, _) = host.json(&["connectors", "list"]);
    assert_eq!(connectors, json!([]), "nothing is half-saved");

    // "Enable the Salesforce Connector row. Click on Save."
    host.run(&["features", "enable", "salesforce"]).ok().shows("enabled");
    let (features, _) = host.json(&["features", "list"]);
    assert_eq!(features[0]["enabled"], true);

    // "click the 'New' button … Set the Schedule. Click Save."
    host.create(&org).ok().shows("connectors authorize");
    let (connectors, _) = host.json(&["connectors", "list"]);
    let connector = &connectors[0];
    assert_eq!(connector["name"], NAME);
    assert_eq!(connector["description"], "the production org");
    assert_eq!(connector["feature"], "salesforce");
    assert_eq!(connector["domain"], org.my_domain_host());
    assert_eq!(connector["client_id"], org.client_id());
    assert_eq!(connector["schedule"], "daily 02:30");
    assert_eq!(connector["authorized"], false);
    assert_eq!(connector["last_run"], json!(null));

    // Nothing can be collected before Authorize.
    host.run(&["collect", NAME]).code(3).one_error("not authorized", "connectors authorize");

    // "Click Authorize and if prompted login, then allow access"
    let link = host.run(&["connectors", "authorize", NAME, "--print-url"]).ok().stdout;
    assert_eq!(link.lines().count(), 1, "the link alone, for scripts");
    assert!(
        link.starts_with(&format!("https://{}/services/oauth2/authorize?", org.my_domain_host())),
        "{link}"
    );
    for part in
        ["response_type=code", "code_challenge_method=S256", "code_challenge=", "state=", "success"]
    {
        assert!(link.contains(part), "{part} in {link}");
    }

    // "Copy the Token from this screen and paste it into the Token field."
    let address = org.approve(link.trim());
    assert!(address.contains("code=aPrx"), "{address}");
    let ran =
        host.run_with_input(&["connectors", "authorize", NAME, "--token-file", "-"], &address).ok();
    ran.shows(org.username());
    let (connectors, _) = host.json(&["connectors", "list"]);
    assert_eq!(connectors[0]["authorized"], true);

    // What the guide's twenty permissions give is enough.
    let (check, ran) = host.json(&["connectors", "check", NAME]);
    ran.ok();
    assert_eq!(check["ok"], true, "{check:#}");

    // The run itself.
    let collected = host.collect(0);
    assert_eq!(collected["status"], "complete", "{collected:#}");
    assert_eq!(collected["error"], json!(null));
    for dataset in collected["datasets"].as_array().expect("datasets") {
        assert!(
            ["complete", "absent"].contains(&dataset["status"].as_str().expect("a status")),
            "{dataset}"
        );
        if dataset["status"] == "complete" {
            assert_eq!(dataset["rows"], dataset["expected"], "{dataset}");
        }
    }
    assert!(collected["api_calls"].as_u64().expect("a number") < 80, "{collected:#}");
    host.run(&["report", NAME]).ok().shows("Salesforce Platform");
    let (runs, _) = host.json(&["runs", "list", NAME]);
    assert_eq!(runs.as_array().expect("runs").len(), 1);
}

#[test]
fn everything_survives_a_restart_and_the_org_is_not_needed_to_report() {
    let org = org();
    let host = Host::authorized(&org);
    host.collect(0);
    let before = host.report();
    drop(org);
    assert_eq!(host.report(), before);
    let (features, _) = host.json(&["features", "list"]);
    assert_eq!(features[0]["enabled"], true);
}

#[test]
fn a_disabled_feature_collects_nothing_until_it_is_enabled_again() {
    let org = org();
    let host = Host::authorized(&org);
    host.run(&["features", "disable", "salesforce"]).ok();
    let ran = host.run(&["collect", NAME]);
    assert_ne!(ran.code, 0);
    ran.one_error("disabled", "features enable salesforce");
    let calls = org.journal().len();
    host.run(&["features", "enable", "salesforce"]).ok();
    assert_eq!(org.journal().len(), calls, "enabling sends nothing");
    host.collect(0);
}

#[test]
fn settings_can_be_corrected_and_a_connector_deleted() {
    let org = org();
    let host = Host::behind(&org);
    host.run(&["features", "enable", "salesforce"]).ok();
    host.create_with("acme", "wrong", "secret").ok();
    host.run(&["connectors", "edit", NAME, "--client-id", org.client_id()]).ok();
    let secret = host.write("right-secret", org.client_secret());
    host.run(&[
        "connectors",
        "edit",
        NAME,
        "--client-secret-file",
        secret.to_str().expect("a path"),
    ])
    .ok();
    host.authorize(&org).ok();
    host.collect(0);
    host.run(&["connectors", "delete", NAME, "--yes"]).ok();
    let (connectors, _) = host.json(&["connectors", "list"]);
    assert_eq!(connectors, json!([]));
}

#[test]
fn the_guides_short_domain_finds_its_org() {
    let org = SimulatedOrg::builder()
        .users(30)
        .my_domain("d1t000000czokeak")
        .edition(Edition::Developer)
        .start();
    let host = Host::behind(&org);
    host.run(&["features", "enable", "salesforce"]).ok();
    host.create_with("d1t000000czokeak-dev-ed", org.client_id(), org.client_secret()).ok();
    let link = host.run(&["connectors", "authorize", NAME, "--print-url"]).ok().stdout;
    assert!(
        link.starts_with("https://d1t000000czokeak-dev-ed.develop.my.salesforce.com/"),
        "{link}"
    );
    host.authorize(&org).ok();
    host.collect(0);
}

#[test]
fn bad_input_names_the_field_and_the_remedy_and_saves_nothing() {
    let host = Host::new();
    host.run(&["features", "enable", "salesforce"]).ok();
    let secret = host.write("secret", "x");
    let secret = secret.to_str().expect("a path");
    let ran = host.run(&[
        "connectors",
        "new",
        "salesforce",
        "--name",
        NAME,
        "--domain",
        "127.0.0.1",
        "--client-id",
        "has space",
        "--client-secret-file",
        secret,
        "--set",
        "api_version=7",
    ]);
    for field in ["domain", "client_id", "api_version"] {
        assert!(ran.stderr.contains(field), "{field}: {ran:#?}");
    }
    ran.code(2);
    host.run(&[
        "connectors",
        "new",
        "salesforce",
        "--name",
        NAME,
        "--domain",
        "acme",
        "--client-id",
        "id",
        "--client-secret-file",
        secret,
        "--schedule",
        "whenever",
    ])
    .code(2)
    .one_error("whenever", "daily");
    host.run(&[
        "connectors",
        "new",
        "salesforce",
        "--name",
        NAME,
        "--domain",
        "acme",
        "--client-id",
        "id",
        "--set",
        "client_secret=canary",
    ])
    .code(2)
    .one_error("client_secret", "file");
    let (connectors, _) = host.json(&["connectors", "list"]);
    assert_eq!(connectors, json!([]));
    host.run(&["features", "enable", "oracle"]).code(2).one_error("oracle", "salesforce");
    let (error, ran) = host.json(&["collect", "nobody"]);
    ran.code(2);
    assert!(error["error"]["message"].as_str().expect("a message").contains("nobody"), "{error}");
}
