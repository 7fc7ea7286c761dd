//! The org later, and after changes.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use estate::{Estate, EstateSpec};

use crate::org::{DAY, NOW, Org, seconds};

fn later(org: &Org, days: i64) -> Org {
    let at = DateTime::<Utc>::from_timestamp(NOW + days * DAY, 0).unwrap();
    let working = Duration::from_secs((days * DAY) as u64);
    let estate = Arc::new(org.estate.at(at, working));
    Org { estate, viewer: org.viewer.clone(), version: org.version }
}

#[test]
fn logins_go_on_in_time_order_and_bounds_agree_with_a_scan() {
    let org = later(&Org::of(300, 4), 9);
    let rows = org.rows("SELECT Id, UserId, LoginTime FROM LoginHistory ORDER BY LoginTime, Id");
    let times: Vec<i64> = rows.iter().map(|row| seconds(&row["LoginTime"]).unwrap()).collect();
    assert!(times.is_sorted());
    assert!(times.iter().filter(|at| **at > NOW).count() > 50);
    assert!(times[0] >= NOW + 9 * DAY - 182 * DAY && times[times.len() - 1] <= NOW + 9 * DAY);
    for hours in (-200..=220).step_by(7) {
        let at = NOW + hours * 3_600 + 11;
        let literal = DateTime::<Utc>::from_timestamp(at, 0).unwrap().format("%Y-%m-%dT%H:%M:%SZ");
        let count =
            org.count(&format!("SELECT COUNT() FROM LoginHistory WHERE LoginTime >= {literal}"));
        assert_eq!(count, times.iter().filter(|time| **time >= at).count() as u64, "{literal}");
    }
    let admin = org.viewer.user_id.clone();
    let own = org.count(&format!("SELECT COUNT() FROM LoginHistory WHERE UserId = '{admin}'"));
    assert_eq!(own, rows.iter().filter(|row| row["UserId"] == admin.as_str()).count() as u64);
    let ids: Vec<&str> = rows.iter().map(|row| row["Id"].as_str().unwrap()).collect();
    assert!(ids.is_sorted());
    assert_eq!(org.count("SELECT COUNT() FROM LoginHistory"), rows.len() as u64);
}

#[test]
fn what_is_past_its_retention_is_gone() {
    let org = Org::of(300, 4);
    let trail = org.count("SELECT COUNT() FROM SetupAuditTrail");
    let late = later(&org, 60);
    assert!(late.count("SELECT COUNT() FROM SetupAuditTrail") < trail);
    assert_eq!(late.count("SELECT COUNT() FROM LoginHistory WHERE LoginTime < LAST_N_DAYS:183"), 0);
}

#[test]
fn some_logins_show_up_late() {
    let org = later(&Org::of(3_000, 4), 2);
    let soql = "SELECT Id, LoginTime FROM LoginHistory ORDER BY LoginTime, Id";
    let all = org.rows(soql);
    let delayed = org.estate.delay_logins(Duration::from_secs(6 * 3_600));
    let delayed = Org { estate: Arc::new(delayed), viewer: org.viewer.clone(), version: 60 };
    let seen = delayed.rows(soql);
    assert!(seen.len() < all.len());
    assert_eq!(delayed.count("SELECT COUNT() FROM LoginHistory"), seen.len() as u64);
    assert_eq!(delayed.estate.count("LoginHistory"), Some(seen.len() as u64));
    let ids: std::collections::HashSet<&str> =
        seen.iter().filter_map(|row| row["Id"].as_str()).collect();
    let missing = all.iter().filter(|row| !ids.contains(row["Id"].as_str().unwrap()));
    let since = NOW + 2 * DAY - 6 * 3_600;
    assert!(missing.clone().all(|row| seconds(&row["LoginTime"]).unwrap() > since));
    let newest = seconds(&seen.last().unwrap()["LoginTime"]).unwrap();
    assert!(
        missing.clone().any(|row| seconds(&row["LoginTime"]).unwrap() < newest),
        "older than what is seen"
    );
}

#[test]
fn metrics_get_new_days() {
    let org = Org::of(300, 4);
    let now = DateTime::<Utc>::from_timestamp(NOW, 0).unwrap();
    let (estate, ()) =
        org.estate.edit(now, |edit| edit.new_day().and_then(|()| edit.new_day())).unwrap();
    let next = Org { estate: Arc::new(estate), viewer: org.viewer.clone(), version: 60 };
    for object in
        ["ActiveFeatureLicenseMetric", "ActivePermSetLicenseMetric", "ActiveProfileMetric"]
    {
        let newest = |org: &Org| {
            let rows = org.rows(&format!(
                "SELECT MetricsDate, Id FROM {object} ORDER BY MetricsDate DESC, Id DESC"
            ));
            let day = rows[0]["MetricsDate"].clone();
            (day.clone(), rows.iter().filter(|row| row["MetricsDate"] == day).count(), rows.len())
        };
        let (before, after) = (newest(&org), newest(&next));
        assert!(after.0.as_str() > before.0.as_str());
        assert_eq!((after.1, after.2), (before.1, before.2 + 2 * before.1), "{object}");
    }
}

#[test]
fn a_million_users_are_changed_without_being_kept() {
    let now = DateTime::<Utc>::from_timestamp(NOW, 0).unwrap();
    let estate = Estate::new(EstateSpec { users: 1_000_000, now, ..EstateSpec::default() });
    let admin = estate.admin().user_id;
    let (changed, added) = estate.edit(now, |edit| edit.new_user("Sales Manager")).unwrap();
    assert_eq!(changed.count("User"), Some(1_000_001));
    let later = changed.at(now + chrono::TimeDelta::days(1), Duration::from_secs(86_400));
    assert!(later.count("LoginHistory").unwrap() > changed.count("LoginHistory").unwrap());
    let viewer = estate::Viewer::guide(admin);
    let soql = format!("SELECT Id, Name FROM User WHERE Id = '{added}'");
    let found = estate::query(&Arc::new(later), &viewer, &soql, 60, false).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(estate.count("User"), Some(1_000_000), "the org it was made from stays");
}

#[test]
fn an_edit_that_does_not_fit_is_refused_with_its_reason() {
    let org = Org::of(50, 1);
    let now = DateTime::<Utc>::from_timestamp(NOW, 0).unwrap();
    let id = org.viewer.user_id.clone();
    for (change, reason) in [
        (("Nothing", "1"), "there is no object Nothing"),
        (("User", "005000000000000"), "User has no record 005000000000000"),
    ] {
        let error = org.estate.edit(now, |edit| edit.set(change.0, change.1, &[])).unwrap_err();
        assert_eq!(error.to_string(), reason);
    }
    let set = |field: &str, value: serde_json::Value| {
        org.estate.edit(now, |edit| edit.set("User", &id, &[(field, value.clone())])).map(drop)
    };
    assert_eq!(set("Nope", 1.into()).unwrap_err().to_string(), "User has no field Nope");
    assert_eq!(
        set("IsActive", "yes".into()).unwrap_err().to_string(),
        "\"yes\" does not fit User.IsActive"
    );
    assert!(set("Title", "Chief".into()).is_ok());
    let login = org.texts("SELECT Id FROM LoginHistory LIMIT 1", "Id").remove(0);
    let error = org.estate.edit(now, |edit| edit.set("LoginHistory", &login, &[])).unwrap_err();
    assert_eq!(error.to_string(), "logins come and go with the clock alone");
    assert!(org.estate.edit(now, |edit| edit.add("LoginHistory", &[])).is_err());
    assert!(org.estate.edit(now, |edit| edit.new_user("No Such Profile")).is_err());
}
