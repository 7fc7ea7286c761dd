//! From what was typed to what can be used.

use std::str::FromStr;
use std::time::Duration;

use connector_api::message::{ConfigureRequest, Problem};

use crate::manifest::manifest;

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) people: u64,
    pub(crate) events: u64,
    /// Batches one run may read; none for all.
    pub(crate) allowance: Option<u64>,
    pub(crate) pause: Duration,
}

impl Settings {
    /// Judges all settings at once.
    ///
    /// # Errors
    /// Every problem, by field.
    pub(crate) fn check(request: &ConfigureRequest) -> Result<Settings, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut problem = |field: &str, message: &str, hint: &str| {
            problems.push(Problem {
                field: field.into(),
                message: message.into(),
                hint: Some(hint.into()),
            });
        };
        let known = manifest();
        for name in request.settings.keys().filter(|name| known.setting(name).is_none()) {
            problem(name, "there is no setting of this name", "see `features show memory`");
        }
        let value = |name: &str| {
            request.settings.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
        };
        match value("domain") {
            None => problem("domain", "the space is missing", "enter the name of your space"),
            Some(space) if !space.chars().all(|c| c.is_ascii_lowercase()) => {
                problem("domain", "it is no name of a space", "use lower-case letters only");
            }
            Some(_) => {}
        }
        let mut number = |name: &str| -> Option<u64> {
            let text = value(name)?;
            u64::from_str(text)
                .inspect_err(|_| problem(name, "it is not a number", "enter a whole number"))
                .ok()
        };
        let settings = Settings {
            people: number("people").unwrap_or(5_000),
            events: number("events").unwrap_or(10),
            allowance: number("allowance"),
            pause: Duration::from_millis(number("pause_ms").unwrap_or(0)),
        };
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }
}
