//! Whether the figures fit each other: the lines shown under every position.

use std::collections::BTreeMap;

use connector_api::message::DatasetStatus;
use connector_api::position::CanonicalTable;

use crate::error::Error;
use crate::evidence::{Cause, Evidence};
use crate::model::{
    DifferenceReason, Family, License, Line, LineId, LineStatus, PoolDifference, PoolKey,
    ReadStatus, Unit,
};
use crate::number::{counted, grouped};
use crate::seats::{Census, Tally};
use crate::tables::Tables;
use crate::tables::db::AnalysisDb;
use crate::tables::totals::Totals;
use crate::time::shown;
use crate::visibility::Visibility;

mod line;
mod movement;

use line::{ORGANIZATION, not_assessed};

/// The family in which every account has exactly one seat.
const USER: Family = Family::User;
/// All lines, in the order of their ids, the sums last.
pub(crate) fn lines(
    tables: &Tables,
    evidence: &Evidence<'_>,
    sight: &Visibility<'_>,
    licenses: &[License],
    census: &Census,
) -> Vec<Line> {
    let held = held_families(evidence, licenses);
    let pools = |family: &Family| -> Vec<&License> {
        licenses.iter().filter(|license| license.family == *family).collect()
    };
    let mut lines = Vec::new();
    for family in &held {
        lines.extend(assigned_line(family, &pools(family), census));
    }
    lines.extend(one_seat_line(&tables.totals, evidence, sight));
    lines.extend(activity_lines(evidence, sight));
    lines.extend(movement::lines(tables.movement.as_ref(), &held, licenses));
    lines.push(datasets_line(evidence));
    lines.extend(held.iter().map(|family| sum_line(family, &pools(family))));
    lines
}

/// Families whose licences people hold, in the order of their pools.
fn held_families<'a>(evidence: &Evidence<'_>, licenses: &'a [License]) -> Vec<&'a Family> {
    let mut families: Vec<&Family> = Vec::new();
    for license in licenses {
        let family = &license.family;
        if !families.contains(&family)
            && evidence.views(CanonicalTable::Seat, family.as_str()).next().is_some()
        {
            families.push(family);
        }
    }
    families
}

fn because(causes: &[Cause]) -> String {
    causes
        .iter()
        .map(|cause| format!("`{}` is {}: {}", cause.dataset, cause.status, cause.reason))
        .collect::<Vec<_>>()
        .join("; ")
}

/// I1: what the vendor reports as assigned against the seats that were counted.
///
/// Pools that are not counted in seats are left out: only the vendor can count logins. None if the
/// family has no other pools.
fn assigned_line(family: &Family, pools: &[&License], census: &Census) -> Option<Line> {
    let pools: Vec<_> = pools.iter().filter(|pool| pool.unit == Unit::Seats).collect();
    let first = pools.first()?;
    let assessed: Vec<(&License, i64, i64)> = pools
        .iter()
        .filter_map(|pool| Some((**pool, pool.assigned?, pool.assigned_recomputed?)))
        .collect();
    if assessed.is_empty() {
        let reason = first.gaps.first().map_or_else(
            || "the counts are not known".to_owned(),
            |gap| format!("`{}` is {}: {}", gap.dataset, gap.status, gap.reason),
        );
        return Some(not_assessed(LineId::I1, family.as_str(), reason));
    }
    let left = assessed.iter().map(|(_, reported, _)| reported).sum();
    let right = assessed.iter().map(|(.., counted)| counted).sum();
    let differences: Vec<PoolDifference> = assessed
        .iter()
        .filter(|(_, reported, counted)| reported != counted)
        .map(|(pool, reported, counted)| {
            let tally = census.get(&pool.pool()).copied().unwrap_or_default();
            PoolDifference {
                key: pool.key.clone(),
                name: pool.name.clone(),
                left: *reported,
                right: *counted,
                difference: reported - counted,
                reason: reason_code(pool, *reported, *counted, &tally),
            }
        })
        .collect();
    let mut message = format!(
        "{} reported as assigned, {} counted as held by active accounts",
        counted(left, "seat", "seats"),
        grouped(right)
    );
    if !differences.is_empty() {
        message.push_str(&format!("; {}", in_words(&differences, pools.as_slice())));
    }
    let unknown_pools: i64 = census
        .iter()
        .filter(|((of, id), _)| of == family && !pools_contain(&pools, id))
        .map(|(_, tally)| tally.holders)
        .sum();
    if unknown_pools > 0 {
        message.push_str(&format!(
            "; {} of pools that were not shown or are not counted in seats",
            counted(unknown_pools, "more seat", "more seats")
        ));
    }
    Some(Line {
        id: LineId::I1,
        status: if differences.is_empty() { LineStatus::Ok } else { LineStatus::Difference },
        subject: family.to_string(),
        left: Some(left),
        right: Some(right),
        difference: Some(left - right),
        message,
        pools: differences,
    })
}

