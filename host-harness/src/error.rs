//! Failures as the command line reports them: a kind that decides the exit code, a message, a hint.

use std::fmt;
use std::sync::Arc;

use connector_api::ErrorKind;
use connector_api::message::Problem;
use inventory::{StatementError, StoreError, StoreErrorKind};
use plugin_host::error::{PluginError, PluginErrorKind, chain};

/// What kind of failure it is; decides the exit code, and is one word in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// None of the others.
    Failed,
    /// The command was used wrongly: exit code 2.
    Usage,
    /// Settings are wrong: exit code 2.
    Config,
    /// Someone must authorize (again): exit code 3.
    Auth,
    /// An allowance is used up: exit code 5.
    RateLimited,
    /// A connector library is missing or refused: exit code 6.
    Plugin,
    /// Stopped on request.
    Cancelled,
    /// A connector panicked.
    Panic,
    /// Another process is at work on the same thing.
    Busy,
}

impl Kind {
    /// The word used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Failed => "failed",
            Kind::Usage => "usage",
            Kind::Config => "config",
            Kind::Auth => "auth",
            Kind::RateLimited => "rate_limited",
            Kind::Plugin => "plugin",
            Kind::Cancelled => "cancelled",
            Kind::Panic => "panic",
            Kind::Busy => "busy",
        }
    }

    /// The exit code of a command that ends with this kind.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Failed | Kind::Cancelled | Kind::Panic | Kind::Busy => 1,
            Kind::Usage | Kind::Config => 2,
            Kind::Auth => 3,
            Kind::RateLimited => 5,
            Kind::Plugin => 6,
        }
    }
}

impl From<ErrorKind> for Kind {
    fn from(kind: ErrorKind) -> Kind {
        match kind {
            ErrorKind::CONFIG => Kind::Config,
            ErrorKind::AUTH => Kind::Auth,
            ErrorKind::CANCELLED => Kind::Cancelled,
            ErrorKind::RATE_LIMITED => Kind::RateLimited,
            ErrorKind::PANIC => Kind::Panic,
            _ => Kind::Failed,
        }
    }
}

