//! The host as a connector sees it.

use abi_stable::std_types::{ROption, RStr};

use crate::abi::{BatchSinkBox, HostBox};
use crate::batch::ArrowBatch;
use crate::error::{Error, ErrorKind};
use crate::guard::from_wire;
use crate::message::JournalEntry;
use crate::secret::Secret;

/// The name of the secret that `authorize` reads the pasted text from. It exists only during that call.
pub const TOKEN: &str = "token";

/// The lease a connector holds while it replaces its stored grant. The host holds it too while it
/// stores what an authorization brought, so that neither overwrites the other.
pub const GRANT_LEASE: &str = "grant";

/// The extension that shows a sentence, a JSON string, to the person who watches.
pub const NOTICE: &str = "notice";

/// Services of the host, for one connector instance. Clones share them.
#[derive(Clone)]
pub struct Host(HostBox);

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Host")
    }
}

impl Host {
    /// Wraps the services as they came over the boundary.
    pub fn new(services: HostBox) -> Host {
        Host(services)
    }

    /// Tells how far a dataset is, for the person who watches.
    pub fn progress(&self, dataset: &str, rows: u64, expected: Option<u64>) {
        self.0.progress(dataset.into(), rows, expected.into());
    }

    /// Whether the host asked to stop. Every loop asks this.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Sleeps, unless the host asks to stop.
    ///
    /// # Errors
    /// [`ErrorKind::CANCELLED`] as soon as the host asks.
    pub fn sleep(&self, duration: std::time::Duration) -> Result<(), Error> {
        let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        if self.0.sleep(ms) { Err(Error::cancelled()) } else { Ok(()) }
    }

    /// Answers an error once the host asked to stop.
    ///
    /// # Errors
    /// [`ErrorKind::CANCELLED`].
    pub fn stop_if_cancelled(&self) -> Result<(), Error> {
        if self.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }

    /// Limits nothing, and costs a round trip where the connector runs in a worker: no host of this
    /// contract limits a bucket, so a connector limits itself. Kept because the layout is frozen.
    ///
    /// # Errors
    /// None that a host of this contract answers.
    pub fn acquire(&self, bucket: &str, cost: u32) -> Result<(), Error> {
        from_wire(self.0.acquire(bucket.into(), cost))
    }

    /// A secret of this connector, read from the store at each call.
    ///
    /// # Errors
    /// [`ErrorKind::OTHER`] when the store or its key cannot be read.
    pub fn secret_get(&self, name: &str) -> Result<Option<Secret>, Error> {
        let value = from_wire(self.0.secret_get(name.into()))?;
        Ok(value.into_option().map(|text| Secret::new(text.into_string())))
    }

    /// Stores a secret of this connector; durable when it returns. `None` removes it.
    ///
    /// # Errors
    /// [`ErrorKind::OTHER`] when the store cannot be written; the value is then not stored.
    pub fn secret_put(&self, name: &str, value: Option<&Secret>) -> Result<(), Error> {
        let value: ROption<RStr<'_>> = value.map(|secret| RStr::from_str(secret.expose())).into();
        from_wire(self.0.secret_put(name.into(), value))
    }

    /// Takes a lease by name, across all threads and processes that share the store; waits for it.
    /// It ends when the value is dropped, or after the time given if the process dies.
    ///
    /// # Errors
    /// [`ErrorKind::CANCELLED`], or [`ErrorKind::RETRYABLE`] when another holder keeps it too long.
    pub fn lease(&self, name: &str, ttl: std::time::Duration) -> Result<Lease, Error> {
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let number = from_wire(self.0.lease_acquire(name.into(), ttl_ms))?;
        Ok(Lease { host: self.clone(), name: name.into(), number })
    }

    /// The state of a dataset's last published checkpoint.
    ///
    /// # Errors
    /// [`ErrorKind::OTHER`] when the store cannot be read.
    pub fn checkpoint(&self, dataset: &str) -> Result<Option<String>, Error> {
        let state = from_wire(self.0.checkpoint_get(dataset.into()))?;
        Ok(state.into_option().map(Into::into))
    }

    /// Notes one request in the run's journal.
    pub fn journal(&self, entry: &JournalEntry) {
        if let Ok(json) = serde_json::to_string(entry) {
            self.0.journal(json.as_str().into());
        }
    }

    /// A service added after contract 1.0, by name.
    ///
    /// # Errors
    /// [`ErrorKind::UNSUPPORTED`] where the host does not know it.
    pub fn extension(&self, id: &str, json: &str) -> Result<String, Error> {
        from_wire(self.0.extension(id.into(), json.into())).map(Into::into)
    }

    /// Says a sentence to the person who watches, e.g. what a run will cost. A host that cannot show
    /// it drops it.
    pub fn notice(&self, text: &str) {
        if let Ok(json) = serde_json::to_string(text) {
            // The one failure is a host that does not know notices.
            let _ = self.extension(NOTICE, &json);
        }
    }

    /// Makes this library's `log` records reach the host. Each library has a logger of its own, so
    /// the first instance of a library installs it; later calls change nothing but the level.
    pub fn install_logger(&self) {
        let level = match self.0.log_level() {
            0 => log::LevelFilter::Off,
            1 => log::LevelFilter::Error,
            2 => log::LevelFilter::Warn,
            3 => log::LevelFilter::Info,
            4 => log::LevelFilter::Debug,
            _ => log::LevelFilter::Trace,
        };
        // A second instance finds a logger in place, which forwards to the same host.
        let _ = log::set_boxed_logger(Box::new(ForwardingLogger(self.clone())));
        log::set_max_level(level);
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
        self.host.0.lease_release(self.name.as_str().into(), self.number);
    }
}

struct ForwardingLogger(Host);

impl log::Log for ForwardingLogger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() as u32 <= self.0.0.log_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let message = record.args().to_string();
            self.0.0.log(record.level() as u32, record.target().into(), message.as_str().into());
        }
    }

    fn flush(&self) {}
}

/// Where `collect` puts its records.
pub struct Sink(BatchSinkBox);

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sink")
    }
}

impl Sink {
    /// Wraps the sink as it came over the boundary.
    pub fn new(sink: BatchSinkBox) -> Sink {
        Sink(sink)
    }

    /// Hands a batch over; waits while the host stores earlier ones.
    ///
    /// # Errors
    /// [`ErrorKind::CANCELLED`] when the host asked to stop, [`ErrorKind::SCHEMA`] when the batch
    /// does not have the dataset's columns, [`ErrorKind::OTHER`] when it could not be stored. After
    /// an error nothing more is accepted for this run.
    pub fn batch(&mut self, dataset: &str, batch: ArrowBatch) -> Result<(), Error> {
        from_wire(self.0.batch(dataset.into(), batch))
    }

    /// Lets the host keep everything of this dataset handed over so far, together with `state`, from
    /// which a later run can go on. Rows and state are stored in one transaction.
    ///
    /// # Errors
    /// As for [`Sink::batch`].
    pub fn checkpoint(&mut self, dataset: &str, state: &str) -> Result<(), Error> {
        from_wire(self.0.checkpoint(dataset.into(), state.into()))
    }
}

const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    fn moved<T: Send>() {}
    shared::<Host>();
    moved::<Sink>();
    let _ = ErrorKind::OTHER;
};
