//! Every rule: found in its true case, silent in its cautions, withheld without its input.

#[allow(dead_code, reason = "each program of tests uses its part")]
mod estate;

use connector_api::message::DatasetStatus;
use connector_api::position::{CanonicalTable, PositionView};

use estate::case::Case;
use estate::{Member, NOW, ago};
use position::inputs::Leaver;
use position::listing::explain;
use position::model::{Family, LineId, PriceBasis, RuleStatus, SeatOutcome};
use position::rules::{Confidence, Exemption, RULES, RuleId, Wanted};
use position::{compute_kept, money};

#[test]
fn r01_finds_who_never_logged_in_and_spares_starters_services_and_the_reactivated() {
    let case = Case::new();
    case.person("never", Member::default());
    case.person("starter", Member { created: ago(10), ..Member::default() });
    case.person("robot", Member { robot: true, ..Member::default() });
    case.person("left", Member { enabled: Some(false), ..Member::default() });
    case.person("free", Member { plan: Some("FREE"), ..Member::default() });
    case.person("back", Member::default());
    case.run(&format!("INSERT INTO audit VALUES(?1, {})", NOW - 5 * 86_400_000), "back");
    case.estate.person("customer", Member::default());
    case.run("INSERT INTO badge VALUES(?1, 0, NULL, NULL, NULL, 0)", "customer");
    // A login without a last login is a fault of the data, not a person who never came.
    case.person("sso", Member::default());
    case.estate.uses("sso", false, ago(100));
    case.finds(RuleId::R01, &["never"]);
    case.finds(RuleId::R02, &[]);
}

#[test]
fn r02_finds_the_inactive_and_not_who_came_within_the_limit() {
    let case = Case::new();
    case.used("idle", 120).used("back", 89).used("today", 0);
    case.person("old", Member { last_login: ago(400), ..Member::default() });
    case.finds(RuleId::R02, &["idle", "old"]);
    assert_eq!(case.rule(RuleId::R02).1.weak, 1, "the last-login field alone is weak evidence");
}

#[test]
fn r03_finds_machines_on_paid_seats_only() {
    let case = Case::new();
    for id in ["machine", "both", "free"] {
        let plan = if id == "free" { "FREE" } else { "P1" };
        case.person(id, Member { plan: Some(plan), last_login: ago(1), ..Member::default() });
        case.estate.uses(id, true, ago(1));
    }
    case.estate.uses("both", false, ago(150));
    case.finds(RuleId::R03, &["machine"]);
}

#[test]
fn r04_finds_frozen_paid_seats_after_two_weeks() {
    let case = Case::new();
    for (id, days) in [("frozen", 20), ("lately", 3), ("gone", 50), ("free", 50)] {
        let plan = if id == "free" { "FREE" } else { "P1" };
        case.person(
            id,
            Member { plan: Some(plan), enabled: Some(id != "gone"), ..Member::default() },
        );
        case.run(&format!("INSERT INTO hold VALUES(?1, {})", NOW - days * 86_400_000), id);
    }
    case.finds(RuleId::R04, &["frozen"]);
}

#[test]
fn what_our_own_snapshots_saw_stands_in_for_dates_the_vendor_does_not_keep() {
    let case = Case::new();
    let estate = &case.estate;
    estate
        .connection
        .execute_batch("CREATE TABLE _sighting(kind, person_id, at)")
        .expect("a position of the test estate");
    let saw = |kind: &str, id: &str, days: i64| {
        let values = rusqlite::params![kind, id, ago(days)];
        estate
            .connection
            .execute("INSERT INTO _sighting VALUES(?1, ?2, ?3)", values)
            .expect("a position of the test estate");
    };
    for id in ["back", "back_long_ago"] {
        case.person(id, Member::default());
    }
    case.used("idle_back", 120).used("idle", 120);
    for (id, days) in [("back", 29), ("back_long_ago", 31), ("idle_back", 10)] {
        saw("activated", id, days);
    }
    case.finds(RuleId::R01, &["back_long_ago"]);
    case.finds(RuleId::R02, &["idle"]);
    // The audit trail knows of a later time than our snapshots.
    case.run(&format!("INSERT INTO audit VALUES(?1, {})", NOW - 5 * 86_400_000), "back_long_ago");
    case.finds(RuleId::R01, &[]);

    // The record of a frozen account changed again lately; we saw it frozen before.
    for id in ["frozen", "lately", "released"] {
        case.person(id, Member::default());
        saw("frozen", id, if id == "lately" { 13 } else { 20 });
        if id != "released" {
            case.run(&format!("INSERT INTO hold VALUES(?1, {})", NOW - 86_400_000), id);
        }
    }
    case.finds(RuleId::R04, &["frozen"]);
}

