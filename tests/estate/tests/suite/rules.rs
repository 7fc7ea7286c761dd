//! The cases that rules about waste must find are in the rows, and so are those they must leave alone.

use std::collections::{BTreeSet, HashMap, HashSet};

use estate::RuleTruth;
use serde_json::Value;

use crate::org::{DAY, NOW, Org, seconds};

fn org() -> Org {
    Org::of(2_000, 1)
}

fn rule(org: &Org, name: &str, object: &str) -> RuleTruth {
    let mut rules = org.estate.rules();
    let at = rules.iter().position(|rule| rule.rule == name && rule.object == object);
    rules.swap_remove(at.unwrap_or_else(|| panic!("{name} {object}")))
}

fn found(rule: &RuleTruth) -> BTreeSet<String> {
    rule.found.iter().map(|case| case.id.clone()).collect()
}

fn silent(rule: &RuleTruth, reason: &str) -> BTreeSet<String> {
    let cases = rule.silent.iter().filter(|case| case.reason.contains(reason));
    cases.map(|case| case.id.clone()).collect()
}

fn ids(org: &Org, soql: &str) -> BTreeSet<String> {
    org.texts(soql, "Id").into_iter().collect()
}

const STAFF: &str =
    "IsActive = true AND Profile.UserLicense.LicenseDefinitionKey IN ('SFDC', 'AUL')";

#[test]
fn every_rule_has_a_true_case_and_a_case_to_leave_alone() {
    for seed in [1, 2, 77] {
        let org = Org::of(2_000, seed);
        for rule in org.estate.rules().into_iter().chain(org.estate.elsewhere().rules) {
            let name = format!("{} {} with seed {seed}", rule.rule, rule.object);
            assert!(!rule.found.is_empty(), "{name} finds something");
            assert!(!rule.silent.is_empty(), "{name} leaves something alone");
            let both: HashSet<&str> = rule.found.iter().map(|case| case.id.as_str()).collect();
            let doubtful = rule.silent.iter().find(|case| both.contains(case.id.as_str()));
            assert_eq!(doubtful, None, "{name}");
        }
    }
}

#[test]
fn never_used_idle_and_frozen_seats_are_those_of_the_rows() {
    let org = org();
    let never = rule(&org, "R01", "User");
    let soql = format!(
        "SELECT Id FROM User WHERE {STAFF} AND LastLoginDate = null AND CreatedDate < LAST_N_DAYS:30"
    );
    let reactivated = silent(&never, "activated again");
    assert_eq!(reactivated.len(), 1);
    let expected: BTreeSet<String> = found(&never).union(&reactivated).cloned().collect();
    assert_eq!(ids(&org, &soql), expected);
    let user = reactivated.first().unwrap();
    let name =
        org.texts(&format!("SELECT Username FROM User WHERE Id = '{user}'"), "Username").remove(0);
    let trail =
        org.rows("SELECT Action, Display, CreatedDate FROM SetupAuditTrail ORDER BY CreatedDate");
    let entry =
        trail.iter().find(|row| row["Display"] == format!("Activated user {name}")).unwrap();
    assert_eq!(entry["Action"], "activateduser");
    assert!(seconds(&entry["CreatedDate"]).unwrap() > NOW - 10 * DAY);
    let stamps: Vec<i64> = trail.iter().filter_map(|row| seconds(&row["CreatedDate"])).collect();
    assert!(stamps.is_sorted());

    let soql = format!("SELECT Id FROM User WHERE {STAFF} AND LastLoginDate < LAST_N_DAYS:90");
    assert_eq!(ids(&org, &soql), found(&rule(&org, "R02", "User")));

    let frozen = rule(&org, "R04", "User");
    let held: BTreeSet<String> = org
        .texts("SELECT UserId FROM UserLogin WHERE IsFrozen = true", "UserId")
        .into_iter()
        .collect();
    let billed = ids(
        &org,
        "SELECT Id FROM User WHERE IsActive = true AND Profile.UserLicense.LicenseDefinitionKey IN ('SFDC', 'AUL', 'PID_Customer_Community', 'PID_Customer_Community_Login', 'PID_Partner_Community')",
    );
    let since = |days: i64| {
        let soql = "SELECT UserId, LastModifiedDate FROM UserLogin WHERE IsFrozen = true";
        let rows = org.rows(soql);
        let older = rows.iter().filter(|row| {
            seconds(&row["LastModifiedDate"]).is_some_and(|at| at < NOW - days * DAY)
        });
        older.map(|row| text(row, "UserId")).collect::<BTreeSet<String>>()
    };
    let billed_since =
        |days| -> BTreeSet<String> { billed.intersection(&since(days)).cloned().collect() };
    assert!(billed_since(15).is_subset(&found(&frozen)));
    assert!(found(&frozen).is_subset(&billed_since(14)));
    let spared: BTreeSet<String> =
        held.difference(&billed).chain(silent(&frozen, "less than 14").iter()).cloned().collect();
    assert_eq!(silent(&frozen, ""), spared);
    assert!(silent(&frozen, "less than 14").is_disjoint(&since(14)));
}

