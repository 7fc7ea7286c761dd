//! Large orgs: nothing is stored per user, and far pages are right.

use estate::{CsvFormat, Estate, EstateSpec};

use crate::org::{Org, records};

const MILLION: u64 = 1_000_000;

#[test]
fn a_million_users_page_out_in_order() {
    let org = Org::of(MILLION, 1);
    let result =
        org.result("SELECT Id, Username, Name, Profile.Name FROM User ORDER BY Id").unwrap();
    assert_eq!((result.total_size(), result.len()), (MILLION, MILLION));
    let mut ids = Vec::new();
    for offset in [0, 1, 2_000, 499_999, 500_000, 998_000, 999_999] {
        let page = records(&result, offset, 1);
        ids.push(page[0]["Id"].as_str().unwrap().to_owned());
    }
    assert!(ids.is_sorted());
    assert!(records(&result, MILLION, 2_000).is_empty());
    let last = records(&result, MILLION - 3, 2_000);
    assert_eq!(last.len(), 3);
    let after = format!("SELECT Id FROM User WHERE Id > '{}' ORDER BY Id LIMIT 2000", ids[4]);
    let next = org.rows(&after);
    assert_eq!(next.len(), 2_000);
    assert_eq!(next[0]["Id"], records(&result, 500_001, 1)[0]["Id"]);
    let person = org.estate.person_by_id(&ids[3]).unwrap();
    assert_eq!(records(&result, 499_999, 1)[0]["Username"], person.username.as_str());
}

#[test]
fn logins_of_a_million_users_are_found_by_time_and_by_user() {
    let org = Org::of(MILLION, 1);
    let total = org.count("SELECT COUNT() FROM LoginHistory");
    assert!(total > 5 * MILLION);
    let before =
        org.count("SELECT COUNT() FROM LoginHistory WHERE LoginTime < 2026-06-01T00:00:00Z");
    let after =
        org.count("SELECT COUNT() FROM LoginHistory WHERE LoginTime >= 2026-06-01T00:00:00Z");
    assert_eq!(before + after, total);
    let id = org.estate.admin().user_id;
    let own = org.rows(&format!(
        "SELECT UserId, LoginTime FROM LoginHistory WHERE UserId = '{id}' ORDER BY LoginTime"
    ));
    assert!(own.len() >= 24 && own.iter().all(|login| login["UserId"] == id.as_str()));
}

#[test]
fn ten_million_users_can_be_told_the_truth_about_at_once() {
    let truth = Estate::new(EstateSpec { users: 10 * MILLION, ..EstateSpec::default() }).truth();
    assert_eq!(truth.total_users, 10 * MILLION);
    let assigned: i64 = truth.licenses.iter().map(|licence| licence.assigned).sum();
    assert_eq!(assigned as u64, truth.active_users - 3);
}

#[test]
fn the_smallest_org_is_whole() {
    let org = Org::of(1, 1).with("PermissionsViewEventLogFiles");
    assert_eq!(org.count("SELECT COUNT() FROM User"), 10);
    for object in org.estate.truth().row_counts.keys() {
        let rows = org.rows(&format!("SELECT FIELDS(ALL) FROM {object} LIMIT 200"));
        let count = org.estate.count(object).unwrap().min(200);
        assert_eq!(rows.len() as u64, count, "{object}");
    }
}

#[test]
fn a_bulk_result_of_a_million_users_is_written_part_by_part() {
    let org = Org::of(MILLION, 1);
    let soql = "SELECT Id, Name, Profile.Name FROM User";
    let result = estate::bulk_query(&org.estate, &org.viewer, soql, 60, false).unwrap();
    assert_eq!(result.len(), MILLION);
    let format = CsvFormat { delimiter: ',', line_ending: "\n", nul_every: None };
    let mut csv = String::new();
    result.write_csv_header(&format, &mut csv);
    assert_eq!(csv, "\"Id\",\"Name\",\"Profile.Name\"\n");
    csv.clear();
    result.write_csv(MILLION - 3, 50_000, &format, &mut csv);
    assert_eq!(csv.matches("\"005").count(), 3);
}
