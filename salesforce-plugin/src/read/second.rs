//! A second, different question about a dataset that has fewer records than before: the user's rights,
//! and the counter that the org keeps of each object whoever may see its records.

use connector_api::Error;
use connector_api::message::{CollectMode, DatasetStatus, DatasetSummary};

use crate::dataset::{Dataset, Source};
use crate::read::context::Context;
use crate::read::estimate::Counts;
use crate::read::state::State;

/// Notes in the summary whose rights it was read with, and whether fewer records than before are right.
///
/// # Errors
/// What ends the run.
pub(crate) fn confirm(
    context: &Context<'_>,
    dataset: &'static Dataset,
    summary: &mut DatasetSummary,
) -> Result<(), Error> {
    summary.rights = context.access.fingerprint();
    let now = match summary.status {
        DatasetStatus::Absent | DatasetStatus::Denied => 0,
        // What changed says nothing about how many there are.
        _ if summary.mode == Some(CollectMode::Incremental) && summary.total.is_none() => {
            return Ok(());
        }
        status if status.has_every_record() => {
            summary.total.or(summary.expected).unwrap_or(summary.rows)
        }
        _ => return Ok(()),
    };
    let stored = context.session.host().checkpoint(dataset.name)?;
    let Some(former) = stored.as_deref().and_then(State::parse) else { return Ok(()) };
    if now >= former.count.unwrap_or(former.rows) {
        return Ok(());
    }
    summary.confirmed = match summary.status {
        DatasetStatus::Denied => context.access.has_any(dataset.permissions) == Some(false),
        // The counter leaves out what is hidden as well as what is empty: it confirms neither.
        DatasetStatus::Absent => false,
        _ => {
            summary.rights.is_some()
                && summary.rights == former.rights
                && counter(context, dataset)?.is_some_and(|counted| agrees(counted, now))
        }
    };
    Ok(())
}

/// What the org's own counter says of the dataset's object.
fn counter(context: &Context<'_>, dataset: &'static Dataset) -> Result<Option<u64>, Error> {
    let Source::Object(object) = dataset.source else { return Ok(None) };
    if let Some(counted) = context.counts.of(object) {
        return Ok(Some(counted));
    }
    let counts = Counts::ask(context.session, context.catalogue.version, &[dataset])?;
    Ok(counts.of(object))
}

/// Whether the counter, which is a little behind, counts as many records.
fn agrees(counted: u64, records: u64) -> bool {
    counted.abs_diff(records) <= (records / 100).max(1)
}

#[cfg(test)]
mod tests {
    use super::agrees;

    #[test]
    fn a_counter_may_be_one_record_or_one_percent_off() {
        assert!(agrees(0, 0) && agrees(11, 10) && agrees(9_900, 10_000));
        assert!(!agrees(12, 10) && !agrees(9_800, 10_000));
    }
}
