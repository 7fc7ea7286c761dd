//! Requests and answers of the operations, as JSON text on the wire.
//!
//! Readers ignore keys they do not know; keys marked optional stay optional for ever.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Settings for `configure`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ConfigureRequest {
    /// Values as typed, by setting name; secret ones are not among them.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Names of the secret settings that have a value at the host.
    #[serde(default)]
    pub secrets: BTreeSet<String>,
}

/// One thing wrong with one setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The setting's name.
    pub field: String,
    /// What is wrong with its value.
    pub message: String,
    /// What to enter instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The answer of `configure`; no problem means accepted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ConfigureReply {
    /// All problems, by field.
    #[serde(default)]
    pub problems: Vec<Problem>,
}

/// One step of an authorization.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuthorizeRequest {
    /// Make the link for a person to open. What the finish will need is kept as a secret.
    Begin,
    /// The person pasted something: it is the secret [`TOKEN`](crate::host::TOKEN).
    Finish,
    /// An administrator agrees that data is read from this host from now on, which the vendor
    /// offered instead of the one in force. Answered by [`AuthorizeReply::Granted`].
    AcceptHost {
        /// The host's name, as the connector's error showed it.
        host: String,
    },
}

/// The answer to one step.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum AuthorizeReply {
    /// Open this.
    Link {
        /// The address of the vendor's authorize page; holds no secret. Empty where there is
        /// nothing to open and the person only brings something.
        url: String,
        /// What the person does there and what to bring back, as sentences.
        instructions: String,
    },
    /// The grant is stored.
    Granted(GrantSummary),
}

/// What is known of a grant, without its secrets.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GrantSummary {
    /// How it was obtained, e.g. `authorization_code`.
    pub grant: String,
    /// The vendor's id of the organization it opens.
    #[serde(default)]
    pub organization_id: Option<String>,
    /// The account that granted it.
    #[serde(default)]
    pub username: Option<String>,
    /// The vendor's id of that account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The host the grant was made at, and is renewed at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_host: Option<String>,
    /// The host data is read from.
    #[serde(default)]
    pub instance_url: Option<String>,
    /// Scopes as granted.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Whether it can be renewed without a person.
    #[serde(default)]
    pub renewable: bool,
    /// What the administrator should know, as sentences.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The answer of `deauthorize`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeauthorizeReply {
    /// Whether the grant is dead at the vendor.
    #[serde(default)]
    pub revoked: bool,
    /// What happened, as one sentence.
    #[serde(default)]
    pub message: String,
    /// What to do where it is still live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// How a preflight finding stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingStatus {
    /// As it should be.
    Ok,
    /// Needed and not there.
    Missing,
    /// There and not needed.
    Excess,
    /// Only some of it.
    Partial,
    /// Could not be found out.
    Unknown,
    /// Tried and failed.
    Failed,
}

/// One line of the preflight.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// A stable id, e.g. `dataset.user_login`.
    pub id: String,
    /// How it stands.
    pub status: FindingStatus,
    /// What it is about.
    pub subject: String,
    /// What was found.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The answer of `check`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CheckReport {
    /// Findings, in the order they were made.
    #[serde(default)]
    pub findings: Vec<Finding>,
}

/// How much to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CollectMode {
    /// Everything.
    #[default]
    Full,
    /// What changed since the checkpoints, where a dataset allows it.
    Incremental,
}

impl CollectMode {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            CollectMode::Full => "full",
            CollectMode::Incremental => "incremental",
        }
    }
}

/// What to collect.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CollectRequest {
    /// The host's number of this run; appears in the journal.
    #[serde(default)]
    pub run_id: i64,
    /// Full or incremental.
    #[serde(default)]
    pub mode: CollectMode,
    /// Datasets by name; empty means all.
    #[serde(default)]
    pub datasets: Vec<String>,
    /// The run before this one stopped midway, and the host kept its records and checkpoints: a
    /// dataset may go on after the last record that was handed over.
    #[serde(default)]
    pub resume: bool,
}

/// How the reading of a dataset ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetStatus {
    /// Every record and every wanted field was read.
    Complete,
    /// The account may not see it.
    Denied,
    /// The organization does not have it.
    Absent,
    /// Only the account's own records were shown.
    PartialSelf,
    /// Every record was read, some wanted fields were not shown.
    Degraded,
    /// Fewer or other records arrived than the vendor counted.
    Incomplete,
    /// It could not be read.
    Failed,
}

impl DatasetStatus {
    /// The word used in JSON and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            DatasetStatus::Complete => "complete",
            DatasetStatus::Denied => "denied",
            DatasetStatus::Absent => "absent",
            DatasetStatus::PartialSelf => "partial_self",
            DatasetStatus::Degraded => "degraded",
            DatasetStatus::Incomplete => "incomplete",
            DatasetStatus::Failed => "failed",
        }
    }

    /// Whether every record of the dataset was read, so that one that was not seen is gone.
    pub fn has_every_record(self) -> bool {
        matches!(self, DatasetStatus::Complete | DatasetStatus::Degraded)
    }
}

