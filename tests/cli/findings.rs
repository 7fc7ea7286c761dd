//! What the rules find in the simulated org, imported lists, exemptions, and comparisons over time.

use salesforce_sim::SimulatedOrg;
use serde_json::Value;

use crate::host::{Host, NAME};

fn collected(users: u64) -> (SimulatedOrg, Host) {
    let org = SimulatedOrg::builder().users(users).seed(5).start();
    let host = Host::authorized(&org);
    host.collect(0);
    (org, host)
}

fn rule<'a>(document: &'a Value, id: &str) -> &'a Value {
    let rules = document["rules"].as_array().expect("rules");
    rules.iter().find(|rule| rule["id"] == id).unwrap_or_else(|| panic!("no {id}"))
}

fn license<'a>(report: &'a Value, key: &str) -> &'a Value {
    let licenses = report["licenses"].as_array().expect("licences");
    licenses
        .iter()
        .find(|license| license["family"] == "user" && license["key"] == key)
        .unwrap_or_else(|| panic!("no licence {key}"))
}

#[test]
fn findings_equal_the_seed_and_every_one_is_explained() {
    let (org, host) = collected(400);
    let (document, ran) = host.json(&["findings", NAME]);
    ran.code(4);
    let truth = org.truth();
    let paid =
        |key: &str| truth.licenses.iter().find(|license| license.license_definition_key == key);
    // Employees have one of these two.
    let never: i64 = ["SFDC", "AUL"].iter().filter_map(|key| paid(key)).map(|l| l.never).sum();
    let inactive: i64 =
        ["SFDC", "AUL"].iter().filter_map(|key| paid(key)).map(|l| l.inactive).sum();
    let machine: i64 =
        ["SFDC", "AUL"].iter().filter_map(|key| paid(key)).map(|l| l.machine_only).sum();
    assert!(never > 0 && inactive > 0 && machine > 0);
    let reactivated = i64::from(rule(&document, "R01")["findings"] != never);
    assert_eq!(rule(&document, "R01")["findings"], never - reactivated);
    assert_eq!(rule(&document, "R02")["findings"], inactive);
    assert_eq!(rule(&document, "R03")["findings"], machine);
    for id in ["R07", "R15", "R16", "R21"] {
        assert_eq!(rule(&document, id)["status"], "withheld", "{id}");
    }
    let first = document["findings"]["seats"]
        .as_array()
        .expect("findings")
        .iter()
        .find(|finding| finding["rule"] == "R02")
        .expect("one");
    let user = first["username"].as_str().expect("a name");
    let (why, ran) = host.json(&["findings", "explain", NAME, user]);
    ran.ok();
    let why = why["rules"].as_array().expect("rules");
    let r02 = why.iter().find(|rule| rule["rule"] == "R02").expect("R02");
    assert_eq!(r02["outcome"], "found");
    let r01 = why.iter().find(|rule| rule["rule"] == "R01").expect("R01");
    assert_eq!(r01["outcome"], "not_found");
    host.run(&["findings", "explain", NAME, "nobody@example.com"])
        .code(2)
        .one_error("nobody", "user name");
}

#[test]
fn without_the_permission_for_logins_the_rules_about_use_are_withheld_and_name_it() {
    let org = SimulatedOrg::builder()
        .users(200)
        .without_permission("PermissionsMonitorLoginHistory")
        .without_permission("PermissionsManageUsers")
        .start();
    let host = Host::authorized(&org);
    host.collect(4);
    let (document, _) = host.json(&["findings", NAME]);
    for id in ["R01", "R02", "R03", "R05", "R08", "R11"] {
        let rule = rule(&document, id);
        assert_eq!(rule["status"], "withheld", "{id}");
        assert!(rule["permissions"].to_string().contains("Monitor Login History"), "{rule}");
    }
    assert_ne!(rule(&document, "R13")["status"], "withheld");
}

#[test]
fn prices_turn_seats_into_amounts_and_suppositions_change_nothing_that_is_stored() {
    let (_org, host) = collected(300);
    let before = host.report();
    assert_eq!(license(&before, "SFDC")["money"]["price"], Value::Null);
    let wrong = host.write("wrong.csv", "license,unit_price,currency,period\nNOPE,1,EUR,month\n");
    host.run(&["imports", "add", NAME, "prices", wrong.to_str().expect("a path")])
        .code(2)
        .one_error("line 2", "template");
    let prices = host.write(
        "prices.csv",
        "license,unit_price,currency,period\nuser/SFDC,165,EUR,month\nuser/AUL,25,EUR,month\n",
    );
    host.run(&["imports", "add", NAME, "prices", prices.to_str().expect("a path")]).ok();
    let priced = host.report();
    let money = &license(&priced, "SFDC")["money"];
    assert_eq!(money["price"]["per_year"], "1980.00");
    assert_eq!(money["price"]["basis"], "list");
    let bought = license(&priced, "SFDC")["purchased"].as_i64().expect("a number");
    assert_eq!(money["cost_per_year"]["amount"], format!("{}.00", bought * 1980));
    assert_eq!(priced["money"]["list_price_estimate"], true);
    let what_if = host.write(
        "what-if.toml",
        "currency = 'EUR'\ngrowth_percent = 10\n[prices]\n'user/SFDC' = 1000\n",
    );
    let what_if = what_if.to_str().expect("a path");
    let (supposed, ran) = host.json(&["report", NAME, "--what-if", what_if]);
    ran.ok();
    assert_eq!(license(&supposed, "SFDC")["money"]["price"]["basis"], "what_if");
    assert_eq!(supposed["supposed"]["growth_percent"], "10");
    assert_eq!(host.report(), priced);
    host.run(&["imports", "remove", NAME, "prices"]).ok();
    assert_eq!(license(&host.report(), "SFDC")["money"]["price"], Value::Null);
    for kind in ["prices", "contract", "staff", "activity"] {
        let template = host.run(&["imports", "template", kind, NAME]).ok().stdout;
        let file = host.path("template.csv");
        host.run(&["imports", "template", kind, NAME, "--out", file.to_str().expect("a path")])
            .ok();
        assert_eq!(
            template,
            std::fs::read_to_string(file).expect("it"),
            "on the screen and in a file"
        );
    }
}

