//! Findings one by one, with the people they are about, and why a seat was found or not.

use std::collections::HashMap;

use connector_api::position::CanonicalTable;
use rusqlite::OptionalExtension;
use serde::Serialize;

use super::catalogue::{Proof, RULES, Rule, Subject};
use super::evaluator::RuleEvaluator;
use super::{Confidence, Effect, Exemption, PoolFinding, RuleId, RuleResult, Value};
use crate::error::Error;
use crate::model::{Family, PoolKey, RuleStatus, SeatOutcome};
use crate::money::Amount;
use crate::position::Analysis;
use crate::seats::{self, SeatFacts};
use crate::source::SnapshotSource;
use crate::tables::literal;
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
    person_no: i64,
}

/// All findings of some rules.
#[derive(Debug, Serialize)]
pub struct Listing {
    /// About seats, at most as many as asked for.
    pub seats: Vec<SeatFinding>,
    /// About pools.
    pub pools: Vec<(RuleId, PoolFinding)>,
    /// Findings about seats that were left out of `seats`.
    pub left_out: i64,
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
    fn asks_for(&self, rule: RuleId) -> bool {
        self.rules.is_empty() || self.rules.contains(&rule)
    }
}

/// Collects findings about seats in the pass that counts them.
///
/// Rules that need everybody to be seen may be withheld when the counts are known. What they found is
/// kept apart until then, so that it takes no room from the others.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    wanted: Option<Wanted>,
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
    fn finish(self, results: &[RuleResult]) -> (Vec<SeatFinding>, i64) {
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

impl Analysis<'_> {
    /// The findings that the position was computed with, with ids and names of the people. They can
    /// be taken once.
    ///
    /// # Errors
    /// If the canonical tables or the people cannot be read.
    pub fn take_listing(&mut self, source: &dyn SnapshotSource) -> Result<Listing, Error> {
        let collector = std::mem::take(&mut self.collector);
        let wanted = collector.wanted.clone().unwrap_or_default();
        let results = &self.position.rules;
        let (mut seats, left_out) = collector.finish(results);
        for finding in &mut seats {
            let pool = (finding.family.clone(), finding.license_id.clone());
            finding.saving_per_year = saving(results, finding.rule, &pool);
        }
        name(self, source, &mut seats)?;
        seats.sort_by(|a, b| (a.rule, &a.username).cmp(&(b.rule, &b.username)));
        let pools = self
            .position
            .rules
            .iter()
            .filter(|rule| wanted.asks_for(rule.id))
            .flat_map(|rule| rule.details.iter().map(|detail| (rule.id, detail.clone())))
            .collect();
        Ok(Listing { seats, pools, left_out })
    }
}

/// The saving of one seat: the pool's saving of that rule, shared out.
fn saving(rules: &[RuleResult], id: RuleId, pool: &PoolKey) -> Option<Amount> {
    let rule = rules.iter().find(|rule| rule.id == id)?;
    let found = rule.pools.iter().find(|of| of.family == pool.0 && of.license_id == pool.1)?;
    let amount = found.saving_per_year.as_ref()?;
    Some(Amount { minor: amount.minor / found.seats.max(1), currency: amount.currency.clone() })
}

