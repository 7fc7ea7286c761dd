//! A log, counted by windows of time: whole days, halved until the day that differs is found, which
//! is then read again.

use crate::dataset::{Changes, Dataset};
use crate::read::context::{Output, Stop};
use crate::read::pages;
use crate::read::reading::Reading;
use crate::read::soql::instant;
use crate::read::tally::DAY_MS;

/// What the counts of all windows show.
#[derive(Debug)]
pub(crate) enum Windows {
    /// Each is what is held.
    Proven { counted: u64 },
    /// One differs; the text says which.
    Differ(String),
}

/// Records of the log that are held.
pub(crate) fn held(reading: &Reading<'_>) -> u64 {
    reading.tally.days.values().sum()
}

/// Counts the log by windows, and reads days again that differ.
///
/// # Errors
/// What ends the dataset or the run.
pub(crate) fn prove(reading: &mut Reading<'_>, output: &mut dyn Output) -> Result<Windows, Stop> {
    let today = reading.plan.org_now().div_euclid(DAY_MS);
    let start = reading.plan.log_start().div_euclid(DAY_MS);
    let first = reading.tally.days.keys().next().copied().unwrap_or(start).min(start);
    let conditions = std::mem::take(&mut reading.cursor.conditions);
    let mut search = Search { counted: 0, at_edge: true };
    let differs = search.window(reading, first, today + 1, output);
    reading.cursor.conditions = conditions;
    Ok(match differs? {
        Some(reason) => Windows::Differ(reason),
        None => Windows::Proven { counted: search.counted },
    })
}

/// The search for days that differ, from the oldest to today.
struct Search {
    counted: u64,
    /// Whether all days so far were empty: there the platform deletes what is too old.
    at_edge: bool,
}

impl Search {
    /// Compares the days from `first` to before `end`. Says what differs for good.
    fn window(
        &mut self,
        reading: &mut Reading<'_>,
        first: i64,
        end: i64,
        output: &mut dyn Output,
    ) -> Result<Option<String>, Stop> {
        let is_one_day = end - first <= 1;
        let mut count = count(reading, first, end)?;
        if count != Some(held_in(reading, first, end)) && is_one_day {
            reading.rewind();
            reading.cursor.conditions = window(reading, first, end);
            if let Some(reason) = pages::read(reading, output)? {
                return Ok(Some(format!("the records of {} broke off: {reason}", day(first))));
            }
            count = self::count(reading, first, end)?;
        }
        let held = held_in(reading, first, end);
        match count {
            Some(count) if count == held => {
                self.counted += count;
                self.at_edge &= count == 0;
                Ok(None)
            }
            Some(count) if is_one_day && count < held && self.at_edge => {
                reading.tally.days.insert(first, count);
                self.counted += count;
                self.at_edge &= count == 0;
                Ok(None)
            }
            _ if !is_one_day => {
                let middle = first + (end - first) / 2;
                match self.window(reading, first, middle, output)? {
                    Some(reason) => Ok(Some(reason)),
                    None => self.window(reading, middle, end, output),
                }
            }
            Some(count) => Ok(Some(format!("{held} of {count} records of {} arrived", day(first)))),
            None => Ok(Some(format!("the records of {} could not be counted", day(first)))),
        }
    }
}

fn held_in(reading: &Reading<'_>, first: i64, end: i64) -> u64 {
    reading.tally.days.range(first..end).map(|(_, records)| records).sum()
}

fn count(reading: &Reading<'_>, first: i64, end: i64) -> Result<Option<u64>, Stop> {
    let mut conditions = reading.plan.whole_conditions();
    conditions.extend(window(reading, first, end));
    reading.plan.count(conditions)
}

fn window(reading: &Reading<'_>, first: i64, end: i64) -> Vec<String> {
    let Some(stamp) = stamp(reading.plan.dataset) else { return Vec::new() };
    let at = |day: i64| instant(day.saturating_mul(DAY_MS));
    vec![format!("{stamp} >= {}", at(first)), format!("{stamp} < {}", at(end))]
}

fn stamp(dataset: &Dataset) -> Option<&'static str> {
    match dataset.changes {
        Changes::Log(stamp) => Some(stamp),
        _ => None,
    }
}

fn day(day: i64) -> String {
    instant(day.saturating_mul(DAY_MS)).get(..10).unwrap_or_default().to_owned()
}
