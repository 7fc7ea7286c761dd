//! The service: what it holds follows from its settings, so that every reading finds the same.

/// Milliseconds since 1970 of 2026-01-01.
const NEW_YEAR_MS: i64 = 1_767_225_600_000;
const DAY_MS: i64 = 86_400_000;
/// Days since 1970 of 2026-01-01.
const NEW_YEAR_DAYS: i32 = 20_454;

/// Licence names, with the seats that were bought.
pub(crate) const LICENSES: [(&str, Option<i64>); 3] =
    [("Reader", Some(10_000)), ("Writer", Some(1_500)), ("Archive", None)];

/// One person. Ids sort as numbers do.
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) active: bool,
    pub(crate) license: &'static str,
    pub(crate) logins: Option<i64>,
    pub(crate) score: Option<f64>,
    pub(crate) created_ms: i64,
    pub(crate) left_on: Option<i32>,
}

/// The person of that number.
pub(crate) fn person(number: u64) -> Person {
    let signed = i64::try_from(number).unwrap_or(i64::MAX);
    let left = number % 10 == 9;
    Person {
        id: id(number),
        name: (!number.is_multiple_of(7)).then(|| format!("Person {number}, \"Näme\" {number}")),
        active: !left,
        license: if number.is_multiple_of(5) { "Writer" } else { "Reader" },
        logins: (!number.is_multiple_of(3)).then_some(signed % 40),
        score: (!number.is_multiple_of(4)).then_some(signed as f64 / 8.0),
        created_ms: NEW_YEAR_MS - signed % 1_000 * DAY_MS,
        left_on: left.then(|| NEW_YEAR_DAYS + i32::try_from(number % 60).unwrap_or(0)),
    }
}

/// The id of a person.
pub(crate) fn id(number: u64) -> String {
    format!("P{number:08}")
}

/// The number behind an id.
pub(crate) fn number(id: &str) -> Option<u64> {
    id.strip_prefix('P')?.parse().ok()
}

/// When an event happened: one each hour.
pub(crate) fn event_ms(number: u64) -> i64 {
    NEW_YEAR_MS + i64::try_from(number).unwrap_or(0) * 3_600_000
}
