//! Findings one by one, with the people they are about, and why a seat was found or not.

use std::collections::HashMap;

use connector_api::position::CanonicalTable;
use rusqlite::OptionalExtension;
use serde::Serialize;

use crate::error::Error;
use crate::model::{
    Amount, Exemption, PoolFinding, PoolKey, RuleId, RuleResult, RuleStatus, SeatOutcome, Value,
};
use crate::position::Analysis;
use crate::rules::collector::{SeatFinding, values};
use crate::rules::{Proof, RULES, Rule, Subject};
use crate::seats;
use crate::source::SnapshotSource;
use crate::tables::literal;

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
