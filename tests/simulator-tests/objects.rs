//! Objects beside licences and users: apps, sites, second factors, log files.

use salesforce_sim::{Edition, SimulatedOrg};
use serde_json::Value;

use crate::client::Story;

fn rows(story: &Story, soql: &str) -> Vec<Value> {
    let answer = story.query(soql);
    assert_eq!(answer.status, 200, "{soql}: {}", answer.text);
    answer.json()["records"].as_array().expect("records").clone()
}

#[test]
fn tokens_lead_to_menu_items_and_these_to_apps() {
    let story = Story::new();
    let items = rows(&story, "SELECT Id, Label, Type, ApplicationId FROM AppMenuItem");
    let apps = rows(&story, "SELECT Id, Name FROM ConnectedApplication");
    for token in rows(&story, "SELECT AppName, AppMenuItemId FROM OauthToken") {
        let item = items.iter().find(|item| item["Id"] == token["AppMenuItemId"]).expect("an item");
        let app = apps.iter().find(|app| app["Id"] == item["ApplicationId"]).expect("an app");
        assert_eq!((&app["Name"], &item["Label"]), (&token["AppName"], &token["AppName"]));
    }
    for access in rows(&story, "SELECT SetupEntityId FROM SetupEntityAccess") {
        assert!(apps.iter().any(|app| app["Id"] == access["SetupEntityId"]));
    }
    let external = rows(&story, "SELECT DeveloperName, MasterLabel FROM ExternalClientApplication");
    assert!(external.iter().any(|app| app["MasterLabel"] == "License Connector"));
    assert_eq!(rows(&story, "SELECT AppMenuItemId FROM UserAppMenuItem").len(), items.len());
}

#[test]
fn sites_need_digital_experiences() {
    let story = Story::of(SimulatedOrg::builder().users(200).start());
    let sites = rows(&story, "SELECT Id, Name FROM Network");
    let members = rows(&story, "SELECT MemberId, NetworkId FROM NetworkMember");
    assert!(!members.is_empty());
    assert!(
        members.iter().all(|member| sites.iter().any(|site| site["Id"] == member["NetworkId"]))
    );
    let without = SimulatedOrg::builder().users(200).without_digital_experiences().start();
    let story = Story::of(without);
    for object in ["Network", "NetworkMember"] {
        assert_eq!(story.query(&format!("SELECT Id FROM {object}")).refusal().1, "INVALID_TYPE");
    }
    let monthly = story.query("SELECT MonthlyLoginsUsed FROM UserLicense");
    assert_eq!(monthly.refusal().1, "INVALID_FIELD");
}

#[test]
fn second_factors_need_a_permission_and_end_silently() {
    let story = Story::of(SimulatedOrg::builder().users(6_000).start());
    let count = story.query("SELECT COUNT() FROM TwoFactorMethodsInfo").json()["totalSize"].clone();
    assert_eq!(count, 6_000);
    let mut page = story.query("SELECT UserId, HasTotp FROM TwoFactorMethodsInfo").json();
    let mut sizes = Vec::new();
    loop {
        sizes.push(page["records"].as_array().map_or(0, Vec::len));
        match page["nextRecordsUrl"].as_str().map(str::to_owned) {
            Some(next) => page = story.get(&next).json(),
            None => break,
        }
    }
    assert_eq!(sizes, [500; 5], "pages of 500, and an end after 2,500 without a word");
    assert_eq!(page["done"], true);
    let users = rows(&story, "SELECT Id FROM User ORDER BY Id LIMIT 150");
    let ids: Vec<String> =
        users.iter().filter_map(|row| row["Id"].as_str()).map(|id| format!("'{id}'")).collect();
    let some =
        format!("SELECT UserId FROM TwoFactorMethodsInfo WHERE UserId IN ({})", ids.join(","));
    assert_eq!(rows(&story, &some).len(), 150, "by user all are found");
    story.org.without_permission("PermissionsManageTwoFactor");
    assert_eq!(story.query("SELECT UserId FROM TwoFactorMethodsInfo").refusal().1, "INVALID_TYPE");
}

#[test]
fn places_belong_to_logins() {
    let story = Story::new();
    let login =
        &rows(&story, "SELECT LoginTime, LoginGeoId FROM LoginHistory ORDER BY LoginTime LIMIT 1")
            [0];
    let id = login["LoginGeoId"].as_str().expect("an id");
    let place =
        &rows(&story, &format!("SELECT LoginTime, City, Latitude FROM LoginGeo WHERE Id = '{id}'"))
            [0];
    assert_eq!(place["LoginTime"], login["LoginTime"]);
    assert!(place["City"].is_string() && place["Latitude"].is_number());
}