fn pools_contain(pools: &[&&License], id: &str) -> bool {
    pools.iter().any(|pool| pool.id == id)
}

fn reason_code(pool: &License, reported: i64, counted: i64, tally: &Tally) -> DifferenceReason {
    if reported > counted {
        if reported - counted == tally.held_by_inactive {
            DifferenceReason::InactiveAssignees
        } else {
            DifferenceReason::InvisiblePeople
        }
    } else if reported == 0 {
        DifferenceReason::UncountedAccounts
    } else if pool.counted_at.is_some() {
        DifferenceReason::StaleCount
    } else {
        DifferenceReason::Unexplained
    }
}

fn in_words(differences: &[PoolDifference], pools: &[&&License]) -> String {
    const SHOWN: usize = 3;
    let mut parts: Vec<String> = differences
        .iter()
        .take(SHOWN)
        .map(|pool| {
            let counted_at =
                pools.iter().find(|known| known.key == pool.key).and_then(|known| known.counted_at);
            let reason = match pool.reason {
                DifferenceReason::InactiveAssignees => {
                    "the vendor counts inactive accounts too".to_owned()
                }
                DifferenceReason::InvisiblePeople => {
                    "the vendor counts accounts that were not shown, or its count is old".to_owned()
                }
                DifferenceReason::UncountedAccounts => {
                    "the vendor does not count these accounts".to_owned()
                }
                DifferenceReason::StaleCount => match counted_at {
                    Some(at) => format!("the vendor counted at {}", shown(at)),
                    None => "the vendor's count is old".to_owned(),
                },
                DifferenceReason::Unexplained => "not explained".to_owned(),
            };
            format!(
                "`{}`: {} reported, {} counted ({reason})",
                pool.key,
                grouped(pool.left),
                grouped(pool.right)
            )
        })
        .collect();
    if differences.len() > SHOWN {
        parts.push(counted((differences.len() - SHOWN) as i64, "more pool", "more pools"));
    }
    parts.join("; ")
}

/// I2: every active account has exactly one seat of family `user`. Service accounts without one are
/// the vendor's own and no difference.
fn one_seat_line(totals: &Totals, evidence: &Evidence<'_>, sight: &Visibility<'_>) -> Option<Line> {
    evidence.views(CanonicalTable::Seat, USER.as_str()).next()?;
    let mut causes = evidence.causes(CanonicalTable::Seat, USER.as_str());
    causes.extend(evidence.causes(CanonicalTable::Person, USER.as_str()));
    if !causes.is_empty() {
        causes.dedup();
        return Some(not_assessed(LineId::I2, USER.as_str(), because(&causes)));
    }
    let Some(people) = sight.active_people else {
        let message = "it was not shown which accounts are active".to_owned();
        return Some(not_assessed(LineId::I2, USER.as_str(), message));
    };
    let (one, several) = (totals.with_one_seat, totals.with_several_seats);
    let without = people - one - several;
    let services_without = totals.services - totals.services_with_seats;
    let mut message = format!(
        "{} of {} have exactly one seat",
        grouped(one),
        counted(people, "active account", "active accounts")
    );
    if without > 0 {
        message.push_str(&format!(
            "; {} without one, {} of them service accounts",
            grouped(without),
            grouped(services_without)
        ));
    }
    if several > 0 {
        message.push_str(&format!("; {} with several", grouped(several)));
    }
    let agrees = several == 0 && without == services_without;
    Some(Line {
        id: LineId::I2,
        status: if agrees { LineStatus::Ok } else { LineStatus::Difference },
        subject: USER.to_string(),
        left: Some(people),
        right: Some(one),
        difference: Some(people - one),
        message,
        pools: Vec::new(),
    })
}

