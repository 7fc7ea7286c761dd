//! What a dataset's checkpoint says: how far reading came, and from where changes are read next.

use std::collections::BTreeMap;

use connector_api::message::UnreadableValue;
use serde::{Deserialize, Serialize};

use crate::read::soql::After;

/// The form of the state; a state of another form is read as none.
const VERSION: u8 = 1;

/// The state of one dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) version: u8,
    /// What was asked for: another question needs a whole answer.
    pub(crate) question: String,
    /// The fields that were shown.
    pub(crate) fields: Vec<String>,
    /// Whether every record was handed over.
    pub(crate) done: bool,
    /// The last record handed over, where reading was not done.
    pub(crate) after: Option<After>,
    /// Records handed over.
    pub(crate) rows: u64,
    /// Records the org counted.
    pub(crate) count: Option<u64>,
    /// From when on changes are read, in milliseconds since 1970: no later than the reading began.
    pub(crate) since: Option<i64>,
    /// The newest stamp that was seen.
    pub(crate) newest: Option<i64>,
    /// When it was last read whole.
    pub(crate) whole_at: i64,
    /// When the org last described its fields.
    pub(crate) described_at: i64,
    /// Records of a log by day, in days since 1970.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) days: BTreeMap<i64, u64>,
    /// Tells what was copied from other datasets.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) copies: String,
    /// Values of the records that could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) unreadable: Vec<UnreadableValue>,
}

impl State {
    /// A state before the first record.
    pub(crate) fn new(question: String, whole_at: i64) -> State {
        State {
            version: VERSION,
            question,
            fields: Vec::new(),
            done: false,
            after: None,
            rows: 0,
            count: None,
            since: None,
            newest: None,
            whole_at,
            described_at: whole_at,
            days: BTreeMap::new(),
            copies: String::new(),
            unreadable: Vec::new(),
        }
    }

    /// Reads a stored state; none where it cannot be used.
    pub(crate) fn parse(text: &str) -> Option<State> {
        serde_json::from_str(text).ok().filter(|state: &State| state.version == VERSION)
    }

    /// As it is stored.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| "{}".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_was_stored_and_a_foreign_one_is_none() {
        let state = State {
            after: Some(After::StampAndId(5, "0Ya1".into())),
            since: Some(1_769_854_272_345),
            done: true,
            ..State::new("q".into(), 7)
        };
        assert_eq!(State::parse(&state.text()), Some(state));
        for foreign in ["", "{}", r#"{"rows":5}"#, "[1]"] {
            assert_eq!(State::parse(foreign), None, "{foreign}");
        }
    }
}