#[test]
fn the_table_of_who_stands_behind_a_login_can_be_written_edited_and_imported() {
    let (_org, host) = collected(200);
    let table = host.path("activity.csv");
    let file = table.to_str().expect("a path");
    host.run(&["imports", "template", "activity", NAME, "--out", file]).ok();
    let before = license(&host.report(), "SFDC").clone();
    host.run(&["imports", "add", NAME, "activity", file]).ok();
    assert_eq!(license(&host.report(), "SFDC"), &before, "the connector's own table");
    host.write("activity.csv", "method,detail,application,kind\n,,,machine\n");
    host.run(&["imports", "add", NAME, "activity", file]).ok();
    let after = host.report();
    assert_eq!(license(&after, "SFDC")["active"], 0, "no login is a person's any more");
}

#[test]
fn an_exemption_takes_a_seat_out_of_the_findings_until_it_is_removed() {
    let (_org, host) = collected(300);
    let found = || {
        let (document, _) = host.json(&["findings", NAME, "--rule", "R02"]);
        document
    };
    let before = found();
    let number = rule(&before, "R02")["findings"].as_i64().expect("a number");
    let user = before["findings"]["seats"][0]["username"].as_str().expect("a name");
    let add = ["exemptions", "add", NAME, user, "--rule", "R02", "--reason", "on leave"];
    let (added, ran) = host.json(&[&add[..], &["--owner", "HR", "--until", "2099-12-31"]].concat());
    ran.ok();
    let after = found();
    assert_eq!(rule(&after, "R02")["findings"], number - 1);
    assert_eq!(rule(&after, "R02")["exempt"], 1);
    let (list, _) = host.json(&["exemptions", "list", NAME]);
    assert_eq!(list[0]["owner"], "HR");
    host.run(&["exemptions", "remove", NAME, &added["id"].to_string()]).ok();
    assert_eq!(rule(&found(), "R02")["findings"], number);
    host.run(&["exemptions", "remove", NAME, "77"]).code(2).one_error("77", "exemptions list");
}

#[test]
fn two_snapshots_of_an_unchanged_org_do_not_differ_and_days_name_snapshots() {
    let (_org, host) = collected(150);
    host.collect(0);
    let (diff, ran) = host.json(&["diff", NAME, "1", "2"]);
    ran.ok();
    for what in ["added", "removed", "activated", "deactivated"] {
        assert_eq!(diff["people"][what], 0, "{what}");
    }
    assert_eq!(diff["seats"].as_array().map(Vec::len), Some(0), "{diff:#}");
    let (report, ran) = host.json(&["report", NAME, "--as-of", "2099-01-01"]);
    ran.ok();
    assert_eq!(report["snapshot"], 2);
    let (first, _) = host.json(&["report", NAME, "--as-of", "1"]);
    assert_eq!(report["coverage"][0]["events"], first["coverage"][0]["events"], "summed once");
    // One point for each snapshot, beside those of the vendor's own daily measurements.
    let points = |report: &Value| license(report, "SFDC")["trend"].as_array().map_or(0, Vec::len);
    assert!(points(&first) >= 1, "{first:#}");
    assert_eq!(points(&report), points(&first) + 1);
    host.run(&["report", NAME, "--as-of", "2001-01-01"]).code(1).one_error("2001-01-01", "2, 1");
    host.run(&["report", NAME, "--as-of", "yesterday"])
        .code(2)
        .one_error("yesterday", "2026-03-01");
}

#[test]
fn a_roll_up_names_what_is_missing_and_sums_the_rest() {
    let (_org, host) = collected(150);
    let (all, ran) = host.json(&["report", "--all"]);
    ran.ok();
    assert_eq!(all["complete"], true);
    let own = host.report();
    let total = all["totals"]
        .as_array()
        .expect("totals")
        .iter()
        .find(|total| total["family"] == "user" && total["key"] == "SFDC")
        .expect("SFDC");
    assert_eq!(total["purchased"], license(&own, "SFDC")["purchased"]);
    let secret = host.write("other-secret", "hidden");
    host.run(&[
        "connectors",
        "new",
        "salesforce",
        "--name",
        "other",
        "--domain",
        "other",
        "--client-id",
        "x",
        "--client-secret-file",
        secret.to_str().expect("a path"),
    ])
    .ok();
    let (all, ran) = host.json(&["report", "--all"]);
    ran.code(4);
    assert_eq!(all["complete"], false);
    let other = all["connectors"]
        .as_array()
        .expect("connectors")
        .iter()
        .find(|entry| entry["connector"] == "other")
        .expect("it is named");
    assert_eq!((&other["status"], &other["summed"]), (&"never_read".into(), &false.into()));
    host.run(&["report", "--all"]).code(4).shows("THE SUMS ARE NOT COMPLETE");
}
