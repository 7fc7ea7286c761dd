//! The worker's side: limits itself, loads the library, runs one operation.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use abi_stable::erased_types::TD_Opaque;
use abi_stable::std_types::{RArc, ROption, RStr, RString};
use arrow_ipc::writer::StreamWriter;
use connector_api::abi::{
    BatchSink, BatchSink_TO, HostBox, HostServices, HostServices_TO, PResult,
};
use connector_api::batch::ArrowBatch;
use connector_api::guard::{catch, guarded};
use connector_api::{Error, ErrorKind};

use super::frame::{self, BATCH};
use super::{Answer, Call, Job, Start, ToHost, ToWorker};
use crate::app::deployment::refused_settings;
use crate::cancel::Cancel;
use crate::plugin::Checked;
use crate::process;

/// A sleeping connector says so at least this often.
const SLICE: Duration = Duration::from_secs(10);

/// Runs the one job of this process; answers its exit code.
pub(crate) fn run() -> u8 {
    let Ok((mut input, output)) = process::take_standard_streams() else { return 1 };
    let Ok(Some((_, payload))) = frame::read(&mut input) else { return 1 };
    let Ok(ToWorker::Start(start)) = frame::message(&payload) else { return 1 };
    let host = Arc::new(Remote {
        output: Mutex::new(output),
        waiting: Mutex::default(),
        last_call: AtomicU32::new(0),
        cancel: Cancel::default(),
        log_level: start.log_level,
    });
    let _ = log::set_boxed_logger(Box::new(RemoteLog(Arc::clone(&host))));
    log::set_max_level(match start.log_level {
        0 => log::LevelFilter::Off,
        1 => log::LevelFilter::Error,
        2 => log::LevelFilter::Warn,
        3 => log::LevelFilter::Info,
        4 => log::LevelFilter::Debug,
        _ => log::LevelFilter::Trace,
    });
    let listener = Arc::clone(&host);
    let listening = std::thread::Builder::new().name("host".into()).spawn(move || {
        while let Ok(Some((_, payload))) = frame::read(&mut input) {
            listener.told(&payload);
        }
        // The host is gone: nobody waits for this process any more.
        std::process::exit(1);
    });
    if listening.is_err() {
        return 1;
    }
    if let Err(error) = process::limit(start.limits) {
        log::warn!("the worker's limits could not all be set: {error}");
    }
    let result = catch("the worker", || work(&host, *start));
    let sent = host.send(&ToHost::Done { result });
    u8::from(sent.is_err())
}

fn work(host: &Arc<Remote>, start: Start) -> Result<String, Error> {
    let plugin = Checked::known(&start.library, &start.digest)
        .and_then(Checked::load)
        .map_err(|refusal| Error::new(ErrorKind::STATE, refusal.reason()))?;
    if let Err(error) = process::write_no_files() {
        log::warn!("the worker could write files: {error}");
    }
    match start.job {
        Job::Describe => serde_json::to_string(&plugin.manifest)
            .map_err(|error| Error::new(ErrorKind::OTHER, error)),
        Job::Collect { configure, request } => {
            let services: HostBox =
                RArc::new(HostServices_TO::from_value(Services(Arc::clone(host)), TD_Opaque));
            let instance = plugin.instance(services)?;
            let problems = instance.configure(&configure)?;
            if !problems.is_empty() {
                return Err(refused_settings(&problems));
            }
            instance.enable()?;
            let sink = BatchSink_TO::from_value(RemoteSink(Arc::clone(host)), TD_Opaque);
            let result = instance.collect(&request, sink);
            if !matches!(&result, Err(error) if error.kind == ErrorKind::PANIC)
                && let Err(error) = instance.disable()
            {
                log::warn!("the connector could not be disabled after the run: {error}");
            }
            drop(instance);
            serde_json::to_string(&result?).map_err(|error| Error::new(ErrorKind::OTHER, error))
        }
    }
}

/// The host at the other end of the pipes.
struct Remote {
    output: Mutex<File>,
    waiting: Mutex<HashMap<u32, Sender<Result<Answer, Error>>>>,
    last_call: AtomicU32,
    cancel: Cancel,
    log_level: u32,
}

impl Remote {
    fn send(&self, message: &ToHost) -> std::io::Result<()> {
        frame::write_message(&mut *lock(&self.output), message)
    }

    /// For messages nobody waits for; a host that is gone ends this process anyway.
    fn tell(&self, message: &ToHost) {
        let _ = self.send(message);
    }

    fn told(&self, payload: &[u8]) {
        match frame::message(payload) {
            Ok(ToWorker::Reply { id, result }) => {
                if let Some(waiting) = lock(&self.waiting).remove(&id) {
                    let _ = waiting.send(result);
                }
            }
            Ok(ToWorker::Cancel) => self.cancel.set(),
            Ok(ToWorker::Start(_)) | Err(_) => {}
        }
    }

    fn call(&self, send: impl FnOnce(u32) -> std::io::Result<()>) -> Result<Answer, Error> {
        let id = self.last_call.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let (reply, replied) = channel();
        lock(&self.waiting).insert(id, reply);
        send(id).map_err(|error| {
            Error::new(ErrorKind::OTHER, format_args!("the host cannot be told: {error}"))
        })?;
        replied.recv().map_err(|_| Error::new(ErrorKind::OTHER, "the host is gone"))?
    }

