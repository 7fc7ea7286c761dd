//! The host's services and its sink on their way across the boundary, in both directions: a host
//! exports what implements [`HostApi`] and [`RecordSink`], a connector uses what came over as such.

use std::sync::Arc;
use std::time::Duration;

use abi_stable::erased_types::TD_Opaque;
use abi_stable::std_types::{RArc, ROption, RStr, RString};

use super::abi::{
    BatchSink, BatchSink_TO, BatchSinkBox, HostBox, HostServices, HostServices_TO, PResult,
    from_wire,
};
use super::arrow::ArrowBatch;
use super::catch::{catch, guarded};
use crate::error::Error;
use crate::host::{Host, Sink};
use crate::host_side::{HostApi, RecordSink};
use crate::message::JournalEntry;
use crate::secret::Secret;

/// A host's services as they cross the boundary; a panic in them stays on this side.
pub(super) fn export_host(api: Arc<dyn HostApi>) -> HostBox {
    RArc::new(HostServices_TO::from_value(ExportedHost(api), TD_Opaque))
}

/// A sink as it crosses the boundary.
pub(super) fn export_sink(sink: Box<dyn RecordSink>) -> BatchSinkBox {
    BatchSink_TO::from_value(ExportedSink(sink), TD_Opaque)
}

/// The host as it came over the boundary.
pub(super) fn foreign_host(host: HostBox) -> Host {
    Host::new(Arc::new(ForeignHost(host)))
}

/// The sink as it came over the boundary.
pub(super) fn foreign_sink(sink: BatchSinkBox) -> Sink {
    Sink::new(Box::new(ForeignSink(sink)))
}

/// A sink that crosses the boundary at each call, as a loaded library's does.
#[doc(hidden)]
pub fn over_the_boundary(sink: Box<dyn RecordSink>) -> Sink {
    foreign_sink(export_sink(sink))
}

struct ExportedHost(Arc<dyn HostApi>);

impl ExportedHost {
    /// For callbacks that return no error: a panic is logged.
    fn quietly<T>(&self, what: &str, otherwise: T, f: impl FnOnce(&dyn HostApi) -> T) -> T {
        catch(what, || Ok(f(&*self.0))).unwrap_or_else(|error| {
            log::error!("{error}");
            otherwise
        })
    }
}

impl HostServices for ExportedHost {
    fn log_level(&self) -> u32 {
        self.quietly("log_level", log::LevelFilter::Off, |host| host.log_level()) as u32
    }

    fn log(&self, number: u32, target: RStr<'_>, message: RStr<'_>) {
        self.quietly("log", (), |host| {
            host.log(level(number), target.as_str(), message.as_str());
        });
    }

    fn progress(&self, dataset: RStr<'_>, rows: u64, expected: ROption<u64>) {
        self.quietly("progress", (), |host| {
            host.progress(dataset.as_str(), rows, expected.into_option());
        });
    }

    fn is_cancelled(&self) -> bool {
        self.quietly("is_cancelled", true, |host| host.is_cancelled())
    }

    fn sleep(&self, ms: u64) -> bool {
        self.quietly("sleep", true, |host| host.sleep(Duration::from_millis(ms)))
    }

    fn acquire(&self, _bucket: RStr<'_>, _cost: u32) -> PResult<()> {
        guarded("acquire", || if self.0.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) })
    }

    fn secret_get(&self, name: RStr<'_>) -> PResult<ROption<RString>> {
        guarded("secret_get", || {
            let secret = self.0.secret_get(name.as_str())?;
            Ok(secret.map(|secret| RString::from(secret.expose())).into())
        })
    }

    fn secret_put(&self, name: RStr<'_>, value: ROption<RStr<'_>>) -> PResult<()> {
        guarded("secret_put", || {
            let value = value.into_option().map(|value| Secret::new(value.as_str()));
            self.0.secret_put(name.as_str(), value.as_ref())
        })
    }

    fn lease_acquire(&self, name: RStr<'_>, ttl_ms: u64) -> PResult<u64> {
        guarded("lease_acquire", || {
            self.0.lease_acquire(name.as_str(), Duration::from_millis(ttl_ms))
        })
    }

    fn lease_release(&self, name: RStr<'_>, lease: u64) {
        self.quietly("lease_release", (), |host| host.lease_release(name.as_str(), lease));
    }

    fn checkpoint_get(&self, dataset: RStr<'_>) -> PResult<ROption<RString>> {
        guarded("checkpoint_get", || {
            Ok(self.0.checkpoint(dataset.as_str())?.map(RString::from).into())
        })
    }

    fn journal(&self, entry_json: RStr<'_>) {
        self.quietly("journal", (), |host| match serde_json::from_str(entry_json.as_str()) {
            Ok(entry) => host.journal(&entry),
            Err(error) => {
                log::warn!("a journal entry of the connector is not understood: {error}");
            }
        });
    }

    fn extension(&self, id: RStr<'_>, json: RStr<'_>) -> PResult<RString> {
        guarded("extension", || self.0.extension(id.as_str(), json.as_str()).map(RString::from))
    }
}

