//! Exemptions: findings that somebody decided not to act on, until a day.

use chrono::NaiveDate;
use serde::{Serialize, Serializer};

use super::RuleId;

/// One exemption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exemption {
    /// Its number.
    pub id: i64,
    /// The rule it covers; `None` for all, in JSON an empty text.
    #[serde(serialize_with = "rule_or_empty")]
    pub rule: Option<RuleId>,
    /// The account's id at the vendor, or `FAMILY/KEY` of a pool.
    pub subject: String,
    /// What the administrator typed: the user name, or the pool.
    pub subject_name: String,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day it holds.
    pub expires_on: NaiveDate,
}

impl Exemption {
    /// Whether it holds on that day and covers that rule.
    pub fn covers(&self, rule: RuleId, on: NaiveDate) -> bool {
        self.expires_on >= on && self.rule.is_none_or(|of| of == rule)
    }

    /// As one line.
    pub fn words(&self) -> String {
        format!("{} (owner {}, until {})", self.reason, self.owner, self.expires_on)
    }
}

fn rule_or_empty<S: Serializer>(rule: &Option<RuleId>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(rule.map_or("", RuleId::as_str))
}
