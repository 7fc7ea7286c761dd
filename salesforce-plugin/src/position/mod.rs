//! What the datasets mean for the licence position: one SQL file per canonical table and family.
//!
//! # Source
//! Object Reference: `UserLicense`, `PermissionSetLicense`, `PackageLicense`,
//! `TenantUsageEntitlement`, `LoginHistory`, `UserLogin`, `ObjectPermissions`, `SetupAuditTrail`,
//! `ActiveFeatureLicenseMetric`, `ActivePermSetLicenseMetric`, `ActiveProfileMetric`.

mod classification;

use std::collections::BTreeMap;

use connector_api::position::{
    CanonicalTable, LicenseTier, OrganizationView, PositionModel, PositionView,
};

/// Salesforce keeps logins for six months.
const LOGIN_RETENTION_DAYS: u32 = 180;

/// Licences that come with an edition or cost nothing.
const FREE: [&str; 10] = [
    "PID_CHATTER",
    "PID_Chatter_External",
    "PID_Identity_User",
    // Both spellings are seen; neither is documented.
    "PID_External_Identity",
    "PID_External_Identity_User",
    "PID_FDC_FREE",
    "SALESFORCE_INTEGRATION_USER",
    "CLOUD_INTEGRATION_USER",
    "INSIGHTS_INTEGRATION_USER",
    "PID_Guest_User",
];

macro_rules! views {
    ($($table:ident, $family:literal, [$($need:literal),+], $file:literal;)*) => {
        vec![$(PositionView {
            table: CanonicalTable::$table,
            family: $family.into(),
            needs: vec![$($need.into()),+],
            sql: include_str!($file).into(),
        }),*]
    };
}

/// The mapping.
pub(crate) fn model() -> PositionModel {
    PositionModel {
        views: views! {
            License, "user", ["user_license"], "license_user.sql";
            License, "permission_set", ["permission_set_license"], "license_permission_set.sql";
            License, "feature", ["active_feature_license_metric"], "license_feature.sql";
            License, "package", ["package_license"], "license_package.sql";
            License, "usage", ["tenant_usage_entitlement"], "license_usage.sql";
            License, "limit", ["limits"], "license_limit.sql";
            Seat, "user", ["user", "profile"], "seat_user.sql";
            Seat, "permission_set", ["permission_set_license_assign"], "seat_permission_set.sql";
            Seat, "feature", ["user"], "seat_feature.sql";
            Seat, "package", ["user_package_license"], "seat_package.sql";
            Person, "", ["user", "profile"], "person.sql";
            Identity, "", ["user", "permission_set"], "identity.sql";
            Use, "", ["login_history"], "use.sql";
            Frozen, "", ["user_login"], "frozen.sql";
            Activation, "", ["setup_audit_trail", "user"], "activation.sql";
            Holding, "", ["permission_set_assignment"], "holding.sql";
            Holding, "", ["user", "permission_set"], "holding_profile.sql";
            Right, "object", ["object_permissions"], "right_object.sql";
            Right, "object",
                ["permission_set", "permission_set_group_component", "object_permissions"],
                "right_object_group.sql";
            Right, "license", ["permission_set"], "right_license.sql";
            Right, "license", ["permission_set", "permission_set_group_component"],
                "right_license_group.sql";
            Right, "privilege", ["permission_set"], "right_privilege.sql";
            Right, "privilege", ["permission_set", "permission_set_group_component"],
                "right_privilege_group.sql";
            Meter, "usage", ["tenant_usage_entitlement"], "meter.sql";
            Measure, "user", ["active_profile_metric"], "measure_user.sql";
            Measure, "permission_set", ["active_perm_set_license_metric"],
                "measure_permission_set.sql";
            Measure, "feature", ["active_feature_license_metric"], "measure_feature.sql";
        },
        organization: Some(OrganizationView {
            needs: vec!["organization".into()],
            sql: include_str!("organization.sql").into(),
        }),
        activity_retention_days: Some(LOGIN_RETENTION_DAYS),
        classification: classification::table(),
        free_licenses: FREE.map(str::to_owned).to_vec(),
        tiers: vec![LicenseTier {
            from: "SFDC".into(),
            to: "AUL".into(),
            objects: ["Lead", "Opportunity", "Case", "Campaign", "Quote"]
                .map(str::to_owned)
                .to_vec(),
        }],
        cautions: cautions(),
    }
}

fn cautions() -> BTreeMap<String, Vec<String>> {
    let lines: [(&str, &[&str]); 6] = [
        (
            "R01",
            &["a user that was activated again lately may be meant for somebody who starts soon"],
        ),
        (
            "R03",
            &[
                "some editions include a few Salesforce Integration licences, which allow API access \
                 only",
                "some industry objects cannot be used with an integration licence",
            ],
        ),
        (
            "R06",
            &[
                "a licence is bound to the profile: the move needs another profile",
                "muting permission sets and limits on custom objects are not looked at",
            ],
        ),
        ("R08", &["many permission-set licences come with another product at no price"]),
        (
            "R09",
            &[
                "session-based permission sets and features that look at the licence itself leave no \
               trace here",
            ],
        ),
        ("R10", &["feature licences are often included at no charge"]),
    ];
    lines
        .into_iter()
        .map(|(rule, texts)| (rule.to_owned(), texts.iter().map(|text| (*text).into()).collect()))
        .collect()
}
