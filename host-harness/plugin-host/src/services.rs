//! What the host offers to one connector instance.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use connector_api::host::{MASK, NOTICE, TOKEN};
use connector_api::host_side::HostApi;
use connector_api::message::JournalEntry;
use connector_api::{Error, ErrorKind, Secret};
use inventory::locks::Lease;
use inventory::vault::{SecretChanges, Vault};
use inventory::{Store, StoreError};
use parking_lot::Mutex;
use zeroize::Zeroizing;

use crate::cancel::Cancel;
use crate::error::chain;
use crate::redact;

/// Pause between two tries to take a lease that another holder has.
const LEASE_POLL: Duration = Duration::from_millis(100);
/// Longest wait for a lease, whatever the connector asks for.
const LONGEST_LEASE_WAIT: Duration = Duration::from_secs(600);

/// Who watches a run.
pub trait Watcher: Send + Sync {
    /// A dataset is that far.
    fn progress(&self, _dataset: &str, _rows: u64, _expected: Option<u64>) {}
    /// The connector says something worth knowing now.
    fn notice(&self, _text: &str) {}
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watcher for Unwatched {}

/// Where the instance's secrets are.
pub enum Secrets {
    /// In the store, under that connector.
    Stored,
    /// In the store, but what is put stays in memory until the host decides: for an authorization
    /// that may be refused afterwards. `token` is what the person pasted.
    Held {
        /// Put and not yet stored; `None` removes.
        changes: BTreeMap<String, Option<Secret>>,
        /// What the person pasted.
        token: Secret,
    },
    /// Nowhere yet: a connector that is being created.
    Memory(BTreeMap<String, Secret>),
}

/// What one instance may use.
pub struct Context {
    /// The store.
    pub store: Arc<Store>,
    /// Opens and seals its secrets.
    pub vault: Arc<Vault>,
    /// The connector; 0 for one that is being created.
    pub connector_id: i64,
    /// The run whose journal it writes.
    pub run_id: Option<i64>,
    /// Whether that run was paused and goes on: its own checkpoints count.
    pub goes_on: bool,
    /// Asks it to stop.
    pub cancel: Cancel,
    /// Sees its progress.
    pub watcher: Arc<dyn Watcher>,
    secrets: Mutex<Secrets>,
    /// Datasets whose published checkpoint it has read.
    resumed: Mutex<BTreeSet<String>>,
    /// When it last did anything the host can see.
    last_sign: Mutex<Instant>,
    /// The leases it holds.
    leases: Mutex<Leases>,
}

/// Leases of one instance, by number.
#[derive(Debug, Default)]
pub struct Leases {
    last: u64,
    held: BTreeMap<u64, Lease>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("connector_id", &self.connector_id).finish_non_exhaustive()
    }
}

impl Context {
    /// A context without run, watcher or held secrets. Every stored secret of the connector is known to
    /// the masker from here on, whether the instance asks for it or not.
    pub fn new(store: Arc<Store>, vault: Arc<Vault>, connector_id: i64, cancel: Cancel) -> Context {
        remember_secrets(&store, &vault, connector_id);
        Context {
            store,
            vault,
            connector_id,
            run_id: None,
            goes_on: false,
            cancel,
            watcher: Arc::new(Unwatched),
            secrets: Mutex::new(Secrets::Stored),
            resumed: Mutex::default(),
            last_sign: Mutex::new(Instant::now()),
            leases: Mutex::default(),
        }
    }

    /// The same context with its secrets elsewhere.
    #[must_use]
    pub fn with_secrets(self, secrets: Secrets) -> Context {
        Context { secrets: Mutex::new(secrets), ..self }
    }

    /// Datasets whose published checkpoint the instance has read.
    pub fn resumed(&self) -> BTreeSet<String> {
        self.resumed.lock().clone()
    }

    /// Notes that the instance did something.
    pub fn sign(&self) {
        *self.last_sign.lock() = Instant::now();
    }

    /// When it last did something.
    pub fn last_sign(&self) -> Instant {
        *self.last_sign.lock()
    }

    /// What was put while secrets were held.
    pub fn take_held(&self) -> BTreeMap<String, Option<Secret>> {
        match &mut *self.secrets.lock() {
            Secrets::Held { changes, .. } => std::mem::take(changes),
            Secrets::Stored | Secrets::Memory(_) => BTreeMap::new(),
        }
    }
}

/// Tells the masker every stored secret of a connector. One that cannot be read is reported where it is
/// needed.
fn remember_secrets(store: &Store, vault: &Vault, connector_id: i64) {
    for name in store.secrets().names(connector_id).unwrap_or_default() {
        if let Ok(Some(secret)) = vault.secret(store, connector_id, &name) {
            redact::remember(secret.expose());
        }
    }
}

/// A failure of the store as the connector sees it.
pub fn for_connector(error: StoreError) -> Error {
    Error { hint: error.hint.clone(), ..Error::new(ErrorKind::OTHER, chain(&error)) }
}

thread_local! {
    static FORWARDING: Cell<bool> = const { Cell::new(false) };
}

struct Forwarding;

impl Forwarding {
    fn enter() -> Option<Forwarding> {
        (!FORWARDING.replace(true)).then_some(Forwarding)
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        FORWARDING.set(false);
    }
}

impl HostApi for Context {
    fn log_level(&self) -> log::LevelFilter {
        log::max_level()
    }