#[test]
fn r05_finds_sparse_use_of_accounts_that_are_old_enough() {
    let case = Case::new();
    case.used("sparse", 40).used("often", 40);
    case.estate.uses("sparse", false, ago(41)).uses("sparse", false, ago(41));
    for day in 1..5 {
        case.estate.uses("often", false, ago(day));
    }
    case.person("young", Member { created: ago(60), last_login: ago(40), ..Member::default() });
    case.estate.uses("young", false, ago(40));
    // The two at work came on one day of the window only.
    case.finds(RuleId::R05, &["sparse", "today_1", "today_2"]);
}

#[test]
fn r05_says_nothing_when_uses_were_read_for_less_than_its_window() {
    let case = Case::new();
    case.estate
        .connection
        .execute("DELETE FROM \"use\" WHERE At < ?1", [ago(50)])
        .expect("a position of the test estate");
    case.used("sparse", 40);
    case.finds(RuleId::R05, &[]);
}

#[test]
fn r06_finds_who_has_no_access_to_what_the_licence_is_for() {
    let case = Case::new();
    case.used("plain", 0).used("seller", 0);
    case.run("INSERT INTO role_given VALUES(?1, 'seller')", "seller");
    case.person("other_plan", Member { plan: Some("FREE"), ..Member::default() });
    case.person("starter", Member { created: ago(3), ..Member::default() });
    case.finds(RuleId::R06, &["plain"]);
    case.estate
        .connection
        .execute("DELETE FROM role_right", [])
        .expect("a position of the test estate");
    assert_eq!(
        case.rule(RuleId::R06).1.status,
        RuleStatus::Withheld,
        "nobody with access is no evidence"
    );
}

#[test]
fn r07_is_withheld_because_business_records_are_not_read() {
    let (_, result) = Case::new().rule(RuleId::R07);
    assert_eq!(result.status, RuleStatus::Withheld);
    assert!(result.reason.expect("a position of the test estate").contains("business records"));
}

#[test]
fn r08_and_r09_judge_permission_set_licences_by_holder_and_by_consumer() {
    let case = Case::new();
    case.offer("permission_set_1", "active", 10, 4, None);
    case.used("idle", 120).used("at_work", 0).used("in_group", 0);
    case.person("gone", Member { enabled: Some(false), ..Member::default() });
    for id in ["idle", "at_work", "gone", "in_group"] {
        case.estate.grant("permission_set_1", id);
    }
    case.run("INSERT INTO role_right VALUES('tool', 'license', ?1)", "permission_set_1");
    for id in ["idle", "in_group"] {
        case.run("INSERT INTO role_given VALUES(?1, 'tool')", id);
    }
    case.finds(RuleId::R08, &["gone", "idle"]);
    case.finds(RuleId::R09, &["at_work", "gone"]);
}

#[test]
fn r10_finds_idle_features_and_r11_idle_and_ended_packages() {
    let case = Case::new();
    case.offer("feature_1", "active", 10, 2, None);
    case.offer("package_1", "active", 10, 2, None).offer("package_2", "expired", 10, 1, None);
    case.used("idle", 120).used("at_work", 0);
    for pool in ["feature_1", "package_1"] {
        case.estate.grant(pool, "idle").grant(pool, "at_work");
    }
    case.estate.grant("package_2", "today_1");
    case.finds(RuleId::R10, &["idle"]);
    case.finds(RuleId::R11, &["idle", "today_1"]);
}

