//! Queries of every kind, on any client's terms.

use std::collections::{BTreeSet, HashSet};

use serde_json::json;

use crate::org::{NOW, Org, records};

#[test]
fn records_start_with_their_attributes_and_keep_the_requested_order() {
    let org = Org::of(40, 1);
    let result = org.result("SELECT isactive, ID, lastname, Profile.name, profile.Id FROM user WHERE LastName = 'ADMIN'").unwrap();
    let mut json = String::new();
    result.write_records(0, 10, &mut json);
    let admin = org.estate.admin();
    let (id, profile) = (&admin.user_id, &admin.profile_id);
    assert_eq!(
        json,
        format!(
            "{{\"attributes\":{{\"type\":\"User\",\"url\":\"/services/data/v60.0/sobjects/User/{id}\"}},\
             \"IsActive\":true,\"Id\":\"{id}\",\"LastName\":\"Admin\",\"Profile\":{{\"attributes\":{{\"type\":\"Profile\",\
             \"url\":\"/services/data/v60.0/sobjects/Profile/{profile}\"}},\"Name\":\"System Administrator\",\
             \"Id\":\"{profile}\"}}}}"
        )
    );
    assert_eq!(result.entity(), "User");
}

#[test]
fn ids_are_accepted_in_both_forms() {
    let org = Org::of(40, 1);
    let id = org.estate.admin().user_id;
    for form in [&id[..], &id[..15]] {
        assert_eq!(org.count(&format!("SELECT COUNT() FROM User WHERE Id = '{form}'")), 1);
        assert_eq!(org.count(&format!("SELECT COUNT() FROM User WHERE Id IN ('{form}')")), 1);
        assert_eq!(org.count(&format!("SELECT COUNT() FROM User WHERE Id != '{form}'")), 39);
    }
}

#[test]
fn reading_by_key_meets_every_row_once() {
    let org = Org::of(333, 2);
    for (object, page) in
        [("User", 50), ("UserLogin", 70), ("PermissionSetAssignment", 100), ("UserLicense", 9)]
    {
        let mut seen = Vec::new();
        let mut last = "000000000000000".to_owned();
        loop {
            let soql =
                format!("SELECT Id FROM {object} WHERE Id > '{last}' ORDER BY Id LIMIT {page}");
            let ids = org.texts(&soql, "Id");
            let Some(newest) = ids.last() else { break };
            last.clone_from(newest);
            seen.extend(ids);
        }
        assert!(seen.is_sorted());
        assert_eq!(
            seen.iter().collect::<HashSet<_>>().len() as u64,
            org.estate.count(object).unwrap(),
            "{object}"
        );
    }
}

#[test]
fn login_windows_partition_the_history() {
    let org = Org::of(300, 2);
    let total = org.count("SELECT COUNT() FROM LoginHistory");
    let at = |days: i64| {
        let instant = chrono::DateTime::from_timestamp(NOW - days * 86_400, 0).unwrap();
        instant.format("%Y-%m-%dT%H:%M:%S.000Z").to_string()
    };
    let mut seen = 0;
    for days in (1..=182).rev() {
        let soql = format!(
            "SELECT Id, LoginTime FROM LoginHistory WHERE LoginTime >= {} AND LoginTime < {} ORDER BY LoginTime, Id",
            at(days),
            at(days - 1)
        );
        let rows = org.rows(&soql);
        assert!(
            rows.iter()
                .map(|row| (row["LoginTime"].to_string(), row["Id"].to_string()))
                .is_sorted()
        );
        seen += rows.len() as u64;
    }
    assert_eq!(seen, total);
    assert!(total > 1_000);
}

#[test]
fn keyset_reading_by_stamp_and_id_meets_every_row_once() {
    let org = Org::of(120, 2);
    for (object, stamp) in [("User", "SystemModstamp"), ("LoginHistory", "LoginTime")] {
        let mut seen = HashSet::new();
        let mut soql = format!("SELECT Id, {stamp} FROM {object} ORDER BY {stamp}, Id LIMIT 77");
        loop {
            let rows = org.rows(&soql);
            let Some(last) = rows.last() else { break };
            let (time, id) =
                (last[stamp].as_str().unwrap().to_owned(), last["Id"].as_str().unwrap().to_owned());
            for row in &rows {
                assert!(seen.insert(row["Id"].to_string()), "a row came twice");
            }
            soql = format!(
                "SELECT Id, {stamp} FROM {object} WHERE {stamp} > {time} OR ({stamp} = {time} AND Id > '{id}') \
                 ORDER BY {stamp}, Id LIMIT 77"
            );
        }
        assert_eq!(seen.len() as u64, org.estate.count(object).unwrap());
    }
}

