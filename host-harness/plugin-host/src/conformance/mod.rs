//! What every connector keeps to, as checks of a library's file that anybody can run on his own:
//! `plugins check FILE`.
//!
//! Each check runs in a process of its own, so that a crash or a hang is a result. Without a profile
//! the settings are made up from the manifest, and a `proxy` setting leads nowhere: nothing leaves
//! this computer. What needs a grant is checked with a [`Profile`], or where the connector needs none.
//!
//! | check | the connector |
//! |---|---|
//! | `symbols` | exports the contract's two symbols and nothing else |
//! | `load` | loads, with a handshake and types this host understands |
//! | `describe` | describes itself the same each time, at once, in a way a host can use |
//! | `missing_settings` | names each required setting that is left out, all at once |
//! | `unknown_keys` | ignores JSON keys of a later contract |
//! | `bad_requests` | refuses requests that are no JSON, or other JSON, and goes on working |
//! | `unknown_operation` | answers `unsupported` to an operation it does not know |
//! | `before_configure` | refuses to work before it is configured |
//! | `life_cycle` | may be enabled and disabled twice; does not collect while disabled |
//! | `instances` | leaves no thread and no open file behind when it is dropped |
//! | `without_grant` | refuses to collect without a grant, where it knows grants |
//! | `unknown_dataset` | refuses a dataset it does not declare |
//! | `cancel` | stops soon when it is cancelled, before and while it collects |
//! | `collect` | hands over records as it declared them, and counts them right |
//! | `resume` | goes on from its own checkpoints |
//! | `secrets` | puts no secret into a log, an error, a problem, a finding, a link or the journal |
//! | `stdout` | prints nothing on standard output |
//!
//! A panic in any call fails the check that made the call.

mod checks;
mod profile;
mod recorder;
mod runner;
mod subject;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use profile::Profile;
pub use runner::{LOAD, Options, here, run};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Not as it should be.
    Failed,
    /// It could not be tried with this connector or these settings.
    NotApplicable,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The check's name.
    pub check: String,
    /// How it ended.
    pub status: Status,
    /// Why it is not `ok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Verdict {
    fn new(check: &str, result: Result<(), Unmet>) -> Verdict {
        let (status, reason) = match result {
            Ok(()) => (Status::Ok, None),
            Err(Unmet::Failed(reason)) => (Status::Failed, Some(reason)),
            Err(Unmet::NotApplicable(reason)) => (Status::NotApplicable, Some(reason)),
        };
        Verdict { check: check.into(), status, reason }
    }
}

/// Why a check did not pass.
#[derive(Debug)]
enum Unmet {
    Failed(String),
    NotApplicable(String),
}

fn failed<T>(reason: impl std::fmt::Display) -> Result<T, Unmet> {
    Err(Unmet::Failed(reason.to_string()))
}

fn not_applicable<T>(reason: impl std::fmt::Display) -> Result<T, Unmet> {
    Err(Unmet::NotApplicable(reason.to_string()))
}