#[test]
fn r12_finds_what_was_never_assigned_and_leaves_the_headroom() {
    let case = Case::new();
    case.finds(RuleId::R12, &["KEY_P1"]);
    let (_, result) = case.rule(RuleId::R12);
    assert_eq!(result.details[0].quantity, 1_000 - 2 - 50);
    assert_eq!((result.unpriced, result.saving_per_year.is_empty()), (948, true), "never 0");
    case.run("UPDATE plan SET Used = ?1 WHERE Id = 'P1'", "950");
    case.finds(RuleId::R12, &[]);
}

#[test]
fn r12_keeps_what_was_assigned_in_the_last_year() {
    let mut case = Case::new();
    let points =
        vec![money::Point { at: NOW - 300 * 86_400_000, purchased: Some(1_000), assigned: 990 }];
    let key = (Family::User, "KEY_P1".to_owned());
    case.estate.inputs.imported.trend.insert(key, points);
    case.finds(RuleId::R12, &[]);
}

#[test]
fn r13_finds_more_assigned_than_bought() {
    let case = Case::new();
    case.finds(RuleId::R13, &[]);
    case.run("UPDATE plan SET Used = ?1 WHERE Id = 'P1'", "1010");
    case.finds(RuleId::R13, &["KEY_P1"]);
    case.run("UPDATE plan SET Bought = ?1 WHERE Id = 'P1'", "-1");
    case.finds(RuleId::R13, &[]);
}

#[test]
fn r14_finds_two_accounts_of_one_person_unless_one_is_an_administrator_s_or_closed() {
    let case = Case::new();
    for (group, enabled, admin) in [("same", true, 0), ("admin", true, 1), ("former", false, 0)] {
        for number in 1..=2 {
            let id = format!("{group}_{number}");
            let enabled = Some(enabled || number == 1);
            case.estate.person(&id, Member { enabled, ..Member::default() });
            let admin = if number == 1 { admin } else { 0 };
            let sql = format!(
                "INSERT INTO badge VALUES(?1, 1, NULL, ' {}@x.example', NULL, {admin})",
                if number == 1 { group.to_uppercase() } else { group.to_owned() }
            );
            case.run(&sql, &id);
        }
    }
    case.finds(RuleId::R14, &["same_1", "same_2"]);
}

#[test]
fn r15_wants_a_staff_list_and_then_finds_who_has_left() {
    let mut case = Case::new();
    case.used("leaver", 0).used("stays", 0);
    let (_, withheld) = case.rule(RuleId::R15);
    assert_eq!(withheld.status, RuleStatus::Withheld);
    assert!(withheld.reason.expect("a position of the test estate").contains("no staff list"));
    case.estate.inputs.imported.leavers = Some(vec![Leaver {
        ended_on: "2026-01-31".into(),
        federation_id: Some("LEAVER".into()),
        ..Leaver::default()
    }]);
    case.finds(RuleId::R15, &["leaver"]);
}

