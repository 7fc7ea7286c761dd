//! The head of a position, and what it could not say.

use connector_api::position::CanonicalTable;

use crate::error::Error;
use crate::evidence::Evidence;
use crate::model::{
    Bound, Bounded, Family, License, MoneyTotal, Organization, PriceBasis, ReadStatus, Thresholds,
    Unit, Unknown,
};
use crate::number::{counted, grouped};
use crate::source::SnapshotSource;
use crate::visibility::Visibility;

/// The organization's facts: nulls where its datasets were not read.
pub(crate) fn organization(
    source: &dyn SnapshotSource,
    evidence: &Evidence<'_>,
) -> Result<Organization, Error> {
    let Some(view) = &evidence.manifest.position.organization else {
        return Ok(Organization::default());
    };
    if !evidence.causes_of_needs(&view.needs).is_empty() {
        return Ok(Organization::default());
    }
    let unusable = |reason: String| Error::Statement { table: "the organization", reason };
    let mut found = None;
    let sql = format!("SELECT * FROM ({}) LIMIT 1", view.sql);
    let columns = source
        .query(&sql, &mut |row| {
            if let [id, name, edition, is_sandbox, instance] = row {
                let text = |value: &crate::source::Value<'_>| value.text().map(str::to_owned);
                found = Some(Organization {
                    id: text(id),
                    name: text(name),
                    edition: text(edition),
                    is_sandbox: is_sandbox.integer().map(|flag| flag != 0),
                    instance: text(instance),
                });
            }
            Ok(())
        })
        .map_err(|error| match error {
            Error::Source(cause) => unusable(cause.to_string()),
            other => other,
        })?;
    if columns.0 != 5 {
        return Err(unusable(format!("it has {} columns, not 5", columns.0)));
    }
    Ok(found.unwrap_or_default())
}

/// The answer in one sentence: of the family every account has a seat in, or else of the first
/// family people hold licences of.
pub(crate) fn headline(licenses: &[License], thresholds: Thresholds) -> String {
    let counts = |license: &&License| {
        license.unit == Unit::Seats && !license.unlimited && !license.has_ended()
    };
    let family = [&Family::User]
        .into_iter()
        .chain(licenses.iter().map(|license| &license.family))
        .find(|family| licenses.iter().filter(counts).any(|license| license.family == **family));
    let Some(family) = family else {
        return "No licence pools with seats were read".to_owned();
    };
    let all: Vec<&License> =
        licenses.iter().filter(counts).filter(|license| license.family == *family).collect();
    // What is free in any number would hide the rest.
    let paid: Vec<&License> = all.iter().copied().filter(|license| license.money.paid).collect();
    let (pools, which) =
        if paid.is_empty() || paid.len() == all.len() { (all, "") } else { (paid, "paid ") };
    let sum = |figure: fn(&License) -> Option<i64>| -> Option<i64> {
        pools.iter().map(|license| figure(license)).sum()
    };
    let assigned = match (sum(|pool| pool.assigned), sum(|pool| pool.purchased)) {
        (Some(assigned), Some(purchased)) => {
            format!("{} of {} assigned", grouped(assigned), counted(purchased, "seat", "seats"))
        }
        (Some(assigned), None) => {
            format!("{} assigned, purchased unknown", counted(assigned, "seat", "seats"))
        }
        (None, Some(purchased)) => {
            format!("{} purchased, assigned unknown", counted(purchased, "seat", "seats"))
        }
        (None, None) => "seats purchased and assigned are unknown".to_owned(),
    };
    let silent = sum(|pool| Some(pool.inactive? + pool.never? + pool.machine_only?));
    let used = match silent {
        Some(silent) => format!(
            "{} show no human login in {}",
            grouped(silent),
            counted(i64::from(thresholds.active_days), "day", "days")
        ),
        None => "who uses them is unknown".to_owned(),
    };
    let unseen = match sum(|pool| Some(pool.unseen.unwrap_or(0))) {
        Some(unseen @ 1..) => {
            format!("; {} belong to accounts that were not seen", grouped(unseen))
        }
        _ => String::new(),
    };
    format!("{which}{family} licences: {assigned}; {used}{unseen}")
}

