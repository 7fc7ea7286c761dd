//! Rules about seats, judged in the pass that counts them.

use std::collections::{BTreeMap, HashMap};

use connector_api::manifest::PermissionSpec;
use connector_api::position::CanonicalTable;

use super::catalogue::{List, Need, RULES, Rule, Subject, rule};
use super::condition::{Condition, PoolFacts};
use super::context::{Context, is_free};
use super::worth::Worth;
use crate::error::Error;
use crate::evidence::{Cause, Evidence};
use crate::inputs::{Imported, RuleSettings};
use crate::model::{Effect, PoolFindings, RuleId, RuleResult, UsesSeen};
use crate::model::{Family, License, Line, PoolKey, ReadStatus, RuleStatus, Unit};
use crate::money::{Amount, Amounts, Price, Valuer};
use crate::seats::{Class, SeatFacts};
use crate::tables::Tables;
use crate::time::{from_ms, rfc3339};
use crate::visibility::Visibility;

/// Evaluates the rules about seats and keeps the counts.
#[derive(Debug)]
pub(crate) struct RuleEvaluator<'a> {
    pub(crate) context: Context<'a>,
    pools: HashMap<PoolKey, PoolFacts>,
    /// Rules that are run, by family.
    by_family: BTreeMap<&'static Family, Vec<&'static Rule>>,
    withheld: BTreeMap<RuleId, Withheld>,
    /// Exemptions by person and rule.
    exempt: HashMap<(i64, RuleId), usize>,
    counts: BTreeMap<(RuleId, Family, String), Count>,
    /// Seats that any rule would take back, by pool: each seat once.
    reclaimable: BTreeMap<PoolKey, i64>,
}

/// Why a rule was not run.
#[derive(Clone, Debug)]
struct Withheld {
    status: RuleStatus,
    reason: String,
    permissions: Vec<PermissionSpec>,
}

impl Withheld {
    fn because(reason: impl Into<String>) -> Withheld {
        Withheld { status: RuleStatus::Withheld, reason: reason.into(), permissions: Vec::new() }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    found: i64,
    exempt: i64,
    weak: i64,
}

impl<'a> RuleEvaluator<'a> {
    pub(crate) fn new(
        tables: &Tables,
        evidence: &Evidence<'_>,
        sight: &Visibility<'_>,
        settings: &'a RuleSettings,
        imported: &Imported,
        licenses: &[License],
        valuer: &Valuer<'_>,
    ) -> Result<RuleEvaluator<'a>, Error> {
        let model = &evidence.manifest.position;
        let pools = licenses
            .iter()
            .map(|license| {
                // Add-ons often come with another product: without a price they count as free.
                let is_user = license.family == Family::User;
                // A key that was not shown may be a free one's.
                let key_shown = license.key != license.id
                    || !evidence
                        .views(CanonicalTable::License, license.family.as_str())
                        .any(|view| evidence.names_hidden_columns(view));
                let paid = is_user && key_shown && !is_free(&model.free_licenses, &license.key);
                let facts = PoolFacts {
                    key: license.key.clone(),
                    name: license.name.clone(),
                    paid: valuer.price_of(license).map_or(paid, |price| price.per_year > 0),
                    ended: license.has_ended(),
                    is_tier: is_user && model.tiers.iter().any(|tier| tier.from == license.key),
                };
                (license.pool(), facts)
            })
            .collect();
        let tier_objects = settings.tier_objects.clone().unwrap_or_else(|| {
            model.tiers.first().map(|tier| tier.objects.clone()).unwrap_or_default()
        });
        let user_rules = sight.rules(Family::User.as_str()).0;
        let context = Context {
            settings,
            as_of_ms: sight.as_of_ms,
            covered_from: user_rules.covered_from,
            retention_days: model.activity_retention_days.unwrap_or(settings.active_days),
            last_login_shown: user_rules.last_login_shown,
            tier_objects,
        };
        let withheld: BTreeMap<RuleId, Withheld> = RULES
            .iter()
            .filter_map(|rule| {
                let why = why_withheld(rule, tables, evidence, sight, settings, imported)?;
                Some((rule.id, why))
            })
            .collect();
        let mut by_family: BTreeMap<&Family, Vec<&Rule>> = BTreeMap::new();
        for rule in RULES.iter().filter(|rule| !withheld.contains_key(&rule.id)) {
            if let Subject::Seats(family) = &rule.subject {
                by_family.entry(family).or_default().push(rule);
            }
        }
        let mut exempt = HashMap::new();
        let today = crate::time::from_ms(sight.as_of_ms).date_naive();
        for (at, exemption) in imported.exemptions.iter().enumerate() {
            use rusqlite::OptionalExtension;
            let sql = "SELECT no FROM person WHERE id = ?1";
            let person: Option<i64> = tables
                .db
                .connection
                .query_row(sql, [&exemption.subject], |row| row.get(0))
                .optional()?;
            let Some(person) = person else { continue };
            for rule in &RULES {
                if exemption.covers(rule.id, today) {
                    exempt.entry((person, rule.id)).or_insert(at);
                }
            }
        }
        Ok(RuleEvaluator {
            context,
            pools,
            by_family,
            withheld,
            exempt,
            counts: BTreeMap::new(),
            reclaimable: BTreeMap::new(),
        })
    }

