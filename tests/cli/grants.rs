//! What a grant belongs to, and how it shows that the vendor no longer accepts it.

use salesforce_sim::SimulatedOrg;
use serde_json::Value;

use crate::host::{Host, NAME};

fn authorized() -> (SimulatedOrg, Host) {
    let org = SimulatedOrg::builder().users(60).seed(5).start();
    let host = Host::authorized(&org);
    (org, host)
}

fn scheduled(host: &Host) -> Value {
    let (status, _) = host.json(&["status"]);
    status["connectors"][0].clone()
}

fn listed(host: &Host) -> Value {
    let (list, ran) = host.json(&["connectors", "list"]);
    ran.ok();
    list[0].clone()
}

#[test]
fn another_domain_or_client_id_holds_a_connector_until_it_is_authorized_again() {
    let (org, host) = authorized();
    host.run(&["connectors", "edit", NAME, "--schedule", "daily 02:30"]).ok();
    host.collect(0);
    host.run(&["connectors", "edit", NAME, "--description", "new words"]).ok();
    assert_eq!(listed(&host)["authorized"], true, "other changes leave the grant alone");
    for (option, other, own) in [
        ("--domain", "elsewhere", org.my_domain_host()),
        ("--client-id", "another-client-id", org.client_id()),
    ] {
        let edited = host.run(&["connectors", "edit", NAME, option, other]).ok();
        assert!(edited.stderr.contains("authorize it again"), "{}", edited.stderr);
        assert_eq!(listed(&host)["authorized"], false);
        let job = scheduled(&host);
        assert_eq!(job["standing"], "held");
        assert!(job["reason"].as_str().expect("a reason").contains("authorize it again"), "{job}");
        let before = org.journal().len();
        host.run(&["collect", NAME]).code(3).one_error("not authorized", "connectors authorize");
        assert_eq!(org.journal().len(), before, "nothing is sent");
        host.run(&["connectors", "edit", NAME, option, own]).ok();
        host.run(&["collect", NAME]).code(3).one_error("not authorized", "connectors authorize");
        host.authorize(&org).ok();
        assert_eq!(listed(&host)["authorized"], true);
        host.collect(0);
    }
}

#[test]
fn a_revoked_grant_shows_wherever_a_connector_does_after_a_run_by_hand() {
    let (org, host) = authorized();
    host.run(&["connectors", "edit", NAME, "--schedule", "daily 02:30"]).ok();
    host.collect(0);
    assert_eq!(scheduled(&host)["standing"], "waiting");
    org.revoke_tokens();
    host.run(&["collect", NAME]).code(3);
    let job = scheduled(&host);
    assert_eq!((&job["standing"], &job["failures"]), (&"stopped".into(), &1.into()));
    assert!(job["reason"].is_string(), "{job}");
    let connector = listed(&host);
    assert_eq!(connector["standing"], "stopped");
    assert_eq!(connector["attention"]["kind"], "auth");
    host.run(&["connectors", "list"]).ok().shows("authorize it again");
    host.run(&["status"]).code(4).shows("stopped");
    host.authorize(&org).ok();
    assert_ne!(scheduled(&host)["standing"], "stopped");
    assert_eq!(listed(&host)["attention"], Value::Null);
    host.collect(0);
    assert_eq!(scheduled(&host)["standing"], "waiting");
}
