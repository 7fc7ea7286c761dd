//! Records that change between two runs and between two pages.

use std::collections::BTreeSet;
use std::time::Duration;

use salesforce_sim::{Action, Fault, SimulatedOrg};
use serde_json::Value;

use crate::client::{Story, query_path};

const DAY: Duration = Duration::from_secs(24 * 3_600);

fn story(users: u64) -> Story {
    Story::of(
        SimulatedOrg::builder()
            .users(users)
            .seed(7)
            .policy(|policy| policy.session_timeout = 400 * DAY)
            .start(),
    )
}

impl Story {
    fn rows(&self, soql: &str) -> Vec<Value> {
        let answer = self.query(soql);
        assert_eq!(answer.status, 200, "{soql}: {}", answer.text);
        answer.json()["records"].as_array().expect("records").clone()
    }

    fn ids(&self, soql: &str) -> Vec<String> {
        let id = |row: &Value| row["Id"].as_str().expect("an id").to_owned();
        self.rows(soql).iter().map(id).collect()
    }

    fn count(&self, object: &str) -> u64 {
        self.query(&format!("SELECT COUNT() FROM {object}")).json()["totalSize"]
            .as_u64()
            .expect("a count")
    }

    /// An active user with this profile whose seat is in use.
    fn somebody(&self, profile: &str) -> String {
        let soql = format!(
            "SELECT Id FROM User WHERE IsActive = true AND Profile.Name = '{profile}' AND LastLoginDate = LAST_N_DAYS:20"
        );
        self.ids(&soql).pop().expect("a user")
    }
}

/// What changed since `stamp`, as an incremental reader asks.
fn since(stamp: &str) -> String {
    format!(
        "SELECT Id, IsActive, SystemModstamp FROM User WHERE SystemModstamp > {stamp} ORDER BY SystemModstamp, Id"
    )
}

#[test]
fn what_changes_moves_its_stamp_and_the_truth_with_it() {
    let story = story(200);
    let before = story.org.truth();
    let newest = story.rows("SELECT SystemModstamp FROM User ORDER BY SystemModstamp DESC LIMIT 1");
    let stamp = newest[0]["SystemModstamp"].as_str().expect("a stamp").replace("+0000", "Z");
    assert!(story.rows(&since(&stamp)).is_empty());
    let leaver = story.somebody("Sales Representative");
    let mover = story.somebody("Sales Manager");
    let joiner = story
        .org
        .mutate(|edit| {
            edit.deactivate_user(&leaver)?;
            edit.change_profile(&mover, "Warehouse")?;
            edit.new_user("Service Agent")
        })
        .expect("the changes");
    let changed: BTreeSet<String> = story.ids(&since(&stamp)).into_iter().collect();
    assert_eq!(changed, BTreeSet::from([leaver.clone(), mover.clone(), joiner.clone()]));
    let truth = story.org.truth();
    assert_eq!(truth.total_users, before.total_users + 1);
    assert_eq!(truth.active_users, before.active_users);
    let seats = |key: &str| {
        let (now, then) = (truth.license(key).unwrap(), before.license(key).unwrap());
        (now.assigned - then.assigned, now.used - then.used, now.unknown - then.unknown)
    };
    assert_eq!((seats("SFDC"), seats("AUL")), ((-1, -1, 1), (1, 1, 0)));
    for licence in &truth.licenses {
        let soql = format!("SELECT UsedLicenses FROM UserLicense WHERE Id = '{}'", licence.id);
        assert_eq!(story.rows(&soql)[0]["UsedLicenses"], licence.used, "{}", licence.name);
        let classes = licence.active
            + licence.unknown
            + licence.machine_only
            + licence.never
            + licence.inactive;
        assert_eq!(classes, licence.assigned);
    }
    for (object, count) in truth.row_counts.iter().filter(|(object, _)| *object != "EventLogFile") {
        assert_eq!(story.count(object), *count, "{object}");
    }
    for licence in story.rows("SELECT Id, UsedLicenses FROM PermissionSetLicense") {
        let id = licence["Id"].as_str().expect("an id");
        let held = format!(
            "PermissionSetLicenseAssign WHERE PermissionSetLicenseId = '{id}' AND Assignee.IsActive = true"
        );
        assert_eq!(licence["UsedLicenses"], story.count(&held), "{id}");
    }
    let row = &story.rows(&format!("SELECT Name, Profile.Name FROM User WHERE Id = '{joiner}'"))[0];
    assert_eq!(row["Profile"]["Name"], "Service Agent");
    let sets = format!("SELECT Id FROM PermissionSetAssignment WHERE AssigneeId = '{joiner}'");
    assert_eq!(story.rows(&sets).len(), 1, "the hidden set of the profile");
}

