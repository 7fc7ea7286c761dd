//! Hiding evidence never raises a claim: the invariant, over thousands of seeded parts of one
//! organization.

#[allow(dead_code, reason = "each program of tests uses its part")]
mod estate;

use std::collections::BTreeMap;

use connector_api::message::DatasetStatus;
use estate::case::Case;
use estate::{Member, ago};
use position::inputs::Leaver;
use position::model::{Bound, License, Position};
use position::money;
use position::rules::Subject;

/// A small generator of numbers: the same seed gives the same numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn one_in(&mut self, odds: u64) -> bool {
        self.below(odds) == 0
    }
}

/// An organization with people of every kind, seen in full.
fn organization() -> Case {
    let mut case = Case::new();
    for number in 0..6 {
        let id = |kind: &str| format!("{kind}_{number}");
        case.used(&id("active"), 10 * number);
        case.used(&id("idle"), 100 + 10 * number);
        case.person(&id("never"), Member::default());
        case.person(&id("old"), Member { last_login: ago(300), ..Member::default() });
        case.person(&id("starter"), Member { created: ago(5), ..Member::default() });
        case.person(&id("service"), Member { robot: true, ..Member::default() });
        case.person(&id("robot"), Member { last_login: ago(1), ..Member::default() });
        case.estate.uses(&id("robot"), true, ago(1));
        // Machines alone, a while ago.
        let days = 95 + 15 * number;
        case.person(&id("old_robot"), Member { last_login: ago(days), ..Member::default() });
        case.estate.uses(&id("old_robot"), true, ago(days));
        // A person works through machines, and comes in person now and then.
        case.person(&id("both"), Member { last_login: ago(1), ..Member::default() });
        case.estate.uses(&id("both"), true, ago(1)).uses(&id("both"), false, ago(20 + 20 * number));
        case.person(&id("back"), Member::default());
        case.run(
            &format!(
                "INSERT INTO audit VALUES(?1, {})",
                ago(3 + number).expect("a position of the test estate")
            ),
            &id("back"),
        );
        case.person(&id("frozen"), Member { last_login: ago(50), ..Member::default() });
        case.estate.uses(&id("frozen"), false, ago(50));
        case.run(
            &format!(
                "INSERT INTO hold VALUES(?1, {})",
                ago(40).expect("a position of the test estate")
            ),
            &id("frozen"),
        );
        case.person(&id("customer"), Member { last_login: ago(200), ..Member::default() });
        case.run("UPDATE badge SET Own = 0 WHERE MemberId = ?1", &id("customer"));
        case.person(&id("free"), Member { plan: Some("FREE"), ..Member::default() });
        case.person(&id("closed"), Member { enabled: Some(false), ..Member::default() });
    }
    case.offer("feature_A", "active", 40, 12, None);
    case.offer("package_B", "active", 40, 12, None);
    case.offer("permission_set_C", "active", 40, 12, None);
    for pool in ["feature_A", "package_B", "permission_set_C"] {
        for number in 0..6 {
            case.estate.grant(pool, &format!("idle_{number}"));
            case.estate.grant(pool, &format!("old_robot_{number}"));
        }
    }
    // Two at work, and six of every kind but the closed and those of the free plan.
    case.run("UPDATE plan SET Used = 2 + 6 * 12 WHERE Id = ?1", "P1");
    case.run("UPDATE plan SET Used = 6 WHERE Id = ?1", "FREE");
    let contract = "contract,product,quantity,unit_price,currency,period,start_on,end_on,planned_adds,licenses\n\
                    C-1,A,1000,10,EUR,month,2025-01-01,2026-12-31,500,user/KEY_P1\n";
    case.estate.inputs.imported.contract =
        Some(money::contract(contract).expect("a position of the test estate"));
    case.estate.inputs.imported.leavers = Some(vec![Leaver {
        ended_on: "2026-01-31".into(),
        federation_id: Some("active_1".into()),
        ..Leaver::default()
    }]);
    case
}

