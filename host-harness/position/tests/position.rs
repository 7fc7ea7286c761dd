//! Figures of pools and people: known, unknown, and compared with each other.

#[allow(dead_code, reason = "each program of tests uses its part")]
mod estate;

use connector_api::message::DatasetStatus;
use connector_api::position::{CanonicalTable, PositionView};
use serde_json::json;

use estate::{DAY, Estate, Member, NOW, ago};
use position::Inputs;
use position::model::{
    Bound, DifferenceReason, License, Line, LineId, LineStatus, Position, ReadStatus,
};

fn line<'a>(position: &'a Position, id: LineId, subject: &str) -> &'a Line {
    position
        .reconciliation
        .iter()
        .find(|line| line.id == id && line.subject == subject)
        .unwrap_or_else(|| panic!("no line {id} {subject}"))
}

/// The classes of the holders that were seen.
fn classes(license: &License) -> [Option<i64>; 5] {
    let [seen @ .., _unseen] = license.classes().map(|(_, number)| number);
    seen
}

#[test]
fn every_seat_is_in_one_class_and_the_classes_sum_to_the_seats() {
    let estate = Estate::with_plan(10, 8);
    estate.person("idle", Member { last_login: ago(120), ..Member::default() }).uses(
        "idle",
        false,
        ago(120),
    );
    estate.person("never", Member::default());
    estate.person("robot", Member { last_login: ago(1), ..Member::default() }).uses(
        "robot",
        true,
        ago(1),
    );
    estate.person("service", Member { robot: true, ..Member::default() });
    estate.person("new", Member { created: ago(5), ..Member::default() });
    estate.person("edge", Member::default()).uses("edge", false, ago(90));
    estate.person("gone", Member { enabled: Some(false), ..Member::default() });

    let license = estate.license("P1");
    assert_eq!(classes(&license), [Some(3), Some(1), Some(1), Some(2), Some(1)]);
    assert_eq!(license.assigned_recomputed, Some(8), "the one who left holds no seat");
    assert_eq!(
        (license.purchased, license.assigned, license.available),
        (Some(10), Some(8), Some(2))
    );
    assert_eq!(license.unknown_because.new_account, 1);
    assert_eq!(license.completeness.as_str(), "complete");
    let position = estate.position();
    assert_eq!(line(&position, LineId::Sum, "user").status, LineStatus::Ok);
    assert_eq!(line(&position, LineId::I1, "user").status, LineStatus::Ok);
    assert_eq!(line(&position, LineId::I2, "user").status, LineStatus::Ok);
    assert_eq!(line(&position, LineId::I3, "organization").status, LineStatus::Ok);
    assert_eq!(line(&position, LineId::I6, "organization").status, LineStatus::Ok);
    assert_eq!(
        position.headline,
        "user licences: 8 of 10 seats assigned; 4 show no human login in 90 days"
    );
}

#[test]
fn the_limits_are_those_that_were_asked_for() {
    let estate = Estate::with_plan(10, 3);
    estate.person("p", Member { created: ago(45), ..Member::default() }).uses("p", false, ago(40));
    let meta = |estate: &Estate, active_days, grace_days| {
        let mut inputs = Inputs::default();
        (inputs.settings.active_days, inputs.settings.grace_days) = (active_days, grace_days);
        position::compute(estate, &estate.snapshot(), &inputs)
            .expect("a position of the test estate")
            .position
    };
    let of = |active, grace| classes(&meta(&estate, active, grace).licenses[0]);
    assert_eq!(of(90, 30), [Some(3), Some(0), Some(0), Some(0), Some(0)]);
    assert_eq!(of(30, 30), [Some(2), Some(1), Some(0), Some(0), Some(0)]);
    assert_eq!(of(30, 45), [Some(2), Some(0), Some(0), Some(0), Some(1)]);
}

#[test]
fn a_negative_number_bought_is_unlimited_and_never_a_shortage() {
    let estate = Estate::with_plan(-1, 2);
    let license = estate.license("P1");
    assert!(license.unlimited && license.gaps.is_empty());
    assert_eq!((license.purchased, license.available), (None, None));
    assert_eq!(license.purchased_reported, Some(-1));
}

#[test]
fn more_used_than_bought_is_a_negative_number_available() {
    assert_eq!(Estate::with_plan(1, 2).license("P1").available, Some(-1));
}