#[test]
fn verifications_lie_within_six_months() {
    let story = Story::new();
    let all = rows(
        &story,
        "SELECT UserId, VerificationTime, Status FROM VerificationHistory ORDER BY VerificationTime",
    );
    let oldest = (story.org.now() - chrono::TimeDelta::days(184)).format("%Y-%m-%dT").to_string();
    assert!(
        !all.is_empty() && all[0]["VerificationTime"].as_str().expect("a time") > oldest.as_str()
    );
    assert!(all.iter().any(|row| row["Status"] == "Succeeded"));
}

#[test]
fn app_usage_is_not_kept_in_sandboxes() {
    let story = Story::new();
    let usage = rows(
        &story,
        "SELECT MetricsDate, UserId, AppExperience FROM LightningUsageByAppTypeMetrics",
    );
    assert!(usage.len() > 100);
    let sandbox =
        SimulatedOrg::builder().edition(Edition::Sandbox { name: "uat".to_owned() }).start();
    let story = Story::of(sandbox);
    let refused = story.query("SELECT MetricsDate FROM LightningUsageByAppTypeMetrics");
    assert_eq!(refused.refusal().1, "INVALID_TYPE");
}

#[test]
fn a_log_file_is_a_path_and_behind_it_csv_of_the_length_it_says() {
    let org = SimulatedOrg::builder().users(200).with_permission("PermissionsViewEventLogFiles");
    let story = Story::of(org.start());
    let files = rows(
        &story,
        "SELECT Id, EventType, Interval, LogDate, LogFileLength, LogFile FROM EventLogFile",
    );
    assert_eq!(files.len(), 2);
    for file in &files {
        let path = file["LogFile"].as_str().expect("a path");
        let id = file["Id"].as_str().expect("an id");
        assert_eq!(path, format!("/services/data/v60.0/sobjects/EventLogFile/{id}/LogFile"));
        let content = story.get(path);
        assert_eq!(content.header("content-type"), Some("text/csv"));
        assert_eq!(file["LogFileLength"], content.text.len() as f64);
        let mut lines = content.text.lines();
        assert!(lines.next().expect("a header").starts_with("\"EVENT_TYPE\",\"TIMESTAMP\","));
        let rows: Vec<&str> = lines.collect();
        assert!(!rows.is_empty());
        assert!(
            rows.iter().all(
                |row| row.starts_with(&format!("\"{}\",", file["EventType"].as_str().unwrap()))
            )
        );
    }
    story.org.without_permission("PermissionsViewEventLogFiles");
    assert_eq!(story.query("SELECT Id FROM EventLogFile").refusal().1, "INVALID_TYPE");
    let path = files[0]["LogFile"].as_str().expect("a path");
    assert_eq!(story.get(path).status, 404);
}

#[test]
fn installed_packages_are_listed_by_the_tooling_api() {
    let story = Story::new();
    let soql = "SELECT+Id,SubscriberPackage.NamespacePrefix,SubscriberPackage.Name+FROM+InstalledSubscriberPackage";
    let answer = story.get(&format!("/services/data/v60.0/tooling/query?q={soql}")).json();
    let packages = rows(&story, "SELECT NamespacePrefix FROM PackageLicense");
    assert_eq!(answer["size"], packages.len());
    assert_eq!(answer["entityTypeName"], "InstalledSubscriberPackage");
}

#[test]
fn storage_that_is_nearly_full_is_the_one_the_rule_is_to_find() {
    let story = Story::new();
    let rules = story.org.rules();
    let rule = rules.iter().find(|rule| rule.rule == "R19").expect("the rule");
    let limits = story.get("/services/data/v60.0/limits").json();
    for key in ["DataStorageMB", "FileStorageMB"] {
        let (max, left) = (&limits[key]["Max"], &limits[key]["Remaining"]);
        let full = left.as_f64().expect("a number") / max.as_f64().expect("a number") <= 0.2;
        assert_eq!(rule.found.iter().any(|case| case.id == key), full, "{key}");
        assert_eq!(rule.silent.iter().any(|case| case.id == key), !full, "{key}");
    }
    assert_eq!((rule.found.len(), rule.silent.len()), (1, 1));
}