/// Hides some of it, and says what.
fn hide(case: &mut Case, dice: &mut Dice) -> Vec<String> {
    let mut hidden = Vec::new();
    let connection = &case.estate.connection;
    if dice.one_in(3) {
        let percent = 1 + dice.below(99);
        connection
            .execute_batch("CREATE TABLE gone(id PRIMARY KEY)")
            .expect("a position of the test estate");
        let ids: Vec<String> = connection
            .prepare("SELECT Id FROM member ORDER BY Id")
            .expect("a position of the test estate")
            .query_map([], |row| row.get(0))
            .expect("a position of the test estate")
            .collect::<Result<_, _>>()
            .expect("a position of the test estate");
        for id in ids {
            if dice.below(100) < percent {
                connection
                    .execute("INSERT INTO gone VALUES(?1)", [id])
                    .expect("a position of the test estate");
            }
        }
        for (table, column) in [
            ("member", "Id"),
            ("badge", "MemberId"),
            ("hold", "MemberId"),
            ("audit", "MemberId"),
            ("role_given", "MemberId"),
            ("\"grant\"", "MemberId"),
            ("\"use\"", "MemberId"),
        ] {
            let sql = format!("DELETE FROM {table} WHERE {column} IN (SELECT id FROM gone)");
            connection.execute(&sql, []).expect("a position of the test estate");
        }
        hidden.push(format!("{percent} % of the people"));
    }
    if dice.one_in(6) {
        connection
            .execute("DELETE FROM \"use\" WHERE MemberId <> 'today_1'", [])
            .expect("a position of the test estate");
        hidden.push("uses of others".into());
    }
    if dice.one_in(3) {
        let days = 1 + dice.below(200) as i64;
        connection
            .execute("DELETE FROM \"use\" WHERE At < ?1", [ago(days)])
            .expect("a position of the test estate");
        hidden.push(format!("uses before {days} days ago"));
    }
    let names: Vec<String> =
        case.estate.manifest.datasets.iter().map(|spec| spec.name.clone()).collect();
    for name in names {
        use DatasetStatus::{Absent, Degraded, Denied, Failed, Incomplete, PartialSelf};
        if dice.one_in(12) {
            let status = [Denied, Absent, PartialSelf, Incomplete, Failed][dice.below(5) as usize];
            case.estate
                .connection
                .execute(&format!("DELETE FROM \"{name}\""), [])
                .expect("a position of the test estate");
            case.estate.status(&name, status);
            hidden.push(format!("dataset {name} ({status:?})"));
        } else if dice.one_in(8) {
            let spec = case.estate.manifest.dataset(&name).expect("a position of the test estate");
            // A vendor hides anything but the record's own id.
            let fields: Vec<String> = spec
                .fields
                .iter()
                .map(|field| field.name.clone())
                .filter(|field| !spec.key.contains(field))
                .collect();
            if fields.is_empty() {
                continue;
            }
            let field = fields[dice.below(fields.len() as u64) as usize].clone();
            let sql = format!("UPDATE \"{name}\" SET \"{field}\" = NULL");
            case.estate.connection.execute(&sql, []).expect("a position of the test estate");
            case.estate.status(&name, Degraded).missing_fields = vec![field.clone()];
            hidden.push(format!("field {name}.{field}"));
        }
    }
    if dice.one_in(6) {
        case.estate.inputs.imported.leavers = None;
        hidden.push("the staff list".into());
    }
    hidden
}

/// What a report claims in seats, by what it is claimed of.
fn claims(position: &Position) -> BTreeMap<String, i64> {
    let mut claims = BTreeMap::new();
    let mut claim = |what: String, seats: Option<i64>| {
        if let Some(seats) = seats {
            claims.insert(what, seats);
        }
    };
    for license in &position.licenses {
        let of = |what: &str| format!("{what} of {}/{}", license.family, license.id);
        claim(of("reclaimable"), license.money.reclaimable);
        claim(of("reusable now"), license.money.reusable_now);
        claim(of("reducible at renewal"), license.money.reducible_at_renewal);
        claim(of("silent"), silent(license));
    }
    for rule in &position.rules {
        let seats = matches!(rule.id.rule().subject, Subject::Seats(_));
        claim(format!("findings of {}", rule.id), seats.then_some(rule.findings));
    }
    claims
}

fn silent(license: &License) -> Option<i64> {
    Some(license.inactive? + license.never? + license.machine_only?)
}

#[test]
fn hiding_any_part_of_an_organization_never_raises_a_claim() {
    let mut case = organization();
    let whole = case.estate.position();
    let (datasets, inputs) = (case.estate.datasets.clone(), case.estate.inputs.clone());
    let most = claims(&whole);
    assert!(most["reclaimable of user/P1"] > 20 && most["findings of R02"] > 10, "{most:#?}");
    let mut without_the_gate = 0;
    for seed in 0..2_500 {
        let mut dice = Dice(seed);
        case.estate.connection.execute_batch("BEGIN").expect("a position of the test estate");
        let hidden = hide(&mut case, &mut dice);
        let position = case.estate.position();
        case.estate.connection.execute_batch("ROLLBACK").expect("a position of the test estate");
        (case.estate.datasets, case.estate.inputs) = (datasets.clone(), inputs.clone());
        for (what, seats) in claims(&position) {
            let most = most.get(&what).copied().unwrap_or(0);
            assert!(seats <= most, "seed {seed}: {what}: {seats}, of {most}; hidden: {hidden:?}");
        }
        for license in &position.licenses {
            sums(license);
        }
        without_the_gate += i64::from(seen_only(&position) > seen_only(&whole));
        if hidden.iter().any(|what| what.starts_with("uses of others")) {
            let user = position.licenses.iter().find(|license| license.id == "P1");
            let is = user
                .and_then(|license| license.money.bounds.get("reclaimable"))
                .map(|bounded| bounded.is);
            assert_ne!(is, Some(Bound::Exact), "seed {seed}: {hidden:?}");
        }
    }
    assert!(without_the_gate > 100, "the control never grew: {without_the_gate}");
}

/// The control: what could be dropped if whoever was not seen were not there. Without a number of
/// purchased seats, nothing.
fn seen_only(position: &Position) -> i64 {
    let user = position.licenses.iter().find(|license| license.id == "P1");
    let seats = user
        .and_then(|pool| Some(pool.purchased? - pool.active? - pool.unknown? - pool.machine_only?));
    seats.unwrap_or(0)
}

/// The six classes sum to the seats.
fn sums(license: &License) {
    let six: Vec<i64> = license.classes().into_iter().filter_map(|(_, number)| number).collect();
    if six.len() < 6 {
        return;
    }
    let seats = if license.counter_behind { license.holders } else { license.assigned };
    assert_eq!(Some(six.iter().sum::<i64>()), seats, "{license:#?}");
}
