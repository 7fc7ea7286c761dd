//! Every rule, held against what the simulated org was filled with: found in its true cases, silent in
//! its known false ones, withheld where its input may not be read.

use std::collections::{BTreeMap, BTreeSet};

use salesforce_sim::{RuleTruth, SimulatedOrg};
use serde_json::Value;

use crate::host::{Host, NAME};

/// A record as truth names it: by its own id, or as who holds what.
type Subject = String;

/// Records of an assignment's dataset as `HOLDER LICENCE`, by their ids.
struct Assignments(BTreeMap<String, Subject>);

impl Assignments {
    fn read(host: &Host) -> Assignments {
        let out = host.path("assignments");
        let folder = out.to_str().expect("a path");
        host.run(&["export", NAME, "--format", "jsonl", "--out", folder]).ok();
        let mut all = BTreeMap::new();
        for (dataset, person, license) in [
            ("permission_set_license_assign", "AssigneeId", "PermissionSetLicenseId"),
            ("user_package_license", "UserId", "PackageLicenseId"),
        ] {
            let text = std::fs::read_to_string(out.join(format!("{dataset}.jsonl"))).expect("it");
            for line in text.lines() {
                let record: Value = serde_json::from_str(line).expect("JSON");
                let text = |field: &str| record[field].as_str().expect("an id").to_owned();
                all.insert(text("Id"), format!("{} {}", text(person), text(license)));
            }
        }
        Assignments(all)
    }

    fn subject(&self, id: &str) -> Subject {
        self.0.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }
}

/// What the product found by one rule among the records of one object.
fn found(findings: &Value, truth: &RuleTruth) -> BTreeSet<Subject> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let family = match truth.object {
        "PermissionSetLicense" | "PermissionSetLicenseAssign" => "permission_set",
        "PackageLicense" | "UserPackageLicense" => "package",
        "TenantUsageEntitlement" => "usage",
        "limits" => "limit",
        "contract" => "contract",
        "User" if truth.rule == "R10" => "feature",
        _ => "user",
    };
    let of_people = findings["seats"]
        .as_array()
        .expect("seats")
        .iter()
        .filter(|seat| seat["rule"] == truth.rule && seat["family"] == family)
        .map(|seat| match truth.object {
            "User" => text(&seat["person_id"]),
            _ => format!("{} {}", text(&seat["person_id"]), text(&seat["license_id"])),
        });
    let of_pools = findings["pools"]
        .as_array()
        .expect("pools")
        .iter()
        .filter(|pool| pool[0] == truth.rule && pool[1]["family"] == family)
        .map(|pool| match truth.object {
            "contract" => text(&pool[1]["key"]),
            _ => text(&pool[1]["license_id"]),
        });
    of_people.chain(of_pools).collect()
}

/// What differs between truth and product, one line each.
fn differences(rules: &[RuleTruth], assignments: &Assignments, findings: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for truth in rules {
        let product = found(findings, truth);
        let mut known = BTreeSet::new();
        for case in &truth.found {
            let subject = assignments.subject(&case.id);
            if !product.contains(&subject) {
                wrong.push(format!("{} misses {subject}: {}", truth.rule, case.reason));
            }
            known.insert(subject);
        }
        for case in &truth.silent {
            let subject = assignments.subject(&case.id);
            if product.contains(&subject) {
                wrong.push(format!("{} must not find {subject}: {}", truth.rule, case.reason));
            }
            known.insert(subject);
        }
        for subject in product.difference(&known) {
            wrong.push(format!("{} finds {subject}, of which the org says nothing", truth.rule));
        }
    }
    wrong
}

fn findings(host: &Host) -> Value {
    let (document, ran) = host.json(&["findings", NAME, "--limit", "100000"]);
    ran.code(4);
    assert_eq!(document["findings"]["left_out"], 0);
    document
}

