//! The snapshot as the engine reads it: rows of plain values, wherever they are kept.

use chrono::{DateTime, Utc};
use connector_api::manifest::Manifest;
use connector_api::message::DatasetStatus;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// One value of a row. Instants are milliseconds and dates days since 1970; booleans are 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Not known.
    Null,
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Real(f64),
    /// A text.
    Text(&'a str),
}

impl<'a> Value<'a> {
    /// The text; `None` for any other value.
    pub fn text(self) -> Option<&'a str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number; `None` for any other value.
    pub fn integer(self) -> Option<i64> {
        match self {
            Value::Integer(number) => Some(number),
            _ => None,
        }
    }

    /// The word for the type, in messages.
    pub fn type_name(self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Integer(_) => "integer",
            Value::Real(_) => "real",
            Value::Text(_) => "text",
        }
    }
}

/// Receives the rows of a statement one by one; an error ends the reading and is passed on.
pub type Row<'r> = dyn FnMut(&[Value<'_>]) -> Result<(), Error> + 'r;

/// How many columns a statement has, also when it has no rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns(pub usize);

/// The records of one dataset that were added, changed or removed between two snapshots.
#[derive(Clone, Copy, Debug)]
pub struct Changed<'a> {
    /// The dataset.
    pub dataset: &'a str,
    /// The number of the earlier snapshot.
    pub after: i64,
    /// The number of the later one.
    pub until: i64,
}

/// Uses of one account on one day in one way.
#[derive(Clone, Copy, Debug)]
pub struct DayUse<'a> {
    /// The account's id at the vendor.
    pub person_id: &'a str,
    /// Days since 1970.
    pub day: i64,
    /// Method, detail and application.
    pub way: [&'a str; 3],
    /// Whether they succeeded.
    pub succeeded: bool,
    /// The first use, in milliseconds.
    pub first_at: i64,
    /// The last use, in milliseconds.
    pub last_at: i64,
    /// How many uses.
    pub events: i64,
}

/// What earlier snapshots showed of an account, where the vendor keeps no date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SightingKind {
    /// The account was made active.
    Activated,
    /// The account was frozen.
    Frozen,
}

/// Reads one published snapshot.
///
/// The statements are the manifest's: each dataset is a table of its name with the manifest's
/// columns, null where a column was not shown and empty where the dataset was not read. Nothing but
/// these tables can be read, and nothing can be written.
pub trait SnapshotSource {
    /// Runs a statement over the snapshot's datasets.
    ///
    /// # Errors
    /// If the statement is not one that only reads, the snapshot cannot be read, or `row` fails.
    fn query(&self, sql: &str, row: &mut Row<'_>) -> Result<Columns, Error>;

    /// Runs a statement to which one dataset shows its changed records only.
    ///
    /// # Errors
    /// As [`SnapshotSource::query`].
    fn query_changed(
        &self,
        sql: &str,
        changed: Changed<'_>,
        row: &mut Row<'_>,
    ) -> Result<Columns, Error>;

    /// Whether there are any such records.
    ///
    /// # Errors
    /// If the snapshot cannot be read.
    fn has_changed(&self, changed: Changed<'_>) -> Result<bool, Error>;

    /// Passes on the daily sums of uses by account and day, and returns the instant (milliseconds)
    /// from which on they have no gap; `None`, without a row, if none are kept for this snapshot.
    ///
    /// # Errors
    /// If the sums cannot be read, or `row` fails.
    fn daily_uses(
        &self,
        _row: &mut dyn FnMut(DayUse<'_>) -> Result<(), Error>,
    ) -> Result<Option<i64>, Error> {
        Ok(None)
    }

    /// Passes on what the snapshots up to this one showed of accounts, with the account's id and the
    /// instant in milliseconds.
    ///
    /// # Errors
    /// If that cannot be read, or `row` fails.
    fn sightings(
        &self,
        _row: &mut dyn FnMut(SightingKind, &str, i64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        Ok(())
    }
}

/// How a run ended that published a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotStatus {
    /// Everything that was asked for was read.
    #[default]
    Complete,
    /// Some of it was not.
    Partial,
}

impl SnapshotStatus {
    /// The word used in JSON and texts.
    pub fn as_str(self) -> &'static str {
        match self {
            SnapshotStatus::Complete => "complete",
            SnapshotStatus::Partial => "partial",
        }
    }
}

/// Which snapshot a position is computed from, and what was read for it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The connector's name.
    pub connector: String,
    /// The snapshot's number.
    pub id: i64,
    /// When its run started; every age in the position is counted back from here.
    pub as_of: DateTime<Utc>,
    /// When its run ended.
    pub finished_at: DateTime<Utc>,
    /// How its run ended.
    pub status: SnapshotStatus,
    /// The manifest it was read by.
    pub manifest: Manifest,
    /// One entry for each dataset of the manifest that was ever asked for.
    pub datasets: Vec<DatasetInfo>,
}

/// How one dataset was read.
#[derive(Clone, Debug)]
pub struct DatasetInfo {
    /// The dataset.
    pub dataset: String,
    /// How its reading ended.
    pub status: DatasetStatus,
    /// Records read.
    pub rows: u64,
    /// Records the vendor counted.
    pub expected: Option<u64>,
    /// Wanted fields that were not shown.
    pub missing_fields: Vec<String>,
    /// Why it is not complete.
    pub reason: Option<String>,
    /// The start of the run that read it: earlier than the snapshot's when that run left it out.
    pub as_of: DateTime<Utc>,
}