#[test]
fn a_pool_that_is_not_active_has_bought_nothing_and_is_dormant_when_unused() {
    let estate = Estate::with_plan(10, 2);
    estate.plan("P2", "user", "disabled", "seats", Some(20), Some(0));
    estate.plan("P3", "user", "expired", "seats", Some(20), Some(3));
    let (disabled, expired) = (estate.license("P2"), estate.license("P3"));
    assert_eq!((disabled.purchased, disabled.purchased_reported), (Some(0), Some(20)));
    assert!(disabled.is_dormant());
    assert_eq!(expired.available, Some(-3));
    assert!(!expired.is_dormant(), "someone still uses it");
}

#[test]
fn a_number_the_vendor_does_not_give_is_null_with_a_reason_and_so_is_what_follows() {
    let estate = Estate::with_plan(10, 2);
    estate.plan("P2", "limit", "active", "units", Some(5), None);
    let license = estate.license("P2");
    assert_eq!((license.assigned, license.available), (None, None));
    assert_eq!(license.gaps[0].figures, ["assigned", "available"]);
    assert_eq!(license.gaps[0].reason, "the vendor gives no number");
}

#[test]
fn a_pool_nobody_holds_has_no_classes_and_that_is_no_gap() {
    let estate = Estate::with_plan(10, 2);
    estate.plan("P2", "limit", "active", "MB", Some(500), Some(20));
    let license = estate.license("P2");
    assert_eq!(classes(&license), [None; 5]);
    assert_eq!((license.assigned_recomputed, license.available), (None, Some(480)));
    assert!(license.gaps.is_empty());
}

#[test]
fn logins_are_never_recomputed_but_their_holders_are_classified() {
    let estate = Estate::with_plan(10, 2);
    estate.plan("P2", "user", "active", "logins", Some(100), Some(37));
    estate.person("visitor", Member { plan: Some("P2"), ..Member::default() });
    let license = estate.license("P2");
    assert_eq!((license.assigned, license.assigned_recomputed), (Some(37), None));
    assert_eq!((license.holders, license.never), (Some(1), Some(1)));
    let position = estate.position();
    assert_eq!(line(&position, LineId::I1, "user").left, Some(2), "only pools counted in seats");
}

#[test]
fn uses_that_were_not_read_leave_every_seat_unknown_whatever_the_status() {
    use DatasetStatus::{Absent, Denied, Failed, Incomplete, PartialSelf};
    for status in [Denied, Absent, PartialSelf, Incomplete, Failed] {
        let mut estate = Estate::with_plan(10, 2);
        estate.status("use", status).reason = Some("because".into());
        let license = estate.license("P1");
        assert_eq!(classes(&license), [None, None, None, None, Some(2)], "{status:?}");
        assert_eq!(license.assigned_recomputed, Some(2), "{status:?}");
        assert_eq!(license.weak_evidence, None, "{status:?}");
        assert_eq!(license.unknown_because.not_readable, 2);
        assert_eq!(license.completeness.as_str(), status.as_str());
        let gap = &license.gaps[0];
        assert_eq!((gap.dataset.as_str(), gap.status.as_str()), ("use", status.as_str()));
        let position = estate.position();
        assert_eq!(line(&position, LineId::I3, "organization").status, LineStatus::NotAssessed);
        assert_eq!(line(&position, LineId::Sum, "user").status, LineStatus::Ok);
        let unknown = &position.unknown[0];
        assert_eq!(unknown.affects, ["user: active, inactive, never, machine_only"]);
        let opens: Vec<&str> =
            unknown.permissions.iter().map(|permission| permission.label.as_str()).collect();
        let nothing_to_open = status == Absent;
        assert_eq!(opens.is_empty(), nothing_to_open);
        assert!(nothing_to_open || opens == ["See use"]);
        assert!(position.headline.ends_with("who uses them is unknown"), "{}", position.headline);
    }
}

#[test]
fn accounts_that_were_not_all_read_leave_no_count_of_people() {
    use DatasetStatus::{Absent, Denied, Failed, Incomplete, PartialSelf};
    for status in [Denied, Absent, PartialSelf, Incomplete, Failed] {
        let mut estate = Estate::with_plan(10, 2);
        estate.status("member", status);
        let license = estate.license("P1");
        assert_eq!(classes(&license), [None; 5], "{status:?}");
        assert_eq!((license.assigned_recomputed, license.holders), (None, None));
        assert_eq!(
            (license.purchased, license.assigned),
            (Some(10), Some(2)),
            "reported all the same"
        );
        assert!(license.lacks("active") && license.lacks("assigned_recomputed"));
        let position = estate.position();
        for id in [LineId::I1, LineId::I2, LineId::Sum] {
            assert_eq!(line(&position, id, "user").status, LineStatus::NotAssessed, "{id}");
        }
    }
}

