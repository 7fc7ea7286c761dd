//! The states of a run.

use serde::Serialize;

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// In progress.
    Running,
    /// Everything that was asked for was read.
    Complete,
    /// Some of it was.
    Partial,
    /// Nothing was published.
    Failed,
    /// Nothing was published yet: an allowance is used up, or the run was asked to stop. It can go
    /// on.
    Paused,
}

impl RunStatus {
    /// The word in the store, in JSON and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            RunStatus::Running => "running",
            RunStatus::Complete => "complete",
            RunStatus::Partial => "partial",
            RunStatus::Failed => "failed",
            RunStatus::Paused => "paused",
        }
    }

    pub(crate) fn from_word(word: &str) -> RunStatus {
        match word {
            "running" => RunStatus::Running,
            "complete" => RunStatus::Complete,
            "partial" => RunStatus::Partial,
            "paused" => RunStatus::Paused,
            _ => RunStatus::Failed,
        }
    }
}
