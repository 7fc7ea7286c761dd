//! What can go wrong while a position is computed.

use std::error::Error as StdError;
use std::path::{Path, PathBuf};

use connector_api::position::PositionView;

/// An error of the engine: lower case, no full stop, objects in backticks; the cause is the source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An imported list or a what-if file is wrong.
    #[error("{message}")]
    Input {
        /// What is wrong, with the line where there is one.
        message: String,
        /// What to do about it.
        hint: Option<&'static str>,
    },
    /// A question about something that the snapshot does not have.
    #[error("{message}")]
    NotFound {
        /// What was asked for.
        message: String,
        /// How to ask for it.
        hint: Option<&'static str>,
    },
    /// A statement of the connector's manifest does not fit its table.
    #[error("the connector's statement for `{table}` cannot be used: {reason}")]
    Statement {
        /// The canonical table, or `the organization`.
        table: &'static str,
        /// Why not.
        reason: String,
    },
    /// Figures that must sum up do not.
    #[error("the seat classes of `{family}` do not sum to the seats: {difference}")]
    Sum {
        /// The licence family.
        family: String,
        /// Where the sums differ.
        difference: String,
    },
    /// The engine's own tables failed.
    #[error("the tables of the position failed: {0}")]
    Tables(#[from] rusqlite::Error),
    /// What was kept with the tables is not readable.
    #[error("what was kept with the tables of the position is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
    /// A file operation failed.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The snapshot cannot be read.
    #[error("{0}")]
    Source(Box<dyn StdError + Send + Sync>),
}

impl Error {
    /// What to do next, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Error::Input { hint, .. } | Error::NotFound { hint, .. } => *hint,
            Error::Statement { .. } => {
                Some("this is a fault of the connector: use another version of it")
            }
            Error::Sum { .. } => {
                Some("this is a fault of this program; no report is better than a wrong one")
            }
            Error::Tables(error) => match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::DiskFull) => Some(
                    "there is no space left for temporary files; free some and run the command again",
                ),
                _ => None,
            },
            Error::Damaged(_) | Error::Io { .. } | Error::Source(_) => None,
        }
    }

    pub(crate) fn input(message: impl std::fmt::Display) -> Error {
        Error::Input { message: message.to_string(), hint: None }
    }

    pub(crate) fn not_found(message: impl std::fmt::Display) -> Error {
        Error::NotFound { message: message.to_string(), hint: None }
    }

    /// The same error with a hint; only one about what somebody typed takes one.
    #[must_use]
    pub(crate) fn with_hint(mut self, advice: &'static str) -> Error {
        if let Error::Input { hint, .. } | Error::NotFound { hint, .. } = &mut self {
            *hint = Some(advice);
        }
        self
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Error {
        Error::Io { action, path: path.to_owned(), source }
    }

    /// An error of the place the snapshot is kept in.
    pub fn source(error: impl StdError + Send + Sync + 'static) -> Error {
        Error::Source(Box::new(error))
    }
}

/// The error for a statement that does not fit its table.
pub(crate) fn unusable(view: &PositionView, reason: &dyn std::fmt::Display) -> Error {
    Error::Statement { table: view.table.as_str(), reason: reason.to_string() }
}
