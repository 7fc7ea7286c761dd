//! The three daily metrics of the last 30 days: licences assigned, and used within 30 days.

use crate::clock::DAY;
use crate::org::catalog::PROFILES;
use crate::org::grants::{Grant, GrantRow, Grants, Recipients};
use crate::org::population::{Pool, Segment, Usage};
use crate::org::stored::StoredTable;
use crate::org::users::{FEATURES, Getter, profile_choices};
use crate::org::{Estate, catalog, permission_sets, population};
use crate::value::Value;

const DAYS: i64 = 30;

/// Feature licences by day.
pub(crate) fn features(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("ActiveFeatureLicenseMetric");
    for (day, at) in days(estate) {
        for &(_, feature, modulus, remainder) in FEATURES {
            let given = |segment: &Segment| {
                segment.license == Some(0)
                    && segment.usage.is_active()
                    && segment.usage != Usage::Machine
            };
            let (mut assigned, mut used) = (0, 0.0);
            for (r, s, _, segment) in estate.population.segments() {
                if given(segment) {
                    let seats = segment.count_every(modulus, remainder);
                    assigned += seats as i64;
                    used += estate.logins.share_in_a_month(r, s) * seats as f64;
                }
            }
            let id = estate.id("ActiveFeatureLicenseMetric", table.next());
            table
                .row()
                .set("Id", Value::Id(id))
                .set("MetricsDate", Value::Date(day))
                .set("SystemModstamp", Value::Instant(at))
                .text("FeatureType", feature)
                .int("AssignedUserCount", assigned)
                .int("ActiveUserCount", used.round() as i64)
                .int("TotalLicenseCount", assigned + assigned / 3 + 5);
        }
    }
    table
}

/// Permission set licences by day.
pub(crate) fn permission_set_licenses(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("ActivePermSetLicenseMetric");
    for (day, at) in days(estate) {
        for (license, spec) in permission_sets::LICENSES.iter().enumerate() {
            let (total, used) = permission_sets::license_seats(estate, spec);
            let id = estate.id("ActivePermSetLicenseMetric", table.next());
            table
                .row()
                .set("Id", Value::Id(id))
                .set("MetricsDate", Value::Date(day))
                .set("SystemModstamp", Value::Instant(at))
                .set(
                    "PermissionSetLicenseId",
                    Value::Id(estate.id("PermissionSetLicense", license as u64)),
                )
                .text("DeveloperName", spec.name)
                .text("MasterLabel", spec.label)
                .int("TotalLicenses", total)
                .int("AssignedUserCount", used)
                .int("ActiveUserCount", permission_sets::used_in_a_month(estate, spec));
        }
    }
    table
}

/// Profiles by day.
pub(crate) fn profiles(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("ActiveProfileMetric");
    let counts: Vec<(i64, i64)> =
        (0..PROFILES.len()).map(|profile| counts(estate, profile)).collect();
    for (day, at) in days(estate) {
        for (profile, &(assigned, active)) in
            counts.iter().enumerate().filter(|(_, counts)| counts.0 > 0)
        {
            let id = estate.id("ActiveProfileMetric", table.next());
            let license = catalog::license(PROFILES[profile].license);
            table
                .row()
                .set("Id", Value::Id(id))
                .set("MetricsDate", Value::Date(day))
                .set("SystemModstamp", Value::Instant(at))
                .set("UserLicenseId", Value::Id(estate.id("UserLicense", license as u64)))
                .set("ProfileId", Value::Id(estate.id("Profile", profile as u64)))
                .int("AssignedUserCount", assigned)
                .int("ActiveUserCount", active);
        }
    }
    table
}

/// Who used the app on which day: of those who use it often, every second each day.
pub(crate) fn app_usage(estate: &Estate) -> Grants {
    Grants::new((0..DAYS as u64).map(|day| {
        let pool = Pool::new(&estate.population, |era, s| {
            era != population::Era::New && s.usage == Usage::Heavy
        });
        let to = Recipients { pool, stride: 2, offset: day % 2 };
        Grant { target: Some(day), group: None, expires: false, to }
    }))
}

/// How `LightningUsageByAppTypeMetrics` fields are computed; the target is the day, oldest first.
pub(crate) fn app_usage_getter(field: &str) -> Option<Getter<GrantRow>> {
    Some(match field {
        "Id" => |e, g| Value::Id(e.id("LightningUsageByAppTypeMetrics", g.row)),
        "UserId" => |e, g| Value::Id(e.id("User", g.user)),
        "MetricsDate" => |e, g| Value::Date(day_of(e, g)),
        "SystemModstamp" => |e, g| Value::Instant((day_of(e, g) + 1) * DAY),
        "AppExperience" => |_, g| {
            let mobile = g.row % 5 == 0;
            Value::Text(if mobile { "Salesforce Mobile" } else { "Lightning Experience" }.into())
        },
        _ => return None,
    })
}

fn day_of(estate: &Estate, usage: &GrantRow) -> i64 {
    estate.now.div_euclid(DAY) - DAYS + usage.target as i64
}

/// Active users of a profile, and those of them seen in the last 30 days.
fn counts(estate: &Estate, profile: usize) -> (i64, i64) {
    let (mut assigned, mut active) = (0, 0.0);
    for (r, s, region, segment) in estate.population.segments() {
        let Some(license) = segment.license.filter(|_| segment.usage.is_active()) else { continue };
        let is_admin = region.base + segment.start == population::ADMIN
            && region.era == population::Era::Founding;
        let choices = if is_admin { vec![0] } else { profile_choices(license, segment.usage) };
        let Some(turn) = choices.iter().position(|&choice| choice == profile) else { continue };
        let count = segment.count_every(choices.len() as u64, turn as u64) as i64;
        assigned += count;
        active += estate.logins.share_in_a_month(r, s) * count as f64;
    }
    (assigned, active.round() as i64)
}

/// The last days, oldest first, with the moment each was measured.
fn days(estate: &Estate) -> impl Iterator<Item = (i64, i64)> + use<> {
    let today = estate.now.div_euclid(DAY);
    (1..=DAYS).rev().map(move |ago| (today - ago, (today - ago + 1) * DAY))
}