#[test]
fn machines_and_sparse_users_are_those_of_the_login_history() {
    let org = org();
    let mut human: HashMap<String, Vec<i64>> = HashMap::new();
    let mut machine: BTreeSet<String> = BTreeSet::new();
    for login in
        org.rows("SELECT UserId, LoginTime, LoginType, LoginSubType, Status FROM LoginHistory")
    {
        let user = login["UserId"].as_str().unwrap().to_owned();
        let sub = login["LoginSubType"].as_str().unwrap_or_default();
        let by_machine = login["LoginType"] == "Other Apex API"
            || matches!(sub, "OauthClientCredentials" | "OauthUsernamePassword");
        if login["Status"] != "Success" {
            continue;
        }
        match by_machine {
            true => drop(machine.insert(user)),
            false => human.entry(user).or_default().push(seconds(&login["LoginTime"]).unwrap()),
        }
    }
    let staff = ids(&org, &format!("SELECT Id FROM User WHERE {STAFF}"));
    let only: BTreeSet<String> = machine
        .into_iter()
        .filter(|user| staff.contains(user) && !human.contains_key(user))
        .collect();
    assert_eq!(only, found(&rule(&org, "R03", "User")));
    let sparse = rule(&org, "R05", "User");
    let days = |user: &String| -> usize {
        let recent = human[user].iter().filter(|at| **at >= NOW - 90 * DAY);
        recent.map(|at| at.div_euclid(DAY)).collect::<HashSet<i64>>().len()
    };
    assert!(found(&sparse).iter().all(|user| (1..=2).contains(&days(user))));
    assert!(silent(&sparse, "more than two").iter().all(|user| days(user) > 2));
}

#[test]
fn platform_candidates_read_no_crm_object_by_any_way() {
    let org = org();
    let crm: HashSet<String> = org
        .texts("SELECT ParentId FROM ObjectPermissions WHERE PermissionsRead = true AND SobjectType IN ('Lead', 'Opportunity', 'Case')", "ParentId")
        .into_iter()
        .collect();
    let mut of_group: HashMap<String, Vec<String>> = HashMap::new();
    for part in
        org.rows("SELECT PermissionSetGroupId, PermissionSetId FROM PermissionSetGroupComponent")
    {
        let text = |key: &str| part[key].as_str().unwrap().to_owned();
        of_group.entry(text("PermissionSetGroupId")).or_default().push(text("PermissionSetId"));
    }
    let mut readers: HashSet<String> = HashSet::new();
    for row in org.rows(
        "SELECT AssigneeId, PermissionSetId, PermissionSetGroupId FROM PermissionSetAssignment",
    ) {
        let set = row["PermissionSetId"].as_str().unwrap();
        let group = row["PermissionSetGroupId"].as_str().and_then(|group| of_group.get(group));
        if crm.contains(set) || group.is_some_and(|sets| sets.iter().any(|set| crm.contains(set))) {
            readers.insert(row["AssigneeId"].as_str().unwrap().to_owned());
        }
    }
    let candidates = rule(&org, "R06", "User");
    let soql = "SELECT Id FROM User WHERE IsActive = true AND Profile.UserLicense.LicenseDefinitionKey = 'SFDC' AND CreatedDate < LAST_N_DAYS:30";
    let expected: BTreeSet<String> =
        ids(&org, soql).into_iter().filter(|user| !readers.contains(user)).collect();
    assert_eq!(found(&candidates), expected);
    assert!(silent(&candidates, "opens CRM").iter().all(|user| readers.contains(user)));
}