    /// What is known of a pool.
    pub(crate) fn pool(&self, pool: &PoolKey) -> PoolFacts {
        self.pools.get(pool).cloned().unwrap_or_default()
    }

    /// The rules that find a seat.
    pub(crate) fn hits(
        &self,
        pool: &PoolKey,
        facts: &SeatFacts,
        class: Option<Class>,
    ) -> impl Iterator<Item = &'static Rule> {
        let known = self.pools.get(pool);
        let rules = known.and_then(|_| self.by_family.get(&pool.0));
        rules.into_iter().flatten().copied().filter(move |rule| {
            known.is_some_and(|known| {
                rule.conditions.iter().all(|condition| {
                    condition.holds(&self.context, known, facts, class) == Some(true)
                })
            })
        })
    }

    /// The exemption that covers a finding, by its place among the imported ones.
    pub(crate) fn exemption(&self, person_no: i64, rule: RuleId) -> Option<usize> {
        self.exempt.get(&(person_no, rule)).copied()
    }

    /// Evaluates one seat; returns the rules that find it.
    pub(crate) fn see(
        &mut self,
        pool: &PoolKey,
        facts: &SeatFacts,
        class: Option<(Class, bool)>,
    ) -> Vec<&'static Rule> {
        let weak = class.is_some_and(|(_, weak)| weak);
        let hits: Vec<&Rule> = self.hits(pool, facts, class.map(|(class, _)| class)).collect();
        if hits.is_empty() {
            return hits;
        }
        let (mut reclaim, mut kept) = (false, false);
        for rule in &hits {
            let exempt = self.exemption(facts.person_no, rule.id).is_some();
            let count = self.counts.entry((rule.id, pool.0.clone(), pool.1.clone())).or_default();
            if exempt {
                count.exempt += 1;
                kept = true;
            } else {
                count.found += 1;
                count.weak += i64::from(weak);
                reclaim |= rule.effect == Effect::Reclaim;
            }
        }
        if reclaim && !kept {
            *self.reclaimable.entry(pool.clone()).or_default() += 1;
        }
        hits
    }

    /// Why rules about a family could not look that find most of the seats that can be taken back.
    pub(crate) fn withheld_for(&self, family: &Family) -> impl Iterator<Item = &str> {
        self.withheld.iter().filter_map(move |(id, withheld)| {
            let rule = id.rule();
            let concerns = matches!(&rule.subject, Subject::Seats(of) if of == family);
            (rule.finds_most && concerns && withheld.status == RuleStatus::Withheld)
                .then_some(withheld.reason.as_str())
        })
    }

    /// Seats of a pool that rules would take back, each once; `None` if a rule that finds most of
    /// them was withheld, or people do not hold the pool.
    pub(crate) fn reclaimable(&self, license: &License) -> Option<i64> {
        let known = license.unit == Unit::Seats && license.active.is_some();
        let blind = self.withheld_for(&license.family).next().is_some();
        let found = self.reclaimable.get(&license.pool()).copied().unwrap_or(0);
        (known && !blind).then_some(found)
    }

    /// Whether a licence costs something.
    pub(crate) fn paid(&self, license: &License) -> bool {
        self.pools.get(&license.pool()).is_some_and(|pool| pool.paid)
    }

    /// Withholds rules that need everybody to be seen, if somebody was not.
    pub(crate) fn withhold_unreliable(&mut self, lines: &[Line], evidence: &Evidence<'_>) {
        let Some(line) = lines.iter().find(|line| line.shows_invisible_people()) else { return };
        let people = evidence.views(CanonicalTable::Person, "");
        let permissions: Vec<PermissionSpec> = people
            .filter_map(|view| evidence.manifest.dataset(view.needs.first()?))
            .flat_map(|dataset| dataset.permissions.clone())
            .collect();
        for rule in RULES.iter().filter(|rule| rule.needs_everybody) {
            self.withheld.entry(rule.id).or_insert_with(|| Withheld {
                permissions: permissions.clone(),
                ..Withheld::because(format!("not every account was seen: {}", line.message))
            });
            self.counts.retain(|(of, ..), _| *of != rule.id);
        }
    }

    /// What came of every rule about seats; rules about pools come without their findings.
    pub(crate) fn results(
        &self,
        evidence: &Evidence<'_>,
        licenses: &[License],
        valuer: &Valuer<'_>,
    ) -> Vec<RuleResult> {
        let mut results: Vec<RuleResult> = RULES
            .iter()
            .map(|rule| self.blank(rule, self.withheld.get(&rule.id), evidence))
            .collect();
        for ((id, family, license_id), count) in &self.counts {
            let rule = id.rule();
            let result = &mut results[*id as usize];
            result.findings += count.found;
            result.exempt += count.exempt;
            result.weak += count.weak;
            let license = licenses
                .iter()
                .find(|license| license.family == *family && license.id == *license_id);
            let Some(license) = license.filter(|_| count.found > 0) else { continue };
            let saving = saving(rule.worth, license, licenses, count.found, valuer, evidence);
            match &saving {
                Some(amount) => result.saving_per_year.add(amount),
                None if rule.worth != Worth::Nothing => result.unpriced += count.found,
                None => {}
            }
            result.pools.push(PoolFindings {
                family: family.clone(),
                license_id: license_id.clone(),
                key: license.key.clone(),
                name: license.name.clone(),
                seats: count.found,
                saving_per_year: saving,
            });
        }
        for result in &mut results {
            if result.status == RuleStatus::None && (result.findings > 0 || result.exempt > 0) {
                result.status = RuleStatus::Found;
            }
            result.pools.sort_by(|a, b| b.seats.cmp(&a.seats).then_with(|| a.key.cmp(&b.key)));
        }
        results
    }

    fn blank(
        &self,
        rule: &'static Rule,
        withheld: Option<&Withheld>,
        evidence: &Evidence<'_>,
    ) -> RuleResult {
        let predicate = if rule.conditions.is_empty() {
            rule.words.to_owned()
        } else {
            let words: Vec<String> =
                rule.conditions.iter().map(|condition| condition.words(&self.context)).collect();
            words.join("; ")
        };
        let mut cautions: Vec<String> =
            rule.cautions.iter().map(|caution| (*caution).to_owned()).collect();
        cautions.extend(
            evidence
                .manifest
                .position
                .cautions
                .get(rule.id.as_str())
                .into_iter()
                .flatten()
                .cloned(),
        );
        RuleResult {
            id: rule.id,
            title: rule.title,
            predicate,
            status: withheld.map_or(RuleStatus::None, |withheld| withheld.status),
            reason: withheld.map(|withheld| withheld.reason.clone()),
            permissions: withheld.map(|w| w.permissions.clone()).unwrap_or_default(),
            findings: 0,
            exempt: 0,
            weak: 0,
            pools: Vec::new(),
            details: Vec::new(),
            saving_per_year: Amounts::default(),
            unpriced: 0,
            effect: rule.effect,
            confidence: rule.confidence,
            cautions,
            sources: sources(rule, evidence),
            coverage: rule.needs.contains(&Need::Uses).then(|| UsesSeen {
                from: self.context.covered_from.map(|at| rfc3339(from_ms(at))),
                to: rfc3339(from_ms(self.context.as_of_ms)),
            }),
        }
    }
}