/// How one dataset ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatasetSummary {
    /// The dataset.
    pub dataset: String,
    /// How it ended.
    pub status: DatasetStatus,
    /// Records handed to the sink.
    #[serde(default)]
    pub rows: u64,
    /// Records the vendor counted, where it says so.
    #[serde(default)]
    pub expected: Option<u64>,
    /// Wanted fields that were not shown.
    #[serde(default)]
    pub missing_fields: Vec<String>,
    /// Why the status is not `complete`, as one sentence.
    #[serde(default)]
    pub reason: Option<String>,
    /// How it was read, where that was not as the request asked: a connector may have to read whole
    /// what it was asked to read by changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<CollectMode>,
    /// Records of the whole dataset as the vendor counted them, where only changes were read: what
    /// the host then holds should be as many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// What shows that no record is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// Values that could not be read and are null in the records, up to the first hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<UnreadableValue>,
    /// When the oldest part of the records was read, in milliseconds since 1970, where that was
    /// before the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_ms: Option<i64>,
}

impl DatasetSummary {
    /// A summary without records, reasons and counts.
    pub fn new(dataset: impl Into<String>, status: DatasetStatus) -> DatasetSummary {
        DatasetSummary {
            dataset: dataset.into(),
            status,
            rows: 0,
            expected: None,
            missing_fields: Vec::new(),
            reason: None,
            mode: None,
            total: None,
            proof: None,
            unreadable: Vec::new(),
            oldest_ms: None,
        }
    }
}

/// What shows that a dataset was read whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// What the records were compared with.
    pub by: ProofBy,
    /// The vendor's count, made by a question of its own.
    pub counted: Option<u64>,
}

/// What the records of a dataset were compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofBy {
    /// The vendor's count of all of them.
    Count,
    /// The vendor's counts of windows of time.
    Windows,
    /// Nothing: the vendor does not count them.
    None,
}

/// A value that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadableValue {
    /// The record's key.
    pub record: String,
    /// The field.
    pub field: String,
}

/// The answer of `collect`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CollectSummary {
    /// One entry for each dataset that was asked for.
    #[serde(default)]
    pub datasets: Vec<DatasetSummary>,
    /// Requests sent to the vendor that count against an allowance.
    #[serde(default)]
    pub api_calls: u64,
    /// What ended the run before its last dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

/// The operation that answers the [`SetupFile`]s with the rights a connecting account needs.
pub const PERMISSION_SETS: &str = "permission_sets";

/// A file that an administrator deploys at the vendor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupFile {
    /// Below the folder that is deployed, with `/` between its parts.
    pub path: String,
    /// Its text.
    pub content: String,
}

/// One request of a run, for the journal: proof of what was read. Holds no secret and no record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct JournalEntry {
    /// The HTTP method.
    pub method: String,
    /// The host.
    pub host: String,
    /// The path with opaque parts shortened, without the query string.
    pub path: String,
    /// The vendor's object, where the request names one.
    #[serde(default)]
    pub object: Option<String>,
    /// The HTTP status; 0 when no answer came.
    #[serde(default)]
    pub status: u16,
    /// Records in the answer.
    #[serde(default)]
    pub rows: u64,
    /// Bytes of the decoded answer.
    #[serde(default)]
    pub bytes: u64,
    /// How long it took.
    #[serde(default)]
    pub duration_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_of_an_authorization_have_these_words() {
        let step = |json: &str| serde_json::from_str::<AuthorizeRequest>(json).unwrap();
        assert!(matches!(step(r#"{"step":"begin"}"#), AuthorizeRequest::Begin));
        assert!(matches!(step(r#"{"step":"finish","later":1}"#), AuthorizeRequest::Finish));
        let accept = AuthorizeRequest::AcceptHost { host: "a.example".into() };
        let json = serde_json::to_string(&accept).unwrap();
        assert_eq!(json, r#"{"step":"accept_host","host":"a.example"}"#);
        assert!(
            matches!(step(&json), AuthorizeRequest::AcceptHost { host } if host == "a.example")
        );
        assert!(serde_json::from_str::<AuthorizeRequest>(r#"{"step":"unheard_of"}"#).is_err());
    }

    #[test]
    fn a_grant_summary_of_an_earlier_connector_is_understood() {
        let summary: GrantSummary = serde_json::from_str(r#"{"grant":"refresh_token"}"#).unwrap();
        assert_eq!((summary.user_id, summary.login_host, summary.renewable), (None, None, false));
    }
}
