//! What changed since the last reading, by the records' stamps.

use connector_api::message::{CollectMode, DatasetSummary};

use crate::dataset::Changes;
use crate::read::context::{Output, Stop};
use crate::read::plan::Plan;
use crate::read::proof::{finish, read_and_prove};
use crate::read::reading::Reading;
use crate::read::soql::instant;
use crate::read::state::State;
use crate::read::tally::DAY_MS;

/// Overlap of a run by changes with the newest record that was seen: a record's stamp is set before
/// its transaction is there for others to see.
const LOOKBACK_MS: i64 = 15 * 60_000;
/// The same of a log, whose records can appear hours after their time; then from the start of a day.
const LOG_LOOKBACK_MS: i64 = DAY_MS;
/// Records up to which a dataset is read whole: that is one request too, and shows what is gone.
const ONE_PAGE: u64 = 2_000;

/// How reading by changes went.
pub(crate) enum ByChanges {
    Done(DatasetSummary),
    /// It has to be read whole; the text says why.
    Whole(String),
}

/// Whether a run by changes can start from that state.
pub(crate) fn are_shown(plan: &Plan<'_>, former: &State) -> bool {
    let small = matches!(plan.dataset.changes, Changes::Stamps { .. })
        && former.count.is_some_and(|count| count <= ONE_PAGE);
    plan.dataset.changes != Changes::Unknown
        && former.since.is_some()
        // A parent that changed moves no stamp of its children.
        && former.copies == plan.copies.fingerprint
        && !small
        && plan.is_young(former.whole_at)
}

/// Reads what changed since the state. The records that were handed over before are the host's.
///
/// # Errors
/// What ends the dataset or the run.
pub(crate) fn read(
    reading: &mut Reading<'_>,
    former: &State,
    output: &mut dyn Output,
) -> Result<ByChanges, Stop> {
    let plan = reading.plan;
    let (Some(since), Some(newest)) = (former.since, former.newest) else {
        return Ok(ByChanges::Whole("its checkpoint has no stamp".into()));
    };
    let fields: &[&str] = match &plan.dataset.changes {
        Changes::Unknown => return Ok(ByChanges::Whole("it has no stamp".into())),
        Changes::Stamps { fields, .. } => fields,
        Changes::Log(field) => std::slice::from_ref(field),
    };
    reading.mode = CollectMode::Incremental;
    reading.state = State { since: Some(since), newest: Some(newest), ..former.clone() };
    let began = plan.org_now();
    reading.tally.recall(former);
    let from = match plan.dataset.changes {
        Changes::Log(_) => {
            if former.days.is_empty() && former.rows > 0 {
                return Ok(ByChanges::Whole("its checkpoint has no counts of days".into()));
            }
            let day = (since - LOG_LOOKBACK_MS).div_euclid(DAY_MS);
            reading.tally.days.retain(|known, _| *known < day);
            day * DAY_MS
        }
        _ => since - LOOKBACK_MS,
    };
    let from = instant(from);
    let tests: Vec<String> = fields
        .iter()
        .filter(|field| reading.fields.asked.iter().any(|asked| asked == *field))
        .map(|field| format!("{field} >= {from}"))
        .collect();
    reading.cursor.conditions = plan.retention();
    reading.cursor.conditions.push(match tests.as_slice() {
        [one] => one.clone(),
        several => format!("({})", several.join(" OR ")),
    });
    let asked = reading.fields.asked.len();
    let other_fields = || Ok(ByChanges::Whole("its fields are no longer the same".into()));
    let mut summary = match read_and_prove(reading, output) {
        Ok(summary) => summary,
        // A stamp itself may be gone.
        Err(Stop::Dataset(_)) if reading.fields.asked.len() != asked => return other_fields(),
        Err(stop) => return Err(stop),
    };
    if reading.fields.asked.len() != asked {
        return other_fields();
    }
    if !summary.status.has_every_record() {
        return Ok(ByChanges::Done(summary));
    }
    if let Changes::Stamps { created, deletable: true, .. } = plan.dataset.changes {
        let stamps = &reading.cursor.stamps;
        let added = if created.is_some() { stamps.created } else { stamps.changed };
        match (plan.count(plan.condition())?, former.count) {
            (Some(now), Some(then)) if now == then + added => summary.total = Some(now),
            (Some(now), Some(then)) => {
                return Ok(ByChanges::Whole(format!(
                    "{then} records and {added} new ones should be {}, the org counts {now}: some are gone",
                    then + added
                )));
            }
            _ => return Ok(ByChanges::Whole("the org does not count its records".into())),
        }
    }
    finish(reading, summary, began, output).map(ByChanges::Done)
}