fn values(facts: &SeatFacts, rule: &Rule) -> Vec<Value> {
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

/// Adds ids and names of the people found.
fn name(
    analysis: &Analysis<'_>,
    source: &dyn SnapshotSource,
    found: &mut [SeatFinding],
) -> Result<(), Error> {
    let mut id = analysis.tables.db.connection.prepare("SELECT id FROM person WHERE no = ?1")?;
    let mut wanted: HashMap<String, (Option<String>, Option<String>)> = HashMap::new();
    for finding in found.iter_mut() {
        finding.person_id = id.query_row([finding.person_no], |row| row.get(0))?;
        wanted.insert(finding.person_id.clone(), (None, None));
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let model = &analysis.manifest.position;
    for view in model.views.iter().filter(|view| view.table == CanonicalTable::Person) {
        source.query(&view.sql, &mut |row| {
            if let Some(names) = row[0].text().and_then(|id| wanted.get_mut(id)) {
                *names = (row[1].text().map(str::to_owned), row[2].text().map(str::to_owned));
            }
            Ok(())
        })?;
    }
    for finding in found {
        if let Some((username, name)) = wanted.get(&finding.person_id) {
            (finding.username, finding.name) = (username.clone(), name.clone());
        }
    }
    Ok(())
}

/// Why a person was found, or not.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The account's id at the vendor.
    pub person_id: String,
    /// Its user name.
    pub username: Option<String>,
    /// One entry for each rule and seat.
    pub rules: Vec<RuleExplanation>,
}

/// Why a rule found a seat, or not.
#[derive(Debug, Serialize)]
pub struct RuleExplanation {
    /// The rule.
    pub rule: RuleId,
    /// What it finds.
    pub title: &'static str,
    /// The key of the licence; none if the person has no seat the rule looks at.
    pub key: Option<String>,
    /// Whether it finds the seat.
    pub outcome: SeatOutcome,
    /// Why withheld, or why exempt.
    pub reason: Option<String>,
    /// Each condition in words, and whether it holds; null if that cannot be told.
    pub conditions: Vec<(String, Option<bool>)>,
    /// What they rest on.
    pub values: Vec<Value>,
    /// Evidence for what is not a figure: sets of rights, doubles, the staff list.
    pub evidence: Vec<String>,
}

/// Explains a person, named by user name or by the vendor's id.
///
/// # Errors
/// When there is no such account, or the tables cannot be read.
pub fn explain(
    analysis: &Analysis<'_>,
    source: &dyn SnapshotSource,
    person: &str,
) -> Result<Explanation, Error> {
    let (person_id, username) = find(analysis, source, person)?;
    let no: i64 = analysis
        .tables
        .db
        .connection
        .query_row("SELECT no FROM person WHERE id = ?1", [&person_id], |row| row.get(0))
        .optional()?
        .ok_or_else(|| Error::not_found(format_args!("`{person}` was not read")))?;
    let judge = &analysis.judge;
    let mut rules = Vec::new();
    seats::count(
        &analysis.tables.db,
        |family| analysis.rules(family),
        |pool, facts, class| {
            if facts.person_no != no {
                return Ok(());
            }
            let class = class.map(|(class, _)| class);
            let hits: Vec<RuleId> = judge.hits(pool, facts, class).map(|rule| rule.id).collect();
            let concerns =
                |rule: &&Rule| matches!(&rule.subject, Subject::Seats(family) if *family == pool.0);
            for rule in RULES.iter().filter(concerns) {
                let known = judge.pool(pool);
                let result = &analysis.position.rules[rule.id as usize];
                let exempt = judge
                    .exemption(no, rule.id)
                    .and_then(|at| analysis.imported.exemptions.get(at))
                    .map(Exemption::words);
                let outcome = match (result.status, hits.contains(&rule.id), &exempt) {
                    (RuleStatus::Withheld, ..) => SeatOutcome::Withheld,
                    (RuleStatus::Off, ..) => SeatOutcome::Off,
                    (_, true, Some(_)) => SeatOutcome::Exempt,
                    (_, true, None) => SeatOutcome::Found,
                    _ => SeatOutcome::NotFound,
                };
                rules.push(RuleExplanation {
                    rule: rule.id,
                    title: rule.title,
                    key: Some(known.key.clone()),
                    outcome,
                    reason: result.reason.clone().or(exempt),
                    conditions: rule
                        .conditions
                        .iter()
                        .map(|condition| {
                            let holds = condition.holds(&judge.context, &known, facts, class);
                            (condition.words(&judge.context), holds)
                        })
                        .collect(),
                    values: values(facts, rule),
                    evidence: Vec::new(),
                });
            }
            Ok(())
        },
    )?;
    for rule in &mut rules {
        rule.evidence = evidence(analysis, no, rule.rule)?;
    }
    rules.sort_by_key(|rule| rule.rule);
    Ok(Explanation { person_id, username, rules })
}

/// The account of that user name (in any case) or id.
pub(crate) fn find(
    analysis: &Analysis<'_>,
    source: &dyn SnapshotSource,
    person: &str,
) -> Result<(String, Option<String>), Error> {
    find_person(analysis.manifest, source, person)
}

/// The account of that user name (in any case) or id, in a manifest's datasets: its id and user name.
///
/// # Errors
/// If there is none, or the datasets cannot be read.
pub fn find_person(
    manifest: &connector_api::manifest::Manifest,
    source: &dyn SnapshotSource,
    person: &str,
) -> Result<(String, Option<String>), Error> {
    let views = manifest.position.views.iter();
    for view in views.filter(|view| view.table == CanonicalTable::Person) {
        let sql = format!(
            "WITH p(id, username, name, is_active, created_at, last_login_at, is_service) AS ({})
             SELECT id, username FROM p WHERE id = {1} OR username = {1} COLLATE NOCASE LIMIT 1",
            view.sql,
            literal(person)
        );
        let mut found = None;
        source.query(&sql, &mut |row| {
            let username = row[1].text().map(str::to_owned);
            found = row[0].text().map(|id| (id.to_owned(), username));
            Ok(())
        })?;
        if let Some(found) = found {
            return Ok(found);
        }
    }
    Err(Error::not_found(format_args!("there is no account `{person}` in this snapshot"))
        .with_hint("name it by its user name or by the vendor's id"))
}

fn evidence(analysis: &Analysis<'_>, person_no: i64, rule: RuleId) -> Result<Vec<String>, Error> {
    let kind = match rule.rule().proof {
        Proof::Objects => "object",
        Proof::Privileges => "privilege",
        Proof::Twins => {
            return texts(
                analysis,
                "SELECT t.kind || ' is also that of ' || p.id FROM twin t
                 JOIN twin o ON o.kind = t.kind AND o.twin_group = t.twin_group
                      AND o.person_no <> t.person_no
                 JOIN person p ON p.no = o.person_no WHERE t.person_no = ?1 LIMIT 20",
                person_no,
            );
        }
        Proof::Staff => {
            return texts(
                analysis,
                "SELECT 'ended on ' || ended_on || ', matched by ' || matched_by FROM leaver
                 WHERE person_no = ?1",
                person_no,
            );
        }
        Proof::Figures | Proof::Reactivation | Proof::Freeze | Proof::DaysUsed => {
            return Ok(Vec::new());
        }
    };
    let sql = format!(
        "SELECT r.name || ' by set ' || s.id FROM holding h JOIN rights r ON r.set_no = h.set_no
         JOIN rights_set s ON s.no = h.set_no
         WHERE h.person_no = ?1 AND r.kind = '{kind}' ORDER BY 1 LIMIT 20"
    );
    texts(analysis, &sql, person_no)
}

fn texts(analysis: &Analysis<'_>, sql: &str, person_no: i64) -> Result<Vec<String>, Error> {
    let mut statement = analysis.tables.db.connection.prepare(sql)?;
    let texts = statement.query_map([person_no], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(texts)
}
