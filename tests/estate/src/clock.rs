//! Instants as whole seconds since 1970 UTC, and their texts.

use chrono::{DateTime, Datelike, NaiveDate, Utc};

pub(crate) const HOUR: i64 = 3_600;
pub(crate) const DAY: i64 = 86_400;

/// Year, month and day of a number of days since 1970-01-01.
///
/// The civil-from-days method: years start in March, so that the leap day is the last of its year.
pub(crate) fn civil(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days since 1970-01-01, if the date exists.
pub(crate) fn days(year: i64, month: u32, day: u32) -> Option<i64> {
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    Some(i64::from(date.num_days_from_ce()) - 719_163)
}

/// Appends `2026-01-31`.
pub(crate) fn write_date(days: i64, out: &mut String) {
    let (year, month, day) = civil(days);
    push_digits(out, year as u64, 4);
    out.push('-');
    push_digits(out, u64::from(month), 2);
    out.push('-');
    push_digits(out, u64::from(day), 2);
}

/// Appends `2026-01-31T10:11:12.000+0000`.
pub(crate) fn write_instant(seconds: i64, out: &mut String) {
    write_date(seconds.div_euclid(DAY), out);
    let time = seconds.rem_euclid(DAY) as u64;
    out.push('T');
    push_digits(out, time / 3_600, 2);
    out.push(':');
    push_digits(out, time / 60 % 60, 2);
    out.push(':');
    push_digits(out, time % 60, 2);
    out.push_str(".000+0000");
}

/// The chrono instant of `seconds`.
pub(crate) fn to_utc(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::UNIX_EPOCH)
}

fn push_digits(out: &mut String, number: u64, width: u32) {
    for place in (0..width).rev() {
        out.push((b'0' + (number / 10_u64.pow(place) % 10) as u8) as char);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_without_a_colon_in_the_offset() {
        let mut text = String::new();
        write_instant(1_769_854_272, &mut text);
        assert_eq!(text, "2026-01-31T10:11:12.000+0000");
    }

    #[test]
    fn days_and_civil_dates_are_inverse() {
        for number in [-1, 0, 59, 11_016, 11_017, 19_782, 20_000, 47_540] {
            let (year, month, day) = civil(number);
            assert_eq!(days(year, month, day), Some(number));
        }
        assert_eq!(days(2026, 2, 29), None);
    }
}
