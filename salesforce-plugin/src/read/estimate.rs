//! What a run will cost, before it begins.

use std::collections::BTreeMap;

use connector_api::Error;
use serde::{Deserialize, Serialize};

use crate::client::api_error::ApiError;
use crate::client::budget::Allowance;
use crate::client::session::Session;
use crate::dataset::{Bulk, Dataset, Source};
use crate::settings::selection::Selection;

/// Records of one page; long text makes pages shorter.
const PAGE: u64 = 2_000;
/// Requests of a job beside its results: made, looked at, deleted.
const JOB: u64 = 10;
/// Records of one part of a job's results, about: Salesforce chooses. It names five parts at a time.
const PART: u64 = 50_000;
const PARTS_NAMED: u64 = 5;

/// How many records the org's objects have, about.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// None: the org does not say.
    known: Option<BTreeMap<String, u64>>,
}

#[derive(Deserialize)]
struct RecordCounts {
    #[serde(rename = "sObjects")]
    objects: Vec<RecordCount>,
}

#[derive(Deserialize)]
struct RecordCount {
    name: String,
    count: u64,
}

impl Counts {
    /// Asks the org with one request; it answers from a cache, and leaves out what is empty.
    ///
    /// # Errors
    /// Only what ends the run.
    pub(crate) fn ask(
        session: &Session,
        version: u16,
        datasets: &[&'static Dataset],
    ) -> Result<Counts, Error> {
        let objects: Vec<&str> = datasets
            .iter()
            .filter_map(|dataset| match dataset.source {
                Source::Object(name) => Some(name),
                _ => None,
            })
            .collect();
        if objects.is_empty() {
            return Ok(Counts::default());
        }
        let path = format!(
            "/services/data/v{version}.0/limits/recordCount?sObjects={}",
            objects.join(",")
        );
        let counted = session.get(&path, None, |answer| {
            let counts: RecordCounts =
                serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
            Ok((counts, 0))
        });
        match counted {
            Ok(counts) => Ok(Counts {
                known: Some(counts.objects.into_iter().map(|c| (c.name, c.count)).collect()),
            }),
            Err(ApiError::Fatal(error)) => Err(error),
            Err(error) => {
                log::debug!("the org does not count its records: {}", error.into_error());
                Ok(Counts::default())
            }
        }
    }

    /// Records of an object; none where the org does not say.
    pub(crate) fn of(&self, object: &str) -> Option<u64> {
        self.known.as_ref().map(|known| known.get(object).copied().unwrap_or(0))
    }
}

/// The estimate of a run.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(crate) struct Estimate {
    /// API requests of a whole reading.
    pub(crate) requests: u64,
    /// What the settings let this run use now; none where the org does not tell its allowance.
    pub(crate) available: Option<u64>,
    /// The org's allowance in 24 hours.
    pub(crate) daily: Option<u64>,
    /// What of it is used.
    pub(crate) used: Option<u64>,
    pub(crate) datasets: Vec<DatasetEstimate>,
}

/// The estimate of one dataset.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(crate) struct DatasetEstimate {
    pub(crate) dataset: &'static str,
    /// Records, as the org counts them, about.
    pub(crate) records: Option<u64>,
    pub(crate) requests: u64,
    /// Whether a query job of Bulk API 2.0 reads it.
    pub(crate) bulk: bool,
}

/// Adds up what a whole reading costs.
pub(crate) fn estimate(
    datasets: &[&'static Dataset],
    counts: &Counts,
    selection: &Selection,
    allowance: Option<Allowance>,
) -> Estimate {
    let datasets: Vec<DatasetEstimate> = datasets
        .iter()
        .map(|dataset| {
            let records = dataset.sobject().and_then(|object| counts.of(object));
            let rows = records.unwrap_or(PAGE);
            let pages = rows.div_ceil(PAGE).max(1);
            let bulk = match (dataset.bulk, selection.bulk_rows) {
                (Bulk::Yes, Some(threshold)) => rows >= threshold,
                _ => false,
            };
            let requests = match dataset.source {
                Source::Limits => 1,
                Source::Tooling(_) => pages,
                Source::Object(_) if bulk => {
                    let parts = rows.div_ceil(PART);
                    2 + JOB + parts + parts.div_ceil(PARTS_NAMED)
                }
                // Described, read and counted.
                Source::Object(_) => 2 + pages,
            };
            DatasetEstimate { dataset: dataset.name, records, requests, bulk }
        })
        .collect();
    Estimate {
        requests: 2 + datasets.iter().map(|dataset| dataset.requests).sum::<u64>(),
        available: allowance.map(|allowance| allowance.left_for_run),
        daily: allowance.map(|allowance| allowance.max),
        used: allowance.map(|allowance| allowance.used),
        datasets,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(rows: &[(&str, u64)]) -> Counts {
        Counts { known: Some(rows.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()) }
    }

    #[test]
    fn large_datasets_are_cheaper_by_a_job() {
        let datasets = [Dataset::named("user").unwrap(), Dataset::named("profile").unwrap()];
        let counts = counts(&[("User", 1_000_000), ("Profile", 30)]);
        let by_job = estimate(&datasets, &counts, &Selection::default(), None);
        assert_eq!(by_job.datasets[0].requests, 2 + 10 + 20 + 4);
        assert!(by_job.datasets[0].bulk && !by_job.datasets[1].bulk);
        assert_eq!(by_job.datasets[1].requests, 3);
        let pages = Selection { bulk_rows: None, ..Selection::default() };
        let by_pages = estimate(&datasets, &counts, &pages, None);
        assert_eq!(by_pages.datasets[0].requests, 502);
        assert!(by_pages.requests > by_job.requests);
    }

    #[test]
    fn an_object_that_the_org_leaves_out_is_empty_and_one_it_does_not_count_is_unknown() {
        assert_eq!(counts(&[]).of("User"), Some(0));
        assert_eq!(Counts::default().of("User"), None);
    }
}
