//! What the datasets mean for the licence position: one SQL file per canonical table and family.
//!
//! # Source
//! Object Reference: `UserLicense`, `PermissionSetLicense`, `PackageLicense`,
//! `TenantUsageEntitlement`, `LoginHistory`.

use connector_api::position::{CanonicalTable, OrganizationView, PositionModel, PositionView};

/// Salesforce keeps logins for six months.
const LOGIN_RETENTION_DAYS: u32 = 180;

/// The mapping.
pub(crate) fn model() -> PositionModel {
    use CanonicalTable::{Activity, License, Person, Seat};
    let view = |table, family: &str, needs: &[&str], sql: &str| PositionView {
        table,
        family: family.into(),
        needs: needs.iter().map(|dataset| (*dataset).into()).collect(),
        sql: sql.into(),
    };
    PositionModel {
        views: vec![
            view(License, "user", &["user_license"], include_str!("license_user.sql")),
            view(
                License,
                "permission_set",
                &["permission_set_license"],
                include_str!("license_permission_set.sql"),
            ),
            view(License, "package", &["package_license"], include_str!("license_package.sql")),
            view(
                License,
                "usage",
                &["tenant_usage_entitlement"],
                include_str!("license_usage.sql"),
            ),
            view(License, "limit", &["limits"], include_str!("license_limit.sql")),
            view(Seat, "user", &["user", "profile"], include_str!("seat_user.sql")),
            view(
                Seat,
                "permission_set",
                &["permission_set_license_assign"],
                include_str!("seat_permission_set.sql"),
            ),
            view(Seat, "package", &["user_package_license"], include_str!("seat_package.sql")),
            view(Person, "", &["user", "profile"], include_str!("person.sql")),
            view(Activity, "", &["login_history"], include_str!("activity.sql")),
        ],
        organization: Some(OrganizationView {
            needs: vec!["organization".into()],
            sql: include_str!("organization.sql").into(),
        }),
        activity_retention_days: Some(LOGIN_RETENTION_DAYS),
    }
}