/// A failure: what happened to what and why, and what to do next. Never holds a secret.
#[derive(Clone, Debug)]
pub struct HostError {
    /// Decides the exit code.
    pub kind: Kind,
    /// Lower case, no full stop, objects in backticks.
    pub message: String,
    /// One sentence that says what to do next.
    pub hint: Option<String>,
    /// For wrong settings: everything that is wrong, by field.
    pub problems: Vec<Problem>,
    /// What caused it, for programs; the message names it already.
    pub source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl HostError {
    /// An error of that kind.
    pub fn new(kind: Kind, message: impl fmt::Display) -> HostError {
        HostError {
            kind,
            message: message.to_string(),
            hint: None,
            problems: Vec::new(),
            source: None,
        }
    }

    /// A failure of no special kind.
    pub fn failed(message: impl fmt::Display) -> HostError {
        HostError::new(Kind::Failed, message)
    }

    /// A command used wrongly.
    pub fn usage(message: impl fmt::Display) -> HostError {
        HostError::new(Kind::Usage, message)
    }

    /// Wrong settings.
    pub fn config(message: impl fmt::Display) -> HostError {
        HostError::new(Kind::Config, message)
    }

    /// A failed file operation.
    pub fn io(what: &str, path: &std::path::Path, error: &std::io::Error) -> HostError {
        let failed = HostError::failed(format_args!("cannot {what} `{}`: {error}", path.display()));
        HostError { hint: inventory::io_hint(error).map(str::to_owned), ..failed }
    }

    /// The same error with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl fmt::Display) -> HostError {
        self.hint = Some(hint.to_string());
        self
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for HostError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

impl From<connector_api::Error> for HostError {
    fn from(error: connector_api::Error) -> HostError {
        HostError {
            kind: error.kind.into(),
            message: error.message,
            hint: error.hint,
            problems: Vec::new(),
            source: None,
        }
    }
}

/// A failure of the host as a connector, or the record of a run, sees it.
impl From<HostError> for connector_api::Error {
    fn from(error: HostError) -> connector_api::Error {
        let kind = match error.kind {
            Kind::Config => ErrorKind::CONFIG,
            Kind::Auth => ErrorKind::AUTH,
            Kind::Cancelled => ErrorKind::CANCELLED,
            Kind::RateLimited => ErrorKind::RATE_LIMITED,
            Kind::Panic => ErrorKind::PANIC,
            Kind::Failed | Kind::Usage | Kind::Plugin | Kind::Busy => ErrorKind::OTHER,
        };
        connector_api::Error { hint: error.hint, ..connector_api::Error::new(kind, error.message) }
    }
}

/// An error of a crate below: its causes in the message, itself as the source.
fn below(
    kind: Kind,
    hint: Option<String>,
    error: impl std::error::Error + Send + Sync + 'static,
) -> HostError {
    HostError {
        kind,
        message: chain(&error),
        hint,
        problems: Vec::new(),
        source: Some(Arc::new(error)),
    }
}

impl From<StoreError> for HostError {
    fn from(error: StoreError) -> HostError {
        let kind = match error.kind {
            StoreErrorKind::Usage => Kind::Usage,
            StoreErrorKind::Config => Kind::Config,
            StoreErrorKind::Busy => Kind::Busy,
            _ => Kind::Failed,
        };
        below(kind, error.hint.clone(), error)
    }
}

impl From<PluginError> for HostError {
    fn from(error: PluginError) -> HostError {
        let kind = match error.kind {
            PluginErrorKind::Usage => Kind::Usage,
            PluginErrorKind::Config => Kind::Config,
            PluginErrorKind::Library => Kind::Plugin,
            _ => Kind::Failed,
        };
        below(kind, error.hint.clone(), error)
    }
}

impl From<StatementError> for HostError {
    fn from(error: StatementError) -> HostError {
        StoreError::from(error).into()
    }
}

impl From<position::Error> for HostError {
    fn from(error: position::Error) -> HostError {
        use position::Error;
        let message = error.to_string();
        let kind = match &error {
            Error::Input { .. } => Kind::Config,
            Error::NotFound { .. } => Kind::Usage,
            _ => Kind::Failed,
        };
        match error {
            // An error of the store comes back as it was.
            Error::Source(cause) => match cause.downcast::<StoreError>() {
                Ok(own) => (*own).into(),
                Err(cause) => match cause.downcast::<StatementError>() {
                    Ok(own) => (*own).into(),
                    Err(cause) => HostError::failed(cause),
                },
            },
            Error::Io { action, path, source } => HostError::io(action, &path, &source),
            error => HostError {
                hint: error.hint().map(str::to_owned),
                source: Some(Arc::new(error)),
                ..HostError::new(kind, message)
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_the_contract_knows_survives_the_way_there_and_back() {
        for kind in [
            ErrorKind::CONFIG,
            ErrorKind::AUTH,
            ErrorKind::CANCELLED,
            ErrorKind::RATE_LIMITED,
            ErrorKind::PANIC,
            ErrorKind::OTHER,
        ] {
            let there = HostError::from(connector_api::Error::new(kind, "x").with_hint("y"));
            let back = connector_api::Error::from(there);
            assert_eq!((back.kind, back.message.as_str()), (kind, "x"));
            assert_eq!(back.hint.as_deref(), Some("y"));
        }
    }

    #[test]
    fn kinds_of_the_contract_decide_the_exit_code() {
        let code = |kind: ErrorKind| Kind::from(kind).exit_code();
        assert_eq!(code(ErrorKind::CONFIG), 2);
        assert_eq!(code(ErrorKind::AUTH), 3);
        assert_eq!(code(ErrorKind::RATE_LIMITED), 5);
        for kind in [ErrorKind::OTHER, ErrorKind::CANCELLED, ErrorKind::PANIC, ErrorKind(99)] {
            assert_eq!(code(kind), 1, "{kind:?}");
        }
    }
}
