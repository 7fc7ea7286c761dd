//! Several orgs beside each other: what is summed, what is not, and what the sums are worth.

use salesforce_sim::{Edition, SimulatedOrg};
use serde_json::Value;
use testkit::StoreProbe;

use crate::host::Host;

/// A connector for an org, with a network of its own, followed through to a first collection.
fn connect(host: &Host, name: &str, org: &SimulatedOrg) {
    connect_partly(host, name, org, 0);
}

/// The same where the collection ends with that exit code.
fn connect_partly(host: &Host, name: &str, org: &SimulatedOrg, code: i32) {
    let ca = host.path(&format!("{name}.pem"));
    org.write_ca(&ca).expect("the CA file");
    let secret = host.write("client-secret", org.client_secret());
    let (proxy, ca) =
        (format!("proxy={}", org.proxy_url()), format!("ca_file={}", ca.to_str().expect("a path")));
    let new = ["connectors", "new", "salesforce", "--name", name, "--set", &proxy, "--set", &ca];
    let app = ["--domain", org.my_domain_host(), "--client-id", org.client_id()];
    let secret = ["--client-secret-file", secret.to_str().expect("a path")];
    host.run(&[&new[..], &app, &secret].concat()).ok();
    let link = host.run(&["connectors", "authorize", name, "--print-url"]).ok().stdout;
    let pasted = org.approve(link.trim());
    host.run_with_input(&["connectors", "authorize", name, "--token-file", "-"], &pasted).ok();
    host.run(&["collect", name]).code(code);
}

fn host() -> Host {
    let host = Host::new();
    host.run(&["features", "enable", "salesforce"]).ok();
    host
}

fn org(name: &str, users: u64) -> SimulatedOrg {
    SimulatedOrg::builder().users(users).seed(users).my_domain(name).start()
}

/// The roll-up, which says that something is lacking.
#[track_caller]
fn incomplete(host: &Host) -> Value {
    let (all, ran) = host.json(&["report", "--all"]);
    ran.code(4);
    all
}

#[track_caller]
fn reason_says(entry: &Value, words: &str) {
    assert!(entry["reason"].as_str().is_some_and(|why| why.contains(words)), "{entry}");
}

#[track_caller]
fn entry<'a>(all: &'a Value, name: &str) -> &'a Value {
    let entries = all["connectors"].as_array().expect("connectors");
    entries.iter().find(|entry| entry["connector"] == name).expect("it is named")
}

/// Purchased and assigned seats of the full licence in the sums, and from how many orgs they come.
fn summed(all: &Value) -> [i64; 3] {
    let totals = all["totals"].as_array().expect("totals");
    let total = totals.iter().find(|total| total["key"] == "SFDC").expect("SFDC");
    ["purchased", "assigned", "organizations"].map(|figure| total[figure].as_i64().expect("known"))
}

/// The same of what the orgs were filled with.
fn filled(orgs: &[&SimulatedOrg]) -> [i64; 3] {
    let mut sums = [0, 0, 0];
    for org in orgs {
        let truth = org.truth();
        let license = truth.license("SFDC").expect("SFDC");
        for (sum, figure) in sums.iter_mut().zip([license.purchased, license.used, 1]) {
            *sum += figure;
        }
    }
    sums
}

/// Moves a connector's snapshot into the past.
fn age(host: &Host, name: &str, hours: i64) {
    let sql = "UPDATE snapshot SET as_of = as_of - ?1 WHERE connector_id =
                   (SELECT id FROM connector WHERE name = ?2)";
    let changed = StoreProbe::of(&host.home()).change(sql, (hours * 3_600_000, name));
    assert_eq!(changed, 1);
}

