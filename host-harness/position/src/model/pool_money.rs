//! The money side of a pool.

use serde::Serialize;

use super::{Amount, Bounds, Forecast, Price};

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
    /// Seats needed at renewal: all that are assigned but those that rules would take back, growth and
    /// headroom.
    pub needed: Option<i64>,
    /// What can be dropped at renewal.
    pub reducible_at_renewal: Option<i64>,
    /// What that saves over the next term.
    pub reducible_at_renewal_amount: Option<Amount>,
    /// What could be dropped only if the vendor agrees: the notice date has passed and the contract
    /// renews by itself.
    pub reducible_if_agreed: Option<i64>,
    /// What that would save over the next term.
    pub reducible_if_agreed_amount: Option<Amount>,
    /// Years of that term.
    pub term_years: i64,
    /// How the claims are meant.
    pub bounds: Bounds,
    /// What comes to be assigned by the end of the contract, or in a year where there is none.
    pub forecast: Option<Forecast>,
}