#[test]
fn a_removed_assignment_is_simply_gone_and_its_neighbours_keep_their_ids() {
    let story = story(200);
    let all = story.ids("SELECT Id FROM PermissionSetLicenseAssign ORDER BY Id");
    let used = |story: &Story| -> i64 {
        let rows = story.rows("SELECT UsedLicenses FROM PermissionSetLicense");
        rows.iter().filter_map(|row| row["UsedLicenses"].as_i64()).sum()
    };
    let before = used(&story);
    let active =
        story.ids("SELECT Id FROM PermissionSetLicenseAssign WHERE Assignee.IsActive = true");
    story
        .org
        .mutate(|edit| edit.remove("PermissionSetLicenseAssign", &active[3]))
        .expect("removed");
    let rest = story.ids("SELECT Id FROM PermissionSetLicenseAssign ORDER BY Id");
    let expected: Vec<&String> = all.iter().filter(|id| **id != active[3]).collect();
    assert_eq!(rest.iter().collect::<Vec<_>>(), expected);
    assert_eq!(used(&story), before - 1);
    assert_eq!(story.count("PermissionSetLicenseAssign") as usize, rest.len());
    let all_rows =
        query_path("SELECT Id FROM PermissionSetLicenseAssign").replace("/query", "/queryAll");
    assert_eq!(story.get(&all_rows).json()["totalSize"], rest.len());
    let missing = story
        .get(&format!("/services/data/v60.0/sobjects/PermissionSetLicenseAssign/{}", active[3]));
    assert_eq!(missing.status, 404);
}

#[test]
fn only_accounts_go_to_a_recycle_bin() {
    let story = story(200);
    let account = story.ids("SELECT Id FROM Account ORDER BY Id").remove(0);
    let live = story.count("Account");
    story.org.mutate(|edit| edit.remove("Account", &account)).expect("removed");
    assert_eq!(story.count("Account"), live - 1);
    let soql = format!("SELECT Id, IsDeleted FROM Account WHERE Id = '{account}'");
    assert!(story.rows(&soql).is_empty());
    let found = story.get(&query_path(&soql).replace("/query", "/queryAll")).json();
    assert_eq!(found["records"][0]["IsDeleted"], true);
    let user = story.org.estate().admin().user_id;
    assert!(
        story.org.mutate(|edit| edit.remove("User", &user)).is_err(),
        "users are never deleted"
    );
}

