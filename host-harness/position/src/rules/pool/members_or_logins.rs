//! R16: members or logins.

use super::PoolRules;
use crate::error::Error;
use crate::model::{Family, License, Unit};
use crate::model::{PoolFinding, Value};
use crate::money::Amount;
use crate::number::grouped;

/// Finds people who would cost less if they were charged the other way.
pub(crate) fn find(rules: &PoolRules<'_>) -> Result<Vec<PoolFinding>, Error> {
    Ok(rules.each(|license| cheaper(rules, license)))
}

fn cheaper(rules: &PoolRules<'_>, license: &License) -> Option<PoolFinding> {
    let (logins, members) = ways_to_charge(rules, license)?;
    let (by_login, by_member) = (rules.valuer.price_of(logins)?, rules.valuer.price_of(members)?);
    let people = license.holders.filter(|people| *people > 0)?;
    if by_login.currency != by_member.currency {
        return None;
    }
    // A login's price is for a login a month, for a year.
    let is_by_login = license.id == logins.id;
    let (a_month, now, then) = if is_by_login {
        // The month's logins so far are the least it comes to.
        let so_far = license.assigned?;
        let a_month = rules.projected_logins(license).unwrap_or(so_far).max(so_far);
        (a_month, by_login.times(a_month), by_member.times(people))
    } else {
        let days = rules.days_used?.get(&license.pool()).copied().unwrap_or(0);
        let window = f64::from(rules.settings.sparse_window_days.max(1));
        let a_month = (days as f64 * 30.0 / window).ceil() as i64;
        (a_month, by_member.times(people), by_login.times(a_month))
    };
    let saving = Amount { minor: now.minor - then.minor, currency: by_login.currency };
    (saving.minor > 0).then(|| {
        let message = if is_by_login {
            format!(
                "{} logins a month cost {now} a year; the {} people who hold it would cost {then} as members of {}",
                grouped(a_month),
                grouped(people),
                members.name
            )
        } else {
            format!(
                "{} members cost {now} a year; their {} logins a month would cost {then} with {}",
                grouped(people),
                grouped(a_month),
                logins.name
            )
        };
        let values =
            vec![Value::new("logins of a month", a_month), Value::new("people", people)];
        PoolFinding::of(license, people, Some(saving), message, values)
    })
}

/// The pool charged by logins and the one charged by member that may stand for each other, if
/// this is one of the two.
fn ways_to_charge<'a>(
    rules: &PoolRules<'a>,
    license: &License,
) -> Option<(&'a License, &'a License)> {
    let is = |pool: &License, family: &Family, key: &str| pool.family == *family && pool.key == key;
    let pool = |unit: Unit, family: &Family, key: &str| {
        rules.licenses.iter().find(|pool| pool.unit == unit && is(pool, family, key))
    };
    let lines = rules.imported.prices.iter().flat_map(|book| &book.lines);
    lines
        .filter_map(|line| {
            let (family, key) = line.alternative_to.as_deref()?.split_once('/')?;
            let logins = pool(Unit::Logins, &line.family, &line.key)?;
            Some((logins, pool(Unit::Seats, &family.into(), key)?))
        })
        .find(|(logins, members)| {
            [logins.id.as_str(), members.id.as_str()].contains(&license.id.as_str())
        })
}
