//! Rules about seats, judged in the pass that counts them.

use std::collections::{BTreeMap, HashMap};

use connector_api::manifest::PermissionSpec;
use connector_api::position::CanonicalTable;

use super::catalogue::{Need, RULES, Rule, Subject};
use super::condition::PoolFacts;
use super::{Effect, PoolFindings, RuleResult, UsesSeen};
use crate::error::Error;
use crate::evidence::{Cause, Evidence, NOT_COLLECTED};
use crate::inputs::{Imported, RuleSettings};
use crate::model::{License, Line, LineStatus};
use crate::money::{Amounts, Valuer};
use crate::seats::{Class, SeatFacts};
use crate::tables::Tables;
use crate::time::{DAY_MS, from_ms, rfc3339};
use crate::visibility::Visibility;

/// What conditions are judged by.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) settings: &'a RuleSettings,
    pub(crate) as_of_ms: i64,
    /// The oldest use that was read.
    pub(crate) covered_from: Option<i64>,
    pub(crate) tier_objects: Vec<String>,
}

impl Context<'_> {
    /// Whether uses were read for so many days.
    pub(crate) fn covers(&self, days: u32) -> bool {
        // A first use on the day after still leaves no room for more.
        let since = self.as_of_ms - i64::from(days.saturating_sub(1)) * DAY_MS;
        self.covered_from.is_some_and(|from| from <= since)
    }
}

/// RuleEvaluators seats and keeps the counts.
#[derive(Debug)]
pub(crate) struct RuleEvaluator<'a> {
    pub(crate) context: Context<'a>,
    pools: HashMap<(String, String), PoolFacts>,
    /// Rules by family, with their places in [`RULES`].
    by_family: BTreeMap<&'static str, Vec<(usize, &'static Rule)>>,
    withheld: Vec<Option<Withheld>>,
    /// Exemptions by person and rule.
    exempt: HashMap<(i64, usize), usize>,
    counts: BTreeMap<(usize, String, String), Count>,
    /// Seats that any rule would take back, by pool: each seat once.
    reclaimable: BTreeMap<(String, String), i64>,
    /// Seats kept by an exemption, by pool.
    kept: BTreeMap<(String, String), i64>,
}

