//! Pages: along the platform's locator, and on by key where it dies, is missing, or leads back; a log
//! in windows of time once the whole of it took too long.
//!
//! A record is handed over once, whatever is repeated: pages come in the order of their key, and
//! what is not behind the last record was there before.

use arrow_array::RecordBatch;
use connector_api::message::DatasetStatus;

use crate::client::api_error::ApiError;
use crate::dataset::Paging;
use crate::read::context::{Output, Stop};
use crate::read::parts;
use crate::read::reading::Reading;
use crate::read::refusal::{Chain, split, yield_to};
use crate::read::soql::{After, instant};

/// Restarts without a new record before a dataset counts as incomplete.
const FRUITLESS_RESTARTS: u32 = 3;
/// Records of a dataset without a key are held until its last page is there.
const MOST_HELD: usize = 50_000;
/// How much an answer may grow while it is read.
const MOST_GROWTH: u64 = 10_000;
/// Longer addresses are refused on the way; a query then shares its fields with another.
const LONGEST_PATH: usize = 12_000;

/// Follows pages from the last record on, starting again where a chain breaks. Returns how it broke
/// for good.
///
/// # Errors
/// What ends the dataset or the run.
pub(crate) fn read(
    reading: &mut Reading<'_>,
    output: &mut dyn Output,
) -> Result<Option<String>, Stop> {
    let mut fruitless = 0;
    loop {
        let before = reading.cursor.answered;
        match read_windows(reading, output)? {
            Chain::Done => return Ok(None),
            Chain::Again => {}
            Chain::Broken(reason) => {
                fruitless = if reading.cursor.answered > before { 0 } else { fruitless + 1 };
                if fruitless >= FRUITLESS_RESTARTS {
                    return Ok(Some(reason));
                }
                let name = reading.plan.dataset.name;
                log::warn!("{name}: {reason}; continuing after the last record");
            }
        }
    }
}

/// Reads one question, or the same in windows of time once the whole of it took too long.
fn read_windows(reading: &mut Reading<'_>, output: &mut dyn Output) -> Result<Chain, Stop> {
    loop {
        let (Some(length), Paging::Stamp(field)) =
            (reading.pace.window_ms, reading.plan.dataset.paging)
        else {
            return read_chain(reading, &[], output);
        };
        let from = reading.cursor.window_from.unwrap_or(match &reading.cursor.after {
            Some(After::StampAndId(at, _)) => *at,
            _ => reading.plan.log_start(),
        });
        let mut window = vec![format!("{field} >= {}", instant(from))];
        let end = from.saturating_add(length);
        let is_last = end >= reading.plan.context.now_ms;
        if !is_last {
            window.push(format!("{field} < {}", instant(end)));
        }
        match read_chain(reading, &window, output)? {
            Chain::Done if !is_last => reading.cursor.window_from = Some(end),
            ended => return Ok(ended),
        }
    }
}

/// Reads one query and the pages its locators lead to.
fn read_chain(
    reading: &mut Reading<'_>,
    window: &[String],
    output: &mut dyn Output,
) -> Result<Chain, Stop> {
    let (dataset, limit) = (reading.plan.dataset, reading.pace.limit);
    reading.cursor.followed.clear();
    let mut query = reading.query();
    let windowed = !window.is_empty();
    query.conditions.extend(window.iter().cloned());
    // The last record may be before the window: the window's own start holds then.
    let after =
        reading.cursor.after.as_ref().filter(|after| match (after, reading.cursor.window_from) {
            (After::StampAndId(at, _), Some(from)) => *at >= from,
            _ => true,
        });
    let mut path = reading.plan.path(&query.text(after));
    if reading.pace.parts > 1 || path.len() > LONGEST_PATH && split(reading) {
        return parts::read(reading, output);
    }
    let start = reading.cursor.answered;
    let mut held: Vec<RecordBatch> = Vec::new();
    loop {
        let page = match reading.page(&query, &path) {
            Ok(page) => page,
            Err(ApiError::Refused(refusal)) => return yield_to(reading, &refusal),
            Err(error) => return Err(reading.failed(error)),
        };
        let expected = page.total_size.map(|total| total + start);
        if start == 0 && !windowed && limit.is_none() {
            reading.cursor.promised = reading.cursor.promised.or(expected);
        }
        if dataset.paging == Paging::None {
            held.push(page.batch);
            if held.iter().map(RecordBatch::num_rows).sum::<usize>() > MOST_HELD {
                return Ok(Chain::Broken("it has more records than can be told apart".into()));
            }
        } else if let Err(reason) = reading.take(&page.batch, output, expected)? {
            return Ok(Chain::Broken(reason));
        }
        if page.done {
            let all = held.iter().map(|batch| batch.num_rows() as u64).sum::<u64>();
            reading.cursor.cut = dataset.row_cap.is_some_and(|cap| all >= cap.rows);
            if reading.cursor.cut && !reading.cursor.conditions.is_empty() {
                return Ok(Chain::Done);
            }
            for batch in held {
                reading.hand_over(&batch, output, expected)?;
            }
            let full = limit.is_some_and(|limit| reading.cursor.answered - start >= limit);
            return Ok(if full { Chain::Again } else { Chain::Done });
        }
        let answered = reading.cursor.answered;
        if reading.cursor.promised.is_some_and(|most| answered > most * 2 + MOST_GROWTH) {
            let reason = "the answer grows without end";
            let ended = reading.summary(DatasetStatus::Incomplete, Some(reason.into()));
            return Err(Stop::dataset(ended));
        }
        match page.next_records_url.as_deref().map(|url| reading.next_path(url)) {
            Some(Ok(next)) => path = next,
            Some(Err(reason)) => return Ok(Chain::Broken(reason)),
            None => {
                let reason = "a page that is not the last has no link to the next";
                return Ok(Chain::Broken(reason.into()));
            }
        }
    }
}