#[test]
fn pools_that_were_not_read_are_not_listed_and_named_as_unknown() {
    let mut estate = Estate::with_plan(10, 2);
    estate.status("plan", DatasetStatus::Denied);
    let position = estate.position();
    assert!(position.licenses.is_empty());
    assert_eq!(
        position.unknown[0].affects,
        ["user: the licence pools", "add_on: the licence pools", "limit: the licence pools"]
    );
    assert_eq!(position.headline, "No licence pools with seats were read");
}

#[test]
fn a_dataset_no_run_has_read_is_unknown_and_wants_a_run() {
    let mut estate = Estate::with_plan(10, 2);
    estate.datasets.retain(|info| info.dataset != "use");
    let position = estate.position();
    assert_eq!(position.licenses[0].active, None);
    assert_eq!(position.unknown[0].status, ReadStatus::NotCollected);
    assert!(position.unknown[0].permissions.is_empty());
}

#[test]
fn a_degraded_dataset_counts_where_the_hidden_field_does_not_matter() {
    let mut estate = Estate::with_plan(10, 2);
    estate.status("use", DatasetStatus::Degraded).missing_fields = vec!["Address".into()];
    let license = estate.license("P1");
    assert_eq!(license.active, Some(2));
    assert_eq!(license.completeness.as_str(), "degraded", "and says so");
    let position = estate.position();
    assert_eq!(line(&position, LineId::I6, "organization").status, LineStatus::Difference);
    assert!(position.unknown[0].reason.contains("Address"));
}

#[test]
fn uses_without_a_field_that_tells_them_apart_are_not_relied_on() {
    let mut estate = Estate::with_plan(10, 2);
    estate.status("use", DatasetStatus::Degraded).missing_fields = vec!["At".into()];
    let license = estate.license("P1");
    assert_eq!(classes(&license), [None, None, None, None, Some(2)]);
    assert!(license.gaps[0].reason.contains("At"), "{:?}", license.gaps);
}

#[test]
fn a_hidden_enabled_flag_leaves_no_count_of_people() {
    let mut estate = Estate::with_plan(10, 2);
    estate
        .connection
        .execute("UPDATE member SET Enabled = NULL", [])
        .expect("a position of the test estate");
    estate.status("member", DatasetStatus::Degraded).missing_fields = vec!["Enabled".into()];
    let license = estate.license("P1");
    assert_eq!((license.holders, license.unknown), (None, None));
    assert!(license.gaps[0].reason.contains("which accounts are active"));
}

#[test]
fn a_hidden_last_login_never_makes_a_seat_never_used() {
    let mut estate = Estate::with_plan(10, 3);
    estate.person("quiet", Member::default());
    assert_eq!(estate.license("P1").never, Some(1));
    estate.status("member", DatasetStatus::Degraded).missing_fields = vec!["LastLogin".into()];
    let license = estate.license("P1");
    assert_eq!((license.never, license.unknown), (Some(0), Some(1)));
    assert_eq!(license.unknown_because.not_readable, 1);
}

#[test]
fn a_hidden_state_leaves_what_was_bought_unknown() {
    let mut estate = Estate::with_plan(10, 2);
    estate
        .connection
        .execute("UPDATE plan SET State = NULL", [])
        .expect("a position of the test estate");
    estate.status("plan", DatasetStatus::Degraded).missing_fields = vec!["State".into()];
    let license = estate.license("P1");
    assert_eq!((license.purchased, license.available, license.assigned), (None, None, Some(2)));
    assert_eq!(license.gaps[0].figures, ["purchased", "available"]);
}

#[test]
fn uses_of_one_account_only_are_taken_for_the_connecting_account_s_own() {
    let estate = Estate::new();
    estate.plan("P1", "user", "active", "seats", Some(5), Some(2));
    estate.person("me", Member::default()).uses("me", false, ago(0));
    estate.person("other", Member { last_login: ago(1), ..Member::default() });
    let position = estate.position();
    assert_eq!(classes(&position.licenses[0]), [None, None, None, None, Some(2)]);
    let i3 = line(&position, LineId::I3, "organization");
    assert_eq!((i3.status, i3.left), (LineStatus::Difference, Some(1)));
    assert_eq!(position.unknown[0].dataset, "use");
    assert!(!position.coverage[0].readable);

    let alone = Estate::new();
    alone.plan("P1", "user", "active", "seats", Some(5), Some(1));
    alone.person("me", Member::default()).uses("me", false, ago(0));
    assert_eq!(alone.license("P1").active, Some(1), "an organization of one has no others");
}

