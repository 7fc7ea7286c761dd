//! A position as tables of text, for the terminal and for HTML alike.

use position::model::{
    Bound, Bounded, Family, License, PoolStatus, Position, ReadStatus, Unit, Unknown,
};
use position::{counted, grouped};

use crate::time::shown;

/// The licence pools of one family.
#[derive(Debug)]
pub struct FamilyTable {
    /// The family.
    pub family: String,
    /// Column titles; from [`FamilyTable::FIRST_NUMBER`] on the columns hold numbers.
    pub head: Vec<&'static str>,
    /// One row for each pool that is not dormant.
    pub rows: Vec<Vec<String>>,
    /// What the rows leave out, as a sentence.
    pub remark: Option<String>,
}

impl FamilyTable {
    /// The first column that holds numbers.
    pub const FIRST_NUMBER: usize = 4;
}

/// One table for each family, in the order of the pools.
pub fn families(position: &Position) -> Vec<FamilyTable> {
    let mut names: Vec<&Family> = Vec::new();
    for license in &position.licenses {
        if !names.contains(&&license.family) {
            names.push(&license.family);
        }
    }
    names.into_iter().map(|family| family_table(position, family)).collect()
}

fn family_table(position: &Position, family: &Family) -> FamilyTable {
    let pools: Vec<&License> =
        position.licenses.iter().filter(|license| license.family == *family).collect();
    let held = pools.iter().any(|pool| pool.holders.is_some() || pool.lacks("holders"));
    let mut head = vec!["NAME", "KEY", "STATUS", "UNIT", "PURCHASED", "ASSIGNED", "AVAILABLE"];
    if held {
        head.extend([
            "HOLDERS",
            "ACTIVE",
            "INACTIVE",
            "NEVER",
            "MACHINE ONLY",
            "UNKNOWN",
            "UNSEEN",
        ]);
    }
    let (dormant, shown): (Vec<&License>, Vec<&License>) =
        pools.into_iter().partition(|pool| pool.is_dormant());
    let rows = shown.iter().map(|pool| row(position, pool, held)).collect();
    let remark = (!dormant.is_empty()).then(|| {
        let number = dormant.len() as i64;
        format!(
            "{} not active and with nothing assigned {} left out here",
            counted(number, "pool", "pools"),
            if number == 1 { "is" } else { "are" }
        )
    });
    FamilyTable { family: family.to_string(), head, rows, remark }
}

fn row(position: &Position, pool: &License, held: bool) -> Vec<String> {
    let number = |name: &str, value: Option<i64>| figure(position, pool, name, value);
    let limit = |name: &str, value| {
        if pool.unlimited { "unlimited".to_owned() } else { number(name, value) }
    };
    let mut cells = vec![
        pool.name.clone(),
        pool.key.clone(),
        pool.status.as_ref().map_or_else(|| "?".to_owned(), PoolStatus::to_string),
        pool.unit.to_string(),
        limit("purchased", pool.purchased),
        number("assigned", pool.assigned),
        limit("available", pool.available),
    ];
    if held {
        cells.push(number("holders", pool.holders));
        cells.extend(pool.classes().map(|(name, value)| number(name, value)));
    }
    cells
}

/// A number; `?` with the number of its footnote if it is unknown; `-` if it has no meaning here.
fn figure(position: &Position, pool: &License, name: &str, value: Option<i64>) -> String {
    if let Some(value) = value {
        return grouped(value);
    }
    let Some(gap) = pool.gaps.iter().find(|gap| gap.figures.contains(&name)) else {
        return "-".to_owned();
    };
    match position.unknown.iter().position(|unknown| unknown.dataset == gap.dataset) {
        Some(at) => format!("?[{}]", at + 1),
        None => "?".to_owned(),
    }
}

/// What the columns count, as one sentence.
pub fn legend(position: &Position) -> String {
    format!(
        "purchased, assigned and available are in the unit shown, as the vendor reports them; holders and \
         classes are {} of active accounts: unseen = assigned to accounts that were not shown and counted as needed, active = used by a person in the last {}, unknown = uses \
         not readable or account at most {} old, machine only = used by machines alone, never = no login \
         at all, inactive = the rest; ? = unknown, - = not applicable",
        Unit::Seats,
        counted(i64::from(position.thresholds.active_days), "day", "days"),
        counted(i64::from(position.thresholds.grace_days), "day", "days"),
    )
}

/// A claim of seats with its bound: `at least 12`; `?` if nothing can be claimed.
pub fn claim(pool: &License, name: &str, value: Option<i64>) -> String {
    let Some(value) = value else { return "?".to_owned() };
    at_least(pool.money.bounds.get(name)) + &grouped(value)
}

/// The words before a number that is a lower bound.
pub fn at_least(bounded: Option<&Bounded>) -> String {
    let exact = bounded.is_none_or(|bounded| bounded.is == Bound::Exact);
    if exact { String::new() } else { "at least ".to_owned() }
}

