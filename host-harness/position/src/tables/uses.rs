//! Single uses into what is known of each account: the last use by a person and by a machine, and on
//! how many days a person used it.

use std::collections::HashMap;

use connector_api::position::{PositionView, UseRule};

use super::db::{AnalysisDb, Window};
use super::statement::{check_width, earlier};
use crate::daily;
use crate::error::{Error, unusable};
use crate::inputs::BaseInputs;
use crate::source::{DayUse, SnapshotSource};
use crate::time::DAY_MS;

/// Who made a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A person.
    Human,
    /// A program.
    Machine,
    /// Not known; counts as a person, so that in doubt a seat is kept.
    Ambiguous,
    /// Nobody who uses the licence, such as an administrator in the holder's place.
    Nobody,
}

/// The kind of a use: that of the first line that fits.
pub(crate) fn classify(rules: &[UseRule], method: &str, detail: &str, application: &str) -> Kind {
    let fits = |pattern: &str, text: &str| pattern.is_empty() || glob(pattern, text);
    let found = rules.iter().find(|rule| {
        fits(&rule.method, method)
            && fits(&rule.detail, detail)
            && fits(&rule.application, application)
    });
    match found.map(|rule| rule.kind.as_str()) {
        Some("human") => Kind::Human,
        Some("machine") => Kind::Machine,
        Some("none") => Kind::Nobody,
        _ => Kind::Ambiguous,
    }
}

/// Whether a text matches a pattern in which `*` is any text; ASCII case does not matter.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
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

/// Fills the people's uses, from daily sums where they are kept.
pub(crate) fn load(
    db: &mut AnalysisDb,
    source: &dyn SnapshotSource,
    view: &PositionView,
    inputs: &BaseInputs,
) -> Result<(), Error> {
    check_width(source, view)?;
    let mut fill = Fill::new(db, inputs)?;
    let covered = source.daily_uses(&mut |day| fill.add(day))?;
    if covered.is_none() {
        let sql = format!("{} GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2", daily::sql(view));
        source.query(&sql, &mut |row| {
            let day = daily::row(row)
                .ok_or_else(|| unusable(view, &"a use has a value of another type"))?;
            fill.add(day)
        })?;
    }
    let window = fill.finish()?;
    let sum = db.windows.entry(view.family.clone()).or_default();
    sum.first_at = covered.or(window.first_at);
    sum.events += window.events;
    sum.failed += window.failed;
    sum.ambiguous += window.ambiguous;
    Ok(())
}

/// Sums the uses of each account; they come by account and day.
struct Fill<'a> {
    inputs: &'a BaseInputs,
    since: i64,
    update: rusqlite::Statement<'a>,
    kinds: HashMap<[String; 3], Kind>,
    /// The way of the use before: most uses of an account are alike.
    last_way: Option<([String; 3], Kind)>,
    window: Window,
    person: Option<Person>,
}

impl<'a> Fill<'a> {
    fn new(db: &'a AnalysisDb, inputs: &'a BaseInputs) -> Result<Fill<'a>, Error> {
        let update = db.connection.prepare(
            "INSERT INTO person(id, listed, human_at, machine_at, human_days) VALUES(?1, 0, ?2, ?3, ?4)
             ON CONFLICT(id) DO UPDATE SET human_at = excluded.human_at,
                 machine_at = excluded.machine_at, human_days = excluded.human_days",
        )?;
        Ok(Fill {
            inputs,
            since: inputs.as_of_ms - i64::from(inputs.sparse_window_days) * DAY_MS,
            update,
            kinds: HashMap::new(),
            last_way: None,
            window: Window::default(),
            person: None,
        })
    }

    fn add(&mut self, day: DayUse<'_>) -> Result<(), Error> {
        if !day.succeeded {
            self.window.failed += day.events;
            return Ok(());
        }
        let kind = self.kind(day.way);
        if self.person.as_ref().is_none_or(|person| person.id != day.person_id) {
            self.end_person()?;
            self.person = Some(Person { id: day.person_id.to_owned(), ..Person::default() });
        }
        let Some(person) = &mut self.person else { return Ok(()) };
        self.window.first_at = earlier(self.window.first_at, Some(day.first_at));
        self.window.events = self.window.events.saturating_add(day.events);
        if kind == Kind::Nobody {
            return Ok(());
        }
        if kind == Kind::Machine {
            person.machine_at = person.machine_at.max(Some(day.last_at));
            return Ok(());
        }
        if kind == Kind::Ambiguous {
            self.window.ambiguous = self.window.ambiguous.saturating_add(day.events);
        }
        person.human_at = person.human_at.max(Some(day.last_at));
        if day.last_at >= self.since && person.last_day != Some(day.day) {
            person.last_day = Some(day.day);
            person.human_days += 1;
        }
        Ok(())
    }

    fn kind(&mut self, way: [&str; 3]) -> Kind {
        if let Some((known, kind)) = &self.last_way
            && known.each_ref().map(String::as_str) == way
        {
            return *kind;
        }
        let rules = &self.inputs.classification;
        let way = way.map(str::to_owned);
        let kind = *self
            .kinds
            .entry(way.clone())
            .or_insert_with_key(|way| classify(rules, &way[0], &way[1], &way[2]));
        self.last_way = Some((way, kind));
        kind
    }

    fn end_person(&mut self) -> Result<(), Error> {
        if let Some(done) = self.person.take() {
            self.update.execute((done.id, done.human_at, done.machine_at, done.human_days))?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Window, Error> {
        self.end_person()?;
        Ok(self.window)
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
        assert_eq!(classify(&[rule("switch", "", "none")], "switch", "", ""), Kind::Nobody);
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