#[test]
fn permission_set_licences_without_use_are_those_of_the_assignments() {
    let org = org();
    let license_of: HashMap<String, String> = org
        .rows("SELECT Id, LicenseId FROM PermissionSet WHERE LicenseId != null")
        .iter()
        .map(|row| (text(row, "Id"), text(row, "LicenseId")))
        .collect();
    let used: HashSet<(String, String)> = org
        .rows("SELECT AssigneeId, PermissionSetId FROM PermissionSetAssignment")
        .iter()
        .filter_map(|row| {
            Some((text(row, "AssigneeId"), license_of.get(&text(row, "PermissionSetId"))?.clone()))
        })
        .collect();
    let unused = rule(&org, "R09", "PermissionSetLicenseAssign");
    let rows =
        org.rows("SELECT Id, AssigneeId, PermissionSetLicenseId FROM PermissionSetLicenseAssign");
    let naive: BTreeSet<String> = rows
        .iter()
        .filter(|row| {
            !used.contains(&(text(row, "AssigneeId"), text(row, "PermissionSetLicenseId")))
        })
        .map(|row| text(row, "Id"))
        .collect();
    let by_group = silent(&unused, "inside a group");
    assert!(!by_group.is_empty());
    assert_eq!(naive, found(&unused).union(&by_group).cloned().collect());
    let idle = found(&rule(&org, "R08", "PermissionSetLicenseAssign"));
    let left =
        ids(&org, "SELECT Id FROM PermissionSetLicenseAssign WHERE Assignee.IsActive = false");
    assert!(!left.is_empty() && left.is_subset(&idle));
    let stale = ids(
        &org,
        "SELECT Id FROM PermissionSetLicenseAssign WHERE Assignee.IsActive = true AND Assignee.LastLoginDate < LAST_N_DAYS:90",
    );
    assert!(!stale.is_empty() && stale.is_subset(&idle));
}

#[test]
fn seats_of_packages_and_features_are_wasted_where_the_rows_say_so() {
    let org = org();
    let seats = found(&rule(&org, "R11", "UserPackageLicense"));
    for wasted in [
        "User.IsActive = false",
        "PackageLicense.Status = 'Expired'",
        "User.LastLoginDate < LAST_N_DAYS:90",
    ] {
        let rows = ids(&org, &format!("SELECT Id FROM UserPackageLicense WHERE {wasted}"));
        assert!(!rows.is_empty() && rows.is_subset(&seats), "{wasted}");
    }
    let features = rule(&org, "R10", "User");
    let idle = ids(
        &org,
        "SELECT Id FROM User WHERE IsActive = true AND UserPermissionsMarketingUser = true AND LastLoginDate < LAST_N_DAYS:90",
    );
    assert!(!idle.is_empty() && idle.is_subset(&found(&features)));
}

#[test]
fn pools_are_too_large_too_small_or_nearly_used_up() {
    let org = org();
    let rows = org.rows("SELECT Id, LicenseDefinitionKey, TotalLicenses, UsedLicenses, MonthlyLoginsEntitlement, MonthlyLoginsUsed FROM UserLicense");
    let number = |row: &Value, key: &str| row[key].as_i64().unwrap_or_default();
    let over = found(&rule(&org, "R13", "UserLicense"));
    let logins = rule(&org, "R17", "UserLicense");
    let shelf = rule(&org, "R12", "UserLicense");
    for row in &rows {
        let (id, key) = (text(row, "Id"), text(row, "LicenseDefinitionKey"));
        let (total, used) = (number(row, "TotalLicenses"), number(row, "UsedLicenses"));
        assert_eq!(over.contains(&id), used > total, "{key}");
        let monthly = number(row, "MonthlyLoginsUsed") as f64
            / number(row, "MonthlyLoginsEntitlement") as f64;
        assert_eq!(found(&logins).contains(&id), monthly >= 0.8, "{key}");
        assert!(!found(&shelf).contains(&id) || total - used > total / 20, "{key}");
    }
    let keys: BTreeSet<String> = rows
        .iter()
        .filter(|row| found(&shelf).contains(&text(row, "Id")))
        .map(|row| text(row, "LicenseDefinitionKey"))
        .collect();
    assert!(keys.contains("SFDC") && !keys.contains("PID_CHATTER"), "{keys:?}");
}

