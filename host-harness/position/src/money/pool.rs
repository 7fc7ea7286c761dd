//! What a pool costs, what of it could be used again now, and what could be cut at renewal.

use chrono::{DateTime, NaiveTime, Utc};
use serde::Serialize;

use super::amount::{Amount, Price};
use super::forecast::{Forecast, forecast};
use super::import::{ContractLine, PriceLine};
use super::what_if::WhatIf;
use crate::inputs::{Imported, RuleSettings};
use crate::model::{License, PriceBasis, Unit};

/// Prices by licence: a supposition before the contract before an override before the list.
#[derive(Clone, Copy, Debug)]
pub struct Valuer<'a> {
    imported: &'a Imported,
    as_of: DateTime<Utc>,
}

impl<'a> Valuer<'a> {
    /// With what was imported, as of an instant.
    pub fn new(imported: &'a Imported, as_of: DateTime<Utc>) -> Valuer<'a> {
        Valuer { imported, as_of }
    }

    /// The price of one unit of a pool; none if it is not known.
    pub fn price_of(&self, license: &License) -> Option<Price> {
        let line = |basis: PriceBasis| {
            let lines = self.imported.prices.iter().flat_map(|book| &book.lines);
            lines
                .filter(|line| line.family == license.family && line.key == license.key)
                .find(|line| line.basis == basis)
                .map(listed)
        };
        let contract = || {
            let today = self.as_of.date_naive();
            let mut lines = self.contract_lines(license);
            let current = lines.find(|line| {
                line.per_year.is_some() && line.start_on <= today && today <= line.end_on
            })?;
            let first = current.licenses.first()?;
            // The price of a bundle stands with its first licence; the others are in it.
            let carries = first.0 == license.family && first.1 == license.key;
            Some(Price {
                per_year: if carries { current.per_year? } else { 0 },
                currency: current.currency.clone(),
                basis: PriceBasis::Contract,
            })
        };
        line(PriceBasis::WhatIf)
            .or_else(contract)
            .or_else(|| line(PriceBasis::Override))
            .or_else(|| line(PriceBasis::List))
    }

    /// The lines of the contract that give a licence.
    pub fn contract_lines(&self, license: &License) -> impl Iterator<Item = &'a ContractLine> {
        let (family, key) = (license.family.clone(), license.key.clone());
        self.imported.contract.iter().flatten().filter(move |line| {
            line.licenses.iter().any(|(of, name)| *of == family && *name == key)
        })
    }
}

fn listed(line: &PriceLine) -> Price {
    Price { per_year: line.per_year, currency: line.currency.clone(), basis: line.basis }
}

/// The money side of a pool of seats. What is not priced has seats and no amount.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PoolMoney {
    /// Whether it costs something, by its price or else by the connector's list.
    pub paid: bool,
    /// What one unit costs in a year, and on what basis.
    pub price: Option<Price>,
    /// What was ordered, by the contract.
    pub entitled: Option<i64>,
    /// What all purchased units cost in a year.
    pub cost_per_year: Option<Amount>,
    /// Seats that rules would take back, each counted once.
    pub reclaimable: Option<i64>,
    /// Of those, what planned additions could use instead of buying: needs `planned_adds`.
    pub reusable_now: Option<i64>,
    /// What buying them until the end of the contract would cost: cost avoided.
    pub reusable_now_amount: Option<Amount>,
    /// Seats needed at renewal: active, unknown, exempt and machine seats, growth and headroom.
    pub needed: Option<i64>,
    /// What need not be bought again.
    pub reducible_at_renewal: Option<i64>,
    /// What that saves over the next term.
    pub reducible_at_renewal_amount: Option<Amount>,
    /// Years of that term.
    pub term_years: i64,
    /// What comes to be assigned by the end of the contract, or in a year where there is none.
    pub forecast: Option<Forecast>,
}

/// Works out the money side of a pool; `exempt` seats are kept whatever the rules say.
pub fn pool_money(
    license: &License,
    reclaimable: Option<i64>,
    exempt: i64,
    valuer: &Valuer<'_>,
    settings: &RuleSettings,
    what_if: &WhatIf,
) -> PoolMoney {
    let price = valuer.price_of(license);
    let name = format!("{}/{}", license.family, license.key);
    let lines: Vec<&ContractLine> = valuer.contract_lines(license).collect();
    let today = valuer.as_of.date_naive();
    let end_on = lines.iter().filter(|line| line.end_on >= today).map(|line| line.end_on).min();
    let term_years = lines.iter().map(|line| line.term_years).max().unwrap_or(1);
    let classes = [license.active, license.unknown, license.machine_only];
    let seats = license.unit == Unit::Seats;
    let needed = classes.into_iter().sum::<Option<i64>>().filter(|_| seats).map(|kept| {
        let kept = (kept + exempt) as f64;
        let grown = kept * (1.0 + what_if.growth_percent.unwrap_or(0.0) / 100.0);
        let with_room = grown * (1.0 + settings.headroom_percent / 100.0);
        // A seat is whole; the tiny slack keeps 100.00000000000001 from becoming 101.
        (with_room - 1e-9).ceil().max(0.0) as i64
    });
    let known = seats && license.active.is_some();
    let reclaimable = reclaimable.filter(|_| known);
    let planned = what_if
        .planned_adds
        .get(&name)
        .copied()
        .or_else(|| lines.iter().filter_map(|line| line.planned_adds).reduce(|a, b| a + b));
    let reusable_now = reclaimable.zip(planned).map(|(seats, adds)| seats.min(adds.max(0)));
    let days_left = end_on.map(|end| (end - today).num_days() + 1);
    let reducible = license.purchased.zip(needed).map(|(bought, needed)| (bought - needed).max(0));
    let end =
        end_on.unwrap_or_else(|| today + chrono::Days::new(365)).and_time(NaiveTime::MIN).and_utc();
    let points = valuer.imported.trend.get(&license.named());
    let amount = |quantity: Option<i64>, days: i64| {
        price.as_ref().zip(quantity).map(|(price, seats)| price.for_days(seats, days))
    };
    PoolMoney {
        paid: false,
        entitled: (!lines.is_empty()).then(|| lines.iter().map(|line| line.quantity).sum()),
        cost_per_year: amount(license.purchased.filter(|_| license.unit != Unit::Requests), 365),
        reclaimable,
        reusable_now,
        reusable_now_amount: days_left.and_then(|days| amount(reusable_now, days)),
        needed,
        reducible_at_renewal: reducible,
        reducible_at_renewal_amount: amount(reducible, 365 * term_years),
        term_years,
        // Logins start anew with each month: there is no line through them.
        forecast: points.filter(|_| seats).and_then(|points| forecast(points, valuer.as_of, end)),
        price,
    }
}
