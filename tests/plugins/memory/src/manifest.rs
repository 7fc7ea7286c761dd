//! What the connector says about itself.

use connector_api::manifest::{
    DatasetSpec, FieldSpec, FieldType, GrantSpec, Manifest, PermissionSpec, SettingSpec,
};
use connector_api::position::{CanonicalTable, OrganizationView, PositionModel, PositionView};

pub(crate) const GRANT: &str = "pasted_token";

pub(crate) fn manifest() -> Manifest {
    Manifest {
        description: "Reads people, licences and events of the Memory service.".into(),
        settings: settings(),
        grants: vec![GrantSpec {
            id: GRANT.into(),
            title: "Token".into(),
            help: "A token that the service's administrator gave you".into(),
        }],
        datasets: vec![license(), person(), event(), badge()],
        position: position(),
        ..Manifest::new("memory", "Memory Connector", env!("CARGO_PKG_VERSION"))
    }
}

fn settings() -> Vec<SettingSpec> {
    let setting = |name: &str, title: &str, help: &str| SettingSpec {
        name: name.into(),
        title: title.into(),
        help: help.into(),
        ..SettingSpec::default()
    };
    let number = |name: &str, title: &str, help: &str, default: &str| SettingSpec {
        default: Some(default.into()),
        ..setting(name, title, help)
    };
    vec![
        SettingSpec {
            required: true,
            example: Some("north".into()),
            ..setting("domain", "Space", "The name of your space: lower-case letters")
        },
        SettingSpec { secret: true, ..setting("passphrase", "Passphrase", "Opens a locked space") },
        number("people", "People", "How many people the space has", "5000"),
        number("events", "Events", "How many events have happened", "10"),
        SettingSpec {
            example: Some("2".into()),
            ..setting("allowance", "Allowance", "Batches that one run may read; empty for all")
        },
        number("pause_ms", "Pause", "Milliseconds between two batches", "0"),
    ]
}

fn dataset(name: &str, title: &str, key: &str, fields: &[(&str, FieldType)]) -> DatasetSpec {
    DatasetSpec {
        name: name.into(),
        title: title.into(),
        source: name.into(),
        key: vec![key.into()],
        fields: fields
            .iter()
            .map(|(name, kind)| FieldSpec { name: (*name).into(), kind: *kind })
            .collect(),
        permissions: vec![PermissionSpec { name: "read".into(), label: "Read".into() }],
        ..DatasetSpec::default()
    }
}

fn license() -> DatasetSpec {
    let fields = [("Name", FieldType::Text), ("Seats", FieldType::Integer)];
    dataset("license", "Licences", "Name", &fields)
}

fn person() -> DatasetSpec {
    let fields = [
        ("Id", FieldType::Text),
        ("Name", FieldType::Text),
        ("IsActive", FieldType::Boolean),
        ("License.Name", FieldType::Text),
        ("Logins", FieldType::Integer),
        ("Score", FieldType::Double),
        ("CreatedAt", FieldType::Timestamp),
        ("LeftOn", FieldType::Date),
    ];
    DatasetSpec { personal: true, ..dataset("person", "People", "Id", &fields) }
}

fn event() -> DatasetSpec {
    let fields = [("Number", FieldType::Integer), ("At", FieldType::Timestamp)];
    dataset("event", "Events", "Number", &fields)
}

fn badge() -> DatasetSpec {
    let fields = [("Code", FieldType::Text)];
    DatasetSpec { optional: true, ..dataset("badge", "Badges", "Code", &fields) }
}

fn position() -> PositionModel {
    let view = |table, family: &str, needs: &[&str], sql: &str| PositionView {
        table,
        family: family.into(),
        needs: needs.iter().map(|name| (*name).into()).collect(),
        sql: sql.into(),
    };
    PositionModel {
        views: vec![
            view(
                CanonicalTable::License,
                "user",
                &["license", "person"],
                r#"SELECT 'user', l."Name", l."Name", l."Name", 'active', 'seats',
                    COALESCE(l."Seats", -1),
                    (SELECT COUNT(*) FROM "person" p WHERE p."License.Name" = l."Name" AND p."IsActive" = 1),
                    NULL, NULL FROM "license" l"#,
            ),
            view(
                CanonicalTable::Seat,
                "user",
                &["person"],
                r#"SELECT 'user', "License.Name", "Id" FROM "person" WHERE "IsActive" = 1"#,
            ),
            view(
                CanonicalTable::Person,
                "",
                &["person"],
                r#"SELECT "Id", "Id", "Name", "IsActive", "CreatedAt", NULL, 0 FROM "person""#,
            ),
        ],
        organization: Some(OrganizationView {
            needs: vec!["license".into()],
            sql: "SELECT 'memory', 'Memory', 'Small', 0, 'here'".into(),
        }),
        ..PositionModel::default()
    }
}
