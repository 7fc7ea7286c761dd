//! Rules about pools and contract lines.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Utc};

use super::{PoolFinding, RuleResult, Value};
use crate::error::Error;
use crate::inputs::{Imported, RuleSettings};
use crate::model::License;
use crate::money::{Amount, Point, Valuer};
use crate::number::grouped;
use crate::tables::db::AnalysisDb;
use crate::time::{DAY_MS, from_ms};

/// What the rules about pools look at.
#[derive(Debug)]
pub(crate) struct PoolJudge<'a> {
    pub(crate) licenses: &'a [License],
    pub(crate) settings: &'a RuleSettings,
    pub(crate) imported: &'a Imported,
    pub(crate) valuer: Valuer<'a>,
    pub(crate) as_of: DateTime<Utc>,
    /// Keys of family `user` that cost nothing where no price says otherwise.
    pub(crate) free: &'a [String],
    /// On how many days of the window for sparse use people used the seats of each pool, summed over
    /// them; none where uses were not read for so long.
    pub(crate) days_used: Option<&'a BTreeMap<(String, String), i64>>,
}

impl PoolJudge<'_> {
    /// Adds what the rules about pools find to their results.
    ///
    /// # Errors
    /// When the canonical tables cannot be read.
    pub(crate) fn judge(&self, db: &AnalysisDb, results: &mut [RuleResult]) -> Result<(), Error> {
        for result in results.iter_mut().filter(|result| result.status == "none") {
            let found = match result.id {
                "R12" => self.each(|pool| self.shelfware(pool)),
                "R13" => self.each(|pool| self.over_assigned(pool)),
                "R16" => self.each(|pool| self.members_or_logins(pool)),
                "R17" => self.each(|pool| self.login_pool(pool)),
                "R18" => self.usage(db)?,
                "R19" => self.each(|pool| self.limit(pool)),
                "R20" => self.ending(),
                "R21" => self.contract_differs(),
                _ => continue,
            };
            self.add(result, found);
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
            finding.exempt = exemption.map(super::Exemption::words);
            if finding.exempt.is_some() {
                result.exempt += 1;
            } else {
                result.findings += 1;
                match &finding.saving_per_year {
                    Some(amount) => result.saving_per_year.add(amount),
                    None if matches!(result.id, "R12" | "R13") => {
                        result.unpriced += finding.quantity;
                    }
                    None => {}
                }
            }
            result.status = "found";
            result.details.push(finding);
        }
    }

    fn each(&self, look: impl Fn(&License) -> Option<PoolFinding>) -> Vec<PoolFinding> {
        self.licenses.iter().filter_map(look).collect()
    }

    fn trend(&self, license: &License) -> &[Point] {
        let key = (license.family.clone(), license.key.clone());
        self.imported.trend.get(&key).map(Vec::as_slice).unwrap_or_default()
    }

    fn cost(&self, license: &License, quantity: i64) -> Option<Amount> {
        Some(self.valuer.price_of(license)?.times(quantity))
    }

    fn paid(&self, license: &License) -> bool {
        match self.valuer.price_of(license) {
            Some(price) => price.per_year > 0,
            None => license.family == "user" && !super::evaluator::is_free(self.free, &license.key),
        }
    }

    /// R12.
    fn shelfware(&self, license: &License) -> Option<PoolFinding> {
        if license.unit != "seats" || !self.paid(license) {
            return None;
        }
        let (bought, assigned) = (license.purchased?, license.assigned?);
        let [peak_since, pace_since] = [self.settings.peak_days, self.settings.pace_days]
            .map(|days| self.as_of.timestamp_millis() - i64::from(days) * DAY_MS);
        let points = self.trend(license);
        let most = points
            .iter()
            .filter(|point| point.at >= peak_since)
            .map(|point| point.assigned)
            .fold(assigned, i64::max);
        let before = points.iter().rev().find(|point| point.at <= pace_since);
        let added = before.map_or(0, |point| (assigned - point.assigned).max(0));
        let pace_days = f64::from(self.settings.pace_days.max(1));
        let lead =
            (added as f64 * f64::from(self.settings.lead_time_days) / pace_days).ceil() as i64;
        let room = (bought as f64 * self.settings.headroom_percent / 100.0).ceil() as i64;
        let headroom = room.max(lead);
        let shelf = bought - most - headroom;
        (shelf > 0).then(|| {
            self.found(
                license,
                shelf,
                self.cost(license, shelf),
                format!(
                    "{} of {} seats were never assigned in {} days, beyond a headroom of {}",
                    grouped(shelf),
                    grouped(bought),
                    self.settings.peak_days,
                    grouped(headroom)
                ),
                vec![
                    Value::new("purchased", bought),
                    Value::new("assigned", assigned),
                    Value::new("most assigned in that time", most),
                    Value::new("headroom", headroom),
                ],
            )
        })
    }

    /// R13.
    fn over_assigned(&self, license: &License) -> Option<PoolFinding> {
        let (bought, assigned) = (license.purchased?, license.assigned?);
        let excess = assigned - bought;
        (license.unit == "seats" && excess > 0).then(|| {
            self.found(
                license,
                excess,
                self.cost(license, excess),
                format!("{} seats more are assigned than were bought", grouped(excess)),
                vec![Value::new("purchased", bought), Value::new("assigned", assigned)],
            )
        })
    }

    /// R16: people who would cost less if they were charged the other way.
    fn members_or_logins(&self, license: &License) -> Option<PoolFinding> {
        let (logins, members) = self.ways_to_charge(license)?;
        let (by_login, by_member) = (self.valuer.price_of(logins)?, self.valuer.price_of(members)?);
        let people = license.holders.filter(|people| *people > 0)?;
        if by_login.currency != by_member.currency {
            return None;
        }
        // A login's price is for a login a month, for a year.
        let is_by_login = license.id == logins.id;
        let (a_month, now, then) = if is_by_login {
            // The month's logins so far are the least it comes to.
            let so_far = license.assigned?;
            let a_month = self.projected_logins(license).unwrap_or(so_far).max(so_far);
            (a_month, by_login.times(a_month), by_member.times(people))
        } else {
            let pool = (license.family.clone(), license.id.clone());
            let days = self.days_used?.get(&pool).copied().unwrap_or(0);
            let window = f64::from(self.settings.sparse_window_days.max(1));
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
            self.found(license, people, Some(saving), message, values)
        })
    }

    /// The pool charged by logins and the one charged by member that may stand for each other, if
    /// this is one of the two.
    fn ways_to_charge(&self, license: &License) -> Option<(&License, &License)> {
        let is = |pool: &License, family: &str, key: &str| pool.family == family && pool.key == key;
        let pool = |unit: &str, family: &str, key: &str| {
            self.licenses.iter().find(|pool| pool.unit == unit && is(pool, family, key))
        };
        let lines = self.imported.prices.iter().flat_map(|book| &book.lines);
        lines
            .filter_map(|line| {
                let (family, key) = line.alternative_to.as_deref()?.split_once('/')?;
                let logins = pool("logins", &line.family, &line.key)?;
                Some((logins, pool("seats", family, key)?))
            })
            .find(|(logins, members)| {
                [logins.id.as_str(), members.id.as_str()].contains(&license.id.as_str())
            })
    }

    /// What the month's logins come to at this pace; none in its first day or two.
    fn projected_logins(&self, license: &License) -> Option<i64> {
        let elapsed = self.month_elapsed();
        (elapsed * 100.0 >= self.settings.login_pool_elapsed_percent)
            .then_some((license.assigned? as f64 / elapsed).round() as i64)
    }

    /// The share of the calendar month that is over.
    fn month_elapsed(&self) -> f64 {
        let start = self.as_of.date_naive().with_day(1).unwrap_or_default();
        share(start, start + Months::new(1), self.as_of)
    }

    /// R17.
    fn login_pool(&self, license: &License) -> Option<PoolFinding> {
        if license.unit != "logins" {
            return None;
        }
        let (allowed, used) = (license.purchased?, license.assigned?);
        if allowed <= 0 {
            return None;
        }
        let percent = used as f64 / allowed as f64 * 100.0;
        let projected = self.projected_logins(license);
        // A projection from the month's first days would cry wolf.
        let runs_out = projected.is_some_and(|logins| {
            logins >= allowed && percent >= self.settings.login_pool_used_percent
        });
        if percent < self.settings.login_pool_percent && !runs_out {
            return None;
        }
        let short = projected.map_or(0, |logins| (logins - allowed).max(0));
        Some(self.found(
            license,
            short,
            None,
            format!(
                "{} of {} logins of the month are used ({percent:.0}%); at this pace it will be {}",
                grouped(used),
                grouped(allowed),
                projected.map_or_else(|| "unknown".into(), grouped)
            ),
            vec![
                Value::new("entitlement", allowed),
                Value::new("used", used),
                Value { name: "projected", value: projected.map(|n| n.to_string()) },
            ],
        ))
    }

    /// R18.
    fn usage(&self, db: &AnalysisDb) -> Result<Vec<PoolFinding>, Error> {
        let mut statement = db
            .connection
            .prepare("SELECT family, license_id, COALESCE(frequency, ''), starts_at FROM meter")?;
        let meters: Vec<(String, String, String, Option<i64>)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
            .collect::<Result<_, _>>()?;
        let look = |license: &License| {
            let (.., frequency, starts_at) = meters
                .iter()
                .find(|(family, id, ..)| *family == license.family && *id == license.id)?;
            // Not metered is not zero.
            let (allowed, used) = (license.purchased.filter(|n| *n > 0)?, license.assigned?);
            let percent = used as f64 / allowed as f64 * 100.0;
            let start = starts_at.map(|at| from_ms(at).date_naive());
            let elapsed = start.and_then(|start| period_elapsed(start, frequency, self.as_of));
            let projected = elapsed
                .filter(|share| {
                    share * 100.0 >= self.settings.usage_elapsed_percent
                        && percent >= self.settings.usage_used_percent
                })
                .map(|share| (percent / share).round());
            if percent <= 100.0 && projected.is_none_or(|percent| percent <= 100.0) {
                return None;
            }
            let shown = |percent: f64| format!("{percent:.0}%");
            Some(self.found(
                license,
                (used - allowed).max(0),
                None,
                format!(
                    "{} of {} used ({}); at this pace {} by the end of the period",
                    grouped(used),
                    grouped(allowed),
                    shown(percent),
                    projected.map_or_else(|| "unknown".into(), shown)
                ),
                vec![
                    Value::new("allowed", allowed),
                    Value::new("used", used),
                    Value { name: "frequency", value: Some(frequency.clone()) },
                    Value { name: "projected", value: projected.map(shown) },
                ],
            ))
        };
        Ok(self.each(look))
    }

    /// R19.
    fn limit(&self, license: &License) -> Option<PoolFinding> {
        if license.family != "limit" {
            return None;
        }
        let (allowed, used) = (license.purchased.filter(|n| *n > 0)?, license.assigned?);
        let percent = used as f64 / allowed as f64 * 100.0;
        if percent < self.settings.limit_percent {
            return None;
        }
        let now = self.as_of.timestamp_millis();
        let since = now - i64::from(self.settings.pace_days) * DAY_MS;
        let first = self.trend(license).iter().find(|point| point.at >= since);
        let days_to_full = first.and_then(|first| {
            let days = (now - first.at) as f64 / DAY_MS as f64;
            let slope = (used - first.assigned) as f64 / days;
            // Requests are counted anew each day, so they have no slope.
            (days >= 14.0 && slope > 0.0 && license.unit != "requests")
                .then(|| ((allowed - used).max(0) as f64 / slope).ceil() as i64)
        });
        let mut message = format!(
            "{} of {} {} are used ({percent:.0}%)",
            grouped(used),
            grouped(allowed),
            license.unit
        );
        if let Some(days) = days_to_full {
            message.push_str(&format!(
                "; full in {days} days at the pace of the last {}",
                self.settings.pace_days
            ));
        }
        let days = days_to_full.map(|days| days.to_string());
        Some(self.found(
            license,
            0,
            None,
            message,
            vec![
                Value::new("allowed", allowed),
                Value::new("used", used),
                Value { name: "days to full", value: days },
            ],
        ))
    }

    /// R20: pools, then contract lines.
    fn ending(&self) -> Vec<PoolFinding> {
        let until = self.as_of + Days::new(self.settings.expiry_days.into());
        let mut found = self.each(|license| {
            let held = ["permission_set", "package"].contains(&license.family.as_str());
            let ends = license.expires_at.filter(|_| held)?;
            // A day without a time is meant to its end.
            let soon = ends >= self.as_of - Days::new(1) && ends <= until;
            soon.then(|| {
                let days = (ends - self.as_of).num_days();
                self.found(
                    license,
                    license.assigned.unwrap_or(0),
                    None,
                    format!("it ends on {}, in {days} days", ends.date_naive()),
                    vec![
                        Value::new("ends on", ends.date_naive()),
                        Value {
                            name: "assigned",
                            value: license.assigned.map(|assigned| assigned.to_string()),
                        },
                    ],
                )
            })
        });
        let today = self.as_of.date_naive();
        for line in self.imported.contract.iter().flatten() {
            let notice = line.end_on - Days::new(line.notice_days.max(0).unsigned_abs());
            let days = (notice - today).num_days();
            if line.end_on < today || days > i64::from(self.settings.notice_days) {
                continue;
            }
            let renews = if line.auto_renew { "it renews by itself" } else { "it ends by itself" };
            let when = if days < 0 { "was due" } else { "is due" };
            found.push(PoolFinding {
                family: "contract".into(),
                license_id: String::new(),
                key: line.contract.clone(),
                name: line.product.clone(),
                message: format!(
                    "the contract ends on {}; notice {when} by {notice}; {renews}",
                    line.end_on
                ),
                values: vec![Value::new("ends on", line.end_on), Value::new("notice by", notice)],
                quantity: line.quantity,
                saving_per_year: None,
                exempt: None,
            });
        }
        found
    }

    /// R21.
    fn contract_differs(&self) -> Vec<PoolFinding> {
        self.each(|license| {
            let today = self.as_of.date_naive();
            let lines: Vec<_> = self
                .valuer
                .contract_lines(license)
                .filter(|line| line.start_on <= today && today <= line.end_on)
                .collect();
            let ordered: i64 = lines.iter().map(|line| line.quantity).sum();
            let shown = license.purchased?;
            (!lines.is_empty() && ordered != shown).then(|| {
                let products: Vec<&str> = lines.iter().map(|line| line.product.as_str()).collect();
                self.found(
                    license,
                    (ordered - shown).abs(),
                    None,
                    format!(
                        "{} ordered ({}), {} shown as purchased",
                        grouped(ordered),
                        products.join(", "),
                        grouped(shown)
                    ),
                    vec![Value::new("ordered", ordered), Value::new("purchased", shown)],
                )
            })
        })
    }

    fn found(
        &self,
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
            saving_per_year,
            exempt: None,
        }
    }
}