/// I3: uses of others than the connecting account were read.
fn activity_lines(evidence: &Evidence<'_>, sight: &Visibility<'_>) -> Vec<Line> {
    let line = |family: &str| {
        let subject = if family.is_empty() { ORGANIZATION } else { family };
        let causes = evidence.use_causes(family);
        if !causes.is_empty() {
            return not_assessed(LineId::I3, subject, because(&causes));
        }
        let people = sight.people(family);
        let (status, message) = match sight.blind(family) {
            Some(cause) => (
                LineStatus::Difference,
                format!("`{}`: {}; the use of seats is unknown", cause.dataset, cause.reason),
            ),
            None => (
                LineStatus::Ok,
                format!("uses of {} were read", counted(people, "account", "accounts")),
            ),
        };
        Line {
            status,
            left: Some(people),
            message,
            ..not_assessed(LineId::I3, subject, String::new())
        }
    };
    evidence.use_families().into_iter().map(line).collect()
}

/// I4: holders used in 30 days as counted here, against the vendor's own newest measurement. The two
/// are taken at different instants, so a difference of at most a twentieth is agreement.
pub(crate) fn measured_lines(
    db: &AnalysisDb,
    evidence: &Evidence<'_>,
    sight: &Visibility<'_>,
    licenses: &[License],
    used_lately: &BTreeMap<PoolKey, i64>,
) -> Result<Vec<Line>, Error> {
    let mut newest = db.connection.prepare(
        "SELECT license_id, active, MAX(at) FROM measure
         WHERE family = ?1 AND active IS NOT NULL GROUP BY license_id",
    )?;
    let mut lines = Vec::new();
    for family in held_families(evidence, licenses) {
        if evidence.views(CanonicalTable::Measure, family.as_str()).next().is_none() {
            continue;
        }
        let causes = evidence.causes(CanonicalTable::Measure, family.as_str());
        if !causes.is_empty() {
            lines.push(not_assessed(LineId::I4, family.as_str(), because(&causes)));
            continue;
        }
        if let Some(cause) = sight.blind(family.as_str()) {
            lines.push(not_assessed(LineId::I4, family.as_str(), because(&[cause])));
            continue;
        }
        let measured: Vec<(String, i64, i64)> = newest
            .query_map([family.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        let Some(at) = measured.iter().map(|(.., at)| *at).max() else {
            let message = "the vendor shows no measurement".to_owned();
            lines.push(not_assessed(LineId::I4, family.as_str(), message));
            continue;
        };
        let here = |id: &str| used_lately.get(&(family.clone(), id.to_owned())).copied();
        let left = measured.iter().map(|(id, ..)| here(id).unwrap_or(0)).sum::<i64>();
        let right: i64 = measured.iter().map(|(_, active, _)| active).sum();
        let agrees = (left - right).abs() * 20 <= left.max(right);
        let day = crate::time::from_ms(at).date_naive();
        let mut message = format!(
            "{} used in 30 days as counted here, {} as the vendor measured on {day}",
            counted(left, "seat", "seats"),
            grouped(right),
        );
        if !agrees {
            message.push_str(
                "; the vendor measures on another day and does not say which uses it counts",
            );
        }
        lines.push(Line {
            id: LineId::I4,
            status: if agrees { LineStatus::Ok } else { LineStatus::Difference },
            subject: family.to_string(),
            left: Some(left),
            right: Some(right),
            difference: Some(left - right),
            message,
            pools: Vec::new(),
        });
    }
    Ok(lines)
}

/// I6: the datasets that were planned against those that were read. What the organization does not
/// have cannot be read and is no difference.
fn datasets_line(evidence: &Evidence<'_>) -> Line {
    let complete = ReadStatus::COMPLETE;
    let absent = ReadStatus::Read(DatasetStatus::Absent);
    let all = evidence.lines();
    let planned = all.len() as i64;
    let missing = all.iter().filter(|line| line.status == absent).count() as i64;
    let read = all.iter().filter(|line| line.status == complete).count() as i64;
    let left = planned - missing;
    let mut message =
        format!("{} of {} read wholly", grouped(read), counted(planned, "dataset", "datasets"));
    let others: Vec<String> = all
        .iter()
        .filter(|line| line.status != complete)
        .map(|line| format!("`{}` {}", line.dataset, line.status))
        .collect();
    if !others.is_empty() {
        message.push_str(&format!("; {}", others.join(", ")));
    }
    let unasked = evidence.manifest.datasets.len() as i64 - planned;
    if unasked > 0 {
        message.push_str(&format!(
            "; {} more are read only where somebody asks for them",
            grouped(unasked)
        ));
    }
    Line {
        id: LineId::I6,
        status: if left == read { LineStatus::Ok } else { LineStatus::Difference },
        subject: ORGANIZATION.to_owned(),
        left: Some(left),
        right: Some(read),
        difference: Some(left - read),
        message,
        pools: Vec::new(),
    }
}

/// The classes sum to the seats, in every pool.
pub(crate) fn sum_line(family: &Family, pools: &[&License]) -> Line {
    let known: Vec<(&License, i64, i64)> = pools
        .iter()
        .filter_map(|pool| {
            let classes = pool.classes().into_iter().filter_map(|(_, number)| number).sum();
            Some((*pool, pool.holders? + pool.unseen.unwrap_or(0), classes))
        })
        .collect();
    if known.is_empty() {
        return not_assessed(
            LineId::Sum,
            family.as_str(),
            "who holds the licences is not known".to_owned(),
        );
    }
    let left: i64 = known.iter().map(|(_, holders, _)| holders).sum();
    let right: i64 = known.iter().map(|(.., classes)| classes).sum();
    let wrong: Vec<String> = known
        .iter()
        .filter(|(_, holders, classes)| holders != classes)
        .map(|(pool, holders, classes)| {
            format!("`{}`: {} held, {} classified", pool.key, grouped(*holders), grouped(*classes))
        })
        .collect();
    let (status, message) = if wrong.is_empty() {
        let seats = counted(left, "holder, seen or not,", "holders, seen or not,");
        (LineStatus::Ok, format!("the classes sum to the {seats} in every pool"))
    } else {
        (LineStatus::Difference, wrong.join("; "))
    };
    Line {
        id: LineId::Sum,
        status,
        subject: family.to_string(),
        left: Some(left),
        right: Some(right),
        difference: Some(left - right),
        message,
        pools: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_that_do_not_sum_are_found_by_the_check() {
        let mut license = License {
            key: "A".into(),
            holders: Some(2),
            active: Some(1),
            never: Some(1),
            ..License::default()
        };
        assert_eq!(sum_line(&Family::User, &[&license]).status, LineStatus::Ok);
        license.active = Some(0);
        let broken = sum_line(&Family::User, &[&license]);
        assert_eq!((broken.status, broken.difference), (LineStatus::Difference, Some(1)));
        assert!(broken.message.contains('A'), "{}", broken.message);
    }
}