#[test]
fn people_with_two_accounts_share_an_identifier_or_a_mail_address() {
    let org = org();
    let doubles = rule(&org, "R14", "User");
    let mut by_key: HashMap<String, Vec<String>> = HashMap::new();
    let soql = "SELECT Id, FederationIdentifier, Email FROM User WHERE IsActive = true AND Profile.UserLicense.LicenseDefinitionKey IN ('SFDC', 'AUL')";
    for row in org.rows(soql) {
        let mail = format!("mail {}", text(&row, "Email").to_lowercase());
        by_key.entry(mail).or_default().push(text(&row, "Id"));
        if let Some(federation) = row["FederationIdentifier"].as_str() {
            by_key.entry(format!("federation {federation}")).or_default().push(text(&row, "Id"));
        }
    }
    let shared: BTreeSet<String> =
        by_key.into_values().filter(|users| users.len() > 1).flatten().collect();
    let administrators = silent(&doubles, "administrator");
    assert_eq!(administrators.len(), 2);
    assert_eq!(shared, found(&doubles).union(&administrators).cloned().collect());
    assert_eq!(silent(&doubles, "only one").len(), 2);
}

#[test]
fn usage_ends_and_privileges_are_those_of_the_rows() {
    let org = org();
    let usage = rule(&org, "R18", "TenantUsageEntitlement");
    for row in org.rows("SELECT Id, AmountUsed, CurrentAmountAllowed FROM TenantUsageEntitlement") {
        let share = row["AmountUsed"]
            .as_f64()
            .map(|used| used / row["CurrentAmountAllowed"].as_f64().unwrap());
        assert_eq!(
            found(&usage).contains(&text(&row, "Id")),
            share.is_some_and(|share| share > 1.0)
        );
    }
    let soql = "SELECT Id FROM PermissionSetLicense WHERE ExpirationDate >= TODAY AND ExpirationDate = NEXT_N_DAYS:90";
    assert_eq!(ids(&org, soql), found(&rule(&org, "R20", "PermissionSetLicense")));
    let soql = "SELECT Id FROM PackageLicense WHERE ExpirationDate = NEXT_N_DAYS:90";
    assert_eq!(ids(&org, soql), found(&rule(&org, "R20", "PackageLicense")));
    let idle = found(&rule(&org, "R22", "User"));
    let soql = "SELECT AssigneeId FROM PermissionSetAssignment WHERE PermissionSet.PermissionsViewAllData = true AND Assignee.LastLoginDate < LAST_N_DAYS:40";
    let holders: BTreeSet<String> = org.texts(soql, "AssigneeId").into_iter().collect();
    assert!(!holders.is_empty() && holders.is_subset(&idle), "{} {}", holders.len(), idle.len());
}

#[test]
fn lists_from_elsewhere_speak_of_people_and_pools_of_the_rows() {
    let org = org();
    let elsewhere = org.estate.elsewhere();
    let of = |name: &str| elsewhere.rules.iter().find(|rule| rule.rule == name).unwrap();
    let staff = elsewhere.staff.to_lowercase();
    let left = of("R15");
    for case in left.found.iter().chain(&left.silent) {
        let soql = format!(
            "SELECT IsActive, Email, EmployeeNumber, FederationIdentifier FROM User WHERE Id = '{}'",
            case.id
        );
        let row = org.rows(&soql).remove(0);
        let keys = ["Email", "EmployeeNumber", "FederationIdentifier"];
        let listed = keys.into_iter().map(|key| text(&row, key).to_lowercase());
        assert!(listed.filter(|key| !key.is_empty()).any(|key| staff.contains(&key)), "{row}");
        assert_eq!(row["IsActive"], case.reason != "the account is not active", "{}", case.reason);
    }
    let ordered = of("R21");
    for row in org.rows("SELECT Id, LicenseDefinitionKey, TotalLicenses FROM UserLicense") {
        let key = text(&row, "LicenseDefinitionKey");
        let lines = elsewhere.contract.lines().filter(|line| line.ends_with(&format!("/{key}")));
        let quantity: i64 = lines
            .filter(|line| !line.contains("until lately"))
            .filter_map(|line| line.split(',').nth(2)?.parse::<i64>().ok())
            .sum();
        let differs = quantity > 0 && quantity != row["TotalLicenses"].as_i64().unwrap();
        assert_eq!(found(ordered).contains(&text(&row, "Id")), differs, "{key}");
    }
}

fn text(row: &Value, field: &str) -> String {
    row[field].as_str().unwrap_or_default().to_owned()
}
