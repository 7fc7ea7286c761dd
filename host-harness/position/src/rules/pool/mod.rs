//! Rules about pools and contract lines: one file each.

pub(super) mod contract_differs;
pub(super) mod ending;
pub(super) mod limit;
pub(super) mod login_pool;
pub(super) mod members_or_logins;
pub(super) mod over_assigned;
mod period;
pub(super) mod shelfware;
pub(super) mod usage;

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Months, Utc};

use super::context::is_free;
use super::worth::Worth;
use crate::error::Error;
use crate::inputs::{Imported, RuleSettings};
use crate::model::{
    Confidence, Exemption, Family, License, PoolFinding, PoolKey, RuleResult, RuleStatus, Value,
};
use crate::money::{Amount, Point, Valuer};
use crate::tables::db::AnalysisDb;
use crate::time::DAY_MS;

/// What the rules about pools look at.
#[derive(Debug)]
pub(crate) struct PoolRules<'a> {
    pub(crate) db: &'a AnalysisDb,
    pub(crate) licenses: &'a [License],
    pub(crate) settings: &'a RuleSettings,
    pub(crate) imported: &'a Imported,
    pub(crate) valuer: Valuer<'a>,
    pub(crate) as_of: DateTime<Utc>,
    /// Keys of family `user` that cost nothing where no price says otherwise.
    pub(crate) free: &'a [String],
    /// On how many days of the window for sparse use people used the seats of each pool, summed over
    /// them; `None` if uses were not read that far back.
    pub(crate) days_used: Option<&'a BTreeMap<PoolKey, i64>>,
}

impl PoolRules<'_> {
    /// Adds what the rules about pools find to their results.
    ///
    /// # Errors
    /// If the canonical tables cannot be read.
    pub(crate) fn apply(&self, results: &mut [RuleResult]) -> Result<(), Error> {
        for result in results.iter_mut().filter(|result| result.status == RuleStatus::None) {
            if let Some(find) = result.id.rule().pools {
                self.add(result, find(self)?);
            }
        }
        Ok(())
    }

    fn add(&self, result: &mut RuleResult, found: Vec<PoolFinding>) {
        let today = self.as_of.date_naive();
        for mut finding in found {
            let subject = format!("{}/{}", finding.family, finding.key);
            let exemption = self.imported.exemptions.iter().find(|exemption| {
                exemption.subject == subject && exemption.covers(result.id, today)
            });
            finding.exempt = exemption.map(Exemption::words);
            finding.confidence = finding.confidence.max(result.id.rule().confidence);
            result.confidence = result.confidence.max(finding.confidence);
            if finding.exempt.is_some() {
                result.exempt += 1;
            } else {
                result.findings += 1;
                match &finding.saving_per_year {
                    Some(amount) => result.saving_per_year.add(amount),
                    None if result.id.rule().worth == Worth::Seat => {
                        result.unpriced += finding.quantity
                    }
                    None => {}
                }
            }
            result.status = RuleStatus::Found;
            result.details.push(finding);
        }
    }

    fn each(&self, look: impl Fn(&License) -> Option<PoolFinding>) -> Vec<PoolFinding> {
        self.licenses.iter().filter_map(look).collect()
    }

    fn trend(&self, license: &License) -> &[Point] {
        self.imported.trend.get(&license.named()).map(Vec::as_slice).unwrap_or_default()
    }

    /// For how many days the counts of a pool are known.
    fn days_seen(&self, license: &License) -> i64 {
        let first = self.trend(license).iter().map(|point| point.at).min();
        first.map_or(0, |at| (self.as_of.timestamp_millis() - at) / DAY_MS)
    }

    fn cost(&self, license: &License, quantity: i64) -> Option<Amount> {
        Some(self.valuer.price_of(license)?.times(quantity))
    }

    fn paid(&self, license: &License) -> bool {
        match self.valuer.price_of(license) {
            Some(price) => price.per_year > 0,
            None => license.family == Family::User && !is_free(self.free, &license.key),
        }
    }

    /// The month's logins at this pace; `None` in its first day or two.
    fn projected_logins(&self, license: &License) -> Option<i64> {
        let start = self.as_of.date_naive().with_day(1).unwrap_or_default();
        let elapsed = period::share(start, start + Months::new(1), self.as_of);
        (elapsed * 100.0 >= self.settings.login_pool_elapsed_percent)
            .then_some((license.assigned? as f64 / elapsed).round() as i64)
    }
}

impl PoolFinding {
    fn of(
        license: &License,
        quantity: i64,
        saving_per_year: Option<Amount>,
        message: String,
        values: Vec<Value>,
    ) -> PoolFinding {
        PoolFinding {
            family: license.family.clone(),
            license_id: license.id.clone(),
            key: license.key.clone(),
            name: license.name.clone(),
            message,
            values,
            quantity,
            confidence: Confidence::High,
            saving_per_year,
            exempt: None,
        }
    }
}
