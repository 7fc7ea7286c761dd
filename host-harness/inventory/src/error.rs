//! Failures of the store: a kind to decide by, a message, a hint, and the cause.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The caller named something that does not exist, or exists already.
    Usage,
    /// A value to be stored is not acceptable, such as a name that is taken.
    Config,
    /// Another process is at work on the same thing.
    Busy,
    /// The file is damaged, of a newer program, or not a store.
    Unusable,
    /// The sealing key is missing or wrong, or a sealed value was altered.
    Sealed,
    /// The database, the disk or the system refused.
    System,
}

/// A failure of the store. Never holds a secret.
#[derive(Clone, Debug)]
pub struct StoreError {
    /// What kind it is.
    pub kind: StoreErrorKind,
    /// Lower case, no full stop, objects in backticks; without its cause.
    pub message: String,
    /// One sentence that says what to do next.
    pub hint: Option<String>,
    pub(crate) source: Option<Arc<dyn Error + Send + Sync>>,
}

impl StoreError {
    pub(crate) fn new(kind: StoreErrorKind, message: impl fmt::Display) -> StoreError {
        StoreError { kind, message: message.to_string(), hint: None, source: None }
    }

    /// The system, or data that does not fit.
    pub(crate) fn system(message: impl fmt::Display) -> StoreError {
        StoreError::new(StoreErrorKind::System, message)
    }

    pub(crate) fn because(mut self, source: impl Error + Send + Sync + 'static) -> StoreError {
        self.source = Some(Arc::new(source));
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl fmt::Display) -> StoreError {
        self.hint = Some(hint.to_string());
        self
    }

    /// A failed file operation.
    pub(crate) fn io(what: &str, path: &Path, error: std::io::Error) -> StoreError {
        let failed = StoreError::system(format_args!("cannot {what} `{}`", path.display()));
        let hint = io_hint(&error).map(str::to_owned);
        StoreError { hint, ..failed }.because(error)
    }
}

/// "Input/output error", which has no kind of its own: everywhere on Unix this number.
const EIO: i32 = 5;

/// What to do about a failed file operation, where its kind says it.
pub fn io_hint(error: &std::io::Error) -> Option<&'static str> {
    use std::io::ErrorKind::{Interrupted, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match (error.kind(), system_error(error)) {
        (StorageFull | QuotaExceeded, _) => {
            Some("there is no space left: free some, then run the command again")
        }
        (ReadOnlyFilesystem, _) => Some("make that file system writable, or name another folder"),
        (Interrupted, _) => Some("a signal came in between: run the command again"),
        (_, Some(EIO)) => Some("the disk or the way to it failed; the system's log says more"),
        _ => None,
    }
}

/// The system's number of an error. One that names a file too shows it in its text only.
fn system_error(error: &std::io::Error) -> Option<i32> {
    let shown = || error.to_string().split("(os error ").nth(1)?.split(')').next()?.parse().ok();
    error.raw_os_error().or_else(shown)
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        use rusqlite::ErrorCode;
        let (kind, hint) = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => (
                StoreErrorKind::System,
                Some("there is no space left for the store; free some and run the command again"),
            ),
            // The library does not pass on which of these it was.
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) => (
                StoreErrorKind::System,
                Some(
                    "the disk of the home folder may be full, read-only or failing, or this account \
                     may not write there; the system's log says more",
                ),
            ),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
                StoreErrorKind::Busy,
                Some("another command is writing to the same store; run this one again"),
            ),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
                StoreErrorKind::Unusable,
                Some(
                    "the store is damaged: move `inventory.db*` aside and restore them from a backup",
                ),
            ),
            _ => (StoreErrorKind::System, None),
        };
        let hint = hint.map(str::to_owned);
        let message = "the store answered".to_owned();
        StoreError { kind, message, hint, source: Some(Arc::new(error)) }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> StoreError {
        StoreError::system("a stored document cannot be written or read").because(error)
    }
}
