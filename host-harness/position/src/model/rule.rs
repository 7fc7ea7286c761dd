//! What came of the rules.

use connector_api::manifest::PermissionSpec;
use serde::Serialize;

use super::{Amount, Amounts, Family, RuleId, RuleStatus};

/// What came of one rule.
#[derive(Clone, Debug, Serialize)]
pub struct RuleResult {
    /// The rule.
    pub id: RuleId,
    /// What it finds, in a few words.
    pub title: &'static str,
    /// The predicate in words, with the limits used.
    pub predicate: String,
    /// Whether it looked and found something.
    pub status: RuleStatus,
    /// Why it was withheld.
    pub reason: Option<String>,
    /// What the connecting account needs at the vendor to free it.
    pub permissions: Vec<PermissionSpec>,
    /// Findings that are not exempt.
    pub findings: i64,
    /// Findings that an exemption covers.
    pub exempt: i64,
    /// Findings that rest on weak evidence.
    pub weak: i64,
    /// By licence pool, for rules about seats.
    pub pools: Vec<PoolFindings>,
    /// What follows for rules about pools, one entry each.
    pub details: Vec<PoolFinding>,
    /// What a year of the found seats costs, by currency; unpriced ones are counted apart.
    pub saving_per_year: Amounts,
    /// Seats found whose price is not known.
    pub unpriced: i64,
    /// What to do with a finding.
    pub effect: Effect,
    /// How sure a finding is.
    pub confidence: Confidence,
    /// What may make a finding wrong.
    pub cautions: Vec<String>,
    /// The vendor's fields it rests on.
    pub sources: Vec<String>,
    /// The time in which uses were seen, for rules that look at uses.
    pub coverage: Option<UsesSeen>,
}

impl RuleResult {
    /// Its sources, each of the vendor's objects once: `User: Id, Name; LoginHistory: Status`.
    pub fn sources_by_object(&self) -> String {
        let mut objects: Vec<(&str, String)> = Vec::new();
        for source in &self.sources {
            let (object, field) = source.split_once('.').unwrap_or((source, ""));
            match objects.iter_mut().find(|(known, _)| *known == object) {
                Some((_, fields)) => fields.extend([", ", field]),
                None if field.is_empty() => objects.push((object, String::new())),
                None => objects.push((object, format!(": {field}"))),
            }
        }
        let texts: Vec<String> =
            objects.into_iter().map(|(object, fields)| format!("{object}{fields}")).collect();
        texts.join("; ")
    }
}

/// The time in which uses were seen, RFC 3339 in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UsesSeen {
    /// The oldest use; null if there is none.
    pub from: Option<String>,
    /// When they were read.
    pub to: String,
}

/// Seats of one pool that a rule found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PoolFindings {
    /// The family.
    pub family: Family,
    /// The pool's id at the vendor.
    pub license_id: String,
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Seats found and not exempt.
    pub seats: i64,
    /// What a year of them costs; none if the price is not known.
    pub saving_per_year: Option<Amount>,
}

/// What a rule says about one pool.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PoolFinding {
    /// The family.
    pub family: Family,
    /// The pool's id at the vendor.
    pub license_id: String,
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// What was found, as one sentence with its figures.
    pub message: String,
    /// The figures by name.
    pub values: Vec<Value>,
    /// Seats or units it is about.
    pub quantity: i64,
    /// How sure it is: less than its rule if the time it speaks of is not covered yet.
    pub confidence: Confidence,
    /// What they cost in a year; none if not known or if nothing follows.
    pub saving_per_year: Option<Amount>,
    /// The exemption that covers it.
    pub exempt: Option<String>,
}

/// A figure that a finding rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Value {
    /// What it is.
    pub name: &'static str,
    /// The figure; null if it is not known.
    pub value: Option<String>,
}

impl Value {
    pub(crate) fn new(name: &'static str, value: impl ToString) -> Value {
        Value { name, value: Some(value.to_string()) }
    }
}

/// How sure a finding is, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// It follows from the vendor's own figures.
    High,
    /// It is likely; look at the cautions.
    Medium,
    /// It is a hint.
    Low,
}

/// What to do with a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The seat can be taken back.
    Reclaim,
    /// Somebody must look.
    Review,
    /// A cheaper licence would do.
    Move,
    /// Less can be bought.
    Reduce,
    /// More must be bought, or is at risk of being billed.
    Shortage,
    /// A day is near.
    Deadline,
    /// A risk, without a saving.
    Risk,
}
