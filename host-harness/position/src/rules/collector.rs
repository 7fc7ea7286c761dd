//! Collects findings about seats while the seats are counted.

use serde::Serialize;

use super::catalogue::{Proof, Rule};
use super::evaluator::RuleEvaluator;
use crate::model::{
    Amount, Confidence, Effect, Exemption, Family, PoolKey, RuleId, RuleResult, RuleStatus, Value,
};
use crate::seats::SeatFacts;
use crate::time::{from_ms, rfc3339};

/// One finding about a seat.
#[derive(Clone, Debug, Serialize)]
pub struct SeatFinding {
    /// The rule.
    pub rule: RuleId,
    /// What it finds.
    pub title: &'static str,
    /// The account's id at the vendor.
    pub person_id: String,
    /// Its user name; none if it was not shown.
    pub username: Option<String>,
    /// Its name for people.
    pub name: Option<String>,
    /// The family of the seat.
    pub family: Family,
    /// The pool's id at the vendor.
    pub license_id: String,
    /// The key of the licence.
    pub key: String,
    /// Its name.
    pub license: String,
    /// What it rests on.
    pub values: Vec<Value>,
    /// Whether it rests on the last-login field alone.
    pub weak: bool,
    /// What to do.
    pub effect: Effect,
    /// How sure.
    pub confidence: Confidence,
    /// What a year of the seat costs.
    pub saving_per_year: Option<Amount>,
    /// The exemption that covers it.
    pub exempt: Option<String>,
    #[serde(skip)]
    pub(crate) person_no: i64,
}

/// Which findings are listed.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Findings of these rules; all rules if there is none.
    pub rules: Vec<RuleId>,
    /// Most findings about seats.
    pub limit: usize,
}

impl Wanted {
    pub(crate) fn asks_for(&self, rule: RuleId) -> bool {
        self.rules.is_empty() || self.rules.contains(&rule)
    }
}

/// Collects findings about seats in the pass that counts them.
///
/// Rules that need everybody to be seen may be withheld when the counts are known. What they found is
/// kept apart until then, so that it takes no room from the others.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    pub(crate) wanted: Option<Wanted>,
    /// Findings that stay, and those that may be withheld, with their places in the pass.
    kept: [Vec<(usize, SeatFinding)>; 2],
    over: [i64; 2],
    place: usize,
}

impl Collector {
    pub(crate) fn new(wanted: Option<Wanted>) -> Collector {
        Collector { wanted, ..Collector::default() }
    }

    /// Adds what the rules found of one seat.
    pub(crate) fn add(
        &mut self,
        hits: &[&'static Rule],
        judge: &RuleEvaluator<'_>,
        exemptions: &[Exemption],
        pool: &PoolKey,
        facts: &SeatFacts,
        weak: bool,
    ) {
        let Some(wanted) = &self.wanted else { return };
        for rule in hits.iter().filter(|rule| wanted.asks_for(rule.id)) {
            let bucket = usize::from(rule.needs_everybody);
            self.place += 1;
            if self.kept[bucket].len() >= wanted.limit {
                self.over[bucket] += 1;
                continue;
            }
            let known = judge.pool(pool);
            let finding = SeatFinding {
                rule: rule.id,
                title: rule.title,
                person_id: String::new(),
                username: None,
                name: None,
                family: pool.0.clone(),
                license_id: pool.1.clone(),
                saving_per_year: None,
                key: known.key,
                license: known.name,
                values: values(facts, rule),
                weak,
                effect: rule.effect,
                confidence: rule.confidence,
                exempt: judge
                    .exemption(facts.person_no, rule.id)
                    .and_then(|at| exemptions.get(at))
                    .map(Exemption::words),
                person_no: facts.person_no,
            };
            self.kept[bucket].push((self.place, finding));
        }
    }

    /// The findings in the order of the pass, without those of withheld rules, and how many more there
    /// are.
    pub(crate) fn finish(self, results: &[RuleResult]) -> (Vec<SeatFinding>, i64) {
        let limit = self.wanted.map_or(0, |wanted| wanted.limit);
        let withheld = |rule: RuleId| results[rule as usize].status == RuleStatus::Withheld;
        let [sure, unsure] = self.kept;
        let (sure_over, mut unsure_over) = (self.over[0], self.over[1]);
        if unsure.first().is_some_and(|(_, finding)| withheld(finding.rule)) {
            // All rules that need everybody are withheld together.
            unsure_over = 0;
        }
        let mut found: Vec<(usize, SeatFinding)> = sure
            .into_iter()
            .chain(unsure.into_iter().filter(|(_, finding)| !withheld(finding.rule)))
            .collect();
        found.sort_by_key(|(place, _)| *place);
        let cut = found.len().saturating_sub(limit) as i64;
        found.truncate(limit);
        let found = found.into_iter().map(|(_, finding)| finding).collect();
        (found, sure_over + unsure_over + cut)
    }
}

/// The figures of an account that a rule rests on.
pub(crate) fn values(facts: &SeatFacts, rule: &Rule) -> Vec<Value> {
    let at = |name, ms: Option<i64>| Value { name, value: ms.map(|ms| rfc3339(from_ms(ms))) };
    let account = &facts.account;
    let mut values = vec![
        at("created", account.created_at),
        at("last login", account.last_login_at),
        at("last use by a person", account.human_at),
        at("last use by a machine", account.machine_at),
    ];
    match rule.proof {
        Proof::Reactivation if facts.activated_at.is_some() => {
            values.push(at("active again since", facts.activated_at));
        }
        Proof::Freeze => values.push(at("frozen since", facts.frozen_since)),
        Proof::DaysUsed => values.push(Value {
            name: "days used",
            value: facts.human_days.map(|days| days.to_string()),
        }),
        _ => {}
    }
    if account.has_unread_login() {
        values.push(Value::new("contradiction", "the last login is not among the uses read"));
    }
    if facts.is_active == Some(false) {
        values.push(Value::new("account", "not active"));
    }
    values
}
