//! What a pool costs, what of it could be used again now, and what could be cut at renewal.

use chrono::{DateTime, NaiveTime, Utc};

use super::what_if::WhatIf;
use crate::model::{
    Bounded, Bounds, ContractLine, Imported, License, PoolMoney, Price, PriceBasis, PriceLine,
    RuleSettings, Unit, forecast,
};

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
            // The price of a bundle is with its first licence; the others are in it.
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

/// Works out the money side of a pool. `because` says why its claims are lower bounds.
pub(crate) fn pool_money(
    license: &License,
    reclaimable: Option<i64>,
    because: &[String],
    valuer: &Valuer<'_>,
    settings: &RuleSettings,
    what_if: &WhatIf,
) -> PoolMoney {
    let price = valuer.price_of(license);
    let name = format!("{}/{}", license.family, license.key);
    let lines: Vec<&ContractLine> = valuer.contract_lines(license).collect();
    let today = valuer.as_of.date_naive();
    let current: Vec<&&ContractLine> = lines.iter().filter(|line| line.end_on >= today).collect();
    let end_on = current.iter().map(|line| line.end_on).min();
    let term_years = lines.iter().map(|line| line.term_years).max().unwrap_or(1);
    let seats = license.unit == Unit::Seats;
    let needed = license.assigned.filter(|_| seats).map(|assigned| {
        let held = assigned.max(license.holders.unwrap_or(0));
        let kept = (held - reclaimable.unwrap_or(0)).max(0) as f64;
        let grown = kept * (1.0 + what_if.growth_percent.unwrap_or(0.0) / 100.0);
        let with_room = grown * (1.0 + settings.headroom_percent / 100.0);
        // A seat is whole; the tiny slack keeps 100.00000000000001 from becoming 101.
        (with_room - 1e-9).ceil().max(0.0) as i64
    });
    let planned = what_if
        .planned_adds
        .get(&name)
        .copied()
        .or_else(|| lines.iter().filter_map(|line| line.planned_adds).reduce(|a, b| a + b));
    let reusable_now = reclaimable.zip(planned).map(|(seats, adds)| seats.min(adds.max(0)));
    let days_left = end_on.map(|end| (end - today).num_days() + 1);
    let surplus = license.purchased.zip(needed).map(|(bought, needed)| (bought - needed).max(0));
    // Vendors hand out pools that nobody ordered: giving them back saves nothing.
    let allotted = lines.is_empty() && license.assigned == Some(0);
    let too_late = !current.is_empty() && current.iter().all(|line| line.renews_unchanged(today));
    let reducible = surplus.map(|seats| if allotted || too_late { 0 } else { seats });
    let if_agreed = surplus.filter(|_| too_late);
    let end =
        end_on.unwrap_or_else(|| today + chrono::Days::new(365)).and_time(NaiveTime::MIN).and_utc();
    let points = valuer.imported.trend.get(&license.named());
    let amount = |quantity: Option<i64>, days: i64| {
        price.as_ref().zip(quantity).map(|(price, seats)| price.for_days(seats, days))
    };
    let mut reduced_because = because.to_vec();
    if too_late {
        reduced_because.push(
            "the notice date has passed and the contract renews by itself: only if the vendor agrees"
                .to_owned(),
        );
    } else if allotted {
        reduced_because
            .push("nothing is assigned and no contract has it: it may cost nothing".to_owned());
    }
    let bounds = [
        ("reclaimable", Bounded::claim(reclaimable, because)),
        ("reusable_now", Bounded::claim(reusable_now, because)),
        ("reducible_at_renewal", Bounded::claim(reducible, &reduced_because)),
    ];
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
        reducible_if_agreed: if_agreed,
        reducible_if_agreed_amount: amount(if_agreed, 365 * term_years),
        term_years,
        bounds: if seats { Bounds::from(bounds) } else { Bounds::new() },
        // Logins start anew with each month: there is no line through them.
        forecast: points.filter(|_| seats).and_then(|points| forecast(points, valuer.as_of, end)),
        price,
    }
}
