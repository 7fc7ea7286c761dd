//! Schedules as an administrator writes them: five cron fields, or plain words.

use crate::error::HostError;

const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Checks a schedule: `daily 02:30`, `weekly sun 03:00`, `monthly 1 04:00`, `hourly`, or five cron
/// fields such as `30 2 * * mon-fri`. It is stored as typed.
///
/// # Errors
/// A settings error that says which part is wrong.
pub fn check(text: &str) -> Result<(), HostError> {
    let lower = text.trim().to_ascii_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let result = match words.as_slice() {
        ["hourly"] => Ok(()),
        ["daily", at] => time_of_day(at),
        ["weekly", day, at] => day_name(day).and_then(|()| time_of_day(at)),
        ["monthly", day, at] => number(day, 1, 31).map(drop).and_then(|()| time_of_day(at)),
        ["hourly" | "daily" | "weekly" | "monthly", ..] => {
            Err("it needs a time, e.g. `daily 02:30` or `weekly sun 03:00`".to_owned())
        }
        [minute, hour, day, month, weekday] => field("minute", minute, 0, 59, &[])
            .and_then(|()| field("hour", hour, 0, 23, &[]))
            .and_then(|()| field("day of month", day, 1, 31, &[]))
            .and_then(|()| field("month", month, 1, 12, &MONTHS))
            .and_then(|()| field("day of week", weekday, 0, 7, &DAYS)),
        _ => Err("it is neither five cron fields nor plain words".to_owned()),
    };
    result.map_err(|reason| {
        HostError::config(format_args!("the schedule `{text}` is not understood: {reason}"))
            .with_hint("for example `daily 02:30`, `weekly sun 03:00` or `30 2 * * mon-fri`")
    })
}

fn number(text: &str, low: u32, high: u32) -> Result<u32, String> {
    let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(value) if digits && (low..=high).contains(&value) => Ok(value),
        _ => Err(format!("`{text}` is not a number from {low} to {high}")),
    }
}

fn time_of_day(text: &str) -> Result<(), String> {
    let (hour, minute) =
        text.split_once(':').ok_or_else(|| format!("`{text}` is not a time such as 02:30"))?;
    number(hour, 0, 23)?;
    if minute.len() != 2 {
        return Err(format!("`{text}` is not a time such as 02:30"));
    }
    number(minute, 0, 59).map(drop)
}

fn day_name(text: &str) -> Result<(), String> {
    let known = DAYS.contains(&text)
        || ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
            .contains(&text);
    if known { Ok(()) } else { Err(format!("`{text}` is not a day such as `sun`")) }
}

/// One cron field: `*`, `5`, `1-5`, `*/10`, `1-30/5`, names, and lists of these.
fn field(what: &str, text: &str, low: u32, high: u32, names: &[&str]) -> Result<(), String> {
    let value = |text: &str| -> Result<u32, String> {
        match names.iter().position(|name| *name == text) {
            // Months count from 1, days of the week from 0: as `low` does.
            Some(position) => Ok(low + u32::try_from(position).unwrap_or(0)),
            None => number(text, low, high).map_err(|reason| format!("{what}: {reason}")),
        }
    };
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        if let Some(step) = step {
            number(step, 1, high.max(1)).map_err(|reason| format!("{what}: step {reason}"))?;
        }
        if range == "*" {
            continue;
        }
        match range.split_once('-') {
            Some((from, to)) if value(from)? > value(to)? => {
                return Err(format!("{what}: `{range}` runs backwards"));
            }
            Some(_) => {}
            None if step.is_some() => {
                return Err(format!("{what}: `{part}` needs a range before its step"));
            }
            None => {
                value(range)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_as_administrators_write_them_are_accepted() {
        for text in [
            "daily 02:30",
            "Daily 2:30",
            "weekly sun 03:00",
            "weekly Monday 23:59",
            "monthly 1 04:00",
            "hourly",
            "30 2 * * *",
            "*/15 0-6 1,15 jan-mar mon-fri",
            "0 0 * * 7",
        ] {
            check(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
    }

    #[test]
    fn a_wrong_schedule_is_refused_with_the_part_that_is_wrong() {
        for (text, part) in [
            ("", "neither"),
            ("daily", "needs a time"),
            ("daily 24:00", "`24`"),
            ("daily 02:5", "02:5"),
            ("weekly someday 03:00", "`someday`"),
            ("60 2 * * *", "minute: `60`"),
            ("0 2 0 * *", "day of month: `0`"),
            ("0 2 * 13 *", "month: `13`"),
            ("0 2 * * 8", "day of week: `8`"),
            ("0 5-2 * * *", "backwards"),
            ("5/10 * * * *", "needs a range"),
            ("*/0 * * * *", "step"),
            ("1,,2 * * * *", "minute"),
            ("+1 * * * *", "minute"),
            ("0 2 * *", "neither"),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.message.contains(part), "{text}: {error}");
            assert_eq!(error.kind.exit_code(), 2);
        }
    }
}
