//! The gate for claims: whether a number of seats may be claimed, and how it is meant.
//!
//! A claim is always a lower bound: what was not seen counts as needed, and a rule that could not look
//! finds nothing. So the number stays true of the whole organization whatever part of it was hidden;
//! the gate says how far it is from the whole.

use connector_api::position::CanonicalTable;

use crate::evidence::Evidence;
use crate::model::{Family, License, Line, Unit, Unseen};
use crate::number::{counted, grouped};
use crate::rules::evaluator::RuleEvaluator;
use crate::source::SnapshotStatus;
use crate::visibility::Visibility;

/// Decides how the claims of one position are meant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClaimGate<'a> {
    pub(crate) evidence: &'a Evidence<'a>,
    pub(crate) visibility: &'a Visibility<'a>,
    pub(crate) evaluator: &'a RuleEvaluator<'a>,
    pub(crate) status: SnapshotStatus,
}

impl ClaimGate<'_> {
    /// Why the claims of a pool are lower bounds; empty if they are exact.
    pub(crate) fn reasons(&self, license: &License) -> Vec<String> {
        let mut reasons = Vec::new();
        if let (Some(unseen @ 1..), Some(assigned)) = (license.unseen, license.assigned) {
            reasons.push(format!(
                "{} of {} belong to accounts that were not shown",
                grouped(unseen),
                counted(assigned, "assigned seat", "assigned seats")
            ));
        }
        for gap in &license.gaps {
            let reason = format!("`{}` is {}: {}", gap.dataset, gap.status, gap.reason);
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        for reason in self.evaluator.withheld_for(&license.family) {
            if !reasons.iter().any(|known| known == reason) {
                reasons.push(reason.to_owned());
            }
        }
        let contradictions = license.unknown_because.contradiction;
        if contradictions > 0 {
            reasons.push(format!(
                "{} logged in lately without a use that was read",
                counted(contradictions, "account", "accounts")
            ));
        }
        let rules = self.visibility.rules(license.family.as_str()).0;
        if license.active.is_some() && rules.covers_too_little() {
            reasons.push("uses were read for less time than the threshold".to_owned());
        }
        if self.status == SnapshotStatus::Partial && reasons.is_empty() {
            reasons.push("the run that read it was partial".to_owned());
        }
        reasons
    }

    /// What was not seen of the organization as a whole.
    pub(crate) fn unseen(&self, licenses: &[License], lines: &[Line]) -> Unseen {
        let mut unseen = Unseen::default();
        let paid =
            |license: &&License| license.family == Family::User && license.unit == Unit::Seats;
        if !licenses.iter().any(|license| paid(&license)) {
            return unseen;
        }
        if let Some(line) = lines.iter().find(|line| line.shows_invisible_people()) {
            unseen.because.push(format!("not every account was seen: {}", line.message));
            self.add_permissions(&mut unseen, CanonicalTable::Person);
        }
        let family = Family::User;
        let people = self.evidence.causes(CanonicalTable::Person, family.as_str());
        let seats = self.evidence.causes(CanonicalTable::Seat, family.as_str());
        let uses = self.visibility.blind(family.as_str());
        for cause in people.into_iter().chain(seats).chain(uses) {
            if !cause.status.a_permission_opens_it() {
                continue;
            }
            let reason = format!("`{}` is {}: {}", cause.dataset, cause.status, cause.reason);
            if unseen.because.contains(&reason) {
                continue;
            }
            unseen.because.push(reason);
            let spec = self.evidence.manifest.dataset(&cause.dataset);
            for permission in spec.into_iter().flat_map(|spec| &spec.permissions) {
                if unseen.permissions.iter().all(|known| known.name != permission.name) {
                    unseen.permissions.push(permission.clone());
                }
            }
        }
        unseen
    }

    fn add_permissions(&self, unseen: &mut Unseen, table: CanonicalTable) {
        let views = self.evidence.views(table, "");
        let specs = views.filter_map(|view| self.evidence.manifest.dataset(view.needs.first()?));
        for permission in specs.flat_map(|spec| &spec.permissions) {
            if unseen.permissions.iter().all(|known| known.name != permission.name) {
                unseen.permissions.push(permission.clone());
            }
        }
    }
}