#[test]
fn a_short_coverage_is_said_and_the_last_login_stands_in_as_weak_evidence() {
    let estate = Estate::new();
    estate.plan("P1", "user", "active", "seats", Some(5), Some(3));
    for id in ["a", "b"] {
        estate.person(id, Member::default()).uses(id, false, ago(10));
    }
    estate.person("earlier", Member { last_login: ago(60), ..Member::default() });
    let position = estate.position();
    assert!(position.coverage[0].shorter_than_threshold);
    assert_eq!(
        position.coverage[0].from.expect("a position of the test estate").timestamp_millis(),
        NOW - 10 * DAY
    );
    assert_eq!(
        (position.licenses[0].active, position.licenses[0].weak_evidence),
        (Some(3), Some(1))
    );
}

#[test]
fn reported_and_counted_seats_that_differ_are_shown_with_the_likely_reason() {
    let estate = Estate::with_plan(10, 2);
    let difference = |estate: &Estate| {
        let position = estate.position();
        let line = line(&position, LineId::I1, "user").clone();
        (line.status, line.difference, line.pools.first().map(|pool| pool.reason))
    };
    let set =
        |sql: &str| estate.connection.execute(sql, []).expect("a position of the test estate");
    assert_eq!(difference(&estate), (LineStatus::Ok, Some(0), None));
    estate.person("left", Member { enabled: Some(false), ..Member::default() });
    set("UPDATE plan SET Used = 3");
    assert_eq!(
        difference(&estate),
        (LineStatus::Difference, Some(1), Some(DifferenceReason::InactiveAssignees))
    );
    set("UPDATE plan SET Used = 9");
    assert_eq!(
        difference(&estate),
        (LineStatus::Difference, Some(7), Some(DifferenceReason::InvisiblePeople))
    );
    set("UPDATE plan SET Used = 1");
    assert_eq!(
        difference(&estate),
        (LineStatus::Difference, Some(-1), Some(DifferenceReason::Unexplained))
    );
    set("UPDATE plan SET CountedAt = 0");
    assert_eq!(
        difference(&estate),
        (LineStatus::Difference, Some(-1), Some(DifferenceReason::StaleCount))
    );
    set("UPDATE plan SET Used = 0");
    assert_eq!(
        difference(&estate),
        (LineStatus::Difference, Some(-2), Some(DifferenceReason::UncountedAccounts))
    );
}

#[test]
fn differences_of_two_pools_do_not_cancel_each_other() {
    let estate = Estate::with_plan(10, 3);
    estate.plan("P2", "user", "active", "seats", Some(5), Some(0));
    estate.person("x", Member { plan: Some("P2"), ..Member::default() });
    let position = estate.position();
    let i1 = line(&position, LineId::I1, "user");
    assert_eq!((i1.status, i1.difference, i1.pools.len()), (LineStatus::Difference, Some(0), 2));
}

#[test]
fn an_active_account_without_exactly_one_seat_is_counted_unless_it_is_a_service() {
    let estate = Estate::with_plan(10, 2);
    estate.person("system", Member { plan: None, robot: true, ..Member::default() });
    let position = estate.position();
    let i2 = line(&position, LineId::I2, "user");
    assert_eq!((i2.status, i2.left, i2.right), (LineStatus::Ok, Some(3), Some(2)));
    estate.person("stray", Member { plan: None, ..Member::default() });
    let position = estate.position();
    let i2 = line(&position, LineId::I2, "user");
    assert_eq!((i2.status, i2.difference), (LineStatus::Difference, Some(2)));
    assert!(i2.message.contains("2 without one, 1 of them service accounts"), "{}", i2.message);
}

#[test]
fn add_on_seats_count_once_for_each_person_and_only_for_active_ones() {
    let estate = Estate::with_plan(10, 2);
    estate.plan("A1", "add_on", "active", "seats", Some(5), Some(3));
    estate.person("left", Member { enabled: Some(false), ..Member::default() });
    estate.grant("A1", "today_1").grant("A1", "today_1").grant("A1", "left").grant("A1", "nobody");
    let license = estate.license("A1");
    assert_eq!((license.holders, license.active), (Some(1), Some(1)));
    let position = estate.position();
    assert_eq!(line(&position, LineId::I1, "add_on").difference, Some(2));
}