#[test]
fn bounds_and_look_ups_give_what_a_scan_gives() {
    let org = Org::of(250, 3);
    let user = &org.texts("SELECT Id FROM User ORDER BY Id LIMIT 1 OFFSET 60", "Id")[0];
    for object in ["LoginHistory", "UserLogin", "UserPackageLicense"] {
        let quick = org.texts(&format!("SELECT Id FROM {object} WHERE UserId = '{user}'"), "Id");
        // A path cannot be looked up, and an OR cannot be bounded by user.
        let slow = org
            .texts(&format!("SELECT Id FROM {object} WHERE UserId = '{user}' OR Id = null"), "Id");
        assert_eq!(quick, slow, "{object}");
    }
    let reversed =
        org.texts("SELECT Id FROM LoginHistory ORDER BY LoginTime DESC, Id DESC LIMIT 5", "Id");
    let mut all = org.texts("SELECT Id FROM LoginHistory", "Id");
    all.reverse();
    assert_eq!(reversed, all[..5]);
}

#[test]
fn text_is_compared_without_regard_to_case_and_nulls_are_not_equal() {
    let org = Org::of(200, 1);
    let total = org.count("SELECT COUNT() FROM User");
    let sales = org.count("SELECT COUNT() FROM User WHERE Department = 'SALES'");
    assert!(sales > 0);
    assert_eq!(org.count("SELECT COUNT() FROM User WHERE Department != 'sales'"), total - sales);
    assert_eq!(org.count("SELECT COUNT() FROM User WHERE NOT Department = 'sales'"), total - sales);
    assert_eq!(
        org.count("SELECT COUNT() FROM User WHERE Department NOT IN ('sales')"),
        total - sales
    );
    let without = org.count("SELECT COUNT() FROM User WHERE Department = null");
    assert!(without > 0);
    assert_eq!(org.count("SELECT COUNT() FROM User WHERE Department = ''"), without);
    assert_eq!(
        org.count("SELECT COUNT() FROM User WHERE Department IN ('sales', null)"),
        sales + without
    );
    assert_eq!(org.count("SELECT COUNT() FROM User WHERE Department LIKE 'sal%'"), sales);
    assert_eq!(org.count("SELECT COUNT() FROM User WHERE Department LIKE 's_les'"), sales);
}

#[test]
fn escaped_texts_find_unfriendly_names() {
    let org = Org::of(2_000, 1);
    for name in [r"O\'Brien", r"Break\nSecond line", r"back\\slash\\", "\u{1F980}", "+1-2"] {
        assert!(
            org.count(&format!("SELECT COUNT() FROM User WHERE LastName = '{name}'")) > 0,
            "{name}"
        );
    }
    let longest = org
        .rows("SELECT Name, LastName FROM User")
        .iter()
        .map(|row| row["Name"].as_str().unwrap().chars().count())
        .max();
    assert_eq!(longest, Some(121));
}

#[test]
fn dates_may_be_named() {
    let org = Org::of(300, 1);
    let recent = org.count("SELECT COUNT() FROM LoginHistory WHERE LoginTime = LAST_N_DAYS:30");
    let written =
        org.count("SELECT COUNT() FROM LoginHistory WHERE LoginTime >= 2026-06-15T00:00:00Z");
    assert_eq!(recent, written);
    let total = org.count("SELECT COUNT() FROM LoginHistory");
    let today = org.count("SELECT COUNT() FROM LoginHistory WHERE LoginTime = TODAY");
    assert!(today > 0 && recent > today && total > recent);
    assert_eq!(
        org.count("SELECT COUNT() FROM LoginHistory WHERE LoginTime < TODAY"),
        total - today
    );
    assert_eq!(org.count("SELECT COUNT() FROM LoginHistory WHERE LoginTime > YESTERDAY"), today);
    assert!(
        org.count("SELECT COUNT() FROM TenantUsageEntitlement WHERE StartDate < 2026-07-01") > 0
    );
}

