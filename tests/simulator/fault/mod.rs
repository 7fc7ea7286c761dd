//! Faults by script: which request goes wrong, and how.
//!
//! A script is an ordered list of [`Fault`]s. Each counts the requests its
//! [`When`] matches; from the `nth` on it is due, for `times` requests. The first due fault
//! of the list is played. As JSON, for `salesforce-sim --faults FILE`:
//!
//! ```json
//! [
//!   {"when": {"object": "User", "nth": 3}, "then": "expire_session"},
//!   {"when": {"path_prefix": "/services/data", "method": "GET"}, "times": 2,
//!    "then": {"status": {"code": 503, "content_type": "text/html", "body": "<h1>Busy</h1>",
//!                        "headers": [["Retry-After", "2"]]}}},
//!   {"when": {"path_contains": "/query/"}, "times": null,
//!    "then": {"close_after": {"bytes": 100, "chunked": true}}}
//! ]
//! ```
//!
//! Every key of `when` may be left out; an empty `when` matches every request. `times` is 1
//! if left out and without end if `null`. The actions are the variants of [`Action`]. The
//! proxy's own answers are reached with the method `CONNECT`, and can be replaced, held back
//! or cut off.

mod action;
mod body;
mod listed;

use std::path::Path;
use std::sync::Mutex;
use std::{fs, io};

use serde::{Deserialize, Serialize};

pub use action::{Action, RetryAfter, Spoiled};
pub(crate) use body::alter;

use crate::kind::RequestKind;
use crate::sync::lock;

/// One entry of a fault script.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which requests it is about.
    #[serde(default)]
    pub when: When,
    /// How many requests get it; `None` for all from the first on.
    #[serde(default = "once")]
    pub times: Option<u64>,
    /// What happens to them.
    pub then: Action,
}

/// What a request must look like; a `None` matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// HTTP method, in capitals.
    pub method: Option<String>,
    /// What the request asks for.
    pub kind: Option<RequestKind>,
    /// Host name, in lower case.
    pub host: Option<String>,
    /// Beginning of the path.
    pub path_prefix: Option<String>,
    /// Any part of the path.
    pub path_contains: Option<String>,
    /// Object the SOQL reads from, or named by an sObject path; in any case.
    pub object: Option<String>,
    /// Any part of the SOQL text; in any case.
    pub soql_contains: Option<String>,
    /// `grant_type` of a token request.
    pub grant_type: Option<String>,
    /// The first matching request that gets it, counted from one.
    pub nth: Option<u64>,
}

fn once() -> Option<u64> {
    Some(1)
}

impl Fault {
    /// Plays `then` once, on the first request.
    pub fn new(then: Action) -> Self {
        Self { when: When::default(), times: once(), then }
    }

    /// Only requests whose path begins with `prefix`.
    #[must_use]
    pub fn on_path(mut self, prefix: &str) -> Self {
        self.when.path_prefix = Some(prefix.to_owned());
        self
    }

    /// Only requests whose path contains `part`.
    #[must_use]
    pub fn on_path_with(mut self, part: &str) -> Self {
        self.when.path_contains = Some(part.to_owned());
        self
    }

    /// Only requests of this kind.
    #[must_use]
    pub fn on_kind(mut self, kind: RequestKind) -> Self {
        self.when.kind = Some(kind);
        self
    }

    /// Only requests with this method.
    #[must_use]
    pub fn on_method(mut self, method: &str) -> Self {
        self.when.method = Some(method.to_owned());
        self
    }

    /// Only requests about this object.
    #[must_use]
    pub fn on_object(mut self, object: &str) -> Self {
        self.when.object = Some(object.to_owned());
        self
    }

    /// Only queries whose SOQL contains `part`.
    #[must_use]
    pub fn on_soql_with(mut self, part: &str) -> Self {
        self.when.soql_contains = Some(part.to_owned());
        self
    }

    /// Only token requests with this grant type.
    #[must_use]
    pub fn on_grant(mut self, grant_type: &str) -> Self {
        self.when.grant_type = Some(grant_type.to_owned());
        self
    }

    /// Not before the `nth` matching request, counted from one.
    #[must_use]
    pub fn nth(mut self, nth: u64) -> Self {
        self.when.nth = Some(nth);
        self
    }