#[test]
fn a_sandbox_is_shown_and_never_added_to_production() {
    let (east, west) = (org("east", 120), org("west", 90));
    let copy = SimulatedOrg::builder()
        .users(150)
        .my_domain("east")
        .edition(Edition::Sandbox { name: "full".into() })
        .start();
    let host = host();
    connect(&host, "east", &east);
    connect(&host, "copy", &copy);
    connect(&host, "west", &west);
    let (all, ran) = host.json(&["report", "--all"]);
    ran.ok();
    assert_eq!(all["complete"], true, "a sandbox takes nothing away: {all:#}");
    let seen = entry(&all, "copy");
    assert_eq!((&seen["is_sandbox"], &seen["summed"]), (&true.into(), &false.into()));
    assert_eq!((&seen["status"], seen["headline"].is_string()), (&"ok".into(), true));
    assert_eq!(summed(&all), filled(&[&east, &west]));
    // Control: with it the sums would be others.
    assert_ne!(summed(&all), filled(&[&east, &west, &copy]));
    host.run(&["report", "--all"]).ok().shows("2 of 3 connectors are production").shows("sandbox");
}

#[test]
fn an_org_that_was_not_read_for_long_stays_in_the_sums_with_a_mark() {
    let (east, west) = (org("east", 120), org("west", 90));
    let host = host();
    connect(&host, "east", &east);
    connect(&host, "west", &west);
    age(&host, "west", 49);
    let all = incomplete(&host);
    assert_eq!(all["complete"], false);
    let old = entry(&all, "west");
    assert_eq!((&old["status"], &old["summed"]), (&"stale".into(), &true.into()), "{old:#}");
    reason_says(old, "49 hours ago");
    assert_eq!(entry(&all, "east")["status"], "ok");
    let warnings = all["warnings"].as_array().expect("warnings");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let warning = warnings[0].as_str().expect("words");
    assert!(
        warning.contains("west") && warning.contains("old figures are in the sums"),
        "{warning}"
    );
    assert_eq!(summed(&all), filled(&[&east, &west]));
    host.run(&["report", "--all"]).code(4).shows("THE SUMS ARE NOT COMPLETE");
    // Control: what is old is a matter of the limit.
    let (all, ran) = host.json(&["report", "--all", "--stale-hours", "50"]);
    ran.ok();
    assert_eq!((&all["complete"], &entry(&all, "west")["status"]), (&true.into(), &"ok".into()));
}

#[test]
fn an_org_whose_last_run_failed_is_named_whatever_it_said_before() {
    let (east, west) = (org("east", 120), org("west", 90));
    let host = host();
    connect(&host, "east", &east);
    connect(&host, "west", &west);
    let before = summed(&host.json(&["report", "--all"]).0);
    west.revoke_tokens();
    assert_ne!(host.run(&["collect", "west"]).code, 0);
    let all = incomplete(&host);
    let failed = entry(&all, "west");
    assert_eq!((&failed["status"], &failed["summed"]), (&"failed".into(), &true.into()));
    reason_says(failed, "last run failed");
    assert_eq!((&all["complete"], summed(&all)), (&false.into(), before));
}

#[test]
fn an_org_that_does_not_say_whether_it_is_a_sandbox_is_not_summed() {
    let east = org("east", 120);
    let west = SimulatedOrg::builder()
        .users(90)
        .my_domain("west")
        .hide_field("Organization", "IsSandbox")
        .start();
    let host = host();
    connect(&host, "east", &east);
    connect_partly(&host, "west", &west, 4);
    let all = incomplete(&host);
    let silent = entry(&all, "west");
    assert_eq!((&silent["status"], &silent["summed"]), (&"failed".into(), &false.into()));
    reason_says(silent, "copy for tests");
    assert_eq!(summed(&all), filled(&[&east]));
}

#[test]
fn an_org_whose_licences_were_not_read_is_named_because_the_sums_lack_them() {
    let east = org("east", 120);
    let west = SimulatedOrg::builder()
        .users(90)
        .my_domain("west")
        .without_permission("PermissionsViewSetup")
        .start();
    let host = host();
    connect(&host, "east", &east);
    connect_partly(&host, "west", &west, 4);
    let all = incomplete(&host);
    let lacking = entry(&all, "west");
    assert_eq!((&lacking["status"], &lacking["summed"]), (&"partial".into(), &true.into()));
    reason_says(lacking, "`user`");
    assert_eq!((&all["complete"], summed(&all)), (&false.into(), filled(&[&east])));
}