/// What a year of the found seats is worth.
fn saving(
    worth: Worth,
    license: &License,
    licenses: &[License],
    seats: i64,
    valuer: &Valuer<'_>,
    evidence: &Evidence<'_>,
) -> Option<Amount> {
    match worth {
        Worth::Nothing => None,
        Worth::Seat => Some(valuer.price_of(license)?.times(seats)),
        Worth::Difference => {
            let price = valuer.price_of(license)?;
            let tiers = &evidence.manifest.position.tiers;
            let tier = tiers.iter().find(|tier| tier.from == license.key)?;
            let lesser = licenses
                .iter()
                .find(|other| other.family == license.family && other.key == tier.to)
                .and_then(|other| valuer.price_of(other))?;
            (lesser.currency == price.currency).then(|| {
                let per_year = (price.per_year - lesser.per_year).max(0);
                Price { per_year, ..price }.times(seats)
            })
        }
    }
}

/// The vendor's fields a rule rests on: those that its statements name.
fn sources(rule: &Rule, evidence: &Evidence<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for need in rule.needs {
        let views: Vec<_> = match need {
            Need::Table(table, family) => evidence.views(*table, family).collect(),
            Need::IfOffered(table) => evidence.views(*table, "").collect(),
            Need::AnyTable(table, families) => {
                families.iter().flat_map(|family| evidence.views(*table, family)).collect()
            }
            Need::Uses => evidence.use_views(Family::User.as_str()).collect(),
            Need::Import(list) => {
                found.push(format!("imported {}", list.as_str()));
                continue;
            }
            Need::NotRead(_) => continue,
        };
        for view in views {
            for dataset in &view.needs {
                let Some(spec) = evidence.manifest.dataset(dataset) else { continue };
                for field in &spec.fields {
                    let name = format!("{}.{}", spec.source, field.name);
                    if view.sql.contains(&format!("\"{}\"", field.name)) && !found.contains(&name) {
                        found.push(name);
                    }
                }
            }
        }
    }
    found
}