#[test]
fn a_late_commit_is_older_than_what_was_read_and_ties_cross_a_page() {
    let story = story(600);
    let ids = story.ids("SELECT Id FROM User ORDER BY Id LIMIT 450");
    story.org.touch("User", ids.iter().map(String::as_str)).expect("touched");
    let now = story.org.now();
    let hour_ago = (now - chrono::TimeDelta::hours(1)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let tied = story.rows(&since(&hour_ago));
    let stamps: BTreeSet<&str> =
        tied.iter().filter_map(|row| row["SystemModstamp"].as_str()).collect();
    assert_eq!(
        (tied.len(), stamps.len()),
        (450, 1),
        "more rows than a page of 200 share one stamp"
    );
    let request = story.client.get(story.url(&query_path(&since(&hour_ago))));
    let request = request.bearer_auth(&story.token).header("Sforce-Query-Options", "batchSize=200");
    let page: Value = request.send().expect("an answer").json().expect("JSON");
    assert_eq!(page["records"].as_array().map(Vec::len), Some(200));
    let late = story.ids("SELECT Id FROM User ORDER BY Id DESC LIMIT 1").remove(0);
    let stamp =
        (now - chrono::TimeDelta::minutes(20)).format("%Y-%m-%dT%H:%M:%S.000+0000").to_string();
    let fields = [("Title", "Late".into()), ("SystemModstamp", stamp.as_str().into())];
    story.org.mutate(|edit| edit.set("User", &late, &fields)).expect("set");
    let rows = story.rows(&since(&hour_ago));
    assert_eq!(rows.len(), 451);
    assert_eq!((&rows[0]["Id"], &rows[0]["SystemModstamp"]), (&late.into(), &stamp.into()));
}

#[test]
fn rows_change_between_pages() {
    let story = story(600);
    let soql = "SELECT Id, Title, IsActive FROM User ORDER BY Id";
    story.org.set_policy(|policy| policy.page_size = Some(250));
    let first = story.query(soql).json();
    let ids = story.org.estate().count("User").expect("users");
    assert_eq!(first["totalSize"], ids);
    let last = story.ids("SELECT Id FROM User ORDER BY Id DESC LIMIT 1").remove(0);
    story.org.mutate(|edit| edit.set("User", &last, &[("Title", "Changed".into())])).expect("set");
    let assignments = story.query("SELECT Id FROM PermissionSetAssignment ORDER BY Id").json();
    let gone =
        story.ids("SELECT Id FROM PermissionSetAssignment ORDER BY Id DESC LIMIT 1").remove(0);
    story.org.mutate(|edit| edit.remove("PermissionSetAssignment", &gone)).expect("removed");
    let read_on = |first: &Value| {
        let mut rows = first["records"].as_array().expect("records").clone();
        let mut page = first.clone();
        while let Some(next) = page["nextRecordsUrl"].as_str().map(str::to_owned) {
            page = story.get(&next).json();
            rows.extend(page["records"].as_array().expect("records").iter().cloned());
        }
        (rows, page["totalSize"].as_u64().expect("a size"))
    };
    let (rows, _) = read_on(&first);
    assert_eq!(rows.last().expect("a row")["Title"], "Changed");
    let (rows, total) = read_on(&assignments);
    assert_eq!(rows.len() as u64 + 1, total, "the total is that of the first page");
    assert!(rows.iter().all(|row| row["Id"] != gone.as_str()));
}

#[test]
fn a_fault_script_changes_records_under_a_client() {
    let story = story(200);
    let before = story.count("User");
    let add = Action::AddUser { profile: "Sales Manager".to_owned() };
    story.org.faults().push(Fault::new(add).on_object("User"));
    assert_eq!(story.count("User"), before + 1);
    let row = story.ids("SELECT Id FROM PermissionSetAssignment ORDER BY Id").remove(0);
    let remove = Action::RemoveRecord { object: "PermissionSetAssignment".to_owned(), id: row };
    let assignments = story.count("PermissionSetAssignment");
    story.org.faults().push(Fault::new(remove).on_object("PermissionSetAssignment"));
    assert_eq!(story.count("PermissionSetAssignment"), assignments - 1);
}

#[test]
fn logins_come_with_the_clock_and_go_after_six_months() {
    let story = story(200);
    let soql = "SELECT Id, UserId, LoginTime FROM LoginHistory ORDER BY LoginTime, Id";
    let before = story.rows(soql);
    let newest = before.last().expect("a login")["LoginTime"]
        .as_str()
        .expect("a time")
        .replace("+0000", "Z");
    story.org.advance(2 * DAY);
    let after = story.rows(soql);
    assert!(after.len() > before.len());
    assert_eq!(after[..before.len()], before[..], "old logins stay what they were");
    let window = format!("SELECT Id FROM LoginHistory WHERE LoginTime > {newest}");
    assert_eq!(story.rows(&window).len(), after.len() - before.len());
    let new = &after[before.len()..];
    for login in new {
        let user = login["UserId"].as_str().expect("a user");
        let last = &story.rows(&format!("SELECT LastLoginDate FROM User WHERE Id = '{user}'"))[0];
        let last = last["LastLoginDate"].as_str().expect("a login");
        assert!(last >= login["LoginTime"].as_str().expect("a time"), "{user}");
        let own = format!("SELECT Id FROM LoginHistory WHERE UserId = '{user}'");
        assert!(story.ids(&own).contains(&login["Id"].as_str().expect("an id").to_owned()));
    }
    let mine = story.query("SELECT COUNT() FROM LoginHistory").json()["totalSize"].clone();
    assert_eq!(mine, after.len());
    story.org.advance(100 * DAY);
    let late = story.query(soql).json();
    let oldest = late["records"][0]["LoginTime"].as_str().expect("a time").to_owned();
    let limit = (story.org.now() - chrono::TimeDelta::days(183)).format("%Y-%m-%dT").to_string();
    assert!(oldest > limit, "{oldest} is within six months");
    assert!(oldest.as_str() > before[0]["LoginTime"].as_str().expect("a time"));
}

#[test]
fn a_login_can_be_older_than_what_was_read_before_it() {
    let story = story(2_000);
    let start = story.org.now().format("%Y-%m-%dT%H:%M:%SZ");
    let soql = format!(
        "SELECT Id, LoginTime FROM LoginHistory WHERE LoginTime > {start} ORDER BY LoginTime, Id"
    );
    story.org.delay_logins(Duration::from_secs(2 * 3_600));
    story.org.advance(DAY);
    let before = story.rows(&soql);
    let newest = before.last().expect("a login")["LoginTime"].as_str().expect("a time");
    story.org.advance(Duration::from_secs(2 * 3_600));
    let after = story.rows(&soql);
    let mut new = after.iter().filter(|row| !before.contains(row));
    let late = |row: &&Value| row["LoginTime"].as_str().expect("a time") < newest;
    assert!(new.any(|row| late(&row)), "a login from before {newest}");
}

#[test]
fn metrics_follow_the_days() {
    let story = story(200);
    let soql = "SELECT MetricsDate FROM ActiveProfileMetric ORDER BY MetricsDate DESC LIMIT 1";
    let newest = |story: &Story| story.rows(soql)[0]["MetricsDate"].as_str().map(str::to_owned);
    let before = newest(&story);
    story.org.advance(3 * DAY);
    let yesterday = (story.org.now() - chrono::TimeDelta::days(1)).format("%Y-%m-%d").to_string();
    assert_eq!(newest(&story), Some(yesterday));
    assert!(newest(&story) > before);
}

#[test]
fn a_bulk_job_reads_what_the_records_are_when_it_is_made() {
    let story = story(200);
    let joiner = story.org.mutate(|edit| edit.new_user("Warehouse")).expect("added");
    let request = story.client.post(story.url("/services/data/v60.0/jobs/query"));
    let body = serde_json::json!({"operation": "query", "query": "SELECT Id FROM User"});
    let job: Value = request
        .bearer_auth(&story.token)
        .json(&body)
        .send()
        .expect("an answer")
        .json()
        .expect("JSON");
    let path = format!("/services/data/v60.0/jobs/query/{}", job["id"].as_str().expect("an id"));
    (0..2).for_each(|_| drop(story.get(&path)));
    assert!(story.get(&format!("{path}/results")).text.contains(&joiner));
}