#[track_caller]
fn none_differs(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// The org, and a host that read it whole, the audit trail included: it tells who was made active again.
fn read() -> (SimulatedOrg, Host) {
    let org = SimulatedOrg::builder().users(2_000).seed(11).start();
    let host = Host::authorized(&org);
    host.run(&["connectors", "edit", NAME, "--set", "datasets=setup_audit_trail"]).ok();
    host.collect(0);
    (org, host)
}

#[test]
fn every_rule_finds_what_the_org_was_filled_with_and_leaves_its_false_cases_alone() {
    let (org, host) = read();
    let assignments = Assignments::read(&host);
    let mut rules = org.rules();
    none_differs(&differences(&rules, &assignments, &findings(&host)["findings"]));

    let elsewhere = org.estate().elsewhere();
    for (kind, list) in [
        ("staff", &elsewhere.staff),
        ("prices", &elsewhere.prices),
        ("contract", &elsewhere.contract),
    ] {
        let file = host.write(kind, list);
        host.run(&["imports", "add", NAME, kind, file.to_str().expect("a path")]).ok();
    }
    rules.extend(elsewhere.rules);
    let document = findings(&host);
    none_differs(&differences(&rules, &assignments, &document["findings"]));
    for rule in document["rules"].as_array().expect("rules") {
        let id = rule["id"].as_str().expect("an id");
        let known: Vec<&RuleTruth> = rules.iter().filter(|truth| truth.rule == id).collect();
        // R07 looks at business records, which nobody reads.
        assert_eq!(known.is_empty(), id == "R07", "{id}");
        let status = if id == "R07" { "withheld" } else { "found" };
        assert_eq!(rule["status"], status, "{rule:#}");
        for truth in known {
            assert!(!truth.found.is_empty() && !truth.silent.is_empty(), "{id} has both cases");
        }
        for told in ["predicate", "cautions", "sources", "confidence", "effect"] {
            let told = &rule[told];
            let empty = told == "" || told.as_array().is_some_and(Vec::is_empty);
            assert!(!told.is_null() && (!empty || id == "R07"), "{id}: {told}");
        }
    }

    // Control: one seat missed, one found in error, and one nobody knows of are all noticed.
    for rule in ["R02", "R08", "R13", "R16"] {
        let at = rules.iter().position(|truth| truth.rule == rule).expect("a rule");
        let mut other = rules.clone();
        let case = other[at].found.remove(0);
        let wrong = differences(&other, &assignments, &document["findings"]);
        assert!(wrong.len() == 1 && wrong[0].contains("says nothing"), "{wrong:?}");
        other[at].silent.push(case);
        let wrong = differences(&other, &assignments, &document["findings"]);
        assert!(wrong.len() == 1 && wrong[0].contains("must not find"), "{wrong:?}");
        let mut other = rules.clone();
        let case = other[at].silent.remove(0);
        other[at].found.push(case);
        let wrong = differences(&other, &assignments, &document["findings"]);
        assert!(wrong.len() == 1 && wrong[0].contains("misses"), "{wrong:?}");
    }
}

/// What is taken away, the rules that need it, and what frees them.
const DENIED: [(&[&str], &[&str], &str); 6] = [
    (
        &["PermissionsMonitorLoginHistory", "PermissionsManageUsers"],
        &["R01", "R02", "R03", "R05", "R08", "R10", "R11", "R22"],
        "Monitor Login History",
    ),
    (&["PermissionsManageUsers"], &["R04"], "Manage Users"),
    (
        &["PermissionsViewSetup"],
        &["R01", "R02", "R03", "R04", "R05", "R06", "R12", "R13", "R14", "R17", "R18", "R19"],
        "View Setup and Configuration",
    ),
    (
        &[
            "PermissionsViewSetup",
            "PermissionsAssignPermissionSets",
            "PermissionsManageProfilesPermissionsets",
            "PermissionsManageUsers",
        ],
        &["R06", "R08", "R09", "R22"],
        "View Setup and Configuration",
    ),
    (&["ManagePackageLicenses"], &["R11"], "Manage Package Licenses"),
    (&["PermissionsViewAllUsers"], &["R01", "R02", "R05", "R08"], "View All Users"),
];

#[test]
fn every_rule_without_its_input_is_withheld_and_names_the_permission() {
    let mut freed: BTreeSet<&str> = BTreeSet::new();
    for (permissions, rules, label) in DENIED {
        let mut org = SimulatedOrg::builder()
            .users(200)
            .seed(11)
            .with_permission("PermissionsMonitorLoginHistory");
        for permission in permissions {
            org = org.without_permission(permission);
        }
        let org = org.start();
        let host = Host::authorized(&org);
        host.collect(4);
        let (document, _) = host.json(&["findings", NAME]);
        for id in rules {
            let rules = document["rules"].as_array().expect("rules");
            let rule = rules.iter().find(|rule| &rule["id"] == id).expect("it");
            assert_eq!(rule["status"], "withheld", "without {permissions:?}: {rule:#}");
            assert_eq!(rule["findings"], 0, "{rule:#}");
            assert!(rule["permissions"].to_string().contains(label), "{permissions:?}: {rule:#}");
        }
        freed.extend(rules);
    }
    // The rest wants a list that an administrator imports, looks at two families of which one is
    // enough (R20), or is always withheld (R07).
    let org = SimulatedOrg::builder().users(60).start();
    let host = Host::authorized(&org);
    host.collect(0);
    let (document, _) = host.json(&["findings", NAME]);
    for rule in document["rules"].as_array().expect("rules") {
        let id = rule["id"].as_str().expect("an id");
        let wanted = match id {
            "R15" => Some("no staff list"),
            "R16" => Some("no prices list"),
            "R21" => Some("no contract list"),
            "R07" => Some("business records"),
            _ => None,
        };
        match wanted {
            Some(words) => {
                assert_eq!(rule["status"], "withheld", "{rule:#}");
                assert!(rule["reason"].as_str().is_some_and(|why| why.contains(words)), "{rule}");
            }
            None => {
                assert!(freed.contains(id) || id == "R20", "{id} is withheld in no story");
                assert_ne!(rule["status"], "withheld", "control, with every permission: {rule:#}");
            }
        }
    }
}

/// Who a rule finds, by id.
fn people(host: &Host, rule: &str) -> BTreeSet<Subject> {
    let (document, _) = host.json(&["findings", NAME, "--rule", rule, "--limit", "100000"]);
    let seats = document["findings"]["seats"].as_array().expect("seats");
    seats.iter().map(|seat| seat["person_id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn our_own_snapshots_tell_since_when_an_account_is_active_again_or_frozen() {
    let org = SimulatedOrg::builder().users(400).seed(11).start();
    let host = Host::authorized(&org);
    host.collect(0);
    let before = people(&host, "R01");
    let never = before.iter().next().expect("somebody").clone();
    let hold = people(&host, "R04").into_iter().next().expect("somebody");
    // Nobody asked for the audit trail, and the account's own dates say nothing of it.
    org.mutate(|edit| edit.deactivate_user(&never)).expect("the org changes");
    host.collect(0);
    assert!(!people(&host, "R01").contains(&never), "it is not active");
    org.mutate(|edit| edit.activate_user(&never)).expect("the org changes");
    host.collect(0);
    let mut others = before.clone();
    others.remove(&never);
    assert_eq!(people(&host, "R01"), others, "made active again just now");
    let (why, ran) = host.json(&["findings", "explain", NAME, &never]);
    ran.ok();
    let rule = why["rules"].as_array().expect("rules").iter().find(|rule| rule["rule"] == "R01");
    let said = rule.expect("R01").to_string();
    assert!(said.contains(r#"["not made active again in the last 30 days",false]"#), "{said}");
    assert!(said.contains("active again since"), "{said}");
    // A report of the first snapshot does not know of it yet.
    let (first, _) = host.json(&["findings", NAME, "--rule", "R01", "--as-of", "1"]);
    assert_eq!(first["rules"][0]["findings"], before.len());

    // The record of a frozen account changes again: we saw it frozen before.
    let out = host.path("logins");
    let folder = out.to_str().expect("a path");
    host.run(&["export", NAME, "--format", "jsonl", "--dataset", "user_login", "--out", folder])
        .ok();
    let login = std::fs::read_to_string(out.join("user_login.jsonl"))
        .expect("the file")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .find(|record| record["UserId"] == hold.as_str())
        .map(|record| record["Id"].as_str().expect("an id").to_owned())
        .expect("its record");
    org.mutate(|edit| edit.set("UserLogin", &login, &[("IsPasswordLocked", true.into())]))
        .expect("the org changes");
    host.collect(0);
    let since = |host: &Host| -> Option<String> {
        let (why, _) = host.json(&["findings", "explain", NAME, &hold]);
        let rules = why["rules"].as_array().expect("rules").clone();
        let rule = rules.into_iter().find(|rule| rule["rule"] == "R04").expect("R04");
        let values = rule["values"].as_array().expect("values").clone();
        let value = values.into_iter().find(|value| value["name"] == "frozen since")?;
        value["value"].as_str().map(str::to_owned)
    };
    let (first, _) = host.json(&["report", NAME, "--as-of", "1"]);
    assert_eq!(since(&host).as_deref(), first["as_of"].as_str(), "when we first saw it");

    // Control: with no days of grace the account that is active again is found once more.
    host.collect(0);
    assert!(!people(&host, "R01").contains(&never));
    host.write("home/config.toml", "[rules]\ngrace_days = 0\n");
    assert!(people(&host, "R01").contains(&never));
}
