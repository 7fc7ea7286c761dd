//! Whether what was read can be all there is: the last check before a run is published.
//!
//! A dataset that lost many of its records is held back, unless a second, different question confirmed
//! it, runs on three days saw the same, or the operator accepts it. Losses add up until then.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use connector_api::ErrorKind;
use connector_api::message::{CollectMode, DatasetStatus, DatasetSummary};

use crate::error::HostError;
use crate::plugin::Plugin;
use crate::store::{Connector, Run, RunEnd, RunError, RunStatus, Store};
use position::grouped;

/// Records from which on the share of a loss is that of a large dataset.
const LARGE: u64 = 50;
/// Days on which runs have to see the same before a loss is accepted.
const DAYS: usize = 3;
/// Runs that are looked at for that.
const RUNS: u32 = 50;

/// Compares what was read with what was held before.
///
/// A dataset read by changes must now have as many records as the vendor counts; one that does not
/// is incomplete. A dataset that shrank suddenly fails the whole run, unless `accept_shrink`.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn withhold_implausible(
    store: &Store,
    plugin: &Plugin,
    connector: &Connector,
    run: &Run,
    end: &mut RunEnd,
    accept_shrink: bool,
) -> Result<(), HostError> {
    if !matches!(end.status, RunStatus::Complete | RunStatus::Partial) {
        return Ok(());
    }
    let mut shrunk = Vec::new();
    for dataset in &mut end.datasets {
        let spec = plugin.manifest.dataset(&dataset.dataset);
        let gone = matches!(dataset.status, DatasetStatus::Absent | DatasetStatus::Denied);
        let by_changes = dataset.mode == Some(CollectMode::Incremental);
        let (now, before) = store.runs().held_rows(run, &plugin.manifest.id, &dataset.dataset)?;
        if by_changes
            && dataset.status.has_every_record()
            && let Some(total) = dataset.total.filter(|total| *total != now)
        {
            let reason = format!(
                "{} records are held after reading the changes, the vendor counts {}",
                number(now),
                number(total)
            );
            (dataset.status, dataset.reason) = (DatasetStatus::Incomplete, Some(reason));
            continue;
        }
        let records = match (gone, dataset.status.has_every_record()) {
            (true, _) => 0,
            (false, true) if by_changes => now,
            (false, true) => dataset.rows,
            // What is not known to be all says nothing about a loss.
            (false, false) => continue,
        };
        let baseline = store.runs().baseline(run.connector_id, &dataset.dataset)?.unwrap_or(before);
        let exempt = spec.is_some_and(|spec| spec.volatile);
        if exempt || !is_loss(baseline, records) {
            let baseline = if dataset.confirmed { records } else { baseline.max(records) };
            end.baselines.insert(dataset.dataset.clone(), baseline);
            continue;
        }
        if dataset.confirmed || accept_shrink {
            end.baselines.insert(dataset.dataset.clone(), records);
            continue;
        }
        let fewer = if gone {
            format!("{} records were there before, now none is shown", number(baseline))
        } else {
            format!("{} records were read, {} before", number(records), number(baseline))
        };
        if days_alike(store, connector, run, dataset)?.len() >= DAYS {
            end.baselines.insert(dataset.dataset.clone(), records);
            let seen = format!("{fewer}: runs on {DAYS} days saw the same, so it is accepted");
            dataset.reason = Some(match dataset.reason.take() {
                Some(reason) => format!("{reason}; {seen}"),
                None => seen,
            });
            continue;
        }
        shrunk.push(format!("`{}`: {fewer}: it may be a lost permission", dataset.dataset));
        dataset.held = true;
        if !gone {
            (dataset.status, dataset.reason) =
                (DatasetStatus::Incomplete, Some(format!("{fewer}: it may be a lost permission")));
        }
    }
    if !shrunk.is_empty() {
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

/// Whether the loss needs a second look: more than a fifth of a large dataset, a third of
/// a list, or all of it.
fn is_loss(before: u64, now: u64) -> bool {
    match before {
        0 => false,
        _ if now == 0 => true,
        1..LARGE => now * 3 < before * 2,
        _ => now * 5 < before * 4,
    }
}

/// The days on which runs in a row, this one included, saw the same of a dataset with the same rights.
fn days_alike(
    store: &Store,
    connector: &Connector,
    run: &Run,
    dataset: &DatasetSummary,
) -> Result<BTreeSet<NaiveDate>, HostError> {
    let mut days = BTreeSet::from([run.started_at.date_naive()]);
    for earlier in store.runs().list(Some(connector), RUNS)? {
        if earlier.id >= run.id {
            continue;
        }
        let Some(seen) = earlier.datasets.iter().find(|one| one.dataset == dataset.dataset) else {
            continue;
        };
        let alike = seen.held
            && seen.rows == dataset.rows
            && seen.rights.is_some()
            && seen.rights == dataset.rights;
        if !alike {
            break;
        }
        days.insert(earlier.started_at.date_naive());
    }
    Ok(days)
}

fn number(number: u64) -> String {
    i64::try_from(number).map_or_else(|_| number.to_string(), grouped)
}

#[cfg(test)]
mod tests {
    use super::is_loss;

    #[test]
    fn more_than_a_fifth_of_many_a_third_of_a_few_or_all_is_a_loss() {
        for (before, now) in [(100, 79), (50, 39), (1_000, 0), (49, 32), (11, 7), (3, 1), (1, 0)] {
            assert!(is_loss(before, now), "{before} to {now}");
        }
        for (before, now) in
            [(100, 80), (50, 40), (49, 33), (12, 8), (3, 2), (1, 1), (0, 0), (5, 9)]
        {
            assert!(!is_loss(before, now), "{before} to {now}");
        }
    }
}