    /// On this many requests.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// On every matching request from the first on.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.times = None;
        self
    }

    /// Reads a script from a JSON file.
    ///
    /// # Errors
    /// If the file cannot be read or is not a fault script.
    pub fn read_script(path: &Path) -> io::Result<Vec<Self>> {
        serde_json::from_slice(&fs::read(path)?)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

/// What is known of a request when faults are chosen.
#[derive(Debug, Default)]
pub(crate) struct Sighting<'a> {
    pub(crate) method: &'a str,
    pub(crate) kind: RequestKind,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) object: Option<&'a str>,
    pub(crate) soql: Option<&'a str>,
    pub(crate) grant_type: Option<&'a str>,
}

impl When {
    fn matches(&self, seen: &Sighting<'_>) -> bool {
        let same = |wanted: &Option<String>, found: Option<&str>| {
            wanted
                .as_deref()
                .is_none_or(|wanted| found.is_some_and(|found| found.eq_ignore_ascii_case(wanted)))
        };
        let part = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| {
                found.is_some_and(|found| {
                    found.to_ascii_lowercase().contains(&wanted.to_ascii_lowercase())
                })
            })
        };
        same(&self.method, Some(seen.method))
            && self.kind.is_none_or(|kind| kind == seen.kind)
            && same(&self.host, Some(seen.host))
            && self.path_prefix.as_deref().is_none_or(|prefix| seen.path.starts_with(prefix))
            && part(&self.path_contains, Some(seen.path))
            && same(&self.object, seen.object)
            && part(&self.soql_contains, seen.soql)
            && same(&self.grant_type, seen.grant_type)
    }
}

/// A fault script being played.
#[derive(Debug, Default)]
pub struct FaultScript {
    rules: Mutex<Vec<Rule>>,
}

#[derive(Debug)]
struct Rule {
    fault: Fault,
    seen: u64,
    played: u64,
}

impl FaultScript {
    /// Appends a fault.
    pub fn push(&self, fault: Fault) {
        lock(&self.rules).push(Rule { fault, seen: 0, played: 0 });
    }

    /// Replaces the script; all counts start again.
    pub fn set(&self, faults: impl IntoIterator<Item = Fault>) {
        let rules = faults.into_iter().map(|fault| Rule { fault, seen: 0, played: 0 }).collect();
        *lock(&self.rules) = rules;
    }

    /// Ends all faults.
    pub fn clear(&self) {
        lock(&self.rules).clear();
    }

    /// How many requests got a fault of the present script.
    pub fn played(&self) -> u64 {
        lock(&self.rules).iter().map(|rule| rule.played).sum()
    }

    /// The fault for this request, if one is due. A tunnel gets only faults that name its
    /// method: those without a `when` are about the requests inside.
    pub(crate) fn take(&self, seen: &Sighting<'_>) -> Option<Action> {
        let mut action = None;
        let meant = |when: &When| seen.method != "CONNECT" || when.method.is_some();
        let mut rules = lock(&self.rules);
        for rule in
            rules.iter_mut().filter(|rule| meant(&rule.fault.when) && rule.fault.when.matches(seen))
        {
            rule.seen += 1;
            let due = rule.seen >= rule.fault.when.nth.unwrap_or(1);
            let left = rule.fault.times.is_none_or(|times| rule.played < times);
            if action.is_none() && due && left {
                rule.played += 1;
                action = Some(rule.fault.then.clone());
            }
        }
        action
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(path: &'a str, object: Option<&'a str>) -> Sighting<'a> {
        Sighting {
            method: "GET",
            host: "acme.my.salesforce.com",
            path,
            object,
            ..Sighting::default()
        }
    }

    #[test]
    fn a_fault_is_due_from_the_nth_match_for_as_many_times_as_it_says() {
        let script = FaultScript::default();
        script.push(Fault::new(Action::Bom).on_object("user").nth(2).times(2));
        let mut played = Vec::new();
        for _ in 0..4 {
            assert!(script.take(&request("/services/data/v60.0/query", Some("Profile"))).is_none());
            played
                .push(script.take(&request("/services/data/v60.0/query", Some("User"))).is_some());
        }
        assert_eq!(played, [false, true, true, false]);
        assert_eq!(script.played(), 2);
    }

    #[test]
    fn the_documented_script_can_be_read() {
        let text = include_str!("mod.rs");
        let json: String = text
            .split("//! ```json\n")
            .nth(1)
            .and_then(|rest| rest.split("//! ```").next())
            .expect("the example")
            .lines()
            .map(|line| line.trim_start_matches("//! "))
            .collect();
        let script: Vec<Fault> = serde_json::from_str(&json).expect("a script");
        assert_eq!(script[0].then, Action::ExpireSession);
        assert_eq!(script[0].times, Some(1));
        assert_eq!(script[2].times, None);
        assert!(serde_json::from_str::<Fault>(r#"{"then": "bom", "typo": 1}"#).is_err());
    }
}