struct ExportedSink(Box<dyn RecordSink>);

impl BatchSink for ExportedSink {
    fn batch(&mut self, dataset: RStr<'_>, batch: ArrowBatch) -> PResult<()> {
        guarded("batch", || self.0.batch(dataset.as_str(), batch))
    }

    fn checkpoint(&mut self, dataset: RStr<'_>, state_json: RStr<'_>) -> PResult<()> {
        guarded("checkpoint", || self.0.checkpoint(dataset.as_str(), state_json.as_str()))
    }
}

struct ForeignHost(HostBox);

impl HostApi for ForeignHost {
    fn log_level(&self) -> log::LevelFilter {
        match self.0.log_level() {
            0 => log::LevelFilter::Off,
            number => level(number).to_level_filter(),
        }
    }

    fn log(&self, level: log::Level, target: &str, message: &str) {
        self.0.log(level as u32, target.into(), message.into());
    }

    fn progress(&self, dataset: &str, rows: u64, expected: Option<u64>) {
        self.0.progress(dataset.into(), rows, expected.into());
    }

    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    fn sleep(&self, duration: Duration) -> bool {
        self.0.sleep(millis(duration))
    }

    fn secret_get(&self, name: &str) -> Result<Option<Secret>, Error> {
        let value = from_wire(self.0.secret_get(name.into()))?;
        Ok(value.into_option().map(|text| Secret::new(text.into_string())))
    }

    fn secret_put(&self, name: &str, value: Option<&Secret>) -> Result<(), Error> {
        let value = value.map(|secret| RStr::from_str(secret.expose()));
        from_wire(self.0.secret_put(name.into(), value.into()))
    }

    fn lease_acquire(&self, name: &str, ttl: Duration) -> Result<u64, Error> {
        from_wire(self.0.lease_acquire(name.into(), millis(ttl)))
    }

    fn lease_release(&self, name: &str, lease: u64) {
        self.0.lease_release(name.into(), lease);
    }

    fn checkpoint(&self, dataset: &str) -> Result<Option<String>, Error> {
        let state = from_wire(self.0.checkpoint_get(dataset.into()))?;
        Ok(state.into_option().map(RString::into_string))
    }

    fn journal(&self, entry: &JournalEntry) {
        if let Ok(json) = serde_json::to_string(entry) {
            self.0.journal(json.as_str().into());
        }
    }

    fn extension(&self, id: &str, json: &str) -> Result<String, Error> {
        from_wire(self.0.extension(id.into(), json.into())).map(RString::into_string)
    }
}

struct ForeignSink(BatchSinkBox);

impl RecordSink for ForeignSink {
    fn batch(&mut self, dataset: &str, batch: ArrowBatch) -> Result<(), Error> {
        from_wire(self.0.batch(dataset.into(), batch))
    }

    fn checkpoint(&mut self, dataset: &str, state: &str) -> Result<(), Error> {
        from_wire(self.0.checkpoint(dataset.into(), state.into()))
    }
}

/// The level of a record by its number on the wire.
fn level(number: u32) -> log::Level {
    match number {
        0 | 1 => log::Level::Error,
        2 => log::Level::Warn,
        3 => log::Level::Info,
        4 => log::Level::Debug,
        _ => log::Level::Trace,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
