//! Schedules as an administrator writes them: five cron fields, or plain words.

pub mod scheduler;

use chrono::{DateTime, NaiveTime, Timelike, Utc, Weekday};
use chrono_tz::Tz;
use croner::Cron;

use crate::error::HostError;

/// What the five cron fields are called, in their order.
const FIELDS: [&str; 5] = ["minute", "hour", "day of month", "month", "day of week"];

/// A schedule that was understood.
#[derive(Clone, Debug)]
pub struct Schedule(Cron);

impl Schedule {
    /// Reads a schedule: `daily 02:30`, `weekly sun 03:00`, `monthly 1 04:00`, `hourly`, or five cron
    /// fields such as `30 2 * * mon-fri`.
    ///
    /// # Errors
    /// A settings error that says which part is wrong.
    pub fn parse(text: &str) -> Result<Schedule, HostError> {
        let parsed = fields(text).and_then(|fields| {
            let cron = cron(&fields)?;
            let schedule = Schedule(cron);
            // `0 0 31 2 *` is well formed and never comes.
            match schedule.next_after(Utc::now(), Tz::UTC) {
                Some(_) => Ok(schedule),
                None => Err("it names a day that never comes".to_owned()),
            }
        });
        parsed.map_err(|reason| {
            HostError::config(format_args!("the schedule `{text}` is not understood: {reason}"))
                .with_hint("for example `daily 02:30`, `weekly sun 03:00` or `30 2 * * mon-fri`")
        })
    }

    /// The first slot after that instant, by the clocks of that zone. On the days on which the
    /// clocks change, a slot that is skipped comes right after the gap, and one that is repeated
    /// comes once; those of a schedule without a fixed hour follow the time that really passes.
    pub fn next_after(&self, after: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let next = self.0.find_next_occurrence(&after.with_timezone(&zone), false).ok()?;
        Some(next.with_timezone(&Utc))
    }
}

/// The time zone of that IANA name, or the one of this computer.
///
/// # Errors
/// A settings error when the name is not known.
pub fn zone(name: Option<&str>) -> Result<Tz, HostError> {
    match name {
        Some(name) => name.trim().parse().map_err(|_| {
            HostError::config(format_args!("`time_zone`: `{name}` is not a known time zone"))
                .with_hint("use an IANA name such as `Europe/Berlin`, `America/New_York` or `UTC`")
        }),
        None => {
            let here = iana_time_zone::get_timezone().ok().and_then(|name| name.parse().ok());
            Ok(here.unwrap_or(Tz::UTC))
        }
    }
}

/// Checks a schedule as [`Schedule::parse`] reads it. It is stored as typed.
///
/// # Errors
/// A settings error that says which part is wrong.
pub fn check(text: &str) -> Result<(), HostError> {
    Schedule::parse(text).map(drop)
}

/// The five cron fields that a text is, or that its plain words mean.
fn fields(text: &str) -> Result<[String; 5], String> {
    let lower = text.trim().to_ascii_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let fields = match words.as_slice() {
        ["hourly"] => ["0".into(), "*".into(), "*".into(), "*".into(), "*".into()],
        ["daily", at] => at_time(at, "*", "*")?,
        ["weekly", day, at] => {
            let weekday: Weekday =
                day.parse().map_err(|_| format!("`{day}` is not a day such as `sun`"))?;
            at_time(at, "*", &weekday.num_days_from_sunday().to_string())?
        }
        ["monthly", day, at] => at_time(at, day, "*")?,
        ["hourly" | "daily" | "weekly" | "monthly", ..] => {
            return Err("it needs a time, e.g. `daily 02:30` or `weekly sun 03:00`".into());
        }
        [minute, hour, day, month, weekday] => {
            [minute, hour, day, month, weekday].map(|&f| f.into())
        }
        _ => return Err("it is neither five cron fields nor plain words".into()),
    };
    Ok(fields)
}

fn at_time(at: &str, day: &str, weekday: &str) -> Result<[String; 5], String> {
    let time = NaiveTime::parse_from_str(at, "%H:%M").ok();
    // chrono takes a minute of one digit as well.
    let two_digits = at.split_once(':').is_some_and(|(_, minute)| minute.len() == 2);
    let time =
        time.filter(|_| two_digits).ok_or_else(|| format!("`{at}` is not a time such as 02:30"))?;
    Ok([time.minute().to_string(), time.hour().to_string(), day.into(), "*".into(), weekday.into()])
}

