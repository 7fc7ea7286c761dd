//! The contract as a host uses it: what it offers, and what it gets back. Plain Rust on both sides;
//! [`ffi`](crate::ffi) carries it over the boundary.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::batch::ArrowBatch;
use crate::error::{Error, ErrorKind};
use crate::message::{
    AuthorizeReply, AuthorizeRequest, CheckReport, CollectRequest, CollectSummary, ConfigureReply,
    ConfigureRequest, DeauthorizeReply, JournalEntry, PERMISSION_SETS, Problem, SetupFile,
};
use crate::secret::Secret;

/// The longest answer of a connector: it has to fit, as text in JSON, into one message between two
/// processes.
const LONGEST_ANSWER_MIB: usize = 7;

/// What a host offers to one connector instance. Every method may be called from any thread.
pub trait HostApi: Send + Sync {
    /// The most detailed level of log records that is wanted.
    fn log_level(&self) -> log::LevelFilter {
        log::LevelFilter::Off
    }

    /// Takes one log record of the connector's library.
    fn log(&self, _level: log::Level, _target: &str, _message: &str) {}

    /// Takes notice of how far a dataset is, in rows.
    fn progress(&self, _dataset: &str, _rows: u64, _expected: Option<u64>) {}

    /// Whether the connector shall stop.
    fn is_cancelled(&self) -> bool;

    /// Sleeps; true, at once, when the connector shall stop.
    fn sleep(&self, duration: Duration) -> bool;

    /// Returns the secret of that name.
    ///
    /// # Errors
    /// [`ErrorKind::OTHER`] when the store or its key cannot be read.
    fn secret_get(&self, name: &str) -> Result<Option<Secret>, Error>;

    /// Stores a secret, durable when it returns; `None` removes it.
    ///
    /// # Errors
    /// [`ErrorKind::OTHER`] when it is not stored.
    fn secret_put(&self, name: &str, value: Option<&Secret>) -> Result<(), Error>;

    /// Takes a lease shared by all processes on this store and returns its number; waits for another
    /// holder up to `ttl`.
    ///
    /// # Errors
    /// [`ErrorKind::CANCELLED`], or [`ErrorKind::RETRYABLE`] when another holder keeps it too long.
    fn lease_acquire(&self, name: &str, ttl: Duration) -> Result<u64, Error>;

    /// Gives a lease back.
    fn lease_release(&self, name: &str, lease: u64);

    /// Returns the state of a dataset's last published checkpoint.
    ///
    /// # Errors
    /// [`ErrorKind::OTHER`] when the store cannot be read.
    fn checkpoint(&self, dataset: &str) -> Result<Option<String>, Error>;

    /// Notes one request in the run's journal.
    fn journal(&self, _entry: &JournalEntry) {}

    /// A service added after contract 1.0, by name.
    ///
    /// # Errors
    /// [`ErrorKind::UNSUPPORTED`] for a name this host does not know.
    fn extension(&self, id: &str, _json: &str) -> Result<String, Error> {
        Err(Error::unsupported(format_args!("this host has no service `{id}`")))
    }
}

/// Where the records of one `collect` go.
pub trait RecordSink: Send {
    /// Takes a batch over; waits while earlier ones are stored.
    ///
    /// # Errors
    /// [`ErrorKind::CANCELLED`], [`ErrorKind::SCHEMA`] for a batch that is not as declared,
    /// [`ErrorKind::OTHER`] when it could not be stored. After an error nothing more is accepted.
    fn batch(&mut self, dataset: &str, batch: ArrowBatch) -> Result<(), Error>;

    /// Keeps everything of this dataset handed over so far, together with that state.
    ///
    /// # Errors
    /// As for [`RecordSink::batch`].
    fn checkpoint(&mut self, dataset: &str, state: &str) -> Result<(), Error>;
}

/// One connector instance as a host uses it, wherever its code runs. Requests and replies are those of
/// [`Connector`](crate::Connector).
pub trait Instance: Send + Sync {
    /// Runs an operation by its name, JSON in and out.
    ///
    /// # Errors
    /// Those of the connector.
    fn operation(&self, operation: &str, json: &str) -> Result<String, Error>;

