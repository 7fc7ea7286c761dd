//! Findings one by one, with the people they are about, and why a seat was found or not.

use std::collections::HashMap;

use connector_api::position::CanonicalTable;
use rusqlite::OptionalExtension;
use serde::Serialize;

use super::catalogue::{Proof, RULES, Rule, Subject};
use super::{Confidence, Effect, Exemption, PoolFinding, RuleId, RuleResult, Value};
use crate::error::Error;
use crate::model::{Family, PoolKey, RuleStatus, SeatOutcome};
use crate::money::Amount;
use crate::position::Analysis;
use crate::seats;
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

/// Lists the findings of the rules that `wanted` names; empty means all.
///
/// # Errors
/// When the canonical tables or the people cannot be read.
pub fn list(
    analysis: &Analysis<'_>,
    source: &dyn SnapshotSource,
    wanted: &[RuleId],
    limit: usize,
) -> Result<Listing, Error> {
    let judge = &analysis.judge;
    let asked = |id: RuleId| wanted.is_empty() || wanted.contains(&id);
    let mut found = Vec::new();
    let mut left_out = 0;
    let withheld: Vec<RuleId> = analysis
        .position
        .rules
        .iter()
        .filter(|rule| rule.status == RuleStatus::Withheld)
        .map(|rule| rule.id)
        .collect();
    seats::count(
        &analysis.tables.db,
        |family| analysis.rules(family),
        |pool, facts, class| {
            for rule in judge.hits(pool, facts, class.map(|(class, _)| class)) {
                if !asked(rule.id) || withheld.contains(&rule.id) {
                    continue;
                }
                if found.len() >= limit {
                    left_out += 1;
                    continue;
                }
                let known = judge.pool(pool);
                found.push(SeatFinding {
                    rule: rule.id,
                    title: rule.title,
                    person_id: String::new(),
                    username: None,
                    name: None,
                    family: pool.0.clone(),
                    license_id: pool.1.clone(),
                    saving_per_year: saving(&analysis.position.rules, rule.id, pool),
                    key: known.key,
                    license: known.name,
                    values: values(facts, rule),
                    weak: class.is_some_and(|(_, weak)| weak),
                    effect: rule.effect,
                    confidence: rule.confidence,
                    exempt: judge
                        .exemption(facts.person_no, rule.id)
                        .and_then(|at| analysis.imported.exemptions.get(at))
                        .map(Exemption::words),
                    person_no: facts.person_no,
                });
            }
            Ok(())
        },
    )?;
    name(analysis, source, &mut found)?;
    found.sort_by(|a, b| (a.rule, &a.username).cmp(&(b.rule, &b.username)));
    let pools = analysis
        .position
        .rules
        .iter()
        .filter(|rule| asked(rule.id))
        .flat_map(|rule| rule.details.iter().map(|detail| (rule.id, detail.clone())))
        .collect();
    Ok(Listing { seats: found, pools, left_out })
}

/// The saving of one seat: the pool's saving of that rule, shared out.
fn saving(rules: &[RuleResult], id: RuleId, pool: &PoolKey) -> Option<Amount> {
    let rule = rules.iter().find(|rule| rule.id == id)?;
    let found = rule.pools.iter().find(|of| of.family == pool.0 && of.license_id == pool.1)?;
    let amount = found.saving_per_year.as_ref()?;
    Some(Amount { minor: amount.minor / found.seats.max(1), currency: amount.currency.clone() })
}

fn values(facts: &seats::SeatFacts, rule: &Rule) -> Vec<Value> {
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