#[test]
fn r16_compares_logins_with_members_once_both_have_a_price() {
    let mut case = Case::new();
    case.estate.plan("SITE", "user", "active", "logins", Some(10_000), Some(500));
    for id in ["visitor_1", "visitor_2"] {
        case.person(id, Member { plan: Some("SITE"), ..Member::default() });
    }
    assert_eq!(case.rule(RuleId::R16).1.status, RuleStatus::Withheld);
    let mut price = |login: u32, member: u32| {
        let book = format!(
            "license,unit_price,currency,period,alternative_to\n\
             user/KEY_SITE,{login},EUR,month,user/KEY_P1\nuser/KEY_P1,{member},EUR,month,\n"
        );
        case.estate.inputs.imported.prices =
            Some(money::prices(&book).expect("a position of the test estate"));
        let (who, result) = case.rule(RuleId::R16);
        let saving: Vec<String> = result
            .details
            .iter()
            .filter_map(|d| Some(d.saving_per_year.as_ref()?.decimal()))
            .collect();
        (who, saving)
    };
    // 500 logins so far cost 500; two people as members 20. The other two, on one day of 90 each,
    // would cost 1 instead of 20.
    let both = vec!["KEY_P1".to_owned(), "KEY_SITE".to_owned()];
    assert_eq!(price(1, 10), (both, vec!["228.00".to_owned(), "5760.00".to_owned()]));
    // As members they would cost more than the logins so far; what the month's first hours would
    // come to is not projected.
    assert_eq!(price(1, 300).0, ["KEY_P1"]);
    // A login costs more than a member.
    assert_eq!(price(30, 10).0, ["KEY_SITE"]);
}

#[test]
fn r16_says_nothing_of_members_whose_uses_were_not_read_for_long_enough() {
    let mut case = Case::new();
    case.estate.plan("SITE", "user", "active", "logins", Some(10_000), Some(0));
    let book = "license,unit_price,currency,period,alternative_to\n\
                user/KEY_SITE,1,EUR,month,user/KEY_P1\nuser/KEY_P1,10,EUR,month,\n";
    case.estate.inputs.imported.prices =
        Some(money::prices(book).expect("a position of the test estate"));
    case.finds(RuleId::R16, &["KEY_P1"]);
    case.estate
        .connection
        .execute("DELETE FROM \"use\" WHERE At < ?1", [ago(50)])
        .expect("a position of the test estate");
    case.finds(RuleId::R16, &[]);
    case.estate.status("use", DatasetStatus::Denied);
    case.finds(RuleId::R16, &[]);
}

#[test]
fn r17_finds_a_month_s_logins_that_run_out() {
    let case = Case::new();
    case.estate.plan("SITE", "user", "active", "logins", Some(100), Some(79));
    case.finds(RuleId::R17, &[]);
    case.run("UPDATE plan SET Used = ?1 WHERE Id = 'SITE'", "80");
    case.finds(RuleId::R17, &["KEY_SITE"]);
}

#[test]
fn how_far_back_and_how_early_pools_are_judged_are_settings() {
    let mut case = Case::new();
    case.estate.plan("SITE", "user", "active", "logins", Some(100), Some(50));
    case.finds(RuleId::R17, &[]);
    case.estate.inputs.settings.login_pool_elapsed_percent = 0.0;
    case.finds(RuleId::R17, &["KEY_SITE"]);
    case.estate.inputs.settings.login_pool_used_percent = 51.0;
    case.finds(RuleId::R17, &[]);
    let peak = money::Point {
        at: ago(200).expect("a position of the test estate"),
        purchased: None,
        assigned: 990,
    };
    let key = (Family::User, "KEY_P1".to_owned());
    case.estate.inputs.imported.trend.insert(key, vec![peak]);
    case.finds(RuleId::R12, &[]);
    case.estate.inputs.settings.peak_days = 199;
    case.finds(RuleId::R12, &["KEY_P1"]);
}

#[test]
fn r18_finds_overuse_by_pace_and_spares_what_is_not_metered_or_does_not_repeat() {
    let case = Case::new();
    // The year is half over.
    let start = NOW - 182 * 86_400_000;
    for (id, used, often) in [
        ("usage_over", Some(120), "once"),
        ("usage_pace", Some(60), "yearly"),
        ("usage_fine", Some(40), "yearly"),
        ("usage_once", Some(90), "once"),
        ("usage_none", None, "yearly"),
    ] {
        case.offer(id, "active", 100, 0, None);
        let sql = "UPDATE offer SET Used = ?2 WHERE Id = ?1";
        case.estate
            .connection
            .execute(sql, rusqlite::params![id, used])
            .expect("a position of the test estate");
        case.run(&format!("INSERT INTO contingent VALUES(?1, '{often}', {start})"), id);
    }
    case.finds(RuleId::R18, &["usage_over", "usage_pace"]);
}

