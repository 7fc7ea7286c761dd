//! Runs that read what changed.

use connector_api::message::CollectMode;
use salesforce_sim::{Action, Fault, SimulatedOrg};

use crate::host::TestHost;

#[test]
fn an_unchanged_org_needs_few_requests() {
    let org = SimulatedOrg::builder().users(9_000).logins_per_user(3).seed(3).start();
    let mut host = TestHost::authorized(&org, &[]);
    let full = host.full(&[]);
    let before = host.records.clone();
    let run = host.changes(&[]);
    assert!(run.summary.error.is_none(), "{:?}", run.summary.error);
    // Each dataset is asked for what changed and is counted; what was not shown is described again.
    assert!(run.summary.api_calls <= 60, "{} requests", run.summary.api_calls);
    assert!(full.summary.api_calls > run.summary.api_calls);
    for (dataset, records) in before.iter().filter(|(dataset, _)| *dataset != "limits") {
        assert!(host.records[dataset] == *records, "{dataset} is no longer the same");
    }
    let user = run.is_complete("user");
    assert_eq!(user.mode, Some(CollectMode::Incremental));
    assert_eq!(user.total, Some(org.truth().total_users));
    assert!(user.rows < 9_000, "{user:?}");
    assert_eq!(run.of("profile").mode, Some(CollectMode::Full), "small ones are read whole");
}

#[test]
fn a_full_run_reads_everything_whatever_the_checkpoints_say() {
    let org = SimulatedOrg::builder().users(3_000).seed(3).start();
    let mut host = TestHost::authorized(&org, &[]);
    host.full(&["user"]);
    let run = host.full(&["user"]);
    let user = run.is_complete("user");
    assert_eq!((user.mode, user.rows), (Some(CollectMode::Full), org.truth().total_users));
}

#[test]
fn a_count_that_does_not_fit_makes_the_dataset_be_read_whole() {
    let org = SimulatedOrg::builder().users(3_000).seed(3).start();
    let mut host = TestHost::authorized(&org, &[]);
    host.full(&["user"]);
    // The org counts one user less than before: somebody is gone. The first count is of the changes.
    org.faults().set([Fault::new(Action::TotalSize { by: -1 })
        .on_object("User")
        .on_soql_with("COUNT()")
        .nth(2)]);
    let run = host.changes(&["user"]);
    assert_eq!(run.is_complete("user").mode, Some(CollectMode::Full));
    assert!(run.of("user").rows >= org.truth().total_users);
}

#[test]
fn another_choice_of_fields_is_read_whole() {
    let org = SimulatedOrg::builder().users(3_000).seed(3).start();
    let mut host = TestHost::authorized(&org, &[]);
    host.full(&["user"]);
    org.hide_field("User", "Division");
    let run = host.changes(&["user"]);
    assert_eq!(run.of("user").mode, Some(CollectMode::Full), "{:?}", run.of("user"));
    assert_eq!(run.of("user").missing_fields, ["Division"]);
}

#[test]
fn logins_are_read_on_from_the_last_ones() {
    let org = SimulatedOrg::builder().users(2_000).logins_per_user(5).seed(3).start();
    let mut host = TestHost::authorized(&org, &[]);
    let full = host.full(&["login_history"]);
    let before = host.records.clone();
    let run = host.changes(&["login_history"]);
    let logins = run.is_complete("login_history");
    assert_eq!(logins.mode, Some(CollectMode::Incremental));
    assert!(logins.rows * 10 < full.of("login_history").rows, "{logins:?}");
    for (key, record) in &before["login_history"] {
        assert!(host.records["login_history"].get(key) == Some(record), "{key}");
    }
}

/// A value of a parent that its children repeat moves no stamp of theirs.
#[test]
fn a_renamed_profile_is_renamed_at_its_users_too() {
    let org = SimulatedOrg::builder().users(3_000).seed(3).start();
    let mut host = TestHost::authorized(&org, &[]);
    host.full(&["user_license", "profile", "user"]);
    // From now on the profile has another name, and no user was changed.
    let renamed = Action::SetJson {
        pointer: "/records/0/Name".into(),
        value: "Renamed by the administrator".into(),
    };
    let on_profiles =
        || Fault::new(renamed.clone()).on_object("Profile").on_soql_with("UserLicenseId").always();
    org.faults().set([on_profiles()]);
    let run = host.changes(&["user_license", "profile", "user"]);
    run.is_complete("user");
    assert_eq!(run.of("user").mode, Some(CollectMode::Full), "its profiles' names are others");
    let named = |dataset: &str| {
        host.records[dataset]
            .values()
            .filter(|record| record.contains("Renamed by the administrator"))
            .count()
    };
    assert_eq!(named("profile"), 1);
    assert!(named("user") > 0, "its users say the same");
    let run = host.changes(&["user_license", "profile", "user"]);
    assert_eq!(run.of("user").mode, Some(CollectMode::Incremental), "once");
    org.faults().clear();
}
