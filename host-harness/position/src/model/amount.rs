//! Amounts of money, exact to the hundredth, kept apart by currency.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::PriceBasis;
use crate::number::grouped;

/// Parts of a unit of currency in which prices are kept: ten-thousandths.
pub(crate) const PARTS: i64 = 10_000;

/// What one unit of a licence costs in a year.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Price {
    /// In ten-thousandths of the currency's unit.
    #[serde(serialize_with = "decimal")]
    pub per_year: i64,
    /// ISO 4217.
    pub currency: String,
    /// Where it comes from.
    pub basis: PriceBasis,
}

impl Price {
    /// The price of this many units for a year.
    pub fn times(&self, quantity: i64) -> Amount {
        self.for_days(quantity, 365)
    }

    /// The price of this many units for this many days, a year being 365.
    pub fn for_days(&self, quantity: i64, days: i64) -> Amount {
        let parts = i128::from(self.per_year) * i128::from(quantity) * i128::from(days);
        // To the nearest hundredth, halves away from zero.
        let divisor = i128::from(PARTS / 100) * 365;
        let half = if parts < 0 { -divisor / 2 } else { divisor / 2 };
        let minor = i64::try_from((parts + half) / divisor).unwrap_or(i64::MAX);
        Amount { minor, currency: self.currency.clone() }
    }
}

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount {
    /// In hundredths.
    pub minor: i64,
    /// ISO 4217.
    pub currency: String,
}

impl Amount {
    /// `1234.50`.
    pub fn decimal(&self) -> String {
        let sign = if self.minor < 0 { "-" } else { "" };
        let minor = self.minor.unsigned_abs();
        format!("{sign}{}.{:02}", minor / 100, minor % 100)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = self.minor.unsigned_abs() % 100;
        let whole = grouped(self.minor / 100);
        let sign = if self.minor < 0 && self.minor > -100 { "-" } else { "" };
        write!(f, "{sign}{whole}.{cents:02} {}", self.currency)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut amount = serializer.serialize_struct("Amount", 2)?;
        amount.serialize_field("amount", &self.decimal())?;
        amount.serialize_field("currency", &self.currency)?;
        amount.end()
    }
}

/// Sums by currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amounts(BTreeMap<String, i64>);

impl Amounts {
    /// Adds an amount to the sum of its currency.
    pub fn add(&mut self, amount: &Amount) {
        let sum = self.0.entry(amount.currency.clone()).or_default();
        *sum = sum.saturating_add(amount.minor);
    }

    /// Whether there is no amount.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sums.
    pub fn iter(&self) -> impl Iterator<Item = Amount> + '_ {
        self.0.iter().map(|(currency, minor)| Amount { minor: *minor, currency: currency.clone() })
    }
}

impl fmt::Display for Amounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.iter().map(|amount| amount.to_string()).collect();
        f.write_str(&parts.join(" + "))
    }
}

impl Serialize for Amounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

fn decimal<S: Serializer>(parts: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&shown(*parts))
}

/// Ten-thousandths as a decimal number, with at least two digits after the point.
pub(crate) fn shown(parts: i64) -> String {
    let text = format!(
        "{}{}.{:04}",
        if parts < 0 { "-" } else { "" },
        parts.unsigned_abs() / PARTS as u64,
        parts.unsigned_abs() % PARTS as u64
    );
    text.strip_suffix("00").map_or_else(|| text.clone(), str::to_owned)
}

/// A decimal number as typed, in ten-thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Decimal(pub(crate) i64);

impl Decimal {
    fn parse(text: &str) -> Option<Decimal> {
        let text = text.trim();
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
        if whole.is_empty() || fraction.len() > 4 || !digits(whole) || !digits(fraction) {
            return None;
        }
        let whole: i64 = whole.parse().ok()?;
        let fraction: i64 = format!("{fraction:0<4}").parse().ok()?;
        Some(Decimal(whole.checked_mul(PARTS)?.checked_add(fraction)?))
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Decimal;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of at least 0 like `165` or `12.50`, with a point and up to four digits after it")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Decimal, E> {
                Decimal::parse(text)
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Decimal, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Decimal, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Decimal, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_and_kept_apart_by_currency() {
        let price = |per_year, currency: &str| Price {
            per_year,
            currency: currency.into(),
            basis: PriceBasis::List,
        };
        assert_eq!(price(19_800_000, "USD").times(3).to_string(), "5,940.00 USD");
        assert_eq!(price(1, "USD").times(50).decimal(), "0.01");
        let mut sums = Amounts::default();
        sums.add(&price(10_000, "EUR").times(2));
        sums.add(&price(10_000, "USD").times(1));
        sums.add(&price(5_000, "EUR").times(1));
        assert_eq!(sums.to_string(), "2.50 EUR + 1.00 USD");
    }

    #[test]
    fn numbers_are_read_as_typed_or_refused() {
        for (text, parts) in [("165", 1_650_000), ("0.5", 5_000), ("12.3456", 123_456)] {
            assert_eq!(Decimal::parse(text), Some(Decimal(parts)));
        }
        for text in ["", "-1", "1,5", "1.23456", "1e3", ".5", "x"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        assert_eq!(shown(1_655_000), "165.50");
        assert_eq!(shown(123_456), "12.3456");
    }
}
