//! The preflight's view of permissions and datasets.

use connector_api::Connector;
use connector_api::message::{Finding, FindingStatus};
use salesforce_sim::SimulatedOrg;

use crate::host::TestHost;

fn check(org: &SimulatedOrg, settings: &[(&str, &str)]) -> Vec<Finding> {
    let host = TestHost::authorized(org, settings);
    host.connector().check().expect("a report").findings
}

#[track_caller]
fn finding<'a>(findings: &'a [Finding], id: &str) -> &'a Finding {
    findings.iter().find(|finding| finding.id == id).unwrap_or_else(|| panic!("no {id}"))
}

#[test]
fn the_guides_user_works_and_hears_which_permissions_are_too_many() {
    let org = SimulatedOrg::builder().users(50).seed(2).start();
    let findings = check(&org, &[]);
    let permissions = findings.iter().filter(|f| f.id.starts_with("permission.")).count();
    assert!(permissions >= 20 + 2, "{permissions}");
    assert!(findings.iter().all(|f| f.status != FindingStatus::Failed), "{findings:#?}");
    let sharing = finding(&findings, "permission.PermissionsManageSharing");
    assert_eq!(sharing.status, FindingStatus::Excess, "{sharing:?}");
    assert!(sharing.hint.as_deref().is_some_and(|hint| hint.contains("Manage Users")));
    for id in ["permission.PermissionsViewSetup", "permission.ManagePackageLicenses"] {
        assert_eq!(
            finding(&findings, id).status,
            FindingStatus::Ok,
            "{:?}",
            finding(&findings, id)
        );
    }
    assert_eq!(finding(&findings, "dataset.user_license").status, FindingStatus::Ok);
}

#[test]
fn a_missing_permission_is_named_with_what_it_would_open_and_both_ways_to_grant_it() {
    let org = SimulatedOrg::builder().users(50).seed(2).start();
    org.without_permission("PermissionsManageUsers");
    org.without_permission("PermissionsMonitorLoginHistory");
    let findings = check(&org, &[]);
    let monitor = finding(&findings, "permission.PermissionsMonitorLoginHistory");
    assert_eq!(monitor.status, FindingStatus::Missing, "{monitor:?}");
    assert!(monitor.message.contains("login_history"));
    let hint = monitor.hint.as_deref().expect("a hint");
    assert!(hint.contains("Option 1") && hint.contains("Option 2"), "{hint}");
    let frozen = finding(&findings, "dataset.user_login");
    assert_eq!(frozen.status, FindingStatus::Missing, "{frozen:?}");
    assert!(frozen.hint.as_deref().is_some_and(|hint| hint.contains("Manage Users")));
    let logins = finding(&findings, "dataset.login_history");
    assert_eq!(logins.status, FindingStatus::Partial, "{logins:?}");
}

#[test]
fn the_permission_sets_come_as_files() {
    let org = SimulatedOrg::builder().users(10).seed(2).start();
    let host = TestHost::authorized(&org, &[]);
    let text = host.connector().invoke("permission_sets", "{}").expect("files");
    let files: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
    assert_eq!(files.len(), 3);
    assert!(files.iter().all(|file| file["path"].is_string() && file["content"].is_string()));
    assert_eq!(host.connector().invoke("nonsense", "{}").unwrap_err().kind.as_str(), "unsupported");
}
