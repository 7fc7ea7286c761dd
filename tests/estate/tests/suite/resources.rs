//! Describes, single records and people.

use estate::{basic_info, describe, describe_global, record, record_counts};
use serde_json::Value;

use crate::org::Org;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn describes_carry_the_requested_version() {
    let org = Org::of(20, 1);
    let user = json(&describe(&org.estate, &org.viewer, "user", 61).unwrap());
    assert_eq!(user["name"], "User");
    assert_eq!(user["urls"]["sobject"], "/services/data/v61.0/sobjects/User");
    assert_eq!(user["fields"].as_array().unwrap().len(), 186);
    let used = |version| {
        let licence = json(&describe(&org.estate, &org.viewer, "UserLicense", version).unwrap());
        let fields = licence["fields"].as_array().unwrap().clone();
        fields.into_iter().find(|field| field["name"] == "UsedLicenses").unwrap()["filterable"]
            .clone()
    };
    assert_eq!((used(63), used(64)), (Value::Bool(true), Value::Bool(false)));
}

#[test]
fn the_global_describe_lists_objects_without_fields() {
    let org = Org::of(20, 1);
    let global = json(&describe_global(&org.estate, &org.viewer, 60));
    assert_eq!(global["encoding"], "UTF-8");
    assert_eq!(global["maxBatchSize"], 200);
    let objects = global["sobjects"].as_array().unwrap();
    // All but EventLogFile, which the guide's permissions do not open.
    assert_eq!(objects.len(), 38);
    let user = objects.iter().find(|object| object["name"] == "User").unwrap();
    assert_eq!(user["urls"]["rowTemplate"], "/services/data/v60.0/sobjects/User/{ID}");
    assert!(user.get("fields").is_none() && user["keyPrefix"] == "005");
}

#[test]
fn a_record_shows_all_fields_or_those_asked_for() {
    let org = Org::of(20, 1);
    let id = org.estate.admin().user_id;
    let get = |fields: Option<&[&str]>| record(&org.estate, &org.viewer, "User", &id, fields, 60);
    assert_eq!(json(&get(None).unwrap()).as_object().unwrap().len(), 187);
    let two = json(&get(Some(&["Id", "LastName"])).unwrap());
    assert_eq!(two["LastName"], "Admin");
    assert_eq!(two.as_object().unwrap().len(), 3);
    assert_eq!(
        get(Some(&["Foo"])).unwrap_err().message,
        "No such column 'Foo' on sobject of type User"
    );
}

#[test]
fn ids_of_other_objects_are_malformed_and_unknown_ones_are_not_found() {
    let org = Org::of(20, 1);
    let get = |object: &str, id: &str| {
        record(&org.estate, &org.viewer, object, id, None, 60).unwrap_err()
    };
    let error = get("User", "001000000000000AAA");
    assert_eq!((error.status, error.error_code.as_str()), (400, "MALFORMED_ID"));
    assert_eq!(error.message, "User ID: id value of incorrect type: 001000000000000AAA");
    assert!(error.to_body().ends_with("\"fields\":[\"Id\"]}]"));
    assert_eq!(get("User", "005000000000000AAA").status, 404);
    assert_eq!(get("Nonsense", "005000000000000AAA").status, 404);
    assert_eq!(get("OauthToken", "0CQ000000000000AAA").status, 404);
}

#[test]
fn basic_information_has_the_describe_and_no_recent_items() {
    let org = Org::of(20, 1);
    let info = json(&basic_info(&org.estate, &org.viewer, "UserLicense", 60).unwrap());
    assert_eq!(info["objectDescribe"]["keyPrefix"], "100");
    assert_eq!(info["recentItems"], Value::Array(Vec::new()));
}

#[test]
fn record_counts_leave_out_what_is_unknown_or_hidden() {
    let org = Org::of(20, 1).without("AccountRead");
    let counts = record_counts(&org.estate, &org.viewer, &["User", "Account", "Nonsense"]);
    assert_eq!(json(&counts), json("{\"sObjects\":[{\"count\":20,\"name\":\"User\"}]}"));
}

#[test]
fn people_are_found_by_username_and_id() {
    let org = Org::of(300, 1);
    for row in org
        .rows("SELECT Id, Username, Email, Name, ProfileId, CommunityNickname, IsActive FROM User")
    {
        let username = row["Username"].as_str().unwrap();
        let person = org.estate.person_by_username(&username.to_uppercase()).unwrap();
        assert_eq!(row["Id"], person.user_id.as_str());
        assert_eq!(row["Email"], person.email.as_str());
        assert_eq!(row["Name"], person.name.as_str());
        assert_eq!(row["ProfileId"], person.profile_id.as_str());
        assert_eq!(row["CommunityNickname"], person.nickname.as_str());
        assert_eq!(row["IsActive"], person.is_active);
        assert_eq!(org.estate.person_by_id(&person.user_id[..15]), Some(person));
    }
    assert_eq!(org.estate.person_by_username("nobody@example.com"), None);
    let admin = org.estate.admin();
    assert!(admin.is_active && !admin.is_frozen);
    assert_eq!(admin.profile_name.as_deref(), Some("System Administrator"));
}
