//! What every dataset's reading needs, and how it may end.

use arrow_array::RecordBatch;
use connector_api::Error;
use connector_api::message::{CollectMode, DatasetStatus, DatasetSummary};

use crate::client::api_error::{ApiError, Refusal};
use crate::client::describe::Catalogue;
use crate::client::session::Session;
use crate::dataset::Dataset;
use crate::read::access::Access;
use crate::read::estimate::Counts;
use crate::read::parents::Parents;
use crate::read::pseudonym::Pseudonyms;

/// Takes the batches of a dataset, with the state from which reading could continue.
pub(crate) trait Output {
    /// # Errors
    /// When nothing more is wanted; ends the run.
    fn batch(
        &mut self,
        dataset: &'static str,
        batch: RecordBatch,
        state: String,
    ) -> Result<(), Error>;

    /// A state without records.
    ///
    /// # Errors
    /// When nothing more is wanted; ends the run.
    fn state(&mut self, dataset: &'static str, state: String) -> Result<(), Error>;
}

/// What all datasets of a run share.
pub(crate) struct Context<'a> {
    pub(crate) session: &'a Session,
    pub(crate) catalogue: &'a Catalogue<'a>,
    pub(crate) access: &'a Access,
    pub(crate) pseudonyms: Option<&'a Pseudonyms>,
    pub(crate) counts: &'a Counts,
    pub(crate) parents: &'a Parents,
    pub(crate) mode: CollectMode,
    /// Whether the records of a run that stopped midway were kept.
    pub(crate) resume: bool,
    /// When the run started, in milliseconds since 1970.
    pub(crate) now_ms: i64,
}

/// Why the reading of a dataset stopped early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The whole run stops.
    Run(Error),
    /// The dataset ends like this; the run continues.
    Dataset(Box<DatasetSummary>),
}

impl Stop {
    /// The end of one dataset.
    pub(crate) fn dataset(summary: DatasetSummary) -> Stop {
        Stop::Dataset(Box::new(summary))
    }

    /// The end of the run for what concerns all datasets, a fatal error or a network that is gone;
    /// the dataset's own failure otherwise.
    pub(crate) fn of(
        error: ApiError,
        summary: impl FnOnce(Option<String>) -> DatasetSummary,
    ) -> Stop {
        match error {
            ApiError::Fatal(error) | ApiError::Unreachable(error) => Stop::Run(error),
            other => Stop::dataset(summary(Some(other.into_error().message))),
        }
    }
}

/// A summary without rows.
pub(crate) fn summary(
    dataset: &Dataset,
    status: DatasetStatus,
    reason: impl Into<Option<String>>,
) -> DatasetSummary {
    DatasetSummary {
        reason: reason.into(),
        mode: Some(CollectMode::Full),
        ..DatasetSummary::new(dataset.name, status)
    }
}

/// The permissions that open a dataset, for a sentence.
pub(crate) fn openers(dataset: &Dataset) -> String {
    let labels: Vec<&str> = dataset.permissions.iter().map(|permission| permission.label).collect();
    labels.join("` or `")
}

/// The status of a dataset that the org does not show, and why.
pub(crate) fn hidden(
    dataset: &Dataset,
    access: &Access,
    refusal: Option<&Refusal>,
) -> DatasetSummary {
    let labels = openers(dataset);
    let said = refusal.map_or_else(String::new, |refusal| format!(" ({})", refusal.shown()));
    if access.has_any(dataset.permissions) == Some(true) || dataset.permissions.is_empty() {
        // That the account is refused says nothing about the org's features.
        if refusal.is_some_and(Refusal::is_of_account) {
            let reason = format!("Salesforce refuses the connecting user access to it{said}");
            return summary(dataset, DatasetStatus::Denied, reason);
        }
        let reason = format!("the org does not have it: the feature behind it is off{said}");
        return summary(dataset, DatasetStatus::Absent, reason);
    }
    summary(
        dataset,
        DatasetStatus::Denied,
        format!("not visible to the connecting user: grant `{labels}`{said}"),
    )
}
