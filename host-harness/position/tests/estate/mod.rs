//! A small made-up vendor: a manifest with its own SQL, its datasets in SQLite, and statuses.

pub(crate) mod case;

use chrono::{DateTime, Utc};
use connector_api::manifest::{DatasetSpec, FieldSpec, FieldType, Manifest, PermissionSpec};
use connector_api::message::DatasetStatus;
use connector_api::position::{CanonicalTable, OrganizationView, PositionModel, PositionView};
use rusqlite::{Connection, params};

use position::source::{Changed, Columns, Row, SightingKind, Value};
use position::{
    DatasetInfo, Error, Inputs, License, Position, Snapshot, SnapshotSource, SnapshotStatus,
    compute,
};
use rusqlite::types::ValueRef;

/// The snapshot's instant: 2026-03-01T04:05:06Z.
pub(crate) const NOW: i64 = 1_772_337_906_000;
pub(crate) const DAY: i64 = 86_400_000;

/// An instant this many days before the snapshot.
pub(crate) fn ago(days: i64) -> Option<i64> {
    Some(NOW - days * DAY)
}

pub(crate) fn spec(name: &str, key: &[&str], fields: &[(&str, FieldType)]) -> DatasetSpec {
    DatasetSpec {
        name: name.into(),
        title: format!("The {name} list"),
        source: name.into(),
        key: key.iter().map(|column| (*column).into()).collect(),
        fields: fields
            .iter()
            .map(|(name, kind)| FieldSpec { name: (*name).into(), kind: *kind })
            .collect(),
        permissions: vec![PermissionSpec {
            name: format!("see_{name}"),
            label: format!("See {name}"),
        }],
        personal: name != "plan",
        ..DatasetSpec::default()
    }
}

/// Plans (licence pools), members (accounts), grants (add-on seats), uses, and the company.
pub(crate) fn manifest() -> Manifest {
    use FieldType::{Boolean, Integer, Text, Timestamp};
    let view = |table, family: &str, needs: &[&str], sql: &str| PositionView {
        table,
        family: family.into(),
        needs: needs.iter().map(|name| (*name).into()).collect(),
        sql: sql.into(),
    };
    let mut manifest = Manifest::new("sample", "Sample Cloud", "1.0.0");
    manifest.datasets = vec![
        spec("company", &["Id"], &[("Id", Text), ("Name", Text)]),
        spec(
            "plan",
            &["Id"],
            &[
                ("Id", Text),
                ("Family", Text),
                ("Key", Text),
                ("Name", Text),
                ("State", Text),
                ("Unit", Text),
                ("Bought", Integer),
                ("Used", Integer),
                ("CountedAt", Timestamp),
            ],
        ),
        spec(
            "member",
            &["Id"],
            &[
                ("Id", Text),
                ("PlanId", Text),
                ("Enabled", Boolean),
                ("Created", Timestamp),
                ("LastLogin", Timestamp),
                ("Robot", Boolean),
            ],
        ),
        spec("grant", &["PlanId", "MemberId"], &[("PlanId", Text), ("MemberId", Text)]),
        spec(
            "use",
            &["Id"],
            &[("Id", Integer), ("MemberId", Text), ("Machine", Boolean), ("At", Timestamp)],
        ),
    ];
    let plans = |family: &str| {
        format!(
            r#"SELECT "Family", "Id", "Key", "Name", "State", "Unit", "Bought", "Used", "CountedAt", NULL
               FROM "plan" WHERE "Family" = '{family}'"#
        )
    };
    use CanonicalTable::{Activity, License, Person, Seat};
    manifest.position = PositionModel {
        views: vec![
            view(License, "user", &["plan"], &plans("user")),
            view(License, "add_on", &["plan"], &plans("add_on")),
            view(License, "limit", &["plan"], &plans("limit")),
            view(
                Seat,
                "user",
                &["member"],
                r#"SELECT 'user', "PlanId", "Id" FROM "member" WHERE "PlanId" IS NOT NULL"#,
            ),
            view(
                Seat,
                "add_on",
                &["grant"],
                r#"SELECT 'add_on', "PlanId", "MemberId" FROM "grant""#,
            ),
            view(
                Person,
                "",
                &["member"],
                r#"SELECT "Id", "Id", "Id", "Enabled", "Created", "LastLogin", "Robot" FROM "member""#,
            ),
            view(
                Activity,
                "",
                &["use"],
                r#"SELECT "MemberId", CASE WHEN "Machine" THEN 'machine' ELSE 'human' END AS "kind",
                          MIN("At"), MAX("At"), COUNT(*) FROM "use" GROUP BY "MemberId", "kind""#,
            ),
        ],
        organization: Some(OrganizationView {
            needs: vec!["company".into()],
            sql: r#"SELECT "Id", "Name", 'Team', 0, 'EU1' FROM "company""#.into(),
        }),
        activity_retention_days: Some(180),
        ..PositionModel::default()
    };
    manifest
}

