//! What is read, and how settings change it.

use connector_api::Connector;
use connector_api::message::DatasetStatus;
use salesforce_plugin::Salesforce;
use salesforce_sim::SimulatedOrg;

use crate::host::TestHost;

#[test]
fn everything_that_the_org_shows_is_read_and_of_what_nobody_asked_for_nothing_is_said() {
    let org = SimulatedOrg::builder().users(300).seed(5).start();
    let mut host = TestHost::authorized(&org, &[]);
    let run = host.full(&[]);
    assert!(run.summary.error.is_none(), "{:?}", run.summary.error);
    let specs = Salesforce::manifest().datasets;
    let usual: Vec<&str> =
        specs.iter().filter(|spec| !spec.optional).map(|spec| spec.name.as_str()).collect();
    let told: Vec<&str> = run.summary.datasets.iter().map(|one| one.dataset.as_str()).collect();
    assert_eq!(told, usual);
    assert!(specs.len() > usual.len() + 10, "most optional datasets are not read");
    for summary in &run.summary.datasets {
        let expected = [DatasetStatus::Complete, DatasetStatus::Absent];
        assert!(expected.contains(&summary.status), "{summary:?}");
    }
    for dataset in ["user", "user_license", "permission_set_group_component", "profile"] {
        assert!(run.is_complete(dataset).rows > 0, "{dataset}");
        run.nothing_twice(dataset);
    }
    assert_eq!(host.records["user"].len() as u64, org.truth().total_users);
    let connector = |entry: &salesforce_sim::Entry| {
        entry.user_agent.as_deref().is_some_and(|agent| agent.starts_with("endpoint-server"))
    };
    assert!(org.violations().iter().all(|(_, entry)| !connector(entry)), "{:?}", org.violations());
    assert!(org.journal().iter().any(connector), "the control: its requests are told apart");
}

#[test]
fn optional_datasets_are_read_where_settings_or_a_request_name_them() {
    let org = SimulatedOrg::builder().users(50).seed(5).start();
    let mut host = TestHost::authorized(&org, &[("datasets", "setup_audit_trail, -user_role")]);
    let run = host.full(&[]);
    run.is_complete("setup_audit_trail");
    assert_eq!(run.of("user_role").status, DatasetStatus::Absent);
    assert!(run.of("user_role").reason.as_deref().is_some_and(|why| why.contains("`datasets`")));
    let run = host.full(&["auth_session", "user_role"]);
    assert_ne!(run.of("auth_session").status, DatasetStatus::Absent);
    assert_eq!(run.of("user_role").status, DatasetStatus::Absent, "ruled out is ruled out");
}

#[test]
fn fields_are_left_out_and_people_get_pseudonyms() {
    let org = SimulatedOrg::builder().users(50).seed(5).start();
    let settings = [("fields", "user.Email"), ("pseudonymize", "true")];
    let mut host = TestHost::authorized(&org, &settings);
    let run = host.full(&["user"]);
    let summary = run.is_complete("user");
    assert!(summary.missing_fields.is_empty(), "left out on purpose is not missing");
    assert!(!run.columns["user"].iter().any(|column| column == "Email"));
    assert!(run.journal.iter().all(|entry| entry.status == 200));
    let username = org.username();
    let text: String = host.records["user"].values().cloned().collect();
    assert!(!text.contains(username), "a user name left the connector");
    assert!(host.secret("pseudonym_key").is_some());

    let mut plain = TestHost::authorized(&org, &[]);
    plain.full(&["user"]);
    let text: String = plain.records["user"].values().cloned().collect();
    assert!(text.contains(username), "the control: without the setting it is there");
    let keys = |host: &TestHost| host.records["user"].keys().cloned().collect::<Vec<_>>();
    assert!(keys(&host) == keys(&plain), "records can still be joined");
}

#[test]
fn a_custom_field_that_the_org_does_not_have_is_named() {
    let org = SimulatedOrg::builder().users(20).seed(5).start();
    let mut host = TestHost::authorized(&org, &[("custom_user_fields", "Cost_Center__c")]);
    let run = host.full(&["user"]);
    let user = run.of("user");
    assert_eq!(user.status, DatasetStatus::Degraded, "{user:?}");
    assert_eq!(user.missing_fields, ["Cost_Center__c"]);
    assert_eq!(user.rows, org.truth().total_users);
}

#[test]
fn the_estimate_counts_requests_and_asks_for_little() {
    let org = SimulatedOrg::builder().users(5_000).seed(5).start();
    let mut host = TestHost::authorized(&org, &[]);
    let before = org.journal().len();
    let text = host.connector().invoke("estimate", "{}").expect("an estimate");
    assert!(org.journal().len() - before <= 3);
    let estimate: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let run = host.full(&[]);
    let said = estimate["requests"].as_u64().expect("a number");
    let needed = run.summary.api_calls;
    assert!(said.abs_diff(needed) <= needed / 3, "{said} were estimated, {needed} were needed");
    assert!(estimate["available"].as_u64().is_some(), "{estimate}");
}

#[test]
fn storage_limits_are_unknown_without_the_right_to_manage_users() {
    let org = SimulatedOrg::builder().users(20).logins_per_user(1).seed(3).start();
    let mut host = TestHost::authorized(&org, &[]);
    host.full(&["limits"]).is_complete("limits");
    for storage in ["DataStorageMB", "FileStorageMB"] {
        assert!(!host.records["limits"][storage].contains("null"), "{storage}");
    }
    let taken =
        salesforce_sim::Action::WithoutPermission { permission: "PermissionsManageUsers".into() };
    org.faults().push(salesforce_sim::Fault::new(taken).on_path_with("/limits"));
    host.full(&["limits"]).is_complete("limits");
    for storage in ["DataStorageMB", "FileStorageMB"] {
        assert!(host.records["limits"][storage].contains("null"), "{storage}");
    }
}
