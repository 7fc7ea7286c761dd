//! A dataset is complete when the org's own count proves it, and not before.

use connector_api::message::{DatasetStatus, ProofBy};
use salesforce_sim::{Action, Fault, SimulatedOrg};

use crate::host::TestHost;

fn org() -> SimulatedOrg {
    SimulatedOrg::builder().users(2_500).logins_per_user(4).seed(5).start()
}

fn json(body: &str) -> Action {
    Action::Status {
        code: 200,
        body: body.into(),
        content_type: Some("application/json;charset=UTF-8".into()),
        headers: Vec::new(),
    }
}

#[test]
fn every_dataset_says_what_proves_it() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    let run = host.full(&[]);
    for dataset in run.summary.datasets.iter().filter(|d| d.status.has_every_record()) {
        let proof = dataset.proof.unwrap_or_else(|| panic!("{}: no proof", dataset.dataset));
        match dataset.dataset.as_str() {
            "limits" | "installed_subscriber_package" => {
                assert_eq!((proof.by, proof.counted), (ProofBy::None, None), "{dataset:?}");
            }
            _ => {
                assert_eq!(proof.by, ProofBy::Count, "{dataset:?}");
                assert_eq!(proof.counted, Some(dataset.rows), "{dataset:?}");
            }
        }
    }
}

/// A page that says of itself that it is whole is no proof.
#[test]
fn a_list_that_is_cut_and_says_so_nowhere_is_read_again() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    host.full(&["profile"]).is_complete("profile");
    let profiles = host.records["profile"].clone();
    let cut = json(r#"{"totalSize":0,"done":true,"records":[]}"#);
    org.faults()
        .set([Fault::new(cut.clone()).on_object("Profile").on_soql_with("UserType").nth(1)]);
    let run = host.full(&["profile"]);
    assert_eq!(org.faults().played(), 1);
    run.is_complete("profile");
    assert!(host.records["profile"] == profiles);
    org.faults().set([Fault::new(cut).on_object("Profile").on_soql_with("UserType").always()]);
    let run = host.full(&["profile"]);
    assert_eq!(run.of("profile").status, DatasetStatus::Incomplete, "{:?}", run.of("profile"));
}

#[test]
fn a_dataset_that_cannot_be_counted_is_not_complete() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    let refused = Action::Status {
        code: 400,
        body: r#"[{"message":"unexpected token: COUNT","errorCode":"MALFORMED_QUERY"}]"#.into(),
        content_type: Some("application/json;charset=UTF-8".into()),
        headers: Vec::new(),
    };
    org.faults().set([
        Fault::new(refused.clone()).on_object("UserRole").on_soql_with("COUNT()").always(),
        Fault::new(refused).on_object("AuthSession").on_soql_with("COUNT()").always(),
    ]);
    let run = host.full(&["user_role", "auth_session"]);
    let roles = run.of("user_role");
    assert_eq!(roles.status, DatasetStatus::Incomplete, "{roles:?}");
    assert_eq!(roles.proof.map(|proof| proof.by), Some(ProofBy::None));
    // Whether sessions can be counted is not documented.
    assert!(run.of("auth_session").status.has_every_record(), "{:?}", run.of("auth_session"));
}

#[test]
fn records_that_go_while_others_are_read_do_not_make_a_dataset_incomplete() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    host.full(&["permission_set_assignment"]).is_complete("permission_set_assignment");
    let id = host.records["permission_set_assignment"].keys().nth(100).expect("a record").clone();
    org.faults().set([Fault::new(Action::RemoveRecord {
        object: "PermissionSetAssignment".into(),
        id,
    })
    .on_object("PermissionSetAssignment")
    .on_soql_with("COUNT()")
    .nth(1)]);
    let run = host.full(&["permission_set_assignment"]);
    assert_eq!(org.faults().played(), 1);
    let summary = run.is_complete("permission_set_assignment");
    assert_eq!(summary.proof.and_then(|proof| proof.counted), Some(summary.rows - 1));
}

#[test]
fn a_column_that_is_missing_in_an_answer_is_not_read_as_empty() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    let dropped = Action::RemoveJson { pointer: "/records/1/LastLoginDate".into() };
    org.faults()
        .set([Fault::new(dropped.clone()).on_object("User").on_soql_with("Username").nth(1)]);
    host.full(&["user"]).is_complete("user");
    assert_eq!(org.faults().played(), 1, "it is asked for again");
    org.faults().set([Fault::new(dropped).on_object("User").on_soql_with("Username").always()]);
    let run = host.full(&["user"]);
    assert!(!run.of("user").status.has_every_record(), "{:?}", run.of("user"));
}

#[test]
fn a_value_that_cannot_be_read_costs_itself_and_is_named() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    let unreadable = Action::SetJson {
        pointer: "/records/1/LastLoginDate".into(),
        value: "20190-01-31T10:11:12.000+0000".into(),
    };
    org.faults().set([Fault::new(unreadable).on_object("User").on_soql_with("Username").nth(1)]);
    let run = host.full(&["user"]);
    let user = run.of("user");
    assert_eq!(user.status, DatasetStatus::Degraded, "{user:?}");
    assert_eq!(user.rows, org.truth().total_users, "its record is kept, and all the others");
    let [value] = user.unreadable.as_slice() else { panic!("{user:?}") };
    assert_eq!(value.field, "LastLoginDate");
    assert!(host.records["user"].contains_key(&value.record));
    let reason = user.reason.as_deref().unwrap_or_default();
    assert!(reason.contains("LastLoginDate") && reason.contains(&value.record), "{reason}");
    // It stays so until the record is read again.
    let record = value.record.clone();
    let run = host.changes(&["user"]);
    assert_eq!(run.of("user").unreadable.len(), 1, "{:?}", run.of("user"));
    assert_eq!(run.of("user").unreadable[0].record, record);
    host.full(&["user"]).is_complete("user");
}

/// Records of a log can appear hours after their time.
#[test]
fn logins_that_appear_late_are_found_by_the_counts_of_their_days() {
    let org = org();
    let mut host = TestHost::authorized(&org, &[]);
    // Twenty logins are not shown yet.
    let late = Action::TruncatePage { rows: 1_980 };
    let hidden =
        |nth| Fault::new(late.clone()).on_object("LoginHistory").on_soql_with("LoginType").nth(nth);
    org.faults().set([hidden(1)]);
    host.full(&["login_history"]).is_complete("login_history");
    let run = host.changes(&["login_history"]);
    let logins = run.is_complete("login_history");
    assert!(logins.proof.is_some());
    assert_eq!(host.records["login_history"].len() as u64, org.truth().row_counts["LoginHistory"]);
}
