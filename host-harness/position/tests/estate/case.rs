//! The small estate with everything rules look at, and what they find in it.

use connector_api::manifest::FieldType;
use connector_api::position::{CanonicalTable, LicenseTier, PositionView, UseRule};
use position::model::RuleStatus;
use position::rules::{RuleId, RuleResult, Wanted};
use position::{DatasetInfo, compute_kept};

use super::{Estate, Member, ago, spec};

/// The small estate with everything rules look at: identities, holds, activations, roles, meters.
pub(crate) struct Case {
    pub(crate) estate: Estate,
}

impl Case {
    /// 1,000 seats bought of plan `P1`, and two people at work, one of whom is the oldest use.
    pub(crate) fn new() -> Case {
        use FieldType::{Boolean, Integer, Text, Timestamp};
        let mut estate = Estate::with_plan(1_000, 2);
        let mut add = |name: &str, fields: &[(&str, FieldType)]| {
            let spec = spec(name, &[fields[0].0], fields);
            let columns: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
            estate
                .connection
                .execute_batch(&format!("CREATE TABLE \"{name}\"({})", columns.join(", ")))
                .expect("the test estate is well formed");
            estate
                .datasets
                .push(DatasetInfo { dataset: name.into(), ..estate.datasets[0].clone() });
            estate.manifest.datasets.push(spec);
        };
        let who = [("MemberId", Text), ("Own", Boolean), ("Login", Text), ("Mail", Text)];
        add("badge", &[&who[..], &[("Staff", Text), ("Admin", Boolean)]].concat());
        add("hold", &[("MemberId", Text), ("Since", Timestamp)]);
        add("audit", &[("MemberId", Text), ("At", Timestamp)]);
        add("role_given", &[("MemberId", Text), ("RoleId", Text)]);
        add("role_right", &[("RoleId", Text), ("Kind", Text), ("What", Text)]);
        add("contingent", &[("PlanId", Text), ("Often", Text), ("Starts", Timestamp)]);
        add(
            "offer",
            &[
                ("Id", Text),
                ("Family", Text),
                ("Key", Text),
                ("State", Text),
                ("Bought", Integer),
                ("Used", Integer),
                ("Ends", Timestamp),
            ],
        );
        let view = |table, family: &str, needs: &str, sql: &str| PositionView {
            table,
            family: family.into(),
            needs: vec![needs.into()],
            sql: sql.into(),
        };
        use CanonicalTable::{Activation, Activity, Frozen, Holding, Identity, License, Meter};
        use CanonicalTable::{Right, Seat, Use};
        let views = &mut estate.manifest.position.views;
        views.retain(|view| view.table != Activity);
        views.push(view(Use, "", "use", r#"SELECT "MemberId", "At", CASE WHEN "Machine" THEN 'api' ELSE 'web' END, '', '', 1 FROM "use""#));
        views.push(view(
            Identity,
            "",
            "badge",
            r#"SELECT "MemberId", "Own", "Login", "Mail", "Staff", "Admin" FROM "badge""#,
        ));
        views.push(view(Frozen, "", "hold", r#"SELECT "MemberId", "Since" FROM "hold""#));
        views.push(view(Activation, "", "audit", r#"SELECT "MemberId", "At" FROM "audit""#));
        views.push(view(
            Holding,
            "",
            "role_given",
            r#"SELECT "MemberId", "RoleId" FROM "role_given""#,
        ));
        for kind in ["object", "license", "privilege"] {
            let sql = format!(
                r#"SELECT "RoleId", "Kind", "What" FROM "role_right" WHERE "Kind" = '{kind}'"#
            );
            views.push(view(Right, kind, "role_right", &sql));
        }
        views.push(view(
            Meter,
            "usage",
            "contingent",
            r#"SELECT 'usage', "PlanId", "Often", "Starts", NULL FROM "contingent""#,
        ));
        for family in ["permission_set", "feature", "package", "usage"] {
            let sql = format!(
                r#"SELECT "Family", "Id", "Key", "Key", "State", 'seats', "Bought", "Used", NULL, "Ends" FROM "offer" WHERE "Family" = '{family}'"#
            );
            views.push(view(License, family, "offer", &sql));
            let sql = format!(
                r#"SELECT '{family}', "PlanId", "MemberId" FROM "grant" WHERE "PlanId" LIKE '{family}%'"#
            );
            views.push(view(Seat, family, "grant", &sql));
        }
        let model = &mut estate.manifest.position;
        model.classification =
            vec![UseRule { method: "api".into(), kind: "machine".into(), ..UseRule::default() }];
        model.free_licenses = vec!["KEY_FREE".into()];
        model.tiers = vec![LicenseTier {
            from: "KEY_P1".into(),
            to: "KEY_LESS".into(),
            objects: vec!["Deal".into()],
        }];
        estate.plan("FREE", "user", "active", "seats", Some(10), Some(0));
        let case = Case { estate };
        for id in ["today_1", "today_2"] {
            case.badge(id);
            case.run("INSERT INTO role_given VALUES(?1, 'seller')", id);
        }
        case.run("INSERT INTO role_right VALUES('seller', 'object', ?1)", "Deal");
        case
    }

    pub(crate) fn run(&self, sql: &str, value: &str) -> &Case {
        self.estate.connection.execute(sql, [value]).expect("the test estate is well formed");
        self
    }

    pub(crate) fn badge(&self, id: &str) -> &Case {
        self.run("INSERT INTO badge VALUES(?1, 1, ?1, NULL, NULL, 0)", id)
    }

    /// An employee's account.
    pub(crate) fn person(&self, id: &str, member: Member) -> &Case {
        self.estate.person(id, member);
        self.badge(id)
    }

    /// An account that a person used this many days ago, its last login then.
    pub(crate) fn used(&self, id: &str, days: i64) -> &Case {
        self.person(id, Member { last_login: ago(days), ..Member::default() });
        self.estate.uses(id, false, ago(days));
        self
    }

    pub(crate) fn offer(
        &self,
        id: &str,
        state: &str,
        bought: i64,
        used: i64,
        ends: Option<i64>,
    ) -> &Case {
        let family = id.rsplit_once('_').expect("the test estate is well formed").0;
        let sql = "INSERT INTO offer VALUES(?1, ?2, ?1, ?3, ?4, ?5, ?6)";
        let values = rusqlite::params![id, family, state, bought, used, ends];
        self.estate.connection.execute(sql, values).expect("the test estate is well formed");
        self
    }

    /// Who a rule finds, and what came of it.
    pub(crate) fn rule(&self, id: RuleId) -> (Vec<String>, RuleResult) {
        let snapshot = self.estate.snapshot();
        let wanted = Wanted { rules: vec![id], limit: 100 };
        let (source, inputs) = (&self.estate, &self.estate.inputs);
        let mut analysis = compute_kept(source, &snapshot, inputs, Some(wanted), None, &|| None)
            .expect("the test estate is well formed");
        let listing = analysis.take_listing(source).expect("the test estate is well formed");
        let result = analysis
            .position
            .rules
            .iter()
            .find(|rule| rule.id == id)
            .expect("the test estate is well formed")
            .clone();
        let who: Vec<String> = listing
            .seats
            .iter()
            .filter(|finding| finding.exempt.is_none())
            .map(|finding| finding.person_id.clone())
            .collect();
        let pools = listing.pools.iter().filter(|(_, pool)| pool.exempt.is_none());
        let who: Vec<String> =
            who.into_iter().chain(pools.map(|(_, pool)| pool.key.clone())).collect();
        assert_eq!(who.len() as i64, result.findings, "{id}: the list and the count differ");
        (who, result)
    }

    #[track_caller]
    pub(crate) fn finds(&self, id: RuleId, expected: &[&str]) {
        let (mut who, result) = self.rule(id);
        who.sort();
        assert_eq!(who, expected, "{id}: {result:#?}");
        assert_eq!(
            result.status,
            if expected.is_empty() { RuleStatus::None } else { RuleStatus::Found }
        );
    }
}