/// Reads cron fields. The parser does not say which field is wrong, so each is tried alone; and it
/// takes a list with an empty part.
fn cron(fields: &[String; 5]) -> Result<Cron, String> {
    for (at, (name, field)) in FIELDS.iter().zip(fields).enumerate() {
        let mut alone = ["*"; 5];
        alone[at] = field;
        let has_empty_part = field.split(',').any(str::is_empty);
        if has_empty_part || alone.join(" ").parse::<Cron>().is_err() {
            return Err(format!("{name}: `{field}` is not a value, range, step or list of it"));
        }
    }
    fields.join(" ").parse().map_err(|error: croner::errors::CronError| error.to_string())
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, NaiveDate, Offset, TimeZone, Timelike};

    use super::*;

    /// Forty zones: both hemispheres, half-hour steps, changes at midnight, and none at all.
    const ZONES: [Tz; 40] = [
        Tz::UTC,
        Tz::Europe__Berlin,
        Tz::Europe__London,
        Tz::Europe__Dublin,
        Tz::Europe__Lisbon,
        Tz::Europe__Athens,
        Tz::Europe__Moscow,
        Tz::Europe__Istanbul,
        Tz::Europe__Chisinau,
        Tz::Atlantic__Azores,
        Tz::America__New_York,
        Tz::America__Chicago,
        Tz::America__Denver,
        Tz::America__Phoenix,
        Tz::America__Los_Angeles,
        Tz::America__Anchorage,
        Tz::America__Halifax,
        Tz::America__St_Johns,
        Tz::America__Havana,
        Tz::America__Mexico_City,
        Tz::America__Asuncion,
        Tz::America__Santiago,
        Tz::America__Sao_Paulo,
        Tz::America__Nuuk,
        Tz::Africa__Cairo,
        Tz::Africa__Casablanca,
        Tz::Africa__Johannesburg,
        Tz::Asia__Jerusalem,
        Tz::Asia__Beirut,
        Tz::Asia__Tehran,
        Tz::Asia__Kolkata,
        Tz::Asia__Kathmandu,
        Tz::Asia__Tokyo,
        Tz::Asia__Gaza,
        Tz::Australia__Sydney,
        Tz::Australia__Adelaide,
        Tz::Australia__Lord_Howe,
        Tz::Pacific__Auckland,
        Tz::Pacific__Chatham,
        Tz::Pacific__Easter,
    ];

    /// Every slot from 2020 up to 2030.
    fn ten_years(text: &str, zone: Tz) -> Vec<DateTime<Tz>> {
        let schedule = Schedule::parse(text).unwrap();
        let end = Utc.with_ymd_and_hms(2030, 1, 1, 12, 0, 0).unwrap();
        let mut at = Utc.with_ymd_and_hms(2019, 12, 31, 12, 0, 0).unwrap();
        let mut slots = Vec::new();
        while let Some(next) = schedule.next_after(at, zone).filter(|next| *next < end) {
            assert!(next > at, "{text} in {zone}: time runs backwards at {at}");
            at = next;
            slots.push(next.with_timezone(&zone));
        }
        slots
    }

    fn days(from: NaiveDate, to: NaiveDate) -> i64 {
        (to - from).num_days() + 1
    }

    #[test]
    fn over_ten_years_in_forty_zones_each_daily_slot_comes_once() {
        for zone in ZONES {
            for text in ["daily 02:30", "daily 00:00", "daily 00:30", "daily 23:45"] {
                let slots = ten_years(text, zone);
                let dates: Vec<NaiveDate> = slots.iter().map(DateTime::date_naive).collect();
                for pair in dates.windows(2) {
                    // A gap that ends at midnight puts the slot before it on the next date.
                    let step = (pair[1] - pair[0]).num_days();
                    assert!((0..=2).contains(&step), "{text} in {zone}: {pair:?}");
                }
                assert_eq!(dates.len() as i64, days(dates[0], dates[dates.len() - 1]));
                assert!(dates.len() > 3_650, "{text} in {zone}: {}", dates.len());
            }
        }
    }

    #[test]
    fn over_ten_years_in_forty_zones_each_hour_and_each_week_and_month_comes_once() {
        let hourly = Schedule::parse("hourly").unwrap();
        for zone in ZONES {
            // Hour by hour around each change of the clocks; between them every day is like another.
            let mut slots = Vec::new();
            let mut at = Utc.with_ymd_and_hms(2020, 1, 1, 0, 0, 0).unwrap();
            while at.year() < 2030 {
                let later = at + chrono::Duration::days(1);
                let offset = |at: DateTime<Utc>| at.with_timezone(&zone).offset().fix();
                if offset(at) != offset(later) {
                    let mut hour = at;
                    while let Some(next) = hourly.next_after(hour, zone).filter(|at| *at < later) {
                        slots.push(next.with_timezone(&zone));
                        hour = next;
                    }
                }
                at = later;
            }
            for pair in slots.windows(2).filter(|pair| (pair[1] - pair[0]).num_hours() < 24) {
                let minutes = (pair[1] - pair[0]).num_minutes();
                // A zone that changes by half an hour has one short and one long hour a year.
                assert!(minutes == 60 || minutes == 30 || minutes == 90, "{zone}: {pair:?}");
                assert_eq!(pair[1].minute(), 0, "{zone}: {pair:?}");
            }
            for pair in ten_years("weekly sun 03:00", zone).windows(2) {
                assert_eq!((pair[1].date_naive() - pair[0].date_naive()).num_days(), 7, "{zone}");
            }
            let months = ten_years("monthly 1 04:00", zone);
            for pair in months.windows(2) {
                assert_eq!(pair[1].month0(), (pair[0].month0() + 1) % 12, "{zone}");
            }
        }
    }

    #[test]
    fn a_slot_in_the_gap_comes_right_after_it_and_a_repeated_one_comes_first() {
        let berlin = |text: &str, y, m, d, h, min| {
            let after = Utc.with_ymd_and_hms(y, m, d, h, min, 0).unwrap();
            Schedule::parse(text).unwrap().next_after(after, Tz::Europe__Berlin).unwrap()
        };
        let spring = berlin("daily 02:30", 2026, 3, 28, 12, 0);
        assert_eq!(spring, Utc.with_ymd_and_hms(2026, 3, 29, 1, 0, 0).unwrap());
        let autumn = berlin("daily 02:30", 2026, 10, 24, 12, 0);
        assert_eq!(autumn, Utc.with_ymd_and_hms(2026, 10, 25, 0, 30, 0).unwrap());
        let next = berlin("daily 02:30", 2026, 10, 25, 0, 30);
        assert_eq!(next, Utc.with_ymd_and_hms(2026, 10, 26, 1, 30, 0).unwrap());
    }

    #[test]
    fn plain_words_mean_what_they_say() {
        for (words, cron) in [
            ("hourly", "0 * * * *"),
            ("Daily 2:30", "30 2 * * *"),
            ("weekly Wednesday 23:59", "59 23 * * 3"),
            ("monthly 15 04:00", "0 4 15 * *"),
        ] {
            assert_eq!(fields(words).unwrap().join(" "), cron);
        }
    }

    #[test]
    fn an_unknown_time_zone_is_refused_by_name() {
        let error = zone(Some("Berlin")).unwrap_err();
        assert!(error.message.contains("`Berlin`") && error.kind.exit_code() == 2, "{error}");
        assert_eq!(zone(Some("Europe/Berlin")).unwrap(), Tz::Europe__Berlin);
    }

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
            ("daily 24:00", "`24:00`"),
            ("daily 02:5", "02:5"),
            ("weekly someday 03:00", "`someday`"),
            ("60 2 * * *", "minute: `60`"),
            ("0 2 0 * *", "day of month: `0`"),
            ("0 2 * 13 *", "month: `13`"),
            ("0 2 * * 8", "day of week: `8`"),
            ("0 5-2 * * *", "hour: `5-2`"),
            ("5/10 * * * *", "minute: `5/10`"),
            ("*/0 * * * *", "minute: `*/0`"),
            ("0 0 31 2 *", "never comes"),
            ("1,,2 * * * *", "minute: `1,,2`"),
            ("+1 * * * *", "minute: `+1`"),
            ("0 2 * *", "neither"),
            ("monthly 32 04:00", "day of month: `32`"),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.message.contains(part), "{text}: {error}");
            assert_eq!(error.kind.exit_code(), 2);
        }
    }
}