#[test]
fn r19_finds_an_allowance_that_is_nearly_used_up() {
    let case = Case::new();
    case.estate.plan("L1", "limit", "active", "MB", Some(100), Some(80));
    case.estate.plan("L2", "limit", "active", "MB", Some(100), Some(79));
    case.estate.plan("L3", "limit", "active", "MB", Some(0), Some(0));
    case.finds(RuleId::R19, &["KEY_L1"]);
}

#[test]
fn r20_finds_pools_and_contracts_that_end() {
    let mut case = Case::new();
    case.offer("package_soon", "active", 1, 1, ago(-80));
    case.offer("package_later", "active", 1, 1, ago(-100));
    case.offer("package_over", "expired", 1, 1, ago(10));
    case.finds(RuleId::R20, &["package_soon"]);
    let contract = "contract,product,quantity,start_on,end_on,notice_days,licenses\n\
                    C-1,A,1,2025-01-01,2026-07-31,60,user/KEY_P1\n\
                    C-2,B,1,2025-01-01,2026-12-31,60,user/KEY_P1\n";
    case.estate.inputs.imported.contract =
        Some(money::contract(contract).expect("a position of the test estate"));
    case.finds(RuleId::R20, &["C-1", "package_soon"]);
}

#[test]
fn r21_wants_a_contract_and_then_compares_quantities() {
    let mut case = Case::new();
    assert_eq!(case.rule(RuleId::R21).1.status, RuleStatus::Withheld);
    let contract = |quantity: i64| {
        let text = format!(
            "contract,product,quantity,start_on,end_on,licenses\n\
             C-1,A,{quantity},2025-01-01,2026-12-31,user/KEY_P1\n"
        );
        Some(money::contract(&text).expect("a position of the test estate"))
    };
    case.estate.inputs.imported.contract = contract(1_000);
    case.finds(RuleId::R21, &[]);
    case.estate.inputs.imported.contract = contract(900);
    case.finds(RuleId::R21, &["KEY_P1"]);
}

#[test]
fn r22_finds_privileges_nobody_used_for_a_month() {
    let case = Case::new();
    case.used("idle_admin", 40).used("admin", 1).used("plain", 40);
    case.run("INSERT INTO role_right VALUES('admins', 'privilege', ?1)", "EverythingRight");
    for id in ["idle_admin", "admin"] {
        case.run("INSERT INTO role_given VALUES(?1, 'admins')", id);
    }
    case.finds(RuleId::R22, &["idle_admin"]);
    assert!(case.rule(RuleId::R22).1.saving_per_year.is_empty(), "a risk saves nothing");
}

#[test]
fn a_rule_without_its_input_is_withheld_and_names_what_frees_it() {
    let inputs: [(&str, &[RuleId]); 8] = [
        (
            "use",
            &[
                RuleId::R01,
                RuleId::R02,
                RuleId::R03,
                RuleId::R05,
                RuleId::R08,
                RuleId::R10,
                RuleId::R11,
                RuleId::R22,
            ],
        ),
        (
            "member",
            &[
                RuleId::R01,
                RuleId::R02,
                RuleId::R03,
                RuleId::R04,
                RuleId::R05,
                RuleId::R06,
                RuleId::R08,
                RuleId::R10,
                RuleId::R11,
                RuleId::R14,
                RuleId::R22,
            ],
        ),
        ("badge", &[RuleId::R01, RuleId::R02, RuleId::R05, RuleId::R14]),
        ("hold", &[RuleId::R04]),
        ("role_given", &[RuleId::R06, RuleId::R09, RuleId::R22]),
        ("role_right", &[RuleId::R06, RuleId::R09, RuleId::R22]),
        ("plan", &[RuleId::R12, RuleId::R13, RuleId::R17, RuleId::R19]),
        ("contingent", &[RuleId::R18]),
    ];
    let always = [RuleId::R07, RuleId::R15, RuleId::R16, RuleId::R21];
    let mut case = Case::new();
    for (dataset, rules) in inputs {
        for status in [DatasetStatus::Denied, DatasetStatus::PartialSelf] {
            case.estate.status(dataset, status);
            for rule in &RULES {
                if always.contains(&rule.id) {
                    continue;
                }
                let (_, result) = case.rule(rule.id);
                if rules.contains(&rule.id) {
                    assert_eq!(
                        result.status,
                        RuleStatus::Withheld,
                        "{} without {dataset}",
                        rule.id
                    );
                    assert_eq!(result.findings, 0);
                    let label = format!("See {dataset}");
                    assert!(
                        result.permissions.iter().any(|permission| permission.label == label),
                        "{} without {dataset}: {result:?}",
                        rule.id
                    );
                } else if dataset != "plan" && dataset != "member" {
                    assert_ne!(
                        result.status,
                        RuleStatus::Withheld,
                        "{} needs no {dataset}",
                        rule.id
                    );
                }
            }
        }
        case.estate.status(dataset, DatasetStatus::Complete);
    }
}