#[test]
fn a_statement_that_does_not_fit_its_table_is_the_connector_s_fault_and_says_so() {
    let seat = |sql: &str| {
        let mut estate = Estate::with_plan(10, 2);
        estate.manifest.position.views.push(PositionView {
            table: CanonicalTable::Seat,
            family: "user".into(),
            needs: vec!["member".into()],
            sql: sql.into(),
        });
        estate.try_position().unwrap_err().to_string()
    };
    assert!(seat("SELECT 1").contains("1 columns, not 3"));
    assert!(seat("DELETE FROM member RETURNING 1, 2, 3").contains("`seat`"));
    assert!(seat("SELECT 'user', x'00', \"Id\" FROM member").contains("`seat`"));
    assert!(seat("SELECT 1, 2, 3; DROP TABLE member").contains("`seat`"));
    assert!(seat("nonsense").contains("`seat`"));
}

#[test]
fn the_report_is_a_json_document_of_the_agreed_shape() {
    let document = serde_json::to_value(Estate::with_plan(10, 2).position())
        .expect("a position of the test estate");
    assert_eq!(document["connector"], "production");
    assert_eq!(document["snapshot"], 7);
    assert_eq!(document["as_of"], "2026-03-01T04:05:06Z");
    assert_eq!(document["org"]["id"], "C1");
    assert_eq!(document["org"]["is_sandbox"], false);
    let license = &document["licenses"][0];
    for (key, value) in [
        ("family", json!("user")),
        ("key", json!("KEY_P1")),
        ("name", json!("Plan P1")),
        ("purchased", json!(10)),
        ("assigned", json!(2)),
        ("available", json!(8)),
        ("active", json!(2)),
        ("inactive", json!(0)),
        ("never", json!(0)),
        ("machine_only", json!(0)),
        ("unknown", json!(0)),
    ] {
        assert_eq!(license[key], value, "{key}");
    }
    let line = &document["reconciliation"][0];
    assert_eq!((line["id"].as_str(), line["status"].as_str()), (Some("I1"), Some("ok")));
    assert_eq!(document["coverage"][0]["events"], 3);
}

#[test]
fn a_hundred_thousand_people_are_counted_like_ten() {
    const PEOPLE: i64 = 100_000;
    let estate = Estate::new();
    estate.plan("P1", "user", "active", "seats", Some(PEOPLE), Some(PEOPLE));
    let plain = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT ?1) ";
    let insert = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        estate
            .connection
            .execute(&format!("{plain}{sql}"), params)
            .expect("a position of the test estate");
    };
    // A quarter each: active, inactive, machine only, never.
    insert(
        "INSERT INTO member SELECT 'M' || i, 'P1', 1, ?2, IIF(i % 4 = 3, NULL, ?3), 0 FROM n",
        &[&PEOPLE, &ago(500), &ago(200)],
    );
    insert(
        "INSERT INTO \"use\" SELECT NULL, 'M' || i, i % 4 = 2, IIF(i % 4 = 1, ?2, ?3) FROM n WHERE i % 4 < 3",
        &[&PEOPLE, &ago(150), &ago(2)],
    );
    let license = estate.license("P1");
    let quarter = Some(PEOPLE / 4);
    assert_eq!(classes(&license), [quarter, quarter, quarter, quarter, Some(0)]);
    assert_eq!(license.assigned_recomputed, Some(PEOPLE));
}

#[test]
fn seats_of_accounts_that_were_not_shown_are_a_class_and_count_as_needed() {
    let estate = Estate::with_plan(1_000, 500);
    estate.person("idle", Member { last_login: ago(120), ..Member::default() });
    let license = estate.license("P1");
    assert_eq!((license.unseen, license.counter_behind), (Some(497), false));
    assert_eq!(license.money.needed, Some(525), "all that are assigned, and headroom");
    assert_eq!(license.money.reducible_at_renewal, Some(475));
    assert_eq!(license.money.bounds["reducible_at_renewal"].is, Bound::AtLeast);
    let position = estate.position();
    assert!(position.headline.ends_with("497 belong to accounts that were not seen"));
    let first = position.unseen.first_line().expect("a position of the test estate");
    assert!(first.starts_with("PARTIAL: not every account was seen"), "{first}");
    assert!(first.ends_with("what would show it: See member"), "{first}");
    // A counter that lags behind what was seen hides nobody.
    estate
        .connection
        .execute("UPDATE plan SET Used = 1", [])
        .expect("a position of the test estate");
    let license = estate.license("P1");
    assert_eq!((license.unseen, license.counter_behind), (Some(0), true));
    assert!(!estate.position().unseen.is_partial());
}