/// Why a rule was not run.
#[derive(Clone, Debug)]
pub(crate) struct Withheld {
    pub(crate) status: &'static str,
    pub(crate) reason: String,
    pub(crate) permissions: Vec<PermissionSpec>,
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
                let paid = license.family == "user" && !is_free(&model.free_licenses, &license.key);
                let facts = PoolFacts {
                    key: license.key.clone(),
                    name: license.name.clone(),
                    paid: valuer.price_of(license).map_or(paid, |price| price.per_year > 0),
                    ended: license.status.as_deref().is_some_and(|status| status != "active"),
                    is_tier: license.family == "user"
                        && model.tiers.iter().any(|tier| tier.from == license.key),
                };
                ((license.family.clone(), license.id.clone()), facts)
            })
            .collect();
        let tier_objects = settings.tier_objects.clone().unwrap_or_else(|| {
            model.tiers.first().map(|tier| tier.objects.clone()).unwrap_or_default()
        });
        let context = Context {
            settings,
            as_of_ms: sight.as_of_ms,
            covered_from: sight.rules("user").0.covered_from,
            tier_objects,
        };
        let mut withheld: Vec<Option<Withheld>> =
            RULES.iter().map(|rule| withheld(rule, evidence, sight, settings, imported)).collect();
        // Nobody with access to any of the objects: it is the access that was not shown.
        if tables.totals.tier_readers == 0 {
            for (rule, state) in RULES.iter().zip(&mut withheld) {
                if rule.id == "R06" && state.is_none() {
                    *state = Some(Withheld {
                        status: "withheld",
                        reason: "no account reads any of the objects that need the licence: what \
                                 was read of access cannot be all of it"
                            .into(),
                        permissions: Vec::new(),
                    });
                }
            }
        }
        let mut by_family: BTreeMap<&str, Vec<(usize, &Rule)>> = BTreeMap::new();
        for (place, rule) in RULES.iter().enumerate() {
            if let Subject::Seats(family) = rule.subject
                && withheld[place].is_none()
            {
                by_family.entry(family).or_default().push((place, rule));
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
            for (place, rule) in RULES.iter().enumerate() {
                if exemption.covers(rule.id, today) {
                    exempt.entry((person, place)).or_insert(at);
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
            kept: BTreeMap::new(),
        })
    }

    /// What is known of a pool.
    pub(crate) fn pool(&self, pool: &(String, String)) -> PoolFacts {
        self.pools.get(pool).cloned().unwrap_or_default()
    }

    /// The places of the rules that find a seat.
    pub(crate) fn hits(
        &self,
        pool: &(String, String),
        facts: &SeatFacts,
        class: Option<Class>,
    ) -> impl Iterator<Item = usize> {
        let known = self.pools.get(pool);
        let rules = known.and_then(|_| self.by_family.get(pool.0.as_str()));
        rules.into_iter().flatten().filter_map(move |(place, rule)| {
            let known = known?;
            rule.conditions
                .iter()
                .all(|condition| condition.holds(&self.context, known, facts, class) == Some(true))
                .then_some(*place)
        })
    }

    /// The exemption that covers a finding, by its place among the imported ones.
    pub(crate) fn exemption(&self, person_no: i64, place: usize) -> Option<usize> {
        self.exempt.get(&(person_no, place)).copied()
    }

    /// RuleEvaluators one seat.
    pub(crate) fn see(
        &mut self,
        pool: &(String, String),
        facts: &SeatFacts,
        class: Option<(Class, bool)>,
    ) {
        let weak = class.is_some_and(|(_, weak)| weak);
        let hits: Vec<usize> = self.hits(pool, facts, class.map(|(class, _)| class)).collect();
        if hits.is_empty() {
            return;
        }
        let (mut reclaim, mut kept) = (false, false);
        for place in hits {
            let exempt = self.exemption(facts.person_no, place).is_some();
            let count = self.counts.entry((place, pool.0.clone(), pool.1.clone())).or_default();
            if exempt {
                count.exempt += 1;
                kept = true;
            } else {
                count.found += 1;
                count.weak += i64::from(weak);
                reclaim |= RULES[place].effect == Effect::Reclaim;
            }
        }
        if reclaim && !kept {
            *self.reclaimable.entry(pool.clone()).or_default() += 1;
        } else if kept {
            *self.kept.entry(pool.clone()).or_default() += 1;
        }
    }

    /// Seats of a pool that rules would take back, each once, and those exempt.
    /// The former is not known where a rule that finds most of them was withheld.
    pub(crate) fn reclaimable(&self, license: &License) -> (Option<i64>, i64) {
        let key = (license.family.clone(), license.id.clone());
        let of = |map: &BTreeMap<_, i64>| map.get(&key).copied().unwrap_or(0);
        let looked = RULES.iter().zip(&self.withheld).all(|(rule, withheld)| {
            let matters = rule.subject == Subject::Seats("user") && license.family == "user";
            let matters = matters && ["R01", "R02"].contains(&rule.id)
                || ["R08", "R10", "R11"].contains(&rule.id)
                    && matches!(rule.subject, Subject::Seats(family) if family == license.family);
            !matters || withheld.as_ref().is_none_or(|withheld| withheld.status == "off")
        });
        (looked.then(|| of(&self.reclaimable)), of(&self.kept))
    }

    /// Whether a licence costs something.
    pub(crate) fn paid(&self, license: &License) -> bool {
        let key = (license.family.clone(), license.id.clone());
        self.pools.get(&key).is_some_and(|pool| pool.paid)
    }

    /// Withholds rules that need everybody to be seen, where somebody was not.
    pub(crate) fn doubt(&mut self, lines: &[Line], evidence: &Evidence<'_>) {
        let invisible = lines.iter().find(|line| {
            line.id == "I1"
                && line.subject == "user"
                && line.status == LineStatus::Difference
                && line.pools.iter().any(|pool| pool.reason == "invisible_people")
        });
        let Some(line) = invisible else { return };
        let people = evidence.views(CanonicalTable::Person, "");
        let permissions: Vec<PermissionSpec> = people
            .filter_map(|view| evidence.manifest.dataset(view.needs.first()?))
            .flat_map(|dataset| dataset.permissions.clone())
            .collect();
        for (place, rule) in RULES.iter().enumerate() {
            if ["R01", "R02", "R05", "R08"].contains(&rule.id) && self.withheld[place].is_none() {
                self.withheld[place] = Some(Withheld {
                    status: "withheld",
                    reason: format!("not every account was seen: {}", line.message),
                    permissions: permissions.clone(),
                });
                self.counts.retain(|(of, ..), _| *of != place);
            }
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
            .zip(&self.withheld)
            .map(|(rule, withheld)| self.blank(rule, withheld.as_ref(), evidence))
            .collect();
        for ((place, family, id), count) in &self.counts {
            let result = &mut results[*place];
            result.findings += count.found;
            result.exempt += count.exempt;
            result.weak += count.weak;
            let license =
                licenses.iter().find(|license| license.family == *family && license.id == *id);
            let Some(license) = license.filter(|_| count.found > 0) else { continue };
            let saving = saving(RULES[*place].id, license, licenses, count.found, valuer, evidence);
            match &saving {
                Some(amount) => result.saving_per_year.add(amount),
                None if RULES[*place].effect != Effect::Risk => result.unpriced += count.found,
                None => {}
            }
            result.pools.push(PoolFindings {
                family: family.clone(),
                license_id: id.clone(),
                key: license.key.clone(),
                name: license.name.clone(),
                seats: count.found,
                saving_per_year: saving,
            });
        }
        for result in &mut results {
            if result.status == "none" && (result.findings > 0 || result.exempt > 0) {
                result.status = "found";
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
            evidence.manifest.position.cautions.get(rule.id).into_iter().flatten().cloned(),
        );
        RuleResult {
            id: rule.id,
            title: rule.title,
            predicate,
            status: withheld.map_or("none", |withheld| withheld.status),
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

/// Whether a key is in the connector's list of licences that cost nothing.
pub(crate) fn is_free(free: &[String], key: &str) -> bool {
    free.iter().any(|free| free.eq_ignore_ascii_case(key))
}

/// What a year of the found seats costs; for a move the difference to the lesser licence.
fn saving(
    rule: &str,
    license: &License,
    licenses: &[License],
    seats: i64,
    valuer: &Valuer<'_>,
    evidence: &Evidence<'_>,
) -> Option<crate::money::Amount> {
    if RULES.iter().any(|known| known.id == rule && known.effect == Effect::Risk) {
        return None;
    }
    let price = valuer.price_of(license)?;
    if rule != "R06" {
        return Some(price.times(seats));
    }
    let tier = evidence.manifest.position.tiers.iter().find(|tier| tier.from == license.key)?;
    let lesser = licenses
        .iter()
        .find(|other| other.family == license.family && other.key == tier.to)
        .and_then(|other| valuer.price_of(other))?;
    (lesser.currency == price.currency).then(|| {
        let difference = (price.per_year - lesser.per_year).max(0);
        crate::money::Price { per_year: difference, ..price }.times(seats)
    })
}

/// The vendor's fields a rule rests on: those that its statements name.
fn sources(rule: &Rule, evidence: &Evidence<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for need in rule.needs {
        let views: Vec<_> = match need {
            Need::Table(table, family) => evidence.views(*table, family).collect(),
            Need::Uses => evidence.use_views("user").collect(),
            Need::Import(name) => {
                found.push(format!("imported {name}"));
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

/// Why a rule cannot be run.
fn withheld(
    rule: &Rule,
    evidence: &Evidence<'_>,
    sight: &Visibility<'_>,
    settings: &RuleSettings,
    imported: &Imported,
) -> Option<Withheld> {
    if settings.off.iter().any(|id| id.eq_ignore_ascii_case(rule.id)) {
        return Some(Withheld {
            status: "off",
            reason: "it is switched off in the settings".into(),
            permissions: Vec::new(),
        });
    }
    let plain = |reason: String| Withheld { status: "withheld", reason, permissions: Vec::new() };
    let family = match rule.subject {
        Subject::Seats(family) => family,
        _ => "user",
    };
    rule.needs.iter().find_map(|need| match need {
        Need::NotRead(reason) => Some(plain((*reason).to_owned())),
        Need::Import(list) => {
            let there = match *list {
                "staff" => imported.leavers.is_some(),
                "contract" => imported.contract.is_some(),
                _ => imported.prices.is_some(),
            };
            (!there).then(|| plain(format!("no {list} list was imported: run `imports add`")))
        }
        Need::Uses => sight.blind(family).map(|cause| because(evidence, &cause)),
        Need::Table(CanonicalTable::Person, _) if sight.active_people.is_none() => {
            let cause = evidence.causes(CanonicalTable::Person, "").into_iter().next();
            Some(cause.map_or_else(
                || plain("it was not shown which accounts are active".into()),
                |cause| because(evidence, &cause),
            ))
        }
        // Two families in one rule: one of them is enough to look at.
        Need::Table(table, of) if rule.id == "R20" => {
            let none = ["permission_set", "package"].iter().all(|family| {
                evidence.views(CanonicalTable::License, family).next().is_none()
                    || !evidence.causes(CanonicalTable::License, family).is_empty()
            });
            let cause = evidence.causes(*table, of).into_iter().next().filter(|_| none);
            cause.map(|cause| because(evidence, &cause))
        }
        Need::Table(table, of) => {
            if evidence.views(*table, of).next().is_none() {
                let reason =
                    format!("the connector does not say who or what: `{}`", table.as_str());
                return Some(plain(reason));
            }
            let cause = evidence.causes(*table, of).into_iter().next()?;
            Some(because(evidence, &cause))
        }
    })
}

fn because(evidence: &Evidence<'_>, cause: &Cause) -> Withheld {
    let opens = !matches!(cause.status, "absent" | NOT_COLLECTED);
    Withheld {
        status: "withheld",
        reason: format!("`{}` is {}: {}", cause.dataset, cause.status, cause.reason),
        permissions: evidence
            .manifest
            .dataset(&cause.dataset)
            .filter(|_| opens)
            .map(|spec| spec.permissions.clone())
            .unwrap_or_default(),
    }
}