#[test]
fn sorting_takes_several_fields_directions_and_places_for_nulls() {
    let org = Org::of(150, 1);
    let rows = org.rows("SELECT Id, Department, LastName FROM User ORDER BY Department DESC NULLS LAST, LastName, Id");
    let keys: Vec<_> =
        rows.iter().map(|row| row["Department"].as_str().map(str::to_lowercase)).collect();
    let first_null = keys.iter().position(Option::is_none).unwrap();
    assert!(keys[first_null..].iter().all(Option::is_none));
    assert!(keys[..first_null].iter().rev().is_sorted());
    let first = org.rows("SELECT Department FROM User ORDER BY Department LIMIT 1");
    assert!(first[0]["Department"].is_null(), "nulls come first unless asked otherwise");
    let newest = org.rows("SELECT Id FROM User ORDER BY Id DESC LIMIT 3 OFFSET 1");
    let all = org.texts("SELECT Id FROM User", "Id");
    assert_eq!(newest[0]["Id"], all[148].as_str());
}

#[test]
fn limit_and_offset_cut_the_result_and_its_size() {
    let org = Org::of(100, 1);
    let result = org.result("SELECT Id FROM User ORDER BY Id LIMIT 10 OFFSET 95").unwrap();
    assert_eq!((result.total_size(), result.len()), (5, 5));
    assert_eq!(records(&result, 3, 100).len(), 2);
    assert_eq!(org.count("SELECT Id FROM User LIMIT 0"), 0);
    assert_eq!(org.count("SELECT COUNT() FROM User LIMIT 7"), 7);
}

#[test]
fn counts_have_a_size_and_no_records() {
    let org = Org::of(64, 1);
    let result = org.result("select count() from User").unwrap();
    assert_eq!((result.total_size(), result.len()), (64, 0));
}

#[test]
fn aggregates_are_named_by_alias_or_number() {
    let org = Org::of(64, 1);
    let rows = org.rows("SELECT COUNT(Id), COUNT(UserRoleId) roles, MIN(CreatedDate), COUNT_DISTINCT(ProfileId) FROM User");
    let roles = org.count("SELECT COUNT() FROM User WHERE UserRoleId != null");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["attributes"], json!({ "type": "AggregateResult" }));
    assert_eq!(rows[0]["expr0"], 64);
    assert_eq!(rows[0]["roles"], roles);
    assert!(rows[0]["expr1"].is_string() && rows[0]["expr2"].as_u64() > Some(3));
    let sums = org.rows(
        "SELECT SUM(TotalLicenses) t, AVG(TotalLicenses) a, MAX(UsedLicenses) m FROM UserLicense",
    );
    let truth = org.estate.truth();
    assert_eq!(sums[0]["t"], truth.licenses.iter().map(|licence| licence.purchased).sum::<i64>());
    assert_eq!(sums[0]["m"], truth.licenses.iter().map(|licence| licence.used).max().unwrap());
    assert!(sums[0]["a"].is_f64());
}

#[test]
fn groups_can_be_filtered_and_ordered() {
    let org = Org::of(400, 1);
    let soql = "SELECT Profile.UserLicense.Name, COUNT(Id) n FROM User WHERE IsActive = true \
                GROUP BY Profile.UserLicense.Name HAVING COUNT(Id) > 5 ORDER BY COUNT(Id) DESC";
    let rows = org.rows(soql);
    let truth = org.estate.truth();
    for row in &rows {
        let licence =
            truth.licenses.iter().find(|licence| row["Name"] == licence.name.as_str()).unwrap();
        assert_eq!(row["n"], licence.assigned);
    }
    assert!(rows.iter().rev().map(|row| row["n"].as_i64()).is_sorted());
    assert_eq!(rows.len(), truth.licenses.iter().filter(|licence| licence.assigned > 5).count());
}

