//! Whether what was read can be all there is: the last check before a run is published.

use connector_api::ErrorKind;
use connector_api::message::{CollectMode, DatasetStatus, DatasetSummary};

use crate::error::HostError;
use crate::store::{Run, RunEnd, RunError, RunStatus, Store};
use position::grouped;

/// A dataset that lost more than this share of its records since the last snapshot is held back: a
/// lost permission or a changed sharing rule looks just like that.
const MOST_LOST_PERCENT: u64 = 20;
/// Below this, a share says nothing.
const FEWEST_RECORDS: u64 = 50;

/// Compares what was read with what was held before.
///
/// A dataset read by changes must now have as many records as the vendor counts; one that does not
/// is incomplete. A dataset that shrank suddenly fails the whole run, unless `accept_shrink`.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn withhold_implausible(
    store: &Store,
    feature: &str,
    run: &Run,
    end: &mut RunEnd,
    accept_shrink: bool,
) -> Result<(), HostError> {
    if !matches!(end.status, RunStatus::Complete | RunStatus::Partial) {
        return Ok(());
    }
    let mut shrunk = Vec::new();
    for dataset in end.datasets.iter_mut().filter(|one| one.status.has_every_record()) {
        let (now, before) = store.runs().held_rows(run, feature, &dataset.dataset)?;
        if dataset.mode == Some(CollectMode::Incremental) {
            if let Some(total) = dataset.total.filter(|total| *total != now) {
                incomplete(
                    dataset,
                    format!(
                        "{} records are held after reading the changes, the vendor counts {}",
                        number(now),
                        number(total)
                    ),
                );
            }
        } else if before >= FEWEST_RECORDS
            && dataset.rows * 100 < before * (100 - MOST_LOST_PERCENT)
        {
            let fewer = format!(
                "{} records were read, {} before: it may be a lost permission",
                number(dataset.rows),
                number(before)
            );
            shrunk.push(format!("`{}`: {fewer}", dataset.dataset));
            if !accept_shrink {
                incomplete(dataset, fewer);
            }
        }
    }
    if !shrunk.is_empty() && !accept_shrink {
        end.status = RunStatus::Failed;
        end.error = Some(RunError {
            kind: ErrorKind::OTHER,
            message: format!("a dataset shrank suddenly, so nothing was published: {}", shrunk.join("; ")),
            hint: Some("run `connectors check`; if the organization really shrank, collect again with `--accept-shrink`".into()),
            retry_after_ms: None,
        });
    } else if end.datasets.iter().any(|one| one.status == DatasetStatus::Incomplete) {
        end.status = RunStatus::Partial;
    }
    Ok(())
}

fn incomplete(dataset: &mut DatasetSummary, reason: String) {
    dataset.status = DatasetStatus::Incomplete;
    dataset.reason = Some(reason);
}

fn number(count: u64) -> String {
    i64::try_from(count).map_or_else(|_| count.to_string(), grouped)
}