/// The share of the period that is over at `now`; none for one that does not repeat.
fn period_elapsed(start: NaiveDate, frequency: &str, now: DateTime<Utc>) -> Option<f64> {
    let today = now.date_naive();
    if today < start {
        return None;
    }
    let months = match frequency {
        "monthly" => 1,
        "quarterly" => 3,
        "yearly" | "annual" | "annually" => 12,
        "weekly" => {
            let into = (today - start).num_days() % 7;
            let from = today - Days::new(into.unsigned_abs());
            return Some(share(from, from + Days::new(7), now));
        }
        "daily" => return Some(share(today, today + Days::new(1), now)),
        _ => return None,
    };
    let mut passed = 0_u32;
    let begin = |periods: u32| start + Months::new(periods * months);
    while begin(passed + 1) <= today {
        passed += 1;
    }
    Some(share(begin(passed), begin(passed + 1), now))
}

fn share(from: NaiveDate, to: NaiveDate, now: DateTime<Utc>) -> f64 {
    let at = |day: NaiveDate| day.and_time(chrono::NaiveTime::MIN).and_utc();
    let whole = (at(to) - at(from)).num_seconds().max(1) as f64;
    ((now - at(from)).num_seconds() as f64 / whole).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_starts_where_the_entitlement_did_and_repeats() {
        let start = NaiveDate::from_ymd_opt(2025, 1, 31).unwrap();
        let now: DateTime<Utc> = "2026-03-16T00:00:00Z".parse().unwrap();
        let monthly = period_elapsed(start, "monthly", now).unwrap();
        assert!((monthly - 16.0 / 31.0).abs() < 1e-9, "{monthly}");
        assert_eq!(period_elapsed(start, "once", now), None);
        assert_eq!(period_elapsed(start, "daily", now), Some(0.0));
        let yearly = period_elapsed(start, "yearly", now).unwrap();
        assert!((yearly - 44.0 / 365.0).abs() < 1e-9, "{yearly}");
    }
}