#[test]
fn logins_can_be_grouped_by_parts_of_their_time() {
    let org = Org::of(100, 1);
    let soql = "SELECT CALENDAR_YEAR(LoginTime) y, CALENDAR_MONTH(LoginTime) m, COUNT(Id) n FROM LoginHistory \
                GROUP BY CALENDAR_YEAR(LoginTime), CALENDAR_MONTH(LoginTime) ORDER BY CALENDAR_MONTH(LoginTime)";
    let rows = org.rows(soql);
    assert_eq!(
        rows.iter().map(|row| row["m"].as_i64().unwrap()).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6, 7]
    );
    let sum: u64 = rows.iter().map(|row| row["n"].as_u64().unwrap()).sum();
    assert_eq!(sum, org.estate.count("LoginHistory").unwrap());
    let days = org.rows(
        "SELECT DAY_ONLY(LoginTime) d, COUNT(Id) FROM LoginHistory GROUP BY DAY_ONLY(LoginTime)",
    );
    assert!(days.len() > 150 && days[0]["d"].as_str().unwrap().len() == 10);
}

#[test]
fn children_come_nested_or_null() {
    let org = Org::of(120, 1);
    let soql = "SELECT Id, (SELECT Id, PermissionSet.Name FROM PermissionSetAssignments ORDER BY Id LIMIT 2), \
                (SELECT Id FROM PermissionSetLicenseAssignments) FROM User ORDER BY Id";
    let rows = org.rows(soql);
    assert!(rows[0]["PermissionSetAssignments"].is_null(), "system users hold nothing");
    let mut seen = 0;
    for row in &rows {
        let id = row["Id"].as_str().unwrap();
        let all = org.count(&format!(
            "SELECT COUNT() FROM PermissionSetAssignment WHERE AssigneeId = '{id}'"
        ));
        let children = &row["PermissionSetAssignments"];
        assert_eq!(children["totalSize"].as_u64().unwrap_or(0), all.min(2));
        if all > 0 {
            assert_eq!(children["done"], true);
            assert_eq!(children["records"][0]["attributes"]["type"], "PermissionSetAssignment");
            assert!(children["records"][0]["PermissionSet"]["Name"].is_string());
        }
        seen += row["PermissionSetLicenseAssignments"]["totalSize"].as_u64().unwrap_or(0);
    }
    assert_eq!(seen, org.estate.count("PermissionSetLicenseAssign").unwrap());
    let by_profile =
        org.rows("SELECT Id, (SELECT Id FROM Users WHERE IsActive = true) FROM Profile");
    let active: u64 = by_profile.iter().filter_map(|row| row["Users"]["totalSize"].as_u64()).sum();
    assert_eq!(active, org.estate.truth().active_users - 3);
}

#[test]
fn semi_joins_look_up_ids() {
    let org = Org::of(200, 1);
    let inside = org.count(
        "SELECT COUNT() FROM User WHERE Id IN (SELECT UserId FROM LoginHistory WHERE LoginTime = LAST_N_DAYS:30)",
    );
    let outside = org.count(
        "SELECT COUNT() FROM User WHERE Id NOT IN (SELECT UserId FROM LoginHistory WHERE LoginTime = LAST_N_DAYS:30)",
    );
    assert!(inside > 50);
    assert_eq!(inside + outside, 200);
}

#[test]
fn parents_of_several_kinds_show_name_and_type() {
    let org = Org::of(60, 1);
    let rows =
        org.rows("SELECT UserOrGroup.Name, UserOrGroup.Type, Group.Type FROM GroupMember LIMIT 1");
    assert_eq!(rows[0]["UserOrGroup"]["Type"], "User");
    assert_eq!(rows[0]["UserOrGroup"]["attributes"]["type"], "User");
    assert!(rows[0]["UserOrGroup"]["Name"].is_string());
    let owned = "SELECT COUNT() FROM PermissionSet WHERE IsOwnedByProfile = true AND Profile.UserLicense.Name = 'Salesforce'";
    assert_eq!(org.count(owned), 12);
    let names = org.texts("SELECT Name FROM PermissionSet WHERE Type = 'Profile'", "Name");
    assert!(names.iter().all(|name| name.starts_with("X00e")));
}

