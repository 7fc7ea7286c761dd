//! The host as a connector under test sees it: everything is kept in memory, and everything the
//! connector says is noted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::SchemaRef;
use connector_api::batch::ArrowBatch;
use connector_api::host::{MASK, TOKEN};
use connector_api::host_side::{HostApi, RecordSink};
use connector_api::manifest::Manifest;
use connector_api::message::JournalEntry;
use connector_api::{Error, ErrorKind, Secret};
use parking_lot::{Mutex, MutexGuard};

use crate::cancel::Cancel;
use crate::sink::check_batch;

/// As much as an operator can ask for in practice.
const LOG_LEVEL: log::LevelFilter = log::LevelFilter::Debug;
const LONGEST_STATE: usize = 1 << 20;

/// Clones share everything.
#[derive(Clone)]
pub(super) struct Recorder {
    manifest: Arc<Manifest>,
    pub(super) cancel: Cancel,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) secrets: BTreeMap<String, Secret>,
    /// Every value the connector stored, also those it replaced.
    pub(super) stored: Vec<Secret>,
    /// Checkpoints of an earlier run.
    pub(super) earlier: BTreeMap<String, String>,
    /// Where the connector said what, and the text.
    pub(super) said: Vec<(String, String)>,
    pub(super) rows: BTreeMap<String, u64>,
    pub(super) batches: u64,
    pub(super) checkpoints: BTreeMap<String, String>,
    /// The first fault of what was handed over.
    pub(super) fault: Option<String>,
    /// Cancel when the first batch arrives.
    pub(super) cancel_at_first_batch: bool,
    schemas: BTreeMap<String, SchemaRef>,
    leases: u64,
}

impl Recorder {
    pub(super) fn new(manifest: Arc<Manifest>, secrets: BTreeMap<String, Secret>) -> Recorder {
        let state = Arc::new(Mutex::new(State { secrets, ..State::default() }));
        Recorder { manifest, cancel: Cancel::default(), state }
    }

    pub(super) fn services(&self) -> Arc<dyn HostApi> {
        Arc::new(self.clone())
    }

    pub(super) fn sink(&self) -> Box<dyn RecordSink> {
        Box::new(self.clone())
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Notes a text that the connector put somewhere.
    pub(super) fn note(&self, place: &str, text: &str) {
        self.lock().said.push((place.into(), text.into()));
    }

    fn accept(&self, dataset: &str, batch: ArrowBatch) -> Result<(), Error> {
        let mut state = self.lock();
        state.batches += 1;
        let spec = self.manifest.dataset(dataset).ok_or_else(|| {
            Error::new(ErrorKind::SCHEMA, format_args!("`{dataset}` is not declared"))
        })?;
        let batch = batch.into_record_batch()?;
        check_batch(spec, state.schemas.get(dataset), &batch)?;
        state.schemas.entry(dataset.into()).or_insert_with(|| batch.schema());
        *state.rows.entry(dataset.into()).or_default() += batch.num_rows() as u64;
        if state.cancel_at_first_batch {
            self.cancel.set();
        }
        Ok(())
    }

    /// Runs a call of the sink; after a fault nothing more is accepted.
    fn sink_call(&self, f: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
        if let Some(fault) = &self.lock().fault {
            return Err(Error::new(ErrorKind::SCHEMA, fault));
        }
        if self.cancel.is_set() {
            return Err(Error::cancelled());
        }
        f().inspect_err(|error| self.lock().fault = Some(error.message.clone()))
    }
}

impl HostApi for Recorder {
    fn log_level(&self) -> log::LevelFilter {
        LOG_LEVEL
    }

    fn log(&self, _: log::Level, target: &str, message: &str) {
        self.note(&format!("a log record of `{target}`"), message);
    }

    fn progress(&self, dataset: &str, _: u64, _: Option<u64>) {
        self.note("its progress", dataset);
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_set()
    }

    fn sleep(&self, duration: Duration) -> bool {
        self.cancel.sleep(duration)
    }

    fn secret_get(&self, name: &str) -> Result<Option<Secret>, Error> {
        Ok(self.lock().secrets.get(name).cloned())
    }

    fn secret_put(&self, name: &str, value: Option<&Secret>) -> Result<(), Error> {
        if name.is_empty() || name == TOKEN {
            return Err(Error::new(ErrorKind::STATE, "a secret cannot be stored by that name"));
        }
        let mut state = self.lock();
        match value {
            Some(secret) => {
                state.stored.push(secret.clone());
                state.secrets.insert(name.into(), secret.clone());
            }
            None => drop(state.secrets.remove(name)),
        }
        Ok(())
    }

    fn lease_acquire(&self, _: &str, _: Duration) -> Result<u64, Error> {
        let mut state = self.lock();
        state.leases += 1;
        Ok(state.leases)
    }

    fn lease_release(&self, _: &str, _: u64) {}

    fn checkpoint(&self, dataset: &str) -> Result<Option<String>, Error> {
        Ok(self.lock().earlier.get(dataset).cloned())
    }

    fn journal(&self, entry: &JournalEntry) {
        self.note("the journal", &serde_json::to_string(entry).unwrap_or_default());
    }

    fn extension(&self, id: &str, json: &str) -> Result<String, Error> {
        if id == MASK {
            return Ok("null".into());
        }
        self.note(&format!("the extension `{id}`"), json);
        Err(Error::unsupported("there are no extensions here"))
    }
}

impl RecordSink for Recorder {
    fn batch(&mut self, dataset: &str, batch: ArrowBatch) -> Result<(), Error> {
        self.sink_call(|| self.accept(dataset, batch))
    }

    fn checkpoint(&mut self, dataset: &str, state: &str) -> Result<(), Error> {
        self.sink_call(|| {
            if self.manifest.dataset(dataset).is_none() {
                let message = format_args!("`{dataset}` is not declared");
                return Err(Error::new(ErrorKind::SCHEMA, message));
            }
            if state.len() > LONGEST_STATE {
                return Err(Error::new(ErrorKind::SCHEMA, "its checkpoint is too long"));
            }
            self.lock().checkpoints.insert(dataset.into(), state.into());
            Ok(())
        })
    }
}