#[test]
fn accounts_that_were_not_seen_withhold_the_rules_about_silence() {
    let case = Case::new();
    case.person("never", Member::default());
    case.finds(RuleId::R01, &["never"]);
    case.run("UPDATE plan SET Used = ?1 WHERE Id = 'P1'", "900");
    for id in [RuleId::R01, RuleId::R02, RuleId::R05, RuleId::R08] {
        let (who, result) = case.rule(id);
        assert_eq!((who.len(), result.status), (0, RuleStatus::Withheld), "{id}");
        assert_eq!(result.permissions[0].label, "See member", "{id} says what would show them");
    }
    assert_eq!(case.rule(RuleId::R06).1.status, RuleStatus::Found);
}

#[test]
fn an_exemption_keeps_a_seat_until_its_last_day() {
    let mut case = Case::new();
    case.person("never", Member::default());
    let exemption = |rule: Option<RuleId>, until: &str| Exemption {
        id: 1,
        rule,
        subject: "never".into(),
        subject_name: "never".into(),
        reason: "starts in May".into(),
        owner: "HR".into(),
        expires_on: until.parse().expect("a position of the test estate"),
    };
    for (rule, until, exempt) in [
        (Some(RuleId::R01), "2026-03-01", 1),
        (None, "2026-12-31", 1),
        (Some(RuleId::R02), "2026-12-31", 0),
        (Some(RuleId::R01), "2026-02-28", 0),
    ] {
        case.estate.inputs.imported.exemptions = vec![exemption(rule, until)];
        let (who, result) = case.rule(RuleId::R01);
        assert_eq!((result.exempt, who.len() as i64), (exempt, 1 - exempt), "{rule:?} {until}");
    }
}

#[test]
fn the_explanation_of_every_person_agrees_with_the_findings() {
    let case = Case::new();
    case.person("never", Member::default());
    case.used("idle", 120).used("today", 0);
    case.person("starter", Member { created: ago(3), ..Member::default() });
    let snapshot = case.estate.snapshot();
    let wanted = Wanted { rules: Vec::new(), limit: 1_000 };
    let (source, inputs) = (&case.estate, &case.estate.inputs);
    let mut analysis = compute_kept(source, &snapshot, inputs, Some(wanted), None, &|| None)
        .expect("a position of the test estate");
    let listing = analysis.take_listing(source).expect("a position of the test estate");
    let mut explained = 0;
    for id in ["never", "idle", "today", "starter", "today_1"] {
        let explanation =
            explain(&analysis, &case.estate, id).expect("a position of the test estate");
        for rule in explanation.rules.iter().filter(|rule| rule.outcome != SeatOutcome::Withheld) {
            let listed = listing
                .seats
                .iter()
                .any(|finding| finding.person_id == id && finding.rule == rule.rule);
            let all = rule.conditions.iter().all(|(_, holds)| *holds == Some(true));
            assert_eq!(
                (listed, rule.outcome == SeatOutcome::Found),
                (all, all),
                "{id} {}",
                rule.rule
            );
            explained += 1;
        }
    }
    assert!(explained > 20);
    assert!(explain(&analysis, &case.estate, "nobody").is_err());
}

