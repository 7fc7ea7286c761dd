//! Failures of finding, installing and checking libraries: a kind to decide by, a message, a hint,
//! and the cause.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use inventory::StoreError;

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PluginErrorKind {
    /// The caller named something that does not exist.
    Usage,
    /// A setting is wrong.
    Config,
    /// A library is missing or refused.
    Library,
    /// The disk or the system refused.
    System,
}

/// A failure around a library. Never holds a secret.
#[derive(Clone, Debug)]
pub struct PluginError {
    /// What kind it is.
    pub kind: PluginErrorKind,
    /// Lower case, no full stop, objects in backticks; without its cause.
    pub message: String,
    /// One sentence that says what to do next.
    pub hint: Option<String>,
    pub(crate) source: Option<Arc<dyn Error + Send + Sync>>,
}

impl PluginError {
    pub(crate) fn new(kind: PluginErrorKind, message: impl fmt::Display) -> PluginError {
        PluginError { kind, message: message.to_string(), hint: None, source: None }
    }

    pub(crate) fn usage(message: impl fmt::Display) -> PluginError {
        PluginError::new(PluginErrorKind::Usage, message)
    }

    pub(crate) fn config(message: impl fmt::Display) -> PluginError {
        PluginError::new(PluginErrorKind::Config, message)
    }

    pub(crate) fn library(message: impl fmt::Display) -> PluginError {
        PluginError::new(PluginErrorKind::Library, message)
    }

    pub(crate) fn system(message: impl fmt::Display) -> PluginError {
        PluginError::new(PluginErrorKind::System, message)
    }

    pub(crate) fn because(mut self, source: impl Error + Send + Sync + 'static) -> PluginError {
        self.source = Some(Arc::new(source));
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl fmt::Display) -> PluginError {
        self.hint = Some(hint.to_string());
        self
    }

    /// A failed file operation.
    pub(crate) fn io(what: &str, path: &Path, error: std::io::Error) -> PluginError {
        let failed = PluginError::system(format_args!("cannot {what} `{}`", path.display()));
        let hint = inventory::io_hint(&error).map(str::to_owned);
        PluginError { hint, ..failed }.because(error)
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for PluginError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl From<StoreError> for PluginError {
    fn from(error: StoreError) -> PluginError {
        let hint = error.hint.clone();
        PluginError { hint, ..PluginError::system(&error.message) }.because(error)
    }
}

/// The message of an error with all its causes, joined once; a cause already named is not repeated.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
