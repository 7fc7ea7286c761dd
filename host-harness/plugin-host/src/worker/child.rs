//! The worker's side: limits itself, loads the library, runs the operations of one instance.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use arrow_ipc::writer::StreamWriter;
use connector_api::batch::ArrowBatch;
use connector_api::guard::catch;
use connector_api::host_side::{HostApi, RecordSink};
use connector_api::message::JournalEntry;
use connector_api::{Error, ErrorKind, Secret};
use parking_lot::Mutex;

use super::frame::{self, BATCH};
use super::process;
use super::{Answer, Call, Job, Start, ToHost, ToWorker};
use crate::cancel::Cancel;
use crate::checked::Checked;
use crate::plugin::Plugin;

/// A sleeping connector says so at least this often.
const SLICE: Duration = Duration::from_secs(10);

/// What the host asks of the instance.
enum Task {
    Operate { operation: String, json: String },
    Collect { request: String },
    End,
}

/// Runs the job of this process; returns its exit code.
pub fn run() -> u8 {
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
    log::set_max_level(start.log_level);
    let listener = Arc::clone(&host);
    let (tasks, todo) = channel();
    let listening = std::thread::Builder::new().name("host".into()).spawn(move || {
        while let Ok(Some((_, payload))) = frame::read(&mut input) {
            listener.receive(&payload, &tasks);
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
    match work(&host, &start, &todo) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

/// Does what the host asks, until it asks for no more.
///
/// # Errors
/// When the host cannot be reached any more.
fn work(host: &Arc<Remote>, start: &Start, todo: &Receiver<Task>) -> std::io::Result<()> {
    let done = |result| host.send(&ToHost::Done { result });
    let plugin = match catch("the worker", || load(start)) {
        Ok(plugin) => plugin,
        Err(error) => return done(Err(error)),
    };
    if start.job == Job::Describe {
        let json = serde_json::to_string(&plugin.manifest);
        return done(json.map_err(|error| Error::new(ErrorKind::OTHER, error)));
    }
    let instance = match plugin.instance(Arc::<Remote>::clone(host)) {
        Ok(instance) => instance,
        Err(error) => return done(Err(error)),
    };
    done(Ok(String::new()))?;
    while let Ok(task) = todo.recv() {
        let result = match task {
            Task::Operate { operation, json } => {
                catch("the worker", || instance.operation(&operation, &json))
            }
            Task::Collect { request } => {
                let sink = Box::new(RemoteSink(Arc::clone(host)));
                catch("the worker", || instance.collect_json(&request, sink))
            }
            Task::End => break,
        };
        done(result)?;
    }
    Ok(())
}

fn load(start: &Start) -> Result<Plugin, Error> {
    let plugin = Checked::known(&start.library, &start.digest)
        .and_then(Checked::load)
        .map_err(|refusal| Error::new(ErrorKind::STATE, refusal.reason()))?;
    if let Err(error) = process::write_no_files() {
        log::warn!("the worker could write files: {error}");
    }
    Ok(plugin)
}

/// The host at the other end of the pipes.
struct Remote {
    output: Mutex<File>,
    waiting: Mutex<HashMap<u32, Sender<Result<Answer, Error>>>>,
    last_call: AtomicU32,
    cancel: Cancel,
    log_level: log::LevelFilter,
}

impl Remote {
    fn send(&self, message: &ToHost) -> std::io::Result<()> {
        frame::write_message(&mut *self.output.lock(), message)
    }

    /// For messages nobody waits for; a host that is gone ends this process anyway.
    fn tell(&self, message: &ToHost) {
        let _ = self.send(message);
    }

    fn receive(&self, payload: &[u8], tasks: &Sender<Task>) {
        // A task is dropped only when this process is about to exit.
        let task = |task| drop(tasks.send(task));
        match frame::message(payload) {
            Ok(ToWorker::Operate { operation, json }) => task(Task::Operate { operation, json }),
            Ok(ToWorker::Collect { request }) => task(Task::Collect { request }),
            Ok(ToWorker::End) => task(Task::End),
            Ok(ToWorker::Reply { id, result }) => {
                if let Some(waiting) = self.waiting.lock().remove(&id) {
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
        self.waiting.lock().insert(id, reply);
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
        metadata.level() <= self.0.log_level
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.tell(&ToHost::Log {
                level: record.level(),
                target: record.target().into(),
                message: record.args().to_string(),
            });
        }
    }

    fn flush(&self) {}
}

impl HostApi for Remote {
    fn log_level(&self) -> log::LevelFilter {
        self.log_level
    }

    fn log(&self, level: log::Level, target: &str, message: &str) {
        self.tell(&ToHost::Log { level, target: target.into(), message: message.into() });
    }

    fn progress(&self, dataset: &str, rows: u64, expected: Option<u64>) {
        self.tell(&ToHost::Progress { dataset: dataset.into(), rows, expected });
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_set()
    }

    fn sleep(&self, duration: Duration) -> bool {
        let until = Instant::now().checked_add(duration);
        loop {
            self.tell(&ToHost::Sign);
            let left = until.map_or(SLICE, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return self.cancel.is_set();
            }
            if self.cancel.sleep(left.min(SLICE)) {
                return true;
            }
        }
    }

    fn secret_get(&self, name: &str) -> Result<Option<Secret>, Error> {
        Ok(self.text(Call::SecretGet { name: name.into() })?.map(Secret::new))
    }

    fn secret_put(&self, name: &str, value: Option<&Secret>) -> Result<(), Error> {
        let value = value.map(|secret| secret.expose().to_owned());
        self.ask(Call::SecretPut { name: name.into(), value }).map(drop)
    }

    fn lease_acquire(&self, name: &str, ttl: Duration) -> Result<u64, Error> {
        match self.ask(Call::LeaseAcquire { name: name.into(), ttl })? {
            Answer::Number(lease) => Ok(lease),
            Answer::Nothing | Answer::Text(_) => {
                Err(Error::new(ErrorKind::OTHER, "the host gave no lease"))
            }
        }
    }

    fn lease_release(&self, name: &str, lease: u64) {
        self.tell(&ToHost::LeaseRelease { name: name.into(), lease });
    }

    fn checkpoint(&self, dataset: &str) -> Result<Option<String>, Error> {
        self.text(Call::Checkpoint { dataset: dataset.into() })
    }

    fn journal(&self, entry: &JournalEntry) {
        self.tell(&ToHost::Journal { entry: entry.clone() });
    }

    fn extension(&self, id: &str, json: &str) -> Result<String, Error> {
        let text = self.text(Call::Extension { id: id.into(), json: json.into() })?;
        Ok(text.unwrap_or_default())
    }
}

struct RemoteSink(Arc<Remote>);

impl RecordSink for RemoteSink {
    fn batch(&mut self, dataset: &str, batch: ArrowBatch) -> Result<(), Error> {
        let batch = batch.into_record_batch()?;
        let failed = |error: arrow_schema::ArrowError| Error::new(ErrorKind::SCHEMA, error);
        let mut ipc = Vec::new();
        let mut writer = StreamWriter::try_new(&mut ipc, &batch.schema()).map_err(failed)?;
        writer.write(&batch).and_then(|()| writer.finish()).map_err(failed)?;
        drop(writer);
        let name = dataset.as_bytes();
        let length = u16::try_from(name.len())
            .map_err(|_| Error::new(ErrorKind::SCHEMA, "the dataset's name is too long"))?;
        let send = |id: u32| {
            let mut output = self.0.output.lock();
            let head = [&id.to_le_bytes()[..], &length.to_le_bytes()[..], name, &ipc];
            frame::write(&mut *output, BATCH, &head)?;
            output.flush()
        };
        self.0.call(send).map(drop)
    }

    fn checkpoint(&mut self, dataset: &str, state: &str) -> Result<(), Error> {
        let call = Call::KeepCheckpoint { dataset: dataset.into(), state: state.into() };
        self.0.ask(call).map(drop)
    }
}
