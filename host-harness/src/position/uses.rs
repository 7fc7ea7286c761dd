//! Single uses into what is known of each account: the last use by a person and by a machine, and on
//! how many days a person used it.

use std::collections::HashMap;

use connector_api::position::{PositionView, UseRule};
use rusqlite::{Connection, Row};

use super::inputs::BaseInputs;
use super::scratch::{Scratch, Window, select, unusable};
use crate::error::HostError;

/// The view in which a store shows its daily sums of uses.
pub(crate) const DAILY: &str = "_use_day";
/// The view with the instant from which on the daily sums are without a hole.
pub(crate) const COVERED: &str = "_use_covered";

const DAY_MS: i64 = 86_400_000;

/// Who stands behind a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A person.
    Human,
    /// A program.
    Machine,
    /// Not known; counts as a person, so that in doubt a seat is kept.
    Ambiguous,
}

/// The kind of a use: that of the first line that fits.
pub fn classify(rules: &[UseRule], method: &str, detail: &str, application: &str) -> Kind {
    let fits = |pattern: &str, text: &str| pattern.is_empty() || glob(pattern, text);
    let found = rules.iter().find(|rule| {
        fits(&rule.method, method)
            && fits(&rule.detail, detail)
            && fits(&rule.application, application)
    });
    match found.map(|rule| rule.kind.as_str()) {
        Some("human") => Kind::Human,
        Some("machine") => Kind::Machine,
        _ => Kind::Ambiguous,
    }
}

/// Whether a text fits a pattern in which `*` stands for any text; ASCII case does not matter.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// The statement that sums single uses by account, day and way.
pub(crate) fn daily_sql(view: &PositionView) -> String {
    format!(
        "WITH single(person_id, at, method, detail, application, succeeded) AS ({})
         SELECT person_id, at / {DAY_MS}, COALESCE(method, ''), COALESCE(detail, ''),
                COALESCE(application, ''), succeeded, MIN(at), MAX(at), COUNT(*)
         FROM single WHERE person_id IS NOT NULL AND at IS NOT NULL",
        view.sql
    )
}

/// Fills the people's uses, from the store's daily sums where there are any.
pub(crate) fn load(
    scratch: &mut Scratch,
    source: &Connection,
    view: &PositionView,
    inputs: &BaseInputs,
) -> Result<(), HostError> {
    let failed = |reason: &dyn std::fmt::Display| unusable(view, reason);
    drop(select(source, &view.sql, view.table.columns()).map_err(|error| failed(&error))?);
    let covered: Option<i64> = source
        .query_row(&format!("SELECT covered_from FROM {COVERED}"), [], |row| row.get(0))
        .unwrap_or(None);
    let sql = match covered {
        Some(_) => format!(
            "SELECT person_id, day, method, detail, application, succeeded, first_at, last_at, events
             FROM {DAILY} ORDER BY person_id, day"
        ),
        None => format!("{} GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2", daily_sql(view)),
    };
    let mut statement = source.prepare(&sql).map_err(|error| failed(&error))?;
    let mut rows = statement.query([]).map_err(|error| failed(&error))?;
    let mut update = scratch.connection.prepare(
        "INSERT INTO person(id, listed, human_at, machine_at, human_days) VALUES(?1, 0, ?2, ?3, ?4)
         ON CONFLICT(id) DO UPDATE SET human_at = excluded.human_at,
             machine_at = excluded.machine_at, human_days = excluded.human_days",
    )?;
    let mut kinds: HashMap<[String; 3], Kind> = HashMap::new();
    let mut window = Window::default();
    let mut person: Option<Person> = None;
    while let Some(row) = rows.next().map_err(|error| failed(&error))? {
        let use_ = DayUse::read(row).map_err(|error| failed(&error))?;
        if !use_.succeeded {
            window.failed += use_.events;
            continue;
        }
        let kind = *kinds
            .entry(use_.way)
            .or_insert_with_key(|way| classify(&inputs.classification, &way[0], &way[1], &way[2]));
        if person.as_ref().is_none_or(|person| person.id != use_.person_id) {
            if let Some(done) = person.take() {
                update.execute((done.id, done.human_at, done.machine_at, done.human_days))?;
            }
            person = Some(Person { id: use_.person_id, ..Person::default() });
        }
        let Some(person) = &mut person else { continue };
        window.first_at = [window.first_at, Some(use_.first_at)].into_iter().flatten().min();
        window.events = window.events.saturating_add(use_.events);
        if kind == Kind::Machine {
            person.machine_at = person.machine_at.max(Some(use_.last_at));
            continue;
        }
        if kind == Kind::Ambiguous {
            window.ambiguous = window.ambiguous.saturating_add(use_.events);
        }
        person.human_at = person.human_at.max(Some(use_.last_at));
        let since = inputs.as_of_ms - i64::from(inputs.sparse_window_days) * DAY_MS;
        if use_.last_at >= since && person.last_day != Some(use_.day) {
            person.last_day = Some(use_.day);
            person.human_days += 1;
        }
    }
    if let Some(done) = person {
        update.execute((done.id, done.human_at, done.machine_at, done.human_days))?;
    }
    drop(update);
    let sum = scratch.windows.entry(view.family.clone()).or_default();
    sum.first_at = covered.or(window.first_at);
    sum.events += window.events;
    sum.failed += window.failed;
    sum.ambiguous += window.ambiguous;
    Ok(())
}

/// The uses of one account on one day, in one way: a row of [`daily_sql`] or of [`DAILY`].
pub(crate) struct DayUse {
    pub(crate) person_id: String,
    pub(crate) day: i64,
    /// Method, detail and application.
    pub(crate) way: [String; 3],
    pub(crate) succeeded: bool,
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    pub(crate) events: i64,
}

impl DayUse {
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<DayUse> {
        Ok(DayUse {
            person_id: row.get(0)?,
            day: row.get(1)?,
            way: [row.get(2)?, row.get(3)?, row.get(4)?],
            succeeded: row.get::<_, Option<bool>>(5)?.unwrap_or(false),
            first_at: row.get(6)?,
            last_at: row.get(7)?,
            events: row.get(8)?,
        })
    }
}

#[derive(Default)]
struct Person {
    id: String,
    human_at: Option<i64>,
    machine_at: Option<i64>,
    human_days: i64,
    last_day: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_decides_and_what_fits_none_is_ambiguous() {
        let rule = |method: &str, detail: &str, kind: &str| UseRule {
            method: method.into(),
            detail: detail.into(),
            kind: kind.into(),
            ..UseRule::default()
        };
        let rules =
            [rule("", "Refresh*", "ambiguous"), rule("web", "", "human"), rule("", "", "machine")];
        assert_eq!(classify(&rules, "web", "RefreshToken", ""), Kind::Ambiguous);
        assert_eq!(classify(&rules, "WEB", "", ""), Kind::Human);
        assert_eq!(classify(&rules, "api", "", ""), Kind::Machine);
        assert_eq!(classify(&rules[..2], "api", "", ""), Kind::Ambiguous);
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*c", "abcd", false),
            ("abc", "ABC", true),
            ("abc", "abcd", false),
            ("*Portal*", "Customer Service Portal", true),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }
}
