//! What the rows say about licences agrees with what the org was made of.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::org::{DAY, NOW, Org, seconds};

/// Seats of one licence by class: active, unknown, machine only, never, inactive.
type Classes = [i64; 5];

fn is_human(login: &Value) -> bool {
    let sub_type = login["LoginSubType"].as_str().unwrap_or("");
    let machine_sub_type = matches!(sub_type, "OauthClientCredentials" | "OauthUsernamePassword")
        || sub_type.starts_with("SoapApi");
    !machine_sub_type && login["LoginType"] != "Other Apex API"
}

/// The classes as a connector works them out, from rows only.
fn classes(org: &Org) -> HashMap<String, Classes> {
    let mut human: HashMap<String, i64> = HashMap::new();
    let mut machine: HashSet<String> = HashSet::new();
    for login in
        org.rows("SELECT UserId, LoginTime, LoginType, LoginSubType, Status FROM LoginHistory")
    {
        let user = login["UserId"].as_str().unwrap().to_owned();
        let at = seconds(&login["LoginTime"]).unwrap();
        if login["Status"] != "Success" {
            continue;
        }
        if is_human(&login) {
            let last = human.entry(user).or_insert(at);
            *last = at.max(*last);
        } else {
            machine.insert(user);
        }
    }
    let mut licences: HashMap<String, Classes> = HashMap::new();
    let users = "SELECT Id, CreatedDate, LastLoginDate, Profile.UserLicense.LicenseDefinitionKey FROM User \
                 WHERE IsActive = true AND Profile.Name != null";
    for user in org.rows(users) {
        let key = user["Profile"]["UserLicense"]["LicenseDefinitionKey"].as_str().unwrap();
        let id = user["Id"].as_str().unwrap();
        let last_human = human.get(id).copied();
        let last_login = seconds(&user["LastLoginDate"]);
        let age = NOW - seconds(&user["CreatedDate"]).unwrap();
        assert!(
            last_human <= last_login.or(last_human),
            "a human login is never after LastLoginDate"
        );
        let class = if last_human.is_some_and(|at| at > NOW - 90 * DAY) {
            0
        } else if age <= 30 * DAY {
            1
        } else if key.ends_with("INTEGRATION_USER") || machine.contains(id) && last_human.is_none()
        {
            2
        } else if last_login.is_none() {
            3
        } else {
            4
        };
        // Nobody is near the limits, so a connector a few hours late finds the same classes.
        if let Some(at) = last_human {
            assert!((NOW - at - 90 * DAY).abs() >= 2 * DAY, "{id} logged in near the 90th day");
        }
        assert!((age - 30 * DAY).abs() >= 2 * DAY, "{id} was created near the 30th day");
        licences.entry(key.to_owned()).or_default()[class] += 1;
    }
    licences
}

#[test]
fn classes_worked_out_from_rows_are_those_the_users_were_made_with() {
    for (users, seed) in [(10, 1), (25, 9), (200, 1), (1_500, 2), (3_333, 77)] {
        let org = Org::of(users, seed);
        let found = classes(&org);
        for licence in org.estate.truth().licenses {
            let expected = [
                licence.active,
                licence.unknown,
                licence.machine_only,
                licence.never,
                licence.inactive,
            ];
            let key = &licence.license_definition_key;
            assert_eq!(
                found.get(key).copied().unwrap_or_default(),
                expected,
                "{users} users, {key}"
            );
            assert_eq!(expected.iter().sum::<i64>(), licence.assigned);
        }
    }
}

#[test]
fn every_class_occurs_on_the_main_licence_of_a_default_org() {
    let truth = Org::of(200, 1).estate.truth();
    let main = truth.license("SFDC").unwrap();
    assert!(
        main.active > 0
            && main.unknown > 0
            && main.machine_only > 0
            && main.never > 0
            && main.inactive > 0
    );
    assert!(truth.license("SALESFORCE_INTEGRATION_USER").unwrap().machine_only > 0);
}

#[test]
fn licence_rows_are_the_truth() {
    let org = Org::of(500, 4);
    let rows = org.rows("SELECT Id, LicenseDefinitionKey, Name, Status, TotalLicenses, UsedLicenses FROM UserLicense");
    let truth = org.estate.truth();
    assert_eq!(rows.len(), truth.licenses.len());
    for (row, licence) in rows.iter().zip(&truth.licenses) {
        assert_eq!(row["Id"], licence.id.as_str());
        assert_eq!(row["LicenseDefinitionKey"], licence.license_definition_key.as_str());
        assert_eq!(row["Name"], licence.name.as_str());
        assert_eq!(row["Status"], licence.status.as_str());
        assert_eq!(row["TotalLicenses"], licence.purchased);
        assert_eq!(row["UsedLicenses"], licence.used);
        assert_eq!(licence.available, licence.purchased - licence.used);
    }
}

