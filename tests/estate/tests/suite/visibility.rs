//! What a viewer without a permission sees, and what not.

use estate::{Viewer, describe, describe_global};
use serde_json::Value;

use crate::org::Org;

fn is_hidden(org: &Org, object: &str) -> bool {
    let describe = describe(&org.estate, &org.viewer, object, 60);
    let global = describe_global(&org.estate, &org.viewer, 60);
    let global: Value = serde_json::from_str(&global).unwrap();
    let listed =
        global["sobjects"].as_array().unwrap().iter().any(|listed| listed["name"] == object);
    let query = org.result(&format!("SELECT Id FROM {object}"));
    match (describe, query) {
        (Ok(_), Ok(_)) => {
            assert!(listed);
            false
        }
        (Err(describe), Err(query)) => {
            assert!(!listed);
            assert_eq!((describe.status, describe.error_code.as_str()), (404, "NOT_FOUND"));
            assert_eq!((query.status, query.error_code.as_str()), (400, "INVALID_TYPE"));
            true
        }
        _ => panic!("describe and query disagree about {object}"),
    }
}

#[test]
fn the_guides_permissions_show_everything() {
    let org = Org::of(30, 1);
    for object in org.estate.truth().row_counts.keys() {
        assert_eq!(is_hidden(&org, object), object == "EventLogFile", "{object}");
    }
    assert!(!is_hidden(&org.with("PermissionsViewEventLogFiles"), "EventLogFile"));
}

#[test]
fn each_missing_permission_hides_its_objects() {
    for (permission, hidden) in [
        (
            "PermissionsViewSetup",
            &[
                "ConnectedApplication",
                "LightningUsageByAppTypeMetrics",
                "PermissionSetLicense",
                "SetupAuditTrail",
                "TenantUsageEntitlement",
                "UserLicense",
            ][..],
        ),
        ("PermissionsManageUsers", &["LoginGeo", "UserLogin", "VerificationHistory"]),
        ("PermissionsManageTwoFactor", &["TwoFactorMethodsInfo"]),
        ("PermissionsViewRoles", &["UserRole"]),
        ("ManagePackageLicenses", &["PackageLicense", "UserPackageLicense"]),
        ("AccountRead", &["Account"]),
    ] {
        let org = Org::of(30, 1).without(permission);
        for object in org.estate.truth().row_counts.keys() {
            let expected = object == "EventLogFile"
                || hidden.contains(&object.as_str())
                || (permission == "PermissionsViewSetup" && object.starts_with("Active"));
            assert_eq!(is_hidden(&org, object), expected, "{object} without {permission}");
        }
    }
}

#[test]
fn assignments_need_one_of_several_permissions() {
    let org = Org::of(30, 1).without("PermissionsViewSetup");
    assert!(!is_hidden(&org, "PermissionSetLicenseAssign"));
    let org = org.without("PermissionsAssignPermissionSets");
    assert!(is_hidden(&org, "PermissionSetLicenseAssign"));
    assert!(!is_hidden(&org, "PermissionSetAssignment"));
    assert!(is_hidden(&org.without("PermissionsManageUsers"), "PermissionSetAssignment"));
}

#[test]
fn logins_of_others_need_a_permission() {
    let org = Org::of(100, 1);
    let id = org.viewer.user_id.clone();
    let own = org.count(&format!("SELECT COUNT() FROM LoginHistory WHERE UserId = '{id}'"));
    let all = org.count("SELECT COUNT() FROM LoginHistory");
    assert!(own > 0 && own < all);
    let mut org = org.without("PermissionsManageUsers");
    assert_eq!(org.count("SELECT COUNT() FROM LoginHistory"), own);
    let users = org.texts("SELECT UserId FROM LoginHistory ORDER BY LoginTime DESC", "UserId");
    assert!(users.len() as u64 == own && users.iter().all(|user| *user == id));
    assert_eq!(
        org.count("SELECT COUNT() FROM LoginHistory WHERE LoginTime = LAST_N_DAYS:400"),
        own
    );
    org.viewer = org.viewer.with("PermissionsMonitorLoginHistory");
    assert_eq!(org.count("SELECT COUNT() FROM LoginHistory"), all);
}

#[test]
fn tokens_and_sessions_of_others_need_a_permission() {
    let org = Org::of(300, 1);
    let all = org.count("SELECT COUNT() FROM OauthToken");
    let org = org.without("PermissionsCustomizeApplication").without("PermissionsManageUsers");
    assert!(org.count("SELECT COUNT() FROM OauthToken") < all);
    let id = org.viewer.user_id.clone();
    assert!(org.texts("SELECT UserId FROM OauthToken", "UserId").iter().all(|user| *user == id));
    assert!(org.texts("SELECT UsersId FROM AuthSession", "UsersId").iter().all(|user| *user == id));
}

#[test]
fn without_view_all_users_one_sees_oneself() {
    let org = Org::of(100, 1).without("PermissionsViewAllUsers");
    let id = org.viewer.user_id.clone();
    assert_eq!(org.texts("SELECT Id FROM User ORDER BY LastName", "Id"), [id]);
    assert_eq!(org.count("SELECT COUNT() FROM User WHERE IsActive = false"), 0);
}

#[test]
fn hidden_fields_do_not_exist() {
    let mut org = Org::of(30, 1);
    org.viewer.hidden_fields.insert(("User".to_owned(), "LastLoginDate".to_owned()));
    for soql in ["SELECT LastLoginDate FROM User", "SELECT Id FROM User WHERE LastLoginDate = null"]
    {
        assert_eq!(org.refused(soql).0, "INVALID_FIELD");
    }
    assert!(!describe(&org.estate, &org.viewer, "User", 60).unwrap().contains("LastLoginDate"));
    let rows = org.rows("SELECT FIELDS(ALL) FROM User LIMIT 1");
    assert!(rows[0].get("LastLoginDate").is_none());
    let org = org.without("PermissionsManageUsers");
    assert_eq!(org.refused("SELECT NumberOfFailedLogins FROM User").0, "INVALID_FIELD");
}

#[test]
fn hidden_objects_do_not_exist_even_as_parents() {
    let mut org = Org::of(30, 1);
    org.viewer.hidden_objects.insert("UserRole".to_owned());
    assert!(is_hidden(&org, "UserRole"));
    let (code, message) = org.refused("SELECT UserRole.Name FROM User");
    assert_eq!(code, "INVALID_FIELD");
    assert!(message.contains("Didn't understand relationship 'UserRole' in field path."));
}

#[test]
fn the_self_check_shows_the_viewers_permissions() {
    let org = Org::of(30, 1).without("PermissionsViewRoles");
    let rows = org.rows("SELECT PermissionsApiEnabled, PermissionsViewSetup, PermissionsViewRoles FROM UserPermissionAccess");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["PermissionsApiEnabled"], true);
    assert_eq!(rows[0]["PermissionsViewSetup"], true);
    assert_eq!(rows[0]["PermissionsViewRoles"], false);
}

#[test]
fn every_guide_permission_with_an_api_name_is_a_field_of_the_self_check() {
    let org = Org::of(30, 1);
    let describe = describe(&org.estate, &org.viewer, "UserPermissionAccess", 60).unwrap();
    for permission in
        Viewer::guide("").permissions.iter().filter(|name| name.starts_with("Permissions"))
    {
        assert!(describe.contains(&format!("\"name\":\"{permission}\"")), "{permission}");
    }
}