    fn log(&self, level: log::Level, target: &str, message: &str) {
        // A connector in the host's own binary shares its logger: what it forwards comes back here.
        let Some(_inside) = Forwarding::enter() else { return };
        self.sign();
        log::logger().log(
            &log::Record::builder()
                .level(level)
                .target(target)
                .args(format_args!("{}", redact::foreign(message)))
                .build(),
        );
    }

    fn progress(&self, dataset: &str, rows: u64, expected: Option<u64>) {
        self.sign();
        self.watcher.progress(dataset, rows, expected);
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_set()
    }

    fn sleep(&self, duration: Duration) -> bool {
        // A sleeping connector is waiting on purpose, not stuck; it says so in slices.
        let until = Instant::now().checked_add(duration);
        loop {
            self.sign();
            let slice = Duration::from_secs(10);
            let left = until.map_or(slice, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return self.cancel.is_set();
            }
            if self.cancel.sleep(left.min(slice)) {
                return true;
            }
        }
    }

    fn secret_get(&self, name: &str) -> Result<Option<Secret>, Error> {
        match &*self.secrets.lock() {
            Secrets::Memory(secrets) => return Ok(secrets.get(name).cloned()),
            Secrets::Held { token, .. } if name == TOKEN => return Ok(Some(token.clone())),
            Secrets::Held { changes, .. } => {
                if let Some(change) = changes.get(name) {
                    return Ok(change.clone());
                }
            }
            Secrets::Stored => {}
        }
        if name == TOKEN {
            return Ok(None);
        }
        let secret =
            self.vault.secret(&self.store, self.connector_id, name).map_err(for_connector)?;
        if let Some(secret) = &secret {
            redact::remember(secret.expose());
        }
        Ok(secret)
    }

    fn secret_put(&self, name: &str, value: Option<&Secret>) -> Result<(), Error> {
        if name.is_empty() || name.len() > 128 || name == TOKEN {
            return Err(Error::new(
                ErrorKind::STATE,
                format_args!("a secret cannot be stored as `{name}`"),
            ));
        }
        if let Some(value) = value {
            redact::remember(value.expose());
        }
        match &mut *self.secrets.lock() {
            Secrets::Memory(_) => {
                return Err(Error::new(
                    ErrorKind::STATE,
                    "a secret was put before the connector was saved",
                ));
            }
            Secrets::Held { changes, .. } => {
                changes.insert(name.into(), value.cloned());
                return Ok(());
            }
            Secrets::Stored => {}
        }
        let changes = SecretChanges::from([(name.to_owned(), value.cloned())]);
        let secrets = self.store.secrets();
        secrets.put(&self.vault, self.connector_id, &changes).map_err(for_connector)
    }

    fn lease_acquire(&self, name: &str, ttl: Duration) -> Result<u64, Error> {
        let patience = ttl.min(LONGEST_LEASE_WAIT);
        let began = Instant::now();
        loop {
            let taken = Lease::try_take(self.store.folder(), self.connector_id, name);
            if let Some(lease) = taken.map_err(for_connector)? {
                let mut leases = self.leases.lock();
                leases.last += 1;
                let number = leases.last;
                leases.held.insert(number, lease);
                return Ok(number);
            }
            if began.elapsed() >= patience {
                return Err(Error::new(
                    ErrorKind::RETRYABLE,
                    format_args!("another process holds the lease `{name}`"),
                )
                .with_hint("run the command again when the other one has ended"));
            }
            if self.cancel.sleep(LEASE_POLL) {
                return Err(Error::cancelled());
            }
            self.sign();
        }
    }

    fn lease_release(&self, name: &str, lease: u64) {
        self.sign();
        if self.leases.lock().held.remove(&lease).is_none() {
            log::warn!("the lease `{name}` was released twice");
        }
    }

    fn checkpoint(&self, dataset: &str) -> Result<Option<String>, Error> {
        let going_on = self.run_id.filter(|_| self.goes_on);
        let found = self
            .store
            .runs()
            .checkpoint(self.connector_id, dataset, going_on)
            .map_err(for_connector)?;
        if let Some((_, true)) = &found {
            self.resumed.lock().insert(dataset.into());
        }
        Ok(found.map(|(state, _)| state))
    }

    fn journal(&self, entry: &JournalEntry) {
        self.sign();
        let masked = JournalEntry {
            host: redact::foreign(&entry.host),
            path: redact::foreign(&entry.path),
            ..entry.clone()
        };
        log::info!(
            "{} {}{} -> {} ({} rows, {} ms)",
            masked.method,
            masked.host,
            masked.path,
            masked.status,
            masked.rows,
            masked.duration_ms
        );
        if let Some(run) = self.run_id
            && let Err(error) = self.store.journal().add(self.vault.journal_key(), run, &masked)
        {
            log::warn!("a request is missing in the journal: {error}");
        }
    }

    fn extension(&self, id: &str, json: &str) -> Result<String, Error> {
        match id {
            NOTICE => {
                let text: String = serde_json::from_str(json)
                    .map_err(|_| Error::new(ErrorKind::SCHEMA, "a notice is a JSON string"))?;
                self.watcher.notice(&redact::foreign(&text));
                Ok("null".into())
            }
            MASK => {
                let secret: Zeroizing<String> = serde_json::from_str(json)
                    .map(Zeroizing::new)
                    .map_err(|_| Error::new(ErrorKind::SCHEMA, "a secret is a JSON string"))?;
                redact::remember(&secret);
                Ok("null".into())
            }
            unknown => {
                Err(Error::unsupported(format_args!("this host has no service `{unknown}`")))
            }
        }
    }
}