/// An estate under construction.
pub(crate) struct Estate {
    pub(crate) connection: Connection,
    pub(crate) manifest: Manifest,
    pub(crate) datasets: Vec<DatasetInfo>,
    pub(crate) inputs: Inputs,
}

/// One account; the defaults are an old, enabled person on plan `P1` who never logged in.
#[derive(Clone, Copy)]
pub(crate) struct Member {
    pub(crate) plan: Option<&'static str>,
    pub(crate) enabled: Option<bool>,
    pub(crate) created: Option<i64>,
    pub(crate) last_login: Option<i64>,
    pub(crate) robot: bool,
}

impl Default for Member {
    fn default() -> Member {
        Member {
            plan: Some("P1"),
            enabled: Some(true),
            created: ago(400),
            last_login: None,
            robot: false,
        }
    }
}

impl Estate {
    /// All datasets complete, empty but for the company.
    pub(crate) fn new() -> Estate {
        let connection = Connection::open_in_memory().expect("the test estate is well formed");
        let manifest = manifest();
        for spec in &manifest.datasets {
            let columns: Vec<String> =
                spec.fields.iter().map(|field| format!("\"{}\"", field.name)).collect();
            let sql = format!("CREATE TABLE \"{}\"({})", spec.name, columns.join(", "));
            connection.execute_batch(&sql).expect("the test estate is well formed");
        }
        connection
            .execute("INSERT INTO company VALUES('C1', 'Example <b>&\u{202e}Ltd')", [])
            .expect("the test estate is well formed");
        let datasets = manifest
            .datasets
            .iter()
            .map(|spec| DatasetInfo {
                dataset: spec.name.clone(),
                status: DatasetStatus::Complete,
                rows: 1,
                expected: Some(1),
                missing_fields: Vec::new(),
                reason: None,
                as_of: now(),
            })
            .collect();
        Estate { connection, manifest, datasets, inputs: Inputs::default() }
    }

    /// One plan `P1` for people, with that many seats bought and reported as used, and two members
    /// who used it today, so that uses are of more than one account.
    pub(crate) fn with_plan(bought: i64, used: i64) -> Estate {
        let estate = Estate::new();
        estate.plan("P1", "user", "active", "seats", Some(bought), Some(used));
        estate.person("today_1", Member::default()).uses("today_1", false, ago(0));
        estate.person("today_2", Member::default()).uses("today_2", false, ago(180));
        estate.uses("today_2", false, ago(0));
        estate
    }

    pub(crate) fn plan(
        &self,
        id: &str,
        family: &str,
        state: &str,
        unit: &str,
        bought: Option<i64>,
        used: Option<i64>,
    ) -> &Estate {
        let sql = "INSERT INTO plan VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL)";
        let (key, name) = (format!("KEY_{id}"), format!("Plan {id}"));
        self.connection
            .execute(sql, params![id, family, key, name, state, unit, bought, used])
            .expect("the test estate is well formed");
        self
    }

    pub(crate) fn person(&self, id: &str, member: Member) -> &Estate {
        let Member { plan, enabled, created, last_login, robot } = member;
        self.connection
            .prepare_cached("INSERT INTO member VALUES(?1, ?2, ?3, ?4, ?5, ?6)")
            .expect("the test estate is well formed")
            .execute(params![id, plan, enabled, created, last_login, robot])
            .expect("the test estate is well formed");
        self
    }

