//! Lists that an administrator imports.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use connector_api::position::UseRule;
use serde::{Deserialize, Serialize};

use super::{Exemption, Family, Point, PriceBasis};

/// Imported lists, as far as there are any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Imported {
    /// Instead of the connector's own table.
    pub classification: Option<Vec<UseRule>>,
    /// Staff whose employment has ended.
    pub leavers: Option<Vec<Leaver>>,
    /// What a unit of each licence costs.
    pub prices: Option<PriceBook>,
    /// What was ordered.
    pub contract: Option<Vec<ContractLine>>,
    /// Findings that are not to be acted on.
    pub exemptions: Vec<Exemption>,
    /// Earlier counts of each pool, oldest first, by family and key.
    pub trend: BTreeMap<(Family, String), Vec<Point>>,
}

/// A person of the imported list of staff who has left or will have left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaver {
    /// The day employment ended, `YYYY-MM-DD`.
    pub ended_on: String,
    /// The identity provider's id.
    pub federation_id: Option<String>,
    /// The address.
    pub email: Option<String>,
    /// The staff number.
    pub employee_number: Option<String>,
}

/// Prices by licence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PriceBook {
    /// The lines.
    pub lines: Vec<PriceLine>,
}

/// One price.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceLine {
    /// The family.
    pub family: Family,
    /// The licence's key.
    pub key: String,
    /// For one unit and year, in ten-thousandths. Of a pool of logins: for one login and year.
    pub per_year: i64,
    /// ISO 4217.
    pub currency: String,
    /// Whether it is a list price or what this organization pays.
    pub basis: PriceBasis,
    /// FAMILY/KEY of the licence charged by member that this one, charged by login, could be replaced by.
    pub alternative_to: Option<String>,
}

/// One line of an order form.
#[derive(Clone, Debug, PartialEq)]
pub struct ContractLine {
    /// The contract's number.
    pub contract: String,
    /// The product's name on it.
    pub product: String,
    /// Units ordered.
    pub quantity: i64,
    /// For one unit and year, in ten-thousandths.
    pub per_year: Option<i64>,
    /// ISO 4217.
    pub currency: String,
    /// Its first day.
    pub start_on: NaiveDate,
    /// Its last day.
    pub end_on: NaiveDate,
    /// Days before the end by which notice must be given.
    pub notice_days: i64,
    /// Whether it renews by itself.
    pub auto_renew: bool,
    /// Years of the next term.
    pub term_years: i64,
    /// Units to be added before the end.
    pub planned_adds: Option<i64>,
    /// The licences it gives, each `(family, key)`; the first carries the price.
    pub licenses: Vec<(Family, String)>,
}

impl ContractLine {
    /// Whether it renews by itself and it is too late to give notice.
    pub(crate) fn renews_unchanged(&self, today: NaiveDate) -> bool {
        let notice = self.end_on - chrono::Days::new(self.notice_days.max(0).unsigned_abs());
        self.auto_renew && notice < today
    }
}
