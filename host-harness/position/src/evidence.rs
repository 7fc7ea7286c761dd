//! What may be concluded from datasets that were read completely, partly or not at all.

use connector_api::manifest::{DatasetSpec, Manifest};
use connector_api::message::DatasetStatus;
use connector_api::position::{CanonicalTable, PositionView};

use crate::model::{DatasetLine, Gap, ReadStatus};
use crate::source::DatasetInfo;

/// Why a statement cannot be relied on: one dataset that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) dataset: String,
    pub(crate) status: ReadStatus,
    pub(crate) reason: String,
}

impl Cause {
    pub(crate) fn gap(&self, figures: &[&'static str]) -> Gap {
        Gap {
            figures: figures.to_vec(),
            dataset: self.dataset.clone(),
            status: self.status,
            reason: self.reason.clone(),
        }
    }
}

/// The statuses of a snapshot's datasets, asked by statement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence<'a> {
    pub(crate) manifest: &'a Manifest,
    datasets: &'a [DatasetInfo],
}

impl<'a> Evidence<'a> {
    pub(crate) fn new(manifest: &'a Manifest, datasets: &'a [DatasetInfo]) -> Evidence<'a> {
        Evidence { manifest, datasets }
    }

    pub(crate) fn info(&self, dataset: &str) -> Option<&'a DatasetInfo> {
        self.datasets.iter().find(|info| info.dataset == dataset)
    }

    /// The statements of a table that count for a family.
    pub(crate) fn views(
        &self,
        table: CanonicalTable,
        family: &str,
    ) -> impl Iterator<Item = &'a PositionView> {
        self.manifest.position.views.iter().filter(move |view| {
            view.table == table && (view.family.is_empty() || view.family == family)
        })
    }

    /// The statements that show uses of a family's seats.
    pub(crate) fn use_views(&self, family: &str) -> impl Iterator<Item = &'a PositionView> {
        self.views(CanonicalTable::Activity, family).chain(self.views(CanonicalTable::Use, family))
    }

    /// Why not all uses of a family's seats are there.
    pub(crate) fn use_causes(&self, family: &str) -> Vec<Cause> {
        let mut causes = self.causes(CanonicalTable::Activity, family);
        causes.extend(self.causes(CanonicalTable::Use, family));
        causes.dedup();
        causes
    }

    /// The families for which there are statements that show uses, in their order.
    pub(crate) fn use_families(&self) -> Vec<&'a str> {
        let mut families: Vec<&str> = Vec::new();
        for view in &self.manifest.position.views {
            let shows = matches!(view.table, CanonicalTable::Activity | CanonicalTable::Use);
            if shows && !families.contains(&view.family.as_str()) {
                families.push(&view.family);
            }
        }
        families
    }

    /// Why a family's rows of a table are not all there; empty if they are.
    pub(crate) fn causes(&self, table: CanonicalTable, family: &str) -> Vec<Cause> {
        let mut causes = Vec::new();
        for cause in self.views(table, family).flat_map(|view| self.causes_of(view)) {
            if !causes.contains(&cause) {
                causes.push(cause);
            }
        }
        causes
    }

    /// Why a statement cannot be relied on.
    ///
    /// A degraded dataset has all its records. A licence or an account read from it is null in the
    /// columns that were not shown, which says enough; but a seat or a use could be missing as a
    /// whole, because the statement filters by such a column.
    pub(crate) fn causes_of(&self, view: &PositionView) -> Vec<Cause> {
        let rows_may_vanish =
            !matches!(view.table, CanonicalTable::License | CanonicalTable::Person);
        let mut causes = self.causes_of_needs(&view.needs);
        if rows_may_vanish {
            causes.extend(view.needs.iter().filter_map(|dataset| {
                let hidden = self.hidden_columns(view, dataset);
                (!hidden.is_empty()).then(|| Cause {
                    dataset: dataset.clone(),
                    status: ReadStatus::Read(DatasetStatus::Degraded),
                    reason: format!("these fields were not shown: {}", hidden.join(", ")),
                })
            }));
        }
        causes
    }

    /// Why not all records of these datasets are there.
    pub(crate) fn causes_of_needs(&self, needs: &[String]) -> Vec<Cause> {
        needs.iter().filter_map(|dataset| self.cause_of(dataset)).collect()
    }

    fn cause_of(&self, dataset: &str) -> Option<Cause> {
        let info = self.info(dataset);
        if info.is_some_and(|info| info.status.has_every_record()) {
            return None;
        }
        let status = self.status(dataset);
        let reason = info.and_then(|info| info.reason.clone());
        let reason = reason.unwrap_or_else(|| status.plain_reason().to_owned());
        Some(Cause { dataset: dataset.to_owned(), status, reason })
    }

    /// Whether a statement names columns that were not shown.
    pub(crate) fn names_hidden_columns(&self, view: &PositionView) -> bool {
        view.needs.iter().any(|dataset| !self.hidden_columns(view, dataset).is_empty())
    }

    /// Statements quote every name, so that a plain search finds the columns they use.
    fn hidden_columns(&self, view: &PositionView, dataset: &str) -> Vec<&'a str> {
        let Some(info) = self.info(dataset) else { return Vec::new() };
        if info.status != DatasetStatus::Degraded {
            return Vec::new();
        }
        let fields = info.missing_fields.iter();
        fields
            .filter(|field| view.sql.contains(&format!("\"{field}\"")))
            .map(String::as_str)
            .collect()
    }

    /// The worst status of all datasets a family's figures are made from.
    pub(crate) fn completeness(&self, family: &str) -> ReadStatus {
        use CanonicalTable::{Activity, License, Person, Seat, Use};
        // Accounts and uses matter to a family only if people hold its licences.
        let held = self.views(Seat, family).next().is_some();
        let tables: &[CanonicalTable] =
            if held { &[License, Seat, Person, Activity, Use] } else { &[License] };
        tables
            .iter()
            .flat_map(|table| self.views(*table, family))
            .flat_map(|view| &view.needs)
            .map(|dataset| self.status(dataset))
            .max_by_key(|status| status.severity())
            .unwrap_or_default()
    }

    /// How a dataset was read.
    pub(crate) fn status(&self, dataset: &str) -> ReadStatus {
        self.info(dataset).map_or(ReadStatus::NotCollected, |info| ReadStatus::Read(info.status))
    }

    /// The datasets of the manifest, in its order, without those that are read only where somebody
    /// asks for them and nobody did.
    pub(crate) fn lines(&self) -> Vec<DatasetLine> {
        let line = |spec: &DatasetSpec| {
            let info = self.info(&spec.name);
            DatasetLine {
                dataset: spec.name.clone(),
                title: spec.title.clone(),
                status: self.status(&spec.name),
                rows: info.map(|info| info.rows),
                expected: info.and_then(|info| info.expected),
                missing_fields: info.map(|info| info.missing_fields.clone()).unwrap_or_default(),
                reason: info.and_then(|info| info.reason.clone()),
                as_of: info.map(|info| info.as_of),
            }
        };
        self.manifest.datasets.iter().filter(|spec| self.is_planned(spec)).map(line).collect()
    }

    /// Whether a dataset belongs to what is read.
    pub(crate) fn is_planned(&self, spec: &DatasetSpec) -> bool {
        !spec.optional || self.info(&spec.name).is_some()
    }
}
