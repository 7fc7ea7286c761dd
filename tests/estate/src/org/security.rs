//! How people prove who they are: `TwoFactorMethodsInfo`, `VerificationHistory`, `LoginGeo`.

use crate::clock::DAY;
use crate::org::Estate;
use crate::org::grants::{Grant, GrantRow, Grants, Recipients};
use crate::org::login_fields::LoginRow;
use crate::org::population::{self, ADMIN, Pool, Usage};
use crate::org::users::{Getter, UserRow};
use crate::value::Value;

/// How `TwoFactorMethodsInfo` fields are computed: one row per user.
pub(crate) fn methods_getter(field: &str) -> Option<Getter<UserRow>> {
    Some(match field {
        "Id" => |e, u| Value::Id(e.id("TwoFactorMethodsInfo", u.row)),
        "UserId" => |e, u| Value::Id(e.id("User", u.row)),
        "HasTotp" => |_, u| Value::Bool(signs_in(u) && u.row % 3 != 0),
        "HasSalesforceAuthenticator" => |_, u| Value::Bool(signs_in(u) && u.row % 4 == 0),
        "HasSecurityKey" => |_, u| Value::Bool(signs_in(u) && u.row % 19 == 0),
        "HasBuiltInAuthenticator" => |_, u| Value::Bool(signs_in(u) && u.row % 7 == 0),
        "HasUserVerifiedEmailAddress" => |_, u| Value::Bool(signs_in(u)),
        _ => return None,
    })
}

fn signs_in(user: &UserRow) -> bool {
    matches!(user.usage, Usage::Heavy | Usage::Light | Usage::Idle)
}

/// Who had to verify an identity in the last six months.
pub(crate) fn verifications(estate: &Estate) -> Grants {
    let pool = Pool::new(&estate.population, |_, s| matches!(s.usage, Usage::Heavy | Usage::Light));
    let to = Recipients { pool, stride: 2, offset: 0 };
    Grants::new([Grant { target: Some(0), group: None, expires: false, to }])
}

impl GrantRow {
    fn verified_at(&self, estate: &Estate) -> i64 {
        let created = estate.population.created_at(self.user, estate.now);
        let from = (estate.now - 178 * DAY).max(created);
        population::moment(estate.seed(), 0x80, self.row, from, estate.now)
    }

    fn was_login(&self) -> bool {
        !self.row.is_multiple_of(6)
    }
}

/// How `VerificationHistory` fields are computed.
pub(crate) fn verification_getter(field: &str) -> Option<Getter<GrantRow>> {
    Some(match field {
        "Id" => |e, g| Value::Id(e.id("VerificationHistory", g.row)),
        "UserId" => |e, g| Value::Id(e.id("User", g.user)),
        "EventGroup" => |_, g| Value::Int(1_000 + g.row as i64),
        "VerificationTime" | "CreatedDate" | "LastModifiedDate" | "SystemModstamp" => {
            |e, g| Value::Instant(g.verified_at(e))
        }
        "CreatedById" | "LastModifiedById" => |e, _| Value::Id(e.id("User", ADMIN)),
        "VerificationMethod" => |_, g| {
            let methods = ["Totp", "SalesforceAuthenticator", "Email"];
            Value::Text(methods[(g.row % 3) as usize].into())
        },
        "Activity" => {
            |_, g| Value::Text(if g.was_login() { "Login" } else { "ConnectedApps" }.into())
        }
        "Policy" => |_, g| {
            let policy =
                if g.row % 3 == 2 { "DeviceActivation" } else { "TwoFactorAuthentication" };
            Value::Text(policy.into())
        },
        "Status" => |_, g| {
            Value::Text(if g.row % 23 == 5 { "FailedInvalidCode" } else { "Succeeded" }.into())
        },
        "SourceIp" => |_, g| Value::Text(format!("198.51.100.{}", 1 + g.user % 254).into()),
        _ => return None,
    })
}

/// Country, city and place of the addresses people log in from.
const PLACES: &[(&str, &str, &str, f64, f64)] = &[
    ("GB", "United Kingdom", "London", 51.51, -0.13),
    ("DE", "Germany", "Berlin", 52.52, 13.4),
    ("FR", "France", "Paris", 48.86, 2.35),
    ("US", "United States", "Chicago", 41.88, -87.63),
    ("US", "United States", "San Francisco", 37.77, -122.42),
    ("IN", "India", "Bengaluru", 12.97, 77.59),
    ("JP", "Japan", "Tokyo", 35.68, 139.69),
    ("BR", "Brazil", "S\u{e3}o Paulo", -23.55, -46.63),
];

fn place(login: &LoginRow) -> &'static (&'static str, &'static str, &'static str, f64, f64) {
    &PLACES[(login.login.user % PLACES.len() as u64) as usize]
}

/// How `LoginGeo` fields are computed: one row per login, in the same order.
pub(crate) fn geo_getter(field: &str) -> Option<Getter<LoginRow>> {
    Some(match field {
        "Id" => |e, l| Value::Id(e.id("LoginGeo", l.row)),
        "LoginTime" | "CreatedDate" | "LastModifiedDate" | "SystemModstamp" => {
            |_, l| Value::Instant(l.login.at)
        }
        "CreatedById" | "LastModifiedById" => |e, l| Value::Id(e.id("User", l.login.user)),
        "CountryIso" => |_, l| Value::Text(place(l).0.into()),
        "Country" => |_, l| Value::Text(place(l).1.into()),
        "City" => |_, l| Value::Text(place(l).2.into()),
        "Latitude" => |_, l| Value::Double(place(l).3),
        "Longitude" => |_, l| Value::Double(place(l).4),
        _ => return None,
    })
}