#[test]
fn money_is_two_numbers_and_what_has_no_price_stays_seats() {
    let mut case = Case::new();
    case.person("never", Member::default());
    case.run("UPDATE plan SET Used = ?1 WHERE Id = 'P1'", "3");
    let money = |case: &Case| {
        let position = case.estate.position();
        let license = position
            .licenses
            .iter()
            .find(|license| license.id == "P1")
            .expect("a position of the test estate")
            .clone();
        (license.money, position.money)
    };
    let (unpriced, total) = money(&case);
    assert_eq!((unpriced.price, unpriced.cost_per_year), (None, None));
    assert_eq!(unpriced.reclaimable, Some(1));
    assert_eq!(unpriced.needed, Some(3), "two at work, and headroom");
    assert_eq!(unpriced.reducible_at_renewal, Some(997));
    assert!(total.unpriced_reducible_seats >= 997 && total.cost_per_year.is_empty());
    let contract = "contract,product,quantity,unit_price,currency,period,start_on,end_on,term_years,planned_adds,licenses\n\
                    C-1,A,1000,10,EUR,month,2025-01-01,2026-03-10,2,5,user/KEY_P1\n";
    case.estate.inputs.imported.contract =
        Some(money::contract(contract).expect("a position of the test estate"));
    let (priced, total) = money(&case);
    assert_eq!(priced.price.expect("a position of the test estate").basis, PriceBasis::Contract);
    assert_eq!(
        priced.cost_per_year.expect("a position of the test estate").to_string(),
        "120,000.00 EUR"
    );
    assert_eq!(priced.reusable_now, Some(1));
    assert_eq!(
        priced.reusable_now_amount.expect("a position of the test estate").to_string(),
        "3.29 EUR",
        "ten days of a year"
    );
    assert_eq!(
        priced.reducible_at_renewal_amount.expect("a position of the test estate").to_string(),
        "239,280.00 EUR"
    );
    assert!(!total.list_price_estimate);
    let what_if = "currency = 'USD'\ngrowth_percent = 100\nheadroom_percent = 0\n[prices]\n'user/KEY_P1' = 1\n";
    let what_if = money::WhatIf::parse(what_if).expect("a position of the test estate");
    let inputs = &mut case.estate.inputs;
    (inputs.settings, inputs.imported) = what_if.over(&inputs.settings, &inputs.imported);
    inputs.what_if = what_if;
    let (supposed, _) = money(&case);
    assert_eq!(supposed.price.expect("a position of the test estate").basis, PriceBasis::WhatIf);
    assert_eq!(supposed.needed, Some(4));
    assert_eq!(case.estate.position().supposed["growth_percent"], "100");
}

#[test]
fn the_vendor_s_own_measurement_is_held_against_what_was_counted() {
    let mut case = Case::new();
    let midnight = NOW - NOW.rem_euclid(86_400_000);
    let measure = |active: i64| PositionView {
        table: CanonicalTable::Measure,
        family: "user".into(),
        needs: vec!["plan".into()],
        sql: format!(
            r#"SELECT 'user', "Id", {midnight}, NULL, "Used", {active} FROM "plan" WHERE "Id" = 'P1'"#
        ),
    };
    let line = |case: &Case| {
        let lines = case.estate.position().reconciliation;
        let line =
            lines.iter().find(|line| line.id == LineId::I4).expect("a position of the test estate");
        (line.left, line.right, line.status.as_str())
    };
    case.used("idle", 40).used("today", 0);
    case.estate.manifest.position.views.push(measure(3));
    assert_eq!(line(&case), (Some(3), Some(3), "ok"));
    *case.estate.manifest.position.views.last_mut().expect("a position of the test estate") =
        measure(9);
    assert_eq!(line(&case), (Some(3), Some(9), "difference"));
    case.estate.status("use", DatasetStatus::Denied);
    assert_eq!(line(&case), (None, None, "not_assessed"));
}

