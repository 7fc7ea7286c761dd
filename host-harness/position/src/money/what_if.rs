//! Suppositions: the same snapshot with other prices, limits, growth or headroom.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::Error;
use crate::model::{Decimal, Imported, PriceBasis, PriceLine, RuleSettings};

/// The file of `report --what-if`, in TOML; every key is optional.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhatIf {
    /// Instead of the setting of that name.
    pub active_days: Option<u32>,
    /// Instead of the setting of that name.
    pub grace_days: Option<u32>,
    /// Seats kept beyond what is needed, in percent of it.
    pub headroom_percent: Option<f64>,
    /// Seats that will be needed in addition, in percent of those needed now.
    pub growth_percent: Option<f64>,
    /// For prices below.
    pub currency: Option<String>,
    /// What one unit costs in a year, by `FAMILY/KEY`.
    #[serde(default)]
    prices: BTreeMap<String, Decimal>,
    /// Units to be added before the contract ends, by `FAMILY/KEY`.
    #[serde(default)]
    pub planned_adds: BTreeMap<String, i64>,
}

impl WhatIf {
    /// Reads the file's text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<WhatIf, Error> {
        let what_if: WhatIf = toml::from_str(text).map_err(|error| {
            Error::input(format_args!("the what-if file is not valid: {}", error.message()))
        })?;
        if !what_if.prices.is_empty() && what_if.currency.is_none() {
            return Err(Error::input("the what-if file has prices and no `currency`"));
        }
        for key in what_if.prices.keys().chain(what_if.planned_adds.keys()) {
            if !key.contains('/') {
                return Err(Error::input(format_args!(
                    "`{key}` in the what-if file is no licence"
                ))
                .with_hint("write FAMILY/KEY as the report shows them"));
            }
        }
        for percent in [what_if.headroom_percent, what_if.growth_percent].into_iter().flatten() {
            if !(-100.0..=1_000.0).contains(&percent) {
                return Err(Error::input("a percentage is not between -100 and 1000"));
            }
        }
        Ok(what_if)
    }

    /// The settings and imports with the suppositions put over them.
    pub fn over(&self, settings: &RuleSettings, imported: &Imported) -> (RuleSettings, Imported) {
        let (mut settings, mut imported) = (settings.clone(), imported.clone());
        settings.active_days = self.active_days.unwrap_or(settings.active_days);
        settings.grace_days = self.grace_days.unwrap_or(settings.grace_days);
        settings.headroom_percent = self.headroom_percent.unwrap_or(settings.headroom_percent);
        if !self.prices.is_empty() {
            let book = imported.prices.get_or_insert_default();
            for (license, price) in &self.prices {
                let Some((family, key)) = license.split_once('/') else { continue };
                book.lines.insert(
                    0,
                    PriceLine {
                        family: family.into(),
                        key: key.into(),
                        per_year: price.0,
                        currency: self.currency.clone().unwrap_or_default(),
                        basis: PriceBasis::WhatIf,
                        alternative_to: None,
                    },
                );
            }
        }
        (settings, imported)
    }

    /// What is supposed, for the report.
    pub fn supposed(&self) -> BTreeMap<String, String> {
        let mut said = BTreeMap::new();
        let mut say = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                said.insert(name.to_owned(), value);
            }
        };
        say("active_days", self.active_days.map(|n| n.to_string()));
        say("grace_days", self.grace_days.map(|n| n.to_string()));
        say("headroom_percent", self.headroom_percent.map(|n| n.to_string()));
        say("growth_percent", self.growth_percent.map(|n| n.to_string()));
        for (key, price) in &self.prices {
            let currency = self.currency.as_deref().unwrap_or_default();
            let price = crate::model::shown_amount(price.0);
            say(&format!("price of {key}"), Some(format!("{price} {currency} a year")));
        }
        for (key, number) in &self.planned_adds {
            say(&format!("planned adds of {key}"), Some(number.to_string()));
        }
        said
    }
}