/// Sums the money of all pools.
pub(crate) fn money(licenses: &[License]) -> MoneyTotal {
    let mut total = MoneyTotal { list_price_estimate: true, ..MoneyTotal::default() };
    let mut priced = false;
    for license in licenses {
        let money = &license.money;
        for (sum, amount) in [
            (&mut total.cost_per_year, &money.cost_per_year),
            (&mut total.reusable_now, &money.reusable_now_amount),
            (&mut total.reducible_at_renewal, &money.reducible_at_renewal_amount),
            (&mut total.reducible_if_agreed, &money.reducible_if_agreed_amount),
        ] {
            if let Some(amount) = amount {
                sum.add(amount);
            }
        }
        match (&money.price, money.reducible_at_renewal) {
            (Some(price), _) => {
                priced = true;
                total.list_price_estimate &= price.basis == PriceBasis::List;
            }
            (None, Some(seats)) if license.family == Family::User && money.paid => {
                total.unpriced_reducible_seats += seats;
            }
            _ => {}
        }
    }
    total.list_price_estimate &= priced;
    for figure in ["reusable_now", "reducible_at_renewal"] {
        total.bounds.insert(figure, sum_of_bounds(licenses, figure));
    }
    total
}

/// How the sum of a claim over all paid pools is meant: it is a lower bound as soon as one of them is.
fn sum_of_bounds(licenses: &[License], figure: &str) -> Bounded {
    let mut because: Vec<String> = Vec::new();
    let paid = licenses.iter().filter(|license| license.money.paid && !license.is_dormant());
    for bounded in paid.filter_map(|license| license.money.bounds.get(figure)) {
        for reason in bounded.because.iter().filter(|_| bounded.is != Bound::Exact) {
            if !because.contains(reason) {
                because.push(reason.clone());
            }
        }
    }
    Bounded::claim(Some(()), &because)
}

/// Every dataset that was not read in full, with the figures it takes away.
pub(crate) fn unknown(
    evidence: &Evidence<'_>,
    sight: &Visibility<'_>,
    licenses: &[License],
) -> Vec<Unknown> {
    let mut found: Vec<Unknown> = evidence
        .manifest
        .datasets
        .iter()
        .filter(|spec| evidence.is_planned(spec))
        .filter(|spec| evidence.status(&spec.name) != ReadStatus::COMPLETE)
        .map(|spec| entry(evidence, &spec.name, evidence.status(&spec.name), None))
        .collect();
    // Uses of one account only may come from a dataset whose status is complete.
    let families = licenses.iter().map(|license| license.family.as_str());
    for cause in families.filter_map(|family| sight.blind(family)) {
        if !cause.dataset.is_empty() && !found.iter().any(|known| known.dataset == cause.dataset) {
            found.push(entry(evidence, &cause.dataset, cause.status, Some(cause.reason)));
        }
    }
    for unknown in &mut found {
        unknown.affects = affects(evidence, &unknown.dataset, licenses);
    }
    found
}

fn entry(
    evidence: &Evidence<'_>,
    dataset: &str,
    status: ReadStatus,
    reason: Option<String>,
) -> Unknown {
    let spec = evidence.manifest.dataset(dataset);
    let info = evidence.info(dataset);
    let mut reason = reason
        .or_else(|| info.and_then(|info| info.reason.clone()))
        .unwrap_or_else(|| status.plain_reason().to_owned());
    if let Some(info) = info
        && let Some(first) = info.missing_fields.first()
        && !reason.contains(first.as_str())
    {
        reason.push_str(&format!(" (not shown: {})", info.missing_fields.join(", ")));
    }
    // No permission opens what is not there, and a run is what a dataset never read wants.
    Unknown {
        dataset: dataset.to_owned(),
        title: spec.map_or_else(|| dataset.to_owned(), |spec| spec.title.clone()),
        status,
        reason,
        affects: Vec::new(),
        permissions: spec
            .filter(|_| status.a_permission_opens_it())
            .map(|spec| spec.permissions.clone())
            .unwrap_or_default(),
    }
}

/// The figures a dataset takes away, by family: `user: active, inactive`.
fn affects(evidence: &Evidence<'_>, dataset: &str, licenses: &[License]) -> Vec<String> {
    let mut families: Vec<(&Family, Vec<&str>)> = Vec::new();
    for license in licenses {
        for gap in license.gaps.iter().filter(|gap| gap.dataset == dataset) {
            let at = families.iter().position(|(family, _)| **family == license.family);
            let at = at.unwrap_or_else(|| {
                families.push((&license.family, Vec::new()));
                families.len() - 1
            });
            for figure in &gap.figures {
                if !families[at].1.contains(figure) {
                    families[at].1.push(figure);
                }
            }
        }
    }
    let mut affects: Vec<String> = families
        .into_iter()
        .map(|(family, figures)| format!("{family}: {}", figures.join(", ")))
        .collect();
    for view in &evidence.manifest.position.views {
        let unread = evidence.causes_of(view).iter().any(|cause| cause.dataset == dataset);
        if view.table == CanonicalTable::License && unread {
            affects.push(format!("{}: the licence pools", view.family));
        }
    }
    affects
}