#[test]
fn fields_stands_for_all_fields() {
    let org = Org::of(20, 1);
    let rows = org.rows("SELECT FIELDS(ALL) FROM UserLicense LIMIT 200");
    assert_eq!(rows[0].as_object().unwrap().len(), 14);
    assert_eq!(org.rows("SELECT FIELDS(STANDARD) FROM UserLicense").len(), rows.len());
    assert!(org.result("SELECT FIELDS(ALL) FROM User LIMIT 1").unwrap().long_text_selected());
    assert!(!org.result("SELECT Id, Name FROM User").unwrap().long_text_selected());
}

#[test]
fn deleted_accounts_come_only_when_asked_for() {
    let org = Org::of(500, 1);
    let live = org.count("SELECT COUNT() FROM Account");
    let all = org.count("SELECT COUNT() FROM Account ALL ROWS");
    assert!(all > live);
    assert_eq!(
        org.count("SELECT COUNT() FROM Account WHERE IsDeleted = true ALL ROWS"),
        all - live
    );
    assert_eq!(org.count("SELECT COUNT() FROM Account WHERE IsDeleted = true"), 0);
}

#[test]
fn tokens_have_no_id_and_end_silently() {
    let org = Org::of(30_000, 1);
    assert!(org.count("SELECT COUNT() FROM OauthToken") > 2_500);
    let result = org.result("SELECT Id, UserId, AppName FROM OauthToken").unwrap();
    assert_eq!(result.len(), 2_500);
    assert!(
        records(&result, 0, 5).iter().all(|row| row["Id"].is_null() && row["UserId"].is_string())
    );
}

#[test]
fn the_same_seed_gives_the_same_org_and_another_seed_another() {
    let read = |seed| {
        let org = Org::of(80, seed);
        let mut json = String::new();
        for soql in [
            "SELECT FIELDS(ALL) FROM User LIMIT 200",
            "SELECT FIELDS(ALL) FROM LoginHistory LIMIT 200",
        ] {
            org.result(soql).unwrap().write_records(0, 200, &mut json);
        }
        json
    };
    assert_eq!(read(5), read(5));
    assert_ne!(read(5), read(6));
}

/// The platform's own list, in its describe.
#[test]
fn every_documented_type_of_login_occurs() {
    let org = Org::of(2_000, 1);
    let describe = estate::describe(&org.estate, &org.viewer, "LoginHistory", 66).unwrap();
    let describe: serde_json::Value = serde_json::from_str(&describe).unwrap();
    for name in ["LoginType", "LoginSubType"] {
        let fields = describe["fields"].as_array().unwrap();
        let field = fields.iter().find(|field| field["name"] == name).unwrap();
        let documented: BTreeSet<String> = field["picklistValues"]
            .as_array()
            .unwrap()
            .iter()
            .map(|value| value["value"].as_str().unwrap().to_owned())
            .collect();
        let seen: BTreeSet<String> =
            org.texts(&format!("SELECT {name} FROM LoginHistory"), name).into_iter().collect();
        assert!(documented.is_subset(&seen), "{:?}", documented.difference(&seen));
    }
}

#[test]
fn aggregates_and_versions_are_refused_as_the_platform_does() {
    let org = Org::of(64, 1);
    let code = |org: &Org, soql: &str| org.result(soql).map(|_| ()).map_err(|e| e.error_code);
    for function in ["MAX(IsActive)", "COUNT(IsActive)", "MIN(Address)"] {
        let soql = format!("SELECT {function} FROM User");
        assert_eq!(code(&org, &soql), Err("MALFORMED_QUERY".to_owned()), "{function}");
    }
    let old = Org { version: 44, ..Org::of(64, 1) };
    let groups = "SELECT Id FROM PermissionSetGroup";
    assert_eq!((code(&old, groups), code(&org, groups)), (Err("INVALID_TYPE".to_owned()), Ok(())));
    let address = "SELECT ForwardedForIp FROM LoginHistory";
    assert_eq!(code(&org, address), Err("INVALID_FIELD".to_owned()), "from 61 on");
    assert_eq!(code(&Org { version: 61, ..Org::of(64, 1) }, address), Ok(()));
}
