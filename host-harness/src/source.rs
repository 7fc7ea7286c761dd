//! Between the store's rows and what reports compute with.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use inventory::{ExemptionRow, LicensePoint, ReadStore};

use crate::error::HostError;
use crate::findings::Exemption;
use crate::money::Point;

/// The exemptions of a connector, also those that have run out.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn exemptions(
    store: &ReadStore,
    connector_id: i64,
) -> Result<Vec<Exemption>, HostError> {
    let rows = store.exemptions(connector_id)?.into_iter();
    Ok(rows
        .map(|row| Exemption {
            id: row.id,
            rule: row.rule,
            subject: row.subject,
            subject_name: row.subject_name,
            reason: row.reason,
            owner: row.owner,
            expires_on: row.expires_on,
        })
        .collect())
}

/// An exemption as the store keeps it.
pub(crate) fn exemption_row(exemption: &Exemption) -> ExemptionRow {
    ExemptionRow {
        id: exemption.id,
        rule: exemption.rule.clone(),
        subject: exemption.subject.clone(),
        subject_name: exemption.subject_name.clone(),
        reason: exemption.reason.clone(),
        owner: exemption.owner.clone(),
        expires_on: exemption.expires_on,
    }
}

/// The counts of licence pools up to an instant, oldest first, by family and key.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn trend(
    store: &ReadStore,
    connector_id: i64,
    until: DateTime<Utc>,
) -> Result<BTreeMap<(String, String), Vec<Point>>, HostError> {
    let mut trend: BTreeMap<(String, String), Vec<Point>> = BTreeMap::new();
    for row in store.points(connector_id, until)? {
        let point = Point { at: row.at, purchased: row.purchased, assigned: row.assigned };
        trend.entry((row.family, row.key)).or_default().push(point);
    }
    Ok(trend)
}

/// A count of the pool of that family and key as the store keeps it.
pub(crate) fn license_point((family, key, point): (String, String, Point)) -> LicensePoint {
    LicensePoint { family, key, at: point.at, purchased: point.purchased, assigned: point.assigned }
}
