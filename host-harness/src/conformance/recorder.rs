//! The host as a connector under test sees it: everything is kept in memory, and everything the
//! connector says is noted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use abi_stable::erased_types::TD_Opaque;
use abi_stable::std_types::{RArc, ROption, RStr, RString};
use arrow_schema::SchemaRef;
use connector_api::abi::{
    BatchSink, BatchSink_TO, BatchSinkBox, HostBox, HostServices, HostServices_TO, PResult,
};
use connector_api::batch::ArrowBatch;
use connector_api::guard::guarded;
use connector_api::host::TOKEN;
use connector_api::manifest::Manifest;
use connector_api::{Error, ErrorKind, Secret};

use crate::cancel::Cancel;
use crate::sink::check_batch;

/// Debug: as much as an operator can ask for in practice.
const LOG_LEVEL: u32 = 4;
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

    pub(super) fn services(&self) -> HostBox {
        RArc::new(HostServices_TO::from_value(self.clone(), TD_Opaque))
    }

    pub(super) fn sink(&self) -> BatchSinkBox {
        BatchSink_TO::from_value(self.clone(), TD_Opaque)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

impl HostServices for Recorder {
    fn log_level(&self) -> u32 {
        LOG_LEVEL
    }

    fn log(&self, _: u32, target: RStr<'_>, message: RStr<'_>) {
        self.note(&format!("a log record of `{target}`"), message.as_str());
    }

    fn progress(&self, dataset: RStr<'_>, _: u64, _: ROption<u64>) {
        self.note("its progress", dataset.as_str());
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_set()
    }

    fn sleep(&self, ms: u64) -> bool {
        self.cancel.sleep(Duration::from_millis(ms))
    }

    fn acquire(&self, _: RStr<'_>, _: u32) -> PResult<()> {
        guarded("acquire", || if self.cancel.is_set() { Err(Error::cancelled()) } else { Ok(()) })
    }

    fn secret_get(&self, name: RStr<'_>) -> PResult<ROption<RString>> {
        guarded("secret_get", || {
            let state = self.lock();
            let secret = state.secrets.get(name.as_str());
            Ok(secret.map(|secret| RString::from(secret.expose())).into())
        })
    }

    fn secret_put(&self, name: RStr<'_>, value: ROption<RStr<'_>>) -> PResult<()> {
        guarded("secret_put", || {
            if name.is_empty() || name.as_str() == TOKEN {
                return Err(Error::new(ErrorKind::STATE, "a secret cannot be stored by that name"));
            }
            let mut state = self.lock();
            match value.into_option() {
                Some(value) => {
                    let secret = Secret::new(value.as_str());
                    state.stored.push(secret.clone());
                    state.secrets.insert(name.into(), secret);
                }
                None => drop(state.secrets.remove(name.as_str())),
            }
            Ok(())
        })
    }

    fn lease_acquire(&self, _: RStr<'_>, _: u64) -> PResult<u64> {
        guarded("lease_acquire", || {
            let mut state = self.lock();
            state.leases += 1;
            Ok(state.leases)
        })
    }

    fn lease_release(&self, _: RStr<'_>, _: u64) {}

    fn checkpoint_get(&self, dataset: RStr<'_>) -> PResult<ROption<RString>> {
        guarded("checkpoint_get", || {
            let state = self.lock();
            Ok(state.earlier.get(dataset.as_str()).map(|state| state.as_str().into()).into())
        })
    }

    fn journal(&self, entry_json: RStr<'_>) {
        self.note("the journal", entry_json.as_str());
    }

    fn extension(&self, id: RStr<'_>, json: RStr<'_>) -> PResult<RString> {
        self.note(&format!("the extension `{id}`"), json.as_str());
        guarded("extension", || Err(Error::unsupported("there are no extensions here")))
    }
}

impl BatchSink for Recorder {
    fn batch(&mut self, dataset: RStr<'_>, batch: ArrowBatch) -> PResult<()> {
        guarded("batch", || self.sink_call(|| self.accept(dataset.as_str(), batch)))
    }

    fn checkpoint(&mut self, dataset: RStr<'_>, state_json: RStr<'_>) -> PResult<()> {
        guarded("checkpoint", || {
            self.sink_call(|| {
                if self.manifest.dataset(dataset.as_str()).is_none() {
                    let message = format_args!("`{dataset}` is not declared");
                    return Err(Error::new(ErrorKind::SCHEMA, message));
                }
                if state_json.len() > LONGEST_STATE {
                    return Err(Error::new(ErrorKind::SCHEMA, "its checkpoint is too long"));
                }
                self.lock().checkpoints.insert(dataset.into(), state_json.into());
                Ok(())
            })
        })
    }
}