    fn ask(&self, call: Call) -> Result<Answer, Error> {
        self.call(|id| self.send(&ToHost::Call { id, call }))
    }

    fn text(&self, call: Call) -> Result<Option<String>, Error> {
        match self.ask(call)? {
            Answer::Text(text) => Ok(text),
            Answer::Nothing | Answer::Number(_) => Ok(None),
        }
    }
}

struct RemoteLog(Arc<Remote>);

impl log::Log for RemoteLog {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() as u32 <= self.0.log_level
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.tell(&ToHost::Log {
                level: record.level() as u32,
                target: record.target().into(),
                message: record.args().to_string(),
            });
        }
    }

    fn flush(&self) {}
}

struct Services(Arc<Remote>);

impl HostServices for Services {
    fn log_level(&self) -> u32 {
        self.0.log_level
    }

    fn log(&self, level: u32, target: RStr<'_>, message: RStr<'_>) {
        self.0.tell(&ToHost::Log { level, target: target.into(), message: message.into() });
    }

    fn progress(&self, dataset: RStr<'_>, rows: u64, expected: ROption<u64>) {
        let expected = expected.into_option();
        self.0.tell(&ToHost::Progress { dataset: dataset.into(), rows, expected });
    }

    fn is_cancelled(&self) -> bool {
        self.0.cancel.is_set()
    }

    fn sleep(&self, ms: u64) -> bool {
        let until = Instant::now().checked_add(Duration::from_millis(ms));
        loop {
            self.0.tell(&ToHost::Sign);
            let left = until.map_or(SLICE, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return self.0.cancel.is_set();
            }
            if self.0.cancel.sleep(left.min(SLICE)) {
                return true;
            }
        }
    }

    fn acquire(&self, bucket: RStr<'_>, cost: u32) -> PResult<()> {
        guarded("acquire", || self.0.ask(Call::Acquire { bucket: bucket.into(), cost }).map(drop))
    }

    fn secret_get(&self, name: RStr<'_>) -> PResult<ROption<RString>> {
        guarded("secret_get", || {
            let text = self.0.text(Call::SecretGet { name: name.into() })?;
            Ok(text.map(RString::from).into())
        })
    }

    fn secret_put(&self, name: RStr<'_>, value: ROption<RStr<'_>>) -> PResult<()> {
        guarded("secret_put", || {
            let value = value.into_option().map(Into::into);
            self.0.ask(Call::SecretPut { name: name.into(), value }).map(drop)
        })
    }

    fn lease_acquire(&self, name: RStr<'_>, ttl_ms: u64) -> PResult<u64> {
        guarded("lease_acquire", || {
            match self.0.ask(Call::LeaseAcquire { name: name.into(), ttl_ms })? {
                Answer::Number(lease) => Ok(lease),
                Answer::Nothing | Answer::Text(_) => {
                    Err(Error::new(ErrorKind::OTHER, "the host gave no lease"))
                }
            }
        })
    }

    fn lease_release(&self, name: RStr<'_>, lease: u64) {
        self.0.tell(&ToHost::LeaseRelease { name: name.into(), lease });
    }

    fn checkpoint_get(&self, dataset: RStr<'_>) -> PResult<ROption<RString>> {
        guarded("checkpoint_get", || {
            let text = self.0.text(Call::CheckpointGet { dataset: dataset.into() })?;
            Ok(text.map(RString::from).into())
        })
    }

    fn journal(&self, entry_json: RStr<'_>) {
        self.0.tell(&ToHost::Journal { json: entry_json.into() });
    }

    fn extension(&self, id: RStr<'_>, json: RStr<'_>) -> PResult<RString> {
        guarded("extension", || {
            let text = self.0.text(Call::Extension { id: id.into(), json: json.into() })?;
            Ok(text.unwrap_or_default().into())
        })
    }
}

struct RemoteSink(Arc<Remote>);

impl BatchSink for RemoteSink {
    fn batch(&mut self, dataset: RStr<'_>, batch: ArrowBatch) -> PResult<()> {
        guarded("batch", || {
            let batch = batch.into_record_batch()?;
            let failed = |error: arrow_schema::ArrowError| Error::new(ErrorKind::SCHEMA, error);
            let mut ipc = Vec::new();
            let mut writer = StreamWriter::try_new(&mut ipc, &batch.schema()).map_err(failed)?;
            writer.write(&batch).and_then(|()| writer.finish()).map_err(failed)?;
            drop(writer);
            let name = dataset.as_str().as_bytes();
            let length = u16::try_from(name.len())
                .map_err(|_| Error::new(ErrorKind::SCHEMA, "the dataset's name is too long"))?;
            let send = |id: u32| {
                let mut output = lock(&self.0.output);
                let head = [&id.to_le_bytes()[..], &length.to_le_bytes()[..], name, &ipc];
                frame::write(&mut *output, BATCH, &head)?;
                output.flush()
            };
            self.0.call(send).map(drop)
        })
    }

    fn checkpoint(&mut self, dataset: RStr<'_>, state_json: RStr<'_>) -> PResult<()> {
        guarded("checkpoint", || {
            let call = Call::Checkpoint { dataset: dataset.into(), state: state_json.into() };
            self.0.ask(call).map(drop)
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