    /// [`Instance::collect`], JSON in and out.
    ///
    /// # Errors
    /// Those of the connector.
    fn collect_json(&self, request_json: &str, sink: Box<dyn RecordSink>) -> Result<String, Error>;

    /// Ends whatever the instance does, at once; it is of no use afterwards. False where its code runs
    /// in this process: a thread cannot be ended, only left behind.
    fn kill(&self) -> bool {
        false
    }

    /// Hands the settings over; returns all problems.
    ///
    /// # Errors
    /// Those of the connector.
    fn configure(&self, request: &ConfigureRequest) -> Result<Vec<Problem>, Error> {
        let reply: ConfigureReply = invoke(self, "configure", request)?;
        Ok(reply.problems)
    }

    /// Switches the feature on.
    ///
    /// # Errors
    /// Those of the connector.
    fn enable(&self) -> Result<(), Error> {
        invoke::<serde::de::IgnoredAny>(self, "enable", &NOTHING).map(drop)
    }

    /// Switches the feature off; to be called also before the instance is dropped.
    ///
    /// # Errors
    /// Those of the connector.
    fn disable(&self) -> Result<(), Error> {
        invoke::<serde::de::IgnoredAny>(self, "disable", &NOTHING).map(drop)
    }

    /// One step of an authorization.
    ///
    /// # Errors
    /// Those of the connector.
    fn authorize(&self, request: &AuthorizeRequest) -> Result<AuthorizeReply, Error> {
        invoke(self, "authorize", request)
    }

    /// Revokes the grant at the vendor.
    ///
    /// # Errors
    /// Those of the connector; [`ErrorKind::UNSUPPORTED`] where it cannot revoke.
    fn deauthorize(&self) -> Result<DeauthorizeReply, Error> {
        invoke(self, "deauthorize", &NOTHING)
    }

    /// The preflight at the vendor.
    ///
    /// # Errors
    /// Those of the connector.
    fn check(&self) -> Result<CheckReport, Error> {
        invoke(self, "check", &NOTHING)
    }

    /// Returns the files that give a connecting account the rights it needs at the vendor, and no more.
    ///
    /// # Errors
    /// Those of the connector; [`ErrorKind::UNSUPPORTED`] where it has none.
    fn permission_sets(&self) -> Result<Vec<SetupFile>, Error> {
        invoke(self, PERMISSION_SETS, &NOTHING)
    }

    /// Reads records into the sink.
    ///
    /// # Errors
    /// Those of the connector.
    fn collect(
        &self,
        request: &CollectRequest,
        sink: Box<dyn RecordSink>,
    ) -> Result<CollectSummary, Error> {
        understood("collect", &self.collect_json(&json(request)?, sink)?)
    }
}

impl fmt::Debug for dyn Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Instance")
    }
}

/// The request of an operation that takes none.
const NOTHING: Nothing = Nothing {};

#[derive(Serialize)]
struct Nothing {}

fn invoke<T: DeserializeOwned>(
    instance: &(impl Instance + ?Sized),
    operation: &str,
    request: &impl Serialize,
) -> Result<T, Error> {
    understood(operation, &instance.operation(operation, &json(request)?)?)
}

fn json(request: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(request).map_err(|error| Error::new(ErrorKind::OTHER, error))
}

fn understood<T: DeserializeOwned>(operation: &str, reply: &str) -> Result<T, Error> {
    serde_json::from_str(reply).map_err(|error| {
        Error::new(
            ErrorKind::SCHEMA,
            format_args!("the connector's answer to `{operation}` is not understood: {error}"),
        )
    })
}

/// Refuses an answer that is too long.
pub(crate) fn checked_answer(text: String) -> Result<String, Error> {
    if text.len() <= LONGEST_ANSWER_MIB << 20 {
        return Ok(text);
    }
    Err(Error::new(
        ErrorKind::SCHEMA,
        format_args!("the connector's answer is longer than {LONGEST_ANSWER_MIB} MiB"),
    )
    .with_hint("this is a fault of the connector: report it to its maker"))
}

const _: fn() = || {
    fn shared<T: ?Sized + Send + Sync>() {}
    shared::<Arc<dyn HostApi>>();
};