/// How idle seats, seats that can be taken back and seats that can be dropped at renewal follow from
/// each other, over the paid user licences; `None` if their numbers are not known.
pub fn bridge(position: &Position) -> Option<String> {
    let mut pools = position
        .licenses
        .iter()
        .filter(|pool| pool.family == Family::User && pool.unit == Unit::Seats)
        .filter(|pool| pool.money.paid && !pool.is_dormant() && !pool.unlimited)
        .peekable();
    pools.peek()?;
    let (mut idle, mut taken, mut free, mut dropped) = (0, 0, 0, 0);
    for pool in pools {
        idle += pool.inactive.unwrap_or(0) + pool.never.unwrap_or(0);
        taken += pool.money.reclaimable.unwrap_or(0);
        dropped += pool.money.reducible_at_renewal?;
        free += pool.purchased? - pool.assigned?.max(pool.holders.unwrap_or(0));
    }
    Some(format!(
        "{} idle; {} can be taken back; {} taken back + {} not assigned - {} kept for growth, \
         headroom and contracts that can no longer be changed = {} that can be dropped at renewal",
        counted(idle, "paid seat is", "paid seats are"),
        grouped(taken),
        grouped(taken),
        grouped(free),
        grouped(taken + free - dropped),
        grouped(dropped)
    ))
}

/// The organization in one line.
pub fn organization(position: &Position) -> String {
    let org = &position.org;
    let mut parts: Vec<String> = Vec::new();
    parts.extend(org.edition.clone());
    parts.extend(
        org.is_sandbox.map(|sandbox| if sandbox { "sandbox" } else { "production" }.to_owned()),
    );
    parts.extend(org.instance.as_ref().map(|instance| format!("instance {instance}")));
    parts.extend(org.id.as_ref().map(|id| format!("id {id}")));
    let name = org.name.as_deref().unwrap_or("organization not shown");
    if parts.is_empty() { name.to_owned() } else { format!("{name} ({})", parts.join(", ")) }
}

/// Where the figures come from, in one line.
pub fn provenance(position: &Position) -> String {
    format!(
        "As of {}, snapshot {} ({}) of connector {}, {}",
        shown(position.as_of),
        position.snapshot,
        position.snapshot_status.as_str(),
        position.connector,
        position.title
    )
}

/// The time uses were seen in, one line for each source.
pub fn coverage(position: &Position) -> Vec<String> {
    position
        .coverage
        .iter()
        .map(|coverage| {
            let of = if coverage.family.is_empty() {
                String::new()
            } else {
                format!(" of {}", coverage.family)
            };
            let from = coverage.datasets.join(", ");
            if let (false, Some(reason)) = (coverage.readable, &coverage.reason) {
                return format!("Uses{of} are not readable: {from}: {reason}");
            }
            let (Some(start), Some(end)) = (coverage.from, coverage.to) else {
                return format!("No uses{of} were recorded ({from})");
            };
            let days = (end - start).num_days();
            let mut text = format!(
                "Uses{of} from {} to {} ({}): {} by {} ({from})",
                shown(start),
                shown(end),
                counted(days, "day", "days"),
                counted(coverage.events.unwrap_or(0), "successful use", "successful uses"),
                counted(coverage.people.unwrap_or(0), "account", "accounts"),
            );
            if coverage.shorter_than_threshold {
                text.push_str(
                    "; shorter than the threshold, so the last-login field stands in for earlier uses (weak evidence)",
                );
            }
            text
        })
        .collect()
}

/// What is unknown and what would open it, in one line.
pub fn footnote(unknown: &Unknown) -> String {
    let mut text =
        format!("{} ({}), {}: {}", unknown.title, unknown.dataset, unknown.status, unknown.reason);
    if !unknown.affects.is_empty() {
        text.push_str(&format!("; unknown because of it: {}", unknown.affects.join("; ")));
    }
    if !unknown.permissions.is_empty() {
        let labels: Vec<&str> = unknown
            .permissions
            .iter()
            .map(|permission| {
                if permission.label.is_empty() { &permission.name } else { &permission.label }
                    .as_str()
            })
            .collect();
        text.push_str(&format!("; the connecting account needs: {}", labels.join(", ")));
    } else if unknown.status == ReadStatus::NotCollected {
        text.push_str("; a run that includes it would read it");
    }
    text
}

/// How many datasets are in which state, and those that are not complete, one line each.
pub fn incomplete(position: &Position) -> Vec<Vec<String>> {
    position
        .datasets
        .iter()
        .filter(|line| line.status != ReadStatus::COMPLETE)
        .map(|line| {
            let rows = line.rows.and_then(|rows| i64::try_from(rows).ok());
            let rows = rows.map_or_else(|| "-".into(), |rows| counted(rows, "record", "records"));
            let of = line.expected.and_then(|rows| i64::try_from(rows).ok());
            let of = of.map_or_else(String::new, |of| format!(" of {}", grouped(of)));
            vec![line.dataset.clone(), line.status.to_string(), format!("{rows}{of}")]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_estate::Estate;

    #[test]
    fn dormant_pools_are_counted_and_not_shown() {
        let estate = Estate::with_plan(10, 2);
        estate.plan("P2", "user", "disabled", "seats", Some(20), Some(0));
        estate.plan("P3", "user", "expired", "seats", Some(20), Some(3));
        let tables = families(&estate.position());
        assert_eq!(tables[0].rows.len(), 2);
        assert!(tables[0].remark.as_ref().unwrap().starts_with("1 pool not active"));
    }

    #[test]
    fn a_dataset_that_no_run_has_read_wants_a_run() {
        let mut estate = Estate::with_plan(10, 2);
        estate.datasets.retain(|info| info.dataset != "use");
        let position = estate.position();
        assert!(footnote(&position.unknown[0]).contains("a run that includes it"));
    }
}
