//! The host as a connector sees it.

use std::sync::Arc;
use std::time::Duration;

use crate::batch::ArrowBatch;
use crate::error::Error;
use crate::host_side::{HostApi, RecordSink};
use crate::message::JournalEntry;
use crate::secret::Secret;

/// The name of the secret that `authorize` reads the pasted text from. It exists only during that call.
pub const TOKEN: &str = "token";

/// The lease a connector holds while it replaces its stored grant. The host holds it too while it
/// stores what an authorization brought, so that neither overwrites the other.
pub const GRANT_LEASE: &str = "grant";

/// The extension that shows a sentence, a JSON string, to the person who watches.
pub const NOTICE: &str = "notice";

/// The extension that takes a secret, a JSON string, which the host masks wherever it appears.
pub const MASK: &str = "mask";

/// Services of the host, for one connector instance. Clones share them.
#[derive(Clone)]
pub struct Host(Arc<dyn HostApi>);

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Host")
    }
}

impl Host {
    /// A host that offers those services.
    pub fn new(services: Arc<dyn HostApi>) -> Host {
        Host(services)
    }

    /// Tells how far a dataset is, for the person who watches.
    pub fn progress(&self, dataset: &str, rows: u64, expected: Option<u64>) {
        self.0.progress(dataset, rows, expected);
    }

    /// Whether the host asked to stop. Every loop asks this.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Sleeps, unless the host asks to stop.
    ///
    /// # Errors
    /// [`ErrorKind::CANCELLED`](crate::ErrorKind::CANCELLED) as soon as the host asks.
    pub fn sleep(&self, duration: Duration) -> Result<(), Error> {
        if self.0.sleep(duration) { Err(Error::cancelled()) } else { Ok(()) }
    }

    /// Answers an error once the host asked to stop.
    ///
    /// # Errors
    /// [`ErrorKind::CANCELLED`](crate::ErrorKind::CANCELLED).
    pub fn stop_if_cancelled(&self) -> Result<(), Error> {
        if self.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }

    /// A secret of this connector, read from the store at each call.
    ///
    /// # Errors
    /// [`ErrorKind::OTHER`](crate::ErrorKind::OTHER) when the store or its key cannot be read.
    pub fn secret_get(&self, name: &str) -> Result<Option<Secret>, Error> {
        self.0.secret_get(name)
    }

    /// Stores a secret of this connector; durable when it returns. `None` removes it.
    ///
    /// # Errors
    /// [`ErrorKind::OTHER`](crate::ErrorKind::OTHER) when the store cannot be written; the value is then not stored.
    pub fn secret_put(&self, name: &str, value: Option<&Secret>) -> Result<(), Error> {
        self.0.secret_put(name, value)
    }

    /// Takes a lease by name, across all threads and processes that share the store; waits for it.
    /// It ends when the value is dropped, or after the time given if the process dies.
    ///
    /// # Errors
    /// [`ErrorKind::CANCELLED`](crate::ErrorKind::CANCELLED), or [`ErrorKind::RETRYABLE`](crate::ErrorKind::RETRYABLE) when another holder keeps it too long.
    pub fn lease(&self, name: &str, ttl: Duration) -> Result<Lease, Error> {
        let number = self.0.lease_acquire(name, ttl)?;
        Ok(Lease { host: self.clone(), name: name.into(), number })
    }

    /// The state of a dataset's last published checkpoint.
    ///
    /// # Errors
    /// [`ErrorKind::OTHER`](crate::ErrorKind::OTHER) when the store cannot be read.
    pub fn checkpoint(&self, dataset: &str) -> Result<Option<String>, Error> {
        self.0.checkpoint(dataset)
    }

    /// Notes one request in the run's journal.
    pub fn journal(&self, entry: &JournalEntry) {
        self.0.journal(entry);
    }

    /// A service added after contract 1.0, by name.
    ///
    /// # Errors
    /// [`ErrorKind::UNSUPPORTED`](crate::ErrorKind::UNSUPPORTED) where the host does not know it.
    pub fn extension(&self, id: &str, json: &str) -> Result<String, Error> {
        self.0.extension(id, json)
    }

    /// Says a sentence to the person who watches, e.g. what a run will cost. A host that cannot show
    /// it drops it.
    pub fn notice(&self, text: &str) {
        if let Ok(json) = serde_json::to_string(text) {
            // The one failure is a host that does not know notices.
            let _ = self.extension(NOTICE, &json);
        }
    }

    /// Has the host mask a secret wherever it appears from now on: for one that is not stored by itself,
    /// such as a token inside a stored document, a code or a signed assertion.
    pub fn mask(&self, secret: &str) {
        if let Ok(json) = serde_json::to_string(secret) {
            // The one failure is a host that does not know this.
            let _ = self.extension(MASK, &json);
        }
    }

    /// Makes this library's `log` records reach the host. Each library has a logger of its own, so
    /// the first instance of a library installs it; later calls change nothing but the level.
    pub fn install_logger(&self) {
        // A second instance finds a logger in place, which forwards to the same host.
        let _ = log::set_boxed_logger(Box::new(ForwardingLogger(self.clone())));
        log::set_max_level(self.0.log_level());
    }
}

/// A lease on a name; released when dropped.
#[derive(Debug)]
pub struct Lease {
    host: Host,
    name: String,
    number: u64,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.host.0.lease_release(&self.name, self.number);
    }
}

struct ForwardingLogger(Host);

impl log::Log for ForwardingLogger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= self.0.0.log_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.0.log(record.level(), record.target(), &record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// Where `collect` puts its records.
pub struct Sink(Box<dyn RecordSink>);

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sink")
    }
}

impl Sink {
    /// A sink that puts the records there.
    pub fn new(sink: Box<dyn RecordSink>) -> Sink {
        Sink(sink)
    }

    /// Hands a batch over; waits while the host stores earlier ones.
    ///
    /// # Errors
    /// [`ErrorKind::CANCELLED`](crate::ErrorKind::CANCELLED) when the host asked to stop, [`ErrorKind::SCHEMA`](crate::ErrorKind::SCHEMA) when the batch
    /// does not have the dataset's columns, [`ErrorKind::OTHER`](crate::ErrorKind::OTHER) when it could not be stored. After
    /// an error nothing more is accepted for this run.
    pub fn batch(&mut self, dataset: &str, batch: ArrowBatch) -> Result<(), Error> {
        self.0.batch(dataset, batch)
    }

    /// Lets the host keep everything of this dataset handed over so far, together with `state`, from
    /// which a later run can go on. Rows and state are stored in one transaction.
    ///
    /// # Errors
    /// As for [`Sink::batch`].
    pub fn checkpoint(&mut self, dataset: &str, state: &str) -> Result<(), Error> {
        self.0.checkpoint(dataset, state)
    }
}

const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    fn moved<T: Send>() {}
    shared::<Host>();
    moved::<Sink>();
};