#[test]
fn the_list_of_licences_holds_the_known_traps() {
    let truth = Org::of(500, 4).estate.truth();
    let twins: Vec<_> =
        truth.licenses.iter().filter(|l| l.name == "High Volume Customer Portal").collect();
    assert_eq!(twins.iter().map(|l| l.status.as_str()).collect::<Vec<_>>(), ["Active", "Disabled"]);
    assert_eq!(truth.licenses.iter().filter(|l| l.used > l.purchased).count(), 1);
    assert!(truth.licenses.iter().filter(|l| l.purchased == 0 && l.used == 0).count() > 10);
    let guest = truth.license("PID_Guest_User").unwrap();
    assert_eq!((guest.used, guest.assigned), (0, 1));
    let stale = truth.license("PID_CHATTER").unwrap();
    assert_eq!(stale.assigned - stale.used, 3);
    let exact = truth.license("SFDC").unwrap();
    assert_eq!(exact.assigned, exact.used);
}

#[test]
fn totals_agree_with_counts() {
    let org = Org::of(900, 6).with("PermissionsViewEventLogFiles");
    let truth = org.estate.truth();
    assert_eq!(org.count("SELECT COUNT() FROM User"), truth.total_users);
    assert_eq!(org.count("SELECT COUNT() FROM User WHERE IsActive = true"), truth.active_users);
    assert_eq!(
        org.count("SELECT COUNT() FROM UserLogin WHERE IsFrozen = true"),
        truth.frozen_users
    );
    assert!(truth.frozen_users > 0);
    for (object, count) in &truth.row_counts {
        assert_eq!(org.count(&format!("SELECT COUNT() FROM {object}")), *count, "{object}");
        assert_eq!(org.estate.count(object), Some(*count));
    }
}

#[test]
fn counters_of_permission_set_licences_and_packages_agree_with_their_rows() {
    let org = Org::of(800, 3);
    let mut extra = 0;
    for licence in org.rows("SELECT Id, UsedLicenses FROM PermissionSetLicense") {
        let id = licence["Id"].as_str().unwrap();
        let from = format!("FROM PermissionSetLicenseAssign WHERE PermissionSetLicenseId = '{id}'");
        let active = org.count(&format!("SELECT COUNT() {from} AND Assignee.IsActive = true"));
        assert_eq!(licence["UsedLicenses"], active);
        extra += org.count(&format!("SELECT COUNT() {from} AND Assignee.IsActive = false"));
    }
    assert!(extra > 0, "some who left still hold a permission set licence");
    let packages = org.rows("SELECT Id, Status, AllowedLicenses, UsedLicenses FROM PackageLicense");
    for package in &packages {
        let id = package["Id"].as_str().unwrap();
        let users = org.count(&format!(
            "SELECT COUNT() FROM UserPackageLicense WHERE PackageLicenseId = '{id}'"
        ));
        assert_eq!(package["UsedLicenses"], users);
    }
    assert!(packages.iter().any(|package| package["AllowedLicenses"] == -1));
    assert!(packages.iter().any(|package| package["Status"] == "Expired"));
}

#[test]
fn daily_metrics_agree_with_users() {
    let org = Org::of(700, 5);
    let newest = "SELECT ProfileId, AssignedUserCount FROM ActiveProfileMetric WHERE MetricsDate = YESTERDAY";
    for metric in org.rows(newest) {
        let profile = metric["ProfileId"].as_str().unwrap();
        let users =
            format!("SELECT COUNT() FROM User WHERE IsActive = true AND ProfileId = '{profile}'");
        assert_eq!(metric["AssignedUserCount"], org.count(&users), "{profile}");
    }
    let newest = "SELECT FeatureType, AssignedUserCount FROM ActiveFeatureLicenseMetric WHERE MetricsDate = YESTERDAY";
    let metrics = org.rows(newest);
    assert_eq!(metrics.len(), 6);
    for metric in metrics {
        let flag = format!("UserPermissions{}", metric["FeatureType"].as_str().unwrap());
        let users = format!("SELECT COUNT() FROM User WHERE IsActive = true AND {flag} = true");
        assert_eq!(metric["AssignedUserCount"], org.count(&users), "{flag}");
    }
}

#[test]
fn system_users_are_active_and_have_a_profile_id_but_no_profile() {
    let org = Org::of(50, 1);
    let rows = org
        .rows("SELECT Name, IsActive, ProfileId, Profile.Name FROM User WHERE Profile.Name = null");
    let names: Vec<&str> = rows.iter().map(|row| row["Name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Automated Process", "Platform Integration User", "Data.com Clean"]);
    assert!(rows.iter().all(|row| row["IsActive"] == true
        && row["ProfileId"].is_string()
        && row["Profile"].is_null()));
}

#[test]
fn last_login_dates_are_the_last_success_unless_it_is_older_than_the_history() {
    let org = Org::of(400, 8);
    let mut last: HashMap<String, i64> = HashMap::new();
    for login in org.rows("SELECT UserId, LoginTime, Status FROM LoginHistory ORDER BY LoginTime") {
        if login["Status"] == "Success" {
            last.insert(
                login["UserId"].as_str().unwrap().to_owned(),
                seconds(&login["LoginTime"]).unwrap(),
            );
        }
    }
    let mut older = 0;
    for user in org.rows("SELECT Id, CreatedDate, LastLoginDate FROM User") {
        let shown = seconds(&user["LastLoginDate"]);
        match last.get(user["Id"].as_str().unwrap()) {
            Some(at) => assert_eq!(shown, Some(*at)),
            None => older += usize::from(shown.is_some_and(|at| at < NOW - 181 * DAY)),
        }
        assert!(shown.is_none_or(|at| at >= seconds(&user["CreatedDate"]).unwrap()));
    }
    assert!(older > 0);
}