#[test]
fn r12_says_how_many_days_were_seen_and_is_not_sure_before_the_year_is_covered() {
    let mut case = Case::new();
    let found = |case: &Case| {
        let (_, result) = case.rule(RuleId::R12);
        (result.details[0].message.clone(), result.confidence)
    };
    let (message, confidence) = found(&case);
    assert!(message.contains("in the 0 days seen"), "{message}");
    assert_eq!(confidence, Confidence::Low);
    let point = money::Point {
        at: ago(400).expect("a position of the test estate"),
        purchased: None,
        assigned: 2,
    };
    let pool = (Family::User, "KEY_P1".to_owned());
    case.estate.inputs.imported.trend.insert(pool, vec![point]);
    let (message, confidence) = found(&case);
    assert!(message.contains("in the 365 days seen"), "{message}");
    assert_eq!(confidence, Confidence::High);
}

#[test]
fn a_last_login_that_no_use_shows_makes_a_finding_weak_and_is_said_in_its_row() {
    let case = Case::new();
    case.used("idle", 120);
    case.person("unread", Member { last_login: ago(100), ..Member::default() });
    case.estate.uses("unread", false, ago(150));
    let snapshot = case.estate.snapshot();
    let wanted = Wanted { rules: vec![RuleId::R02], limit: 10 };
    let (source, inputs) = (&case.estate, &case.estate.inputs);
    let mut analysis = compute_kept(source, &snapshot, inputs, Some(wanted), None, &|| None)
        .expect("a position of the test estate");
    let listing = analysis.take_listing(source).expect("a position of the test estate");
    let rows: Vec<(&str, bool, bool)> = listing
        .seats
        .iter()
        .map(|row| {
            let said = row.values.iter().any(|value| value.name == "contradiction");
            (row.person_id.as_str(), row.weak, said)
        })
        .collect();
    assert_eq!(rows, [("idle", false, false), ("unread", true, true)]);
}

#[test]
fn a_reactivation_that_was_not_read_withholds_what_it_would_spare() {
    let mut case = Case::new();
    case.person("never", Member::default());
    case.finds(RuleId::R01, &["never"]);
    case.estate.status("audit", DatasetStatus::Denied);
    let (who, result) = case.rule(RuleId::R01);
    assert_eq!((who.len(), result.status), (0, RuleStatus::Withheld));
    assert_eq!(result.permissions[0].label, "See audit");
}

#[test]
fn nothing_is_saved_at_renewal_once_notice_is_past_and_the_contract_renews_by_itself() {
    let mut case = Case::new();
    case.run("UPDATE plan SET Used = ?1 WHERE Id = 'P1'", "2");
    let mut money = |notice_days: i64, auto_renew: &str| {
        let contract = format!(
            "contract,product,quantity,unit_price,currency,period,start_on,end_on,notice_days,auto_renew,licenses\n\
             C-1,A,1000,10,EUR,month,2025-01-01,2026-04-01,{notice_days},{auto_renew},user/KEY_P1\n"
        );
        case.estate.inputs.imported.contract =
            Some(money::contract(&contract).expect("a position of the test estate"));
        let position = case.estate.position();
        let pool = position
            .licenses
            .iter()
            .find(|license| license.id == "P1")
            .expect("a position of the test estate");
        let apart = position.money.reducible_if_agreed.to_string();
        (pool.money.reducible_at_renewal, pool.money.reducible_if_agreed, apart)
    };
    assert_eq!(money(10, "yes"), (Some(997), None, String::new()), "there is still time");
    assert_eq!(money(60, "no"), (Some(997), None, String::new()), "it ends by itself");
    let apart = "119,640.00 EUR".to_owned();
    assert_eq!(money(60, "yes"), (Some(0), Some(997), apart));
}
