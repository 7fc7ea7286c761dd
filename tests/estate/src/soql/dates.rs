//! Date literals such as `TODAY` and `LAST_N_DAYS:30`, as ranges of whole days in UTC.

use chrono::{Datelike, Days, Months, NaiveDate};

use crate::clock::{self, DAY};

const PLAIN: &[&str] = &[
    "YESTERDAY",
    "TODAY",
    "TOMORROW",
    "LAST_WEEK",
    "THIS_WEEK",
    "NEXT_WEEK",
    "LAST_MONTH",
    "THIS_MONTH",
    "NEXT_MONTH",
    "LAST_90_DAYS",
    "NEXT_90_DAYS",
    "THIS_QUARTER",
    "LAST_QUARTER",
    "NEXT_QUARTER",
    "THIS_YEAR",
    "LAST_YEAR",
    "NEXT_YEAR",
];

/// Whether this is a literal without a number, in capitals.
pub(crate) fn is_known(word: &str) -> bool {
    PLAIN.contains(&word)
}

/// First day and the day after the last, in days since 1970; `None` for an unknown literal.
pub(crate) fn range(word: &str, number: Option<i64>, now: i64) -> Option<(i64, i64)> {
    let today_number = now.div_euclid(DAY);
    let today = clock::to_utc(now).date_naive();
    if let Some(number) = number {
        let direction = match word.split_once("_N_") {
            Some(("LAST", _)) => -1,
            Some(("NEXT", _)) => 1,
            Some(_) => return None,
            None => return ago(word, number, today),
        };
        if word.ends_with("_DAYS") {
            return Some(match direction {
                // Today belongs to the last n days, as the platform counts them.
                -1 => (today_number - number, today_number + 1),
                _ => (today_number + 1, today_number + 1 + number),
            });
        }
        let unit = Unit::of(word)?;
        let this = unit.start(today);
        return Some(match direction {
            -1 => (day(unit.shift(this, -number)?), day(this)),
            _ => (day(unit.shift(this, 1)?), day(unit.shift(this, number + 1)?)),
        });
    }
    match word {
        "YESTERDAY" => return Some((today_number - 1, today_number)),
        "TODAY" => return Some((today_number, today_number + 1)),
        "TOMORROW" => return Some((today_number + 1, today_number + 2)),
        "LAST_90_DAYS" => return Some((today_number - 90, today_number + 1)),
        "NEXT_90_DAYS" => return Some((today_number + 1, today_number + 91)),
        _ => {}
    }
    let unit = Unit::of(word)?;
    let by = match word.split('_').next()? {
        "LAST" => -1,
        "THIS" => 0,
        "NEXT" => 1,
        _ => return None,
    };
    let start = unit.shift(unit.start(today), by)?;
    Some((day(start), day(unit.shift(start, 1)?)))
}

/// `N_DAYS_AGO:3`: one unit, some units back.
fn ago(word: &str, number: i64, today: NaiveDate) -> Option<(i64, i64)> {
    let unit = Unit::of(word.strip_prefix("N_")?.strip_suffix("_AGO")?)?;
    let start = unit.shift(unit.start(today), -number)?;
    Some((day(start), day(unit.shift(start, 1)?)))
}

#[derive(Clone, Copy)]
enum Unit {
    Day,
    Week,
    Months(u32),
}

impl Unit {
    fn of(word: &str) -> Option<Self> {
        Some(match word.rsplit('_').next()? {
            "DAY" | "DAYS" => Unit::Day,
            "WEEK" | "WEEKS" => Unit::Week,
            "MONTH" | "MONTHS" => Unit::Months(1),
            "QUARTER" | "QUARTERS" => Unit::Months(3),
            "YEAR" | "YEARS" => Unit::Months(12),
            _ => return None,
        })
    }

    /// The first day of the unit that holds `date`; weeks begin on Sunday.
    fn start(self, date: NaiveDate) -> NaiveDate {
        match self {
            Unit::Day => date,
            Unit::Week => date - Days::new(u64::from(date.weekday().num_days_from_sunday())),
            Unit::Months(months) => {
                let month = date.month0() / months * months + 1;
                NaiveDate::from_ymd_opt(date.year(), month, 1).unwrap_or(date)
            }
        }
    }

    fn shift(self, date: NaiveDate, by: i64) -> Option<NaiveDate> {
        let steps = by.unsigned_abs();
        match self {
            Unit::Day | Unit::Week => {
                let days =
                    Days::new(steps.checked_mul(if matches!(self, Unit::Day) { 1 } else { 7 })?);
                if by < 0 { date.checked_sub_days(days) } else { date.checked_add_days(days) }
            }
            Unit::Months(months) => {
                let months = Months::new(u32::try_from(steps).ok()?.checked_mul(months)?);
                if by < 0 {
                    date.checked_sub_months(months)
                } else {
                    date.checked_add_months(months)
                }
            }
        }
    }
}

fn day(date: NaiveDate) -> i64 {
    i64::from(date.num_days_from_ce()) - 719_163
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wednesday, 2026-07-15, noon.
    const NOW: i64 = 1_784_116_800;

    fn dates(word: &str, number: Option<i64>) -> String {
        let (from, to) = range(word, number, NOW).unwrap();
        let mut text = String::new();
        clock::write_date(from, &mut text);
        text.push(' ');
        clock::write_date(to, &mut text);
        text
    }

    #[test]
    fn literals_cover_whole_days() {
        assert_eq!(dates("TODAY", None), "2026-07-15 2026-07-16");
        assert_eq!(dates("YESTERDAY", None), "2026-07-14 2026-07-15");
        assert_eq!(dates("THIS_WEEK", None), "2026-07-12 2026-07-19");
        assert_eq!(dates("LAST_MONTH", None), "2026-06-01 2026-07-01");
        assert_eq!(dates("THIS_QUARTER", None), "2026-07-01 2026-10-01");
        assert_eq!(dates("LAST_YEAR", None), "2025-01-01 2026-01-01");
        assert_eq!(dates("LAST_N_DAYS", Some(30)), "2026-06-15 2026-07-16");
        assert_eq!(dates("NEXT_N_DAYS", Some(2)), "2026-07-16 2026-07-18");
        assert_eq!(dates("LAST_N_MONTHS", Some(2)), "2026-05-01 2026-07-01");
        assert_eq!(dates("N_DAYS_AGO", Some(3)), "2026-07-12 2026-07-13");
    }

    #[test]
    fn unknown_literals_have_no_range() {
        assert_eq!(range("LAST_FORTNIGHT", None, NOW), None);
        assert_eq!(range("SOME_N_DAYS", Some(3), NOW), None);
    }
}