    pub(crate) fn grant(&self, plan: &str, member: &str) -> &Estate {
        self.connection
            .execute("INSERT INTO \"grant\" VALUES(?1, ?2)", [plan, member])
            .expect("the test estate is well formed");
        self
    }

    pub(crate) fn uses(&self, member: &str, machine: bool, at: Option<i64>) -> &Estate {
        self.connection
            .prepare_cached("INSERT INTO \"use\" VALUES(NULL, ?1, ?2, ?3)")
            .expect("the test estate is well formed")
            .execute(params![member, machine, at])
            .expect("the test estate is well formed");
        self
    }

    pub(crate) fn status(&mut self, dataset: &str, status: DatasetStatus) -> &mut DatasetInfo {
        let info = self
            .datasets
            .iter_mut()
            .find(|info| info.dataset == dataset)
            .expect("the test estate is well formed");
        info.status = status;
        info
    }

    pub(crate) fn try_position(&self) -> Result<Position, Error> {
        Ok(compute(self, &self.snapshot(), &self.inputs)?.position)
    }

    /// The snapshot as the engine sees it.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            connector: "production".into(),
            id: 7,
            as_of: now(),
            finished_at: now(),
            status: SnapshotStatus::Complete,
            manifest: self.manifest.clone(),
            datasets: self.datasets.clone(),
        }
    }

    pub(crate) fn position(&self) -> Position {
        self.try_position().expect("the test estate is well formed")
    }

    /// The pool of that id.
    pub(crate) fn license(&self, id: &str) -> License {
        self.position()
            .licenses
            .into_iter()
            .find(|license| license.id == id)
            .expect("the test estate is well formed")
    }
}

fn now() -> DateTime<Utc> {
    position::time::from_ms(NOW)
}

impl SnapshotSource for Estate {
    fn query(&self, sql: &str, row: &mut Row<'_>) -> Result<Columns, Error> {
        let mut statement = self.connection.prepare(sql).map_err(Error::source)?;
        let columns = statement.column_count();
        let mut rows = statement.query([]).map_err(Error::source)?;
        while let Some(found) = rows.next().map_err(Error::source)? {
            if (0..columns).any(|at| {
                matches!(
                    found.get_ref(at).expect("the test estate is well formed"),
                    ValueRef::Blob(_)
                )
            }) {
                return Err(Error::source(std::io::Error::other("a value has no known type")));
            }
            let values: Vec<Value<'_>> = (0..columns)
                .map(|at| match found.get_ref(at).expect("the test estate is well formed") {
                    ValueRef::Integer(number) => Value::Integer(number),
                    ValueRef::Real(number) => Value::Real(number),
                    ValueRef::Text(text) => Value::Text(
                        std::str::from_utf8(text).expect("the test estate is well formed"),
                    ),
                    ValueRef::Null => Value::Null,
                    ValueRef::Blob(_) => unreachable!("checked above"),
                })
                .collect();
            row(&values)?;
        }
        Ok(Columns(columns))
    }

    fn query_changed(
        &self,
        sql: &str,
        _changed: Changed<'_>,
        row: &mut Row<'_>,
    ) -> Result<Columns, Error> {
        self.query(sql, row)
    }

    fn has_changed(&self, _changed: Changed<'_>) -> Result<bool, Error> {
        Ok(true)
    }

    fn sightings(
        &self,
        row: &mut dyn FnMut(SightingKind, &str, i64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let sql = "SELECT kind, person_id, at FROM _sighting";
        let Ok(mut statement) = self.connection.prepare(sql) else { return Ok(()) };
        let mut rows = statement.query([]).expect("the test estate is well formed");
        while let Some(found) = rows.next().expect("the test estate is well formed") {
            let (kind, person, at): (String, String, i64) = (
                found.get(0).expect("the test estate is well formed"),
                found.get(1).expect("the test estate is well formed"),
                found.get(2).expect("the test estate is well formed"),
            );
            let activated = kind == "activated";
            let kind = if activated { SightingKind::Activated } else { SightingKind::Frozen };
            row(kind, &person, at)?;
        }
        Ok(())
    }
}