/// Why a rule cannot be run; `None` if it can.
fn why_withheld(
    rule: &Rule,
    tables: &Tables,
    evidence: &Evidence<'_>,
    sight: &Visibility<'_>,
    settings: &RuleSettings,
    imported: &Imported,
) -> Option<Withheld> {
    if settings.off.iter().filter_map(|id| self::rule(id)).any(|off| off.id == rule.id) {
        return Some(Withheld {
            status: RuleStatus::Off,
            ..Withheld::because("it is switched off in the settings")
        });
    }
    let family = match &rule.subject {
        Subject::Seats(family) => family,
        Subject::Pools | Subject::Contract => &Family::User,
    };
    let unmet = rule.needs.iter().find_map(|need| match need {
        Need::NotRead(reason) => Some(Withheld::because(*reason)),
        Need::Import(list) => {
            let there = match list {
                List::Staff => imported.leavers.is_some(),
                List::Contract => imported.contract.is_some(),
                List::Prices => imported.prices.is_some(),
            };
            let name = list.as_str();
            (!there).then(|| {
                Withheld::because(format!("no {name} list was imported: run `imports add`"))
            })
        }
        Need::Uses => sight.blind(family.as_str()).map(|cause| because(evidence, &cause)),
        Need::Table(CanonicalTable::Person, _) if sight.active_people.is_none() => {
            let cause = evidence.causes(CanonicalTable::Person, "").into_iter().next();
            Some(cause.map_or_else(
                || Withheld::because("it was not shown which accounts are active"),
                |cause| because(evidence, &cause),
            ))
        }
        Need::AnyTable(table, families) => {
            let readable = families.iter().any(|family| {
                evidence.views(*table, family).next().is_some()
                    && evidence.causes(*table, family).is_empty()
            });
            let mut causes = families.iter().flat_map(|family| evidence.causes(*table, family));
            causes.next().filter(|_| !readable).map(|cause| because(evidence, &cause))
        }
        Need::IfOffered(table) => {
            // What is read only if somebody asks for it is no part of the evidence until then.
            let mut causes = evidence.causes(*table, "").into_iter();
            let cause = causes.find(|cause| cause.status != ReadStatus::NotCollected)?;
            Some(because(evidence, &cause))
        }
        Need::Table(table, of) => {
            if evidence.views(*table, of).next().is_none() {
                let table = table.as_str();
                let reason = format!("the connector does not say who or what: `{table}`");
                return Some(Withheld::because(reason));
            }
            let cause = evidence.causes(*table, of).into_iter().next()?;
            Some(because(evidence, &cause))
        }
    });
    // Nobody with access to any of the objects: it is the access that was not shown.
    let needs_access = rule.conditions.contains(&Condition::ReadsNoTierObject);
    unmet.or_else(|| {
        (needs_access && tables.totals.tier_readers == 0).then(|| {
            Withheld::because(
                "no account reads any of the objects that need the licence: what was read of \
                 access cannot be all of it",
            )
        })
    })
}

fn because(evidence: &Evidence<'_>, cause: &Cause) -> Withheld {
    Withheld {
        permissions: evidence
            .manifest
            .dataset(&cause.dataset)
            .filter(|_| cause.status.a_permission_opens_it())
            .map(|spec| spec.permissions.clone())
            .unwrap_or_default(),
        ..Withheld::because(format!("`{}` is {}: {}", cause.dataset, cause.status, cause.reason))
    }
}
