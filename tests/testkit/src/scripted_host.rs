//! A host in memory: secrets, leases and checkpoints as a store keeps them, no real sleep, and a process
//! that can die at any durable write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use connector_api::host_side::HostApi;
use connector_api::message::JournalEntry;
use connector_api::{Error, ErrorKind, Secret};

/// What outlives a process. Clones share it.
#[derive(Clone, Default)]
pub struct HostMemory(Arc<Shared>);

#[derive(Default)]
struct Shared {
    secrets: Mutex<BTreeMap<String, String>>,
    checkpoints: Mutex<BTreeMap<String, String>>,
    leased: Mutex<BTreeSet<String>>,
    released: Condvar,
    stored: Condvar,
}

impl HostMemory {
    /// Stores a secret.
    pub fn put(&self, name: &str, value: &str) {
        lock(&self.0.secrets).insert(name.into(), value.into());
        self.0.stored.notify_all();
    }

    /// Waits until a stored secret is as asked.
    ///
    /// # Panics
    /// If it is not within that time.
    #[track_caller]
    pub fn wait_for(&self, name: &str, limit: Duration, asked: impl Fn(&str) -> bool) {
        let secrets = lock(&self.0.secrets);
        let met = |secrets: &BTreeMap<String, String>| secrets.get(name).is_some_and(|s| asked(s));
        let waited = self.0.stored.wait_timeout_while(secrets, limit, |secrets| !met(secrets));
        let (secrets, _) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(met(&secrets), "`{name}` was not so within {limit:?}");
    }

    /// Removes a secret.
    pub fn remove(&self, name: &str) {
        lock(&self.0.secrets).remove(name);
    }

    /// Returns the secret of that name.
    pub fn get(&self, name: &str) -> Option<String> {
        lock(&self.0.secrets).get(name).cloned()
    }

    /// Returns the names of all secrets.
    pub fn names(&self) -> BTreeSet<String> {
        lock(&self.0.secrets).keys().cloned().collect()
    }

    /// Publishes the checkpoint of a dataset.
    pub fn publish(&self, dataset: &str, state: &str) {
        lock(&self.0.checkpoints).insert(dataset.into(), state.into());
    }

    /// Returns every published checkpoint, by dataset.
    pub fn checkpoints(&self) -> BTreeMap<String, String> {
        lock(&self.0.checkpoints).clone()
    }

    /// Replaces every published checkpoint.
    pub fn publish_only(&self, checkpoints: BTreeMap<String, String>) {
        *lock(&self.0.checkpoints) = checkpoints;
    }

    /// Returns a copy of the secrets that later writes do not reach.
    #[must_use]
    pub fn copy(&self) -> HostMemory {
        let copy = HostMemory::default();
        *lock(&copy.0.secrets) = lock(&self.0.secrets).clone();
        copy
    }
}

/// When a process dies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Death {
    /// It lives on.
    #[default]
    Never,
    /// Before that durable write, counted from zero, reaches the store.
    Before(usize),
    /// After it did, before anything else happens.
    After(usize),
}

/// One process of the host.
#[derive(Default)]
pub struct ScriptedHost {
    memory: HostMemory,
    death: Death,
    logs: bool,
    /// The value of every secret that was not stored.
    any_secret: Option<&'static str>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    writes: usize,
    stopped: bool,
    dead: bool,
    pauses: Vec<Duration>,
    log: Vec<String>,
    journal: Vec<JournalEntry>,
}

impl ScriptedHost {
    /// A host over that memory.
    pub fn over(memory: &HostMemory) -> ScriptedHost {
        ScriptedHost { memory: memory.clone(), ..ScriptedHost::default() }
    }

    /// The same host, which dies then.
    #[must_use]
    pub fn dying(self, death: Death) -> ScriptedHost {
        ScriptedHost { death, ..self }
    }

    /// The same host, which asks for log records of every level and keeps them.
    #[must_use]
    pub fn logging(self) -> ScriptedHost {
        ScriptedHost { logs: true, ..self }
    }

    /// The same host, which has a value for every name of a secret.
    #[must_use]
    pub fn with_any_secret(self, value: &'static str) -> ScriptedHost {
        ScriptedHost { any_secret: Some(value), ..self }
    }

    /// Asks the connector to stop.
    pub fn cancel(&self) {
        lock(&self.seen).stopped = true;
    }

    /// How many secrets were written or removed.
    pub fn writes(&self) -> usize {
        lock(&self.seen).writes
    }

    /// The pauses the connector asked for, in order.
    pub fn pauses(&self) -> Vec<Duration> {
        lock(&self.seen).pauses.clone()
    }

    /// Log records and journal entries, a line each.
    pub fn log(&self) -> String {
        lock(&self.seen).log.join("\n")
    }

    /// The requests noted since the last call, in order.
    pub fn take_journal(&self) -> Vec<JournalEntry> {
        std::mem::take(&mut lock(&self.seen).journal)
    }

    fn alive(&self) -> Result<(), Error> {
        if lock(&self.seen).dead { Err(dead()) } else { Ok(()) }
    }
}

impl HostApi for ScriptedHost {
    fn log_level(&self) -> log::LevelFilter {
        if self.logs { log::LevelFilter::Trace } else { log::LevelFilter::Off }
    }

    fn log(&self, _: log::Level, target: &str, message: &str) {
        lock(&self.seen).log.push(format!("{target} {message}"));
    }

    fn is_cancelled(&self) -> bool {
        let seen = lock(&self.seen);
        seen.stopped || seen.dead
    }

    fn sleep(&self, duration: Duration) -> bool {
        lock(&self.seen).pauses.push(duration);
        self.is_cancelled()
    }

    fn secret_get(&self, name: &str) -> Result<Option<Secret>, Error> {
        self.alive()?;
        let value = self.memory.get(name).or_else(|| self.any_secret.map(str::to_owned));
        Ok(value.map(Secret::new))
    }

    fn secret_put(&self, name: &str, value: Option<&Secret>) -> Result<(), Error> {
        self.alive()?;
        let mut seen = lock(&self.seen);
        let number = seen.writes;
        seen.writes += 1;
        if self.death == Death::Before(number) {
            seen.dead = true;
            return Err(dead());
        }
        match value {
            Some(value) => self.memory.put(name, value.expose()),
            None => self.memory.remove(name),
        }
        if self.death == Death::After(number) {
            seen.dead = true;
            return Err(dead());
        }
        Ok(())
    }

    fn lease_acquire(&self, name: &str, _: Duration) -> Result<u64, Error> {
        self.alive()?;
        let shared = &self.memory.0;
        let mut leased = lock(&shared.leased);
        while leased.contains(name) {
            leased = shared.released.wait(leased).unwrap_or_else(PoisonError::into_inner);
        }
        leased.insert(name.into());
        Ok(1)
    }

    fn lease_release(&self, name: &str, _: u64) {
        lock(&self.memory.0.leased).remove(name);
        self.memory.0.released.notify_all();
    }

    fn checkpoint(&self, dataset: &str) -> Result<Option<String>, Error> {
        Ok(lock(&self.memory.0.checkpoints).get(dataset).cloned())
    }

    fn journal(&self, entry: &JournalEntry) {
        let mut seen = lock(&self.seen);
        seen.log.push(format!("{entry:?}"));
        seen.journal.push(entry.clone());
    }
}

fn dead() -> Error {
    Error::new(ErrorKind::OTHER, "the process is dead")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
