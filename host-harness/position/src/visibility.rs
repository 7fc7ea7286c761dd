//! How well uses can be seen, by family.

use connector_api::position::CanonicalTable;

use crate::evidence::{Cause, Evidence};
use crate::model::{Coverage, ReadStatus, Thresholds};
use crate::seats::Rules;
use crate::tables::Tables;
use crate::tables::db::Window;
use crate::time::from_ms;
use connector_api::message::DatasetStatus;

/// How well uses can be seen, by family.
#[derive(Debug)]
pub(crate) struct Visibility<'a> {
    evidence: &'a Evidence<'a>,
    tables: &'a Tables,
    rules: Rules,
    /// Accounts that are active; none if that was not shown of all of them.
    pub(crate) active_people: Option<i64>,
    pub(crate) as_of_ms: i64,
    retention_days: Option<u32>,
}

impl<'a> Visibility<'a> {
    pub(crate) fn new(
        tables: &'a Tables,
        evidence: &'a Evidence<'a>,
        as_of_ms: i64,
        thresholds: Thresholds,
    ) -> Visibility<'a> {
        let mut rules = Rules::new(as_of_ms, thresholds);
        let people_known = evidence.causes(CanonicalTable::Person, "").is_empty();
        let totals = &tables.totals;
        let active_people = (people_known && totals.undecided == 0).then_some(totals.active);
        let hidden = evidence
            .manifest
            .position
            .views
            .iter()
            .filter(|view| view.table == CanonicalTable::Person)
            .any(|view| evidence.names_hidden_columns(view));
        rules.last_login_shown = !hidden || totals.with_last_login > 0;
        let retention_days = evidence.manifest.position.activity_retention_days;
        Visibility { evidence, tables, rules, active_people, as_of_ms, retention_days }
    }

    /// What a family's seats are classified by, and why uses are not readable if they are not.
    pub(crate) fn rules(&self, family: &str) -> (Rules, Option<Cause>) {
        let window = self.window(family);
        let blind = self.blind(family);
        let rules = Rules {
            activity_readable: blind.is_none(),
            covered_from: window.first_at,
            ..self.rules
        };
        (rules, blind)
    }

    fn window(&self, family: &str) -> Window {
        let mut sum = Window::default();
        for (scope, window) in &self.tables.db.windows {
            if scope.is_empty() || scope == family {
                sum.first_at = [sum.first_at, window.first_at].into_iter().flatten().min();
                sum.events = sum.events.saturating_add(window.events);
                sum.people += window.people;
                sum.failed += window.failed;
                sum.ambiguous += window.ambiguous;
            }
        }
        sum
    }

    /// Accounts with any use; an account seen in two scopes counts for each.
    pub(crate) fn people(&self, family: &str) -> i64 {
        self.window(family).people
    }

    /// Why uses of everybody are not there.
    pub(crate) fn blind(&self, family: &str) -> Option<Cause> {
        let mut views = self.evidence.use_views(family);
        let Some(view) = views.next() else {
            return Some(Cause {
                dataset: String::new(),
                status: ReadStatus::NotCollected,
                reason: "the connector reads no uses".into(),
            });
        };
        if let Some(cause) = self.evidence.use_causes(family).into_iter().next() {
            return Some(cause);
        }
        // Where an account may only see its own uses, some vendors answer without an error.
        let seen = self.people(family);
        if seen <= 1 && self.active_people.is_some_and(|active| active > 1) {
            return Some(Cause {
                dataset: view.needs.first().cloned().unwrap_or_default(),
                status: ReadStatus::Read(DatasetStatus::PartialSelf),
                reason: if seen == 0 {
                    "it shows no use by anybody".into()
                } else {
                    "it shows uses of one account only".into()
                },
            });
        }
        None
    }

    pub(crate) fn coverage(&self) -> Vec<Coverage> {
        let families = self.evidence.use_families();
        families.into_iter().map(|family| self.coverage_of(family)).collect()
    }

    fn coverage_of(&self, family: &str) -> Coverage {
        let (rules, blind) = self.rules(family);
        let mut datasets: Vec<String> = Vec::new();
        for need in self.evidence.use_views(family).flat_map(|v| &v.needs) {
            if !datasets.contains(need) {
                datasets.push(need.clone());
            }
        }
        // A dataset that this run left out was read before the snapshot.
        let read_at = datasets.iter().filter_map(|name| self.evidence.info(name)).map(|i| i.as_of);
        let read = self.tables.db.windows.contains_key(family);
        Coverage {
            family: family.to_owned(),
            readable: blind.is_none(),
            from: rules.covered_from.map(from_ms),
            to: if read { read_at.chain([from_ms(self.as_of_ms)]).min() } else { None },
            events: read.then(|| self.window(family).events),
            people: read.then(|| self.people(family)),
            failed: read.then(|| self.window(family).failed),
            ambiguous: read.then(|| self.window(family).ambiguous),
            retention_days: self.retention_days,
            shorter_than_threshold: rules.covers_too_little(),
            reason: blind.map(|cause| cause.reason),
            datasets,
        }
    }
}
