//! Where a reading is, and how fast it may go.

use std::collections::HashSet;

use crate::read::soql::After;
use crate::read::tally::Stamps;

/// Where the reading of the present question is. A new start is `Cursor::default()`.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    /// Conditions of the present question in addition to the dataset's own.
    pub(crate) conditions: Vec<String>,
    /// The last record.
    pub(crate) after: Option<After>,
    /// Records of the present question.
    pub(crate) answered: u64,
    /// Records of the whole answer, as the org said.
    pub(crate) promised: Option<u64>,
    /// The start of the present window of time.
    pub(crate) window_from: Option<i64>,
    /// Locators followed since the last restart.
    pub(crate) followed: HashSet<String>,
    /// The keys of the page before: pages may overlap.
    pub(crate) page_keys: HashSet<String>,
    /// The stamps of the present question's records.
    pub(crate) stamps: Stamps,
    /// Whether the last answer was as long as Salesforce lets it be: more may have been cut off.
    pub(crate) cut: bool,
}

/// What was learnt of the org while reading; kept when the reading starts over.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Queries that share the fields, where one would be too long.
    pub(crate) parts: usize,
    /// The length of a window of time, once a query took too long.
    pub(crate) window_ms: Option<i64>,
    /// The most records in one answer, once a query took too long.
    pub(crate) limit: Option<u64>,
    /// Whether the org's order of keys was that of their bytes so far.
    pub(crate) in_order: bool,
    /// Whether the object was described again after something vanished.
    pub(crate) described_again: bool,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { parts: 1, window_ms: None, limit: None, in_order: true, described_again: false }
    }
}
