//! The host as an instance sees it: each callback is guarded, since a panic here would cross the
//! boundary.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use abi_stable::erased_types::TD_Opaque;
use abi_stable::std_types::{RArc, ROption, RStr, RString};
use connector_api::abi::{HostBox, HostServices, HostServices_TO, PResult};
use connector_api::guard::{catch, guarded};
use connector_api::host::{NOTICE, TOKEN};
use connector_api::message::JournalEntry;
use connector_api::{Error, ErrorKind, Secret};

use crate::cancel::Cancel;
use crate::error::HostError;
use crate::locks::Lease;
use crate::redact;
use crate::secret_store::Vault;
use crate::store::Store;

const LEASE_POLL: Duration = Duration::from_millis(100);

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
    /// Its secrets.
    pub secrets: Mutex<Secrets>,
    /// Datasets whose published checkpoint it has read.
    pub resumed: Mutex<BTreeSet<String>>,
    /// When it last did anything the host can see.
    pub last_sign: Mutex<Instant>,
    /// The leases it holds.
    pub leases: Mutex<Leases>,
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
    /// A context without run, watcher or held secrets.
    pub fn new(store: Arc<Store>, vault: Arc<Vault>, connector_id: i64, cancel: Cancel) -> Context {
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

    /// Notes that the instance did something.
    pub fn sign(&self) {
        *lock(&self.last_sign) = Instant::now();
    }

    /// When it last did something.
    pub fn last_sign(&self) -> Instant {
        *lock(&self.last_sign)
    }

    /// What was put while secrets were held.
    pub fn take_held(&self) -> BTreeMap<String, Option<Secret>> {
        match &mut *lock(&self.secrets) {
            Secrets::Held { changes, .. } => std::mem::take(changes),
            Secrets::Stored | Secrets::Memory(_) => BTreeMap::new(),
        }
    }

    fn secret_get(&self, name: &str) -> Result<Option<Secret>, Error> {
        match &*lock(&self.secrets) {
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

    fn secret_put(&self, name: &str, value: Option<&str>) -> Result<(), Error> {
        if name.is_empty() || name.len() > 128 || name == TOKEN {
            return Err(Error::new(
                ErrorKind::STATE,
                format_args!("a secret cannot be stored as `{name}`"),
            ));
        }
        if let Some(value) = value {
            redact::remember(value);
        }
        match &mut *lock(&self.secrets) {
            Secrets::Memory(_) => {
                return Err(Error::new(
                    ErrorKind::STATE,
                    "a secret was put before the connector was saved",
                ));
            }
            Secrets::Held { changes, .. } => {
                changes.insert(name.into(), value.map(Secret::new));
                return Ok(());
            }
            Secrets::Stored => {}
        }
        let sealed = value
            .map(|value| self.vault.seal(self.connector_id, name, value))
            .transpose()
            .map_err(for_connector)?;
        self.store
            .put_sealed_secrets(self.connector_id, &vec![(name.into(), sealed)])
            .map_err(for_connector)
    }

    fn lease(&self, name: &str, ttl_ms: u64) -> Result<u64, Error> {
        let patience = Duration::from_millis(ttl_ms.min(600_000));
        let began = Instant::now();
        loop {
            let taken = Lease::try_take(self.store.folder(), self.connector_id, name);
            if let Some(lease) = taken.map_err(for_connector)? {
                let mut leases = lock(&self.leases);
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
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A failure of the host as the connector sees it.
pub(crate) fn for_connector(error: impl Into<HostError>) -> Error {
    let error: HostError = error.into();
    Error { hint: error.hint, ..Error::new(ErrorKind::OTHER, error.message) }
}

/// Wraps a context for the boundary.
pub fn host_box(context: Arc<Context>) -> HostBox {
    RArc::new(HostServices_TO::from_value(Services(context), TD_Opaque))
}

struct Services(Arc<Context>);

impl Services {
    /// For callbacks that answer no error: a panic is dropped.
    fn quietly(&self, what: &str, f: impl FnOnce(&Context)) {
        let context = &self.0;
        if let Err(error) = catch(what, || {
            context.sign();
            f(context);
            Ok(())
        }) {
            log::error!("{error}");
        }
    }
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

fn level(number: u32) -> log::Level {
    match number {
        0 | 1 => log::Level::Error,
        2 => log::Level::Warn,
        3 => log::Level::Info,
        4 => log::Level::Debug,
        _ => log::Level::Trace,
    }
}

impl HostServices for Services {
    fn log_level(&self) -> u32 {
        log::max_level() as u32
    }

    fn log(&self, number: u32, target: RStr<'_>, message: RStr<'_>) {
        // A connector in the host's own binary shares its logger: what it forwards comes back here.
        let Some(_inside) = Forwarding::enter() else { return };
        self.quietly("log", |_| {
            let (level, target) = (level(number), target.as_str());
            log::logger().log(
                &log::Record::builder()
                    .level(level)
                    .target(target)
                    .args(format_args!("{}", message.as_str()))
                    .build(),
            );
        });
    }

    fn progress(&self, dataset: RStr<'_>, rows: u64, expected: ROption<u64>) {
        self.quietly("progress", |context| {
            context.watcher.progress(dataset.as_str(), rows, expected.into_option());
        });
    }

    fn is_cancelled(&self) -> bool {
        self.0.cancel.is_set()
    }

    fn sleep(&self, ms: u64) -> bool {
        // A sleeping connector is waiting on purpose, not stuck; it says so in slices.
        let until = Instant::now().checked_add(Duration::from_millis(ms));
        loop {
            self.0.sign();
            let slice = Duration::from_secs(10);
            let left = until.map_or(slice, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return self.0.cancel.is_set();
            }
            if self.0.cancel.sleep(left.min(slice)) {
                return true;
            }
        }
    }

    fn acquire(&self, _bucket: RStr<'_>, _cost: u32) -> PResult<()> {
        // No bucket is limited here; the call is the connector's chance to hear of a cancel.
        guarded("acquire", || {
            self.0.sign();
            if self.0.cancel.is_set() { Err(Error::cancelled()) } else { Ok(()) }
        })
    }

    fn secret_get(&self, name: RStr<'_>) -> PResult<ROption<RString>> {
        guarded("secret_get", || {
            let value = self.0.secret_get(name.as_str())?;
            Ok(value.map(|secret| RString::from(secret.expose())).into())
        })
    }

    fn secret_put(&self, name: RStr<'_>, value: ROption<RStr<'_>>) -> PResult<()> {
        guarded("secret_put", || {
            let value = value.into_option();
            self.0.secret_put(name.as_str(), value.as_ref().map(RStr::as_str))
        })
    }

    fn lease_acquire(&self, name: RStr<'_>, ttl_ms: u64) -> PResult<u64> {
        guarded("lease_acquire", || self.0.lease(name.as_str(), ttl_ms))
    }

    fn lease_release(&self, name: RStr<'_>, lease: u64) {
        self.quietly("lease_release", |context| {
            if lock(&context.leases).held.remove(&lease).is_none() {
                log::warn!("the lease `{name}` was released twice");
            }
        });
    }

    fn checkpoint_get(&self, dataset: RStr<'_>) -> PResult<ROption<RString>> {
        guarded("checkpoint_get", || {
            let context = &self.0;
            let going_on = context.run_id.filter(|_| context.goes_on);
            let found = context
                .store
                .checkpoint(context.connector_id, dataset.as_str(), going_on)
                .map_err(for_connector)?;
            if let Some((_, true)) = &found {
                lock(&context.resumed).insert(dataset.as_str().into());
            }
            Ok(found.map(|(state, _)| RString::from(state)).into())
        })
    }

    fn journal(&self, entry_json: RStr<'_>) {
        self.quietly("journal", |context| {
            let entry: JournalEntry = match serde_json::from_str(entry_json.as_str()) {
                Ok(entry) => entry,
                Err(error) => {
                    log::warn!("a journal entry of the connector is not understood: {error}");
                    return;
                }
            };
            log::info!(
                "{} {}{} -> {} ({} rows, {} ms)",
                entry.method,
                entry.host,
                entry.path,
                entry.status,
                entry.rows,
                entry.duration_ms
            );
            let masked = JournalEntry {
                host: redact::mask(&entry.host).into_owned(),
                path: redact::mask(&entry.path).into_owned(),
                ..entry
            };
            if let Some(run) = context.run_id
                && let Err(error) = context.store.add_journal(run, &masked)
            {
                log::warn!("a request is missing in the journal: {error}");
            }
        });
    }

    fn extension(&self, id: RStr<'_>, json: RStr<'_>) -> PResult<RString> {
        guarded("extension", || match id.as_str() {
            NOTICE => {
                let text: String = serde_json::from_str(json.as_str())
                    .map_err(|_| Error::new(ErrorKind::SCHEMA, "a notice is a JSON string"))?;
                self.0.watcher.notice(&text);
                Ok(RString::from("null"))
            }
            unknown => {
                Err(Error::unsupported(format_args!("this host has no service `{unknown}`")))
            }
        })
    }
}
