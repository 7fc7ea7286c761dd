//! The host's side: starts a worker, answers its calls, says how it died.

use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use connector_api::batch::ArrowBatch;
use connector_api::guard::catch;
use connector_api::host_side::{HostApi, Instance, RecordSink};
use connector_api::{Error, ErrorKind, Secret};
use parking_lot::Mutex;

use super::frame::{self, BATCH};
use super::{Answer, Call, Job, Limits, Start, ToHost, ToWorker, environment};
use crate::cancel::Cancel;
use crate::checked::Checked;
use crate::library::Library;
use crate::plugin::Plugin;
use crate::preflight::Refusal;
use crate::redact;
use crate::sealed::Sealed;

/// Time limit for what needs no network: `describe`, a new instance, `configure`, `enable`, `disable`.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// Time a worker gets to exit after its final message or after it was stopped.
const EXIT_WITHIN: Duration = Duration::from_secs(2);
/// How often the host is asked whether it wants to stop.
const CANCEL_POLL: Duration = Duration::from_millis(100);
/// Time a worker may go on after it was asked to stop.
const STOP_WITHIN: Duration = Duration::from_secs(60);
/// Bytes of standard error kept for the crash message.
const LAST_WORDS: usize = 4_096;
/// Most lines of standard error logged.
const MOST_LINES: usize = 100;

/// A library that runs in worker processes only.
#[derive(Clone, Debug)]
pub(crate) struct Isolated {
    path: PathBuf,
    /// The file's SHA-256; another file is not loaded.
    digest: String,
    /// What each worker may use.
    limits: Limits,
}

impl Isolated {
    /// Gets to know a library that runs in worker processes only: nothing of it runs in this one.
    ///
    /// # Errors
    /// Why it is refused.
    pub(crate) fn plugin(checked: Checked, limits: Limits) -> Result<Plugin, Refusal> {
        let Checked { path, sealed: Sealed { digest, .. }, handshake, trust } = checked;
        let library = Isolated { path: path.clone(), digest: digest.clone(), limits };
        let plugin = Plugin::of(path, handshake, Arc::new(library)).map_err(Refusal::Bad)?;
        Ok(Plugin { digest, trust, ..plugin })
    }

    fn start(&self, job: Job) -> Result<(Worker, BufReader<ChildStdout>), Error> {
        Worker::start(Start {
            library: self.path.clone(),
            digest: self.digest.clone(),
            log_level: log::max_level(),
            limits: self.limits,
            job,
        })
    }
}

impl Library for Isolated {
    fn describe(&self) -> Result<String, Error> {
        let (worker, mut output) = self.start(Job::Describe)?;
        let result =
            worker.within(Some(ANSWER_WITHIN), || worker.converse(&mut output, &mut NothingYet));
        let status = worker.end();
        result.unwrap_or_else(|broken| Err(worker.died(status, broken.as_ref())))
    }

    fn instance(&self, host: Arc<dyn HostApi>) -> Result<Box<dyn Instance>, Error> {
        let (worker, output) = self.start(Job::Operate)?;
        let over = Cancel::default();
        let passing = pass_on_cancel(&worker, &host, &over)?;
        let instance = IsolatedInstance {
            worker,
            output: Mutex::new(Some(output)),
            host,
            over,
            passing: Some(passing),
        };
        instance.until_done(None, Some(ANSWER_WITHIN))?;
        Ok(Box::new(instance))
    }
}

/// Tells the worker once the host asks to stop, and ends one that does not stop.
fn pass_on_cancel(
    worker: &Worker,
    host: &Arc<dyn HostApi>,
    over: &Cancel,
) -> Result<JoinHandle<()>, Error> {
    let (worker, host, over) = (worker.clone(), Arc::clone(host), over.clone());
    let pass_on = move || {
        while !over.sleep(CANCEL_POLL) {
            if host.is_cancelled() {
                // A worker that is gone is noticed where its frames are read.
                let _ = worker.send(&ToWorker::Cancel);
                if !over.sleep(STOP_WITHIN) {
                    worker.kill();
                }
                return;
            }
        }
    };
    std::thread::Builder::new().name("worker-cancel".into()).spawn(pass_on).map_err(|error| {
        Error::new(ErrorKind::OTHER, format_args!("no thread for the worker: {error}"))
    })
}

/// An instance in a worker process.
struct IsolatedInstance {
    worker: Worker,
    /// None once the worker has died.
    output: Mutex<Option<BufReader<ChildStdout>>>,
    host: Arc<dyn HostApi>,
    /// Set when the instance is dropped.
    over: Cancel,
    passing: Option<JoinHandle<()>>,
}

impl IsolatedInstance {
    /// Serves the worker's calls until it is done or dead; one that takes longer is ended.
    fn until_done(
        &self,
        sink: Option<Box<dyn RecordSink>>,
        within: Option<Duration>,
    ) -> Result<String, Error> {
        let mut output = self.output.lock();
        let Some(reader) = output.as_mut() else {
            return Err(Error::new(ErrorKind::PANIC, "the connector's process has ended before"));
        };
        let mut serving = Serving { services: Arc::clone(&self.host), sink };
        let result = self.worker.within(within, || self.worker.converse(reader, &mut serving));
        result.unwrap_or_else(|broken| {
            *output = None;
            Err(self.worker.died(self.worker.end(), broken.as_ref()))
        })
    }
}

impl Instance for IsolatedInstance {
    fn operation(&self, operation: &str, json: &str) -> Result<String, Error> {
        let task = ToWorker::Operate { operation: operation.into(), json: json.into() };
        // A worker that is gone is noticed where its next frame is read.
        let _ = self.worker.send(&task);
        let local = matches!(operation, "configure" | "enable" | "disable");
        self.until_done(None, local.then_some(ANSWER_WITHIN))
    }

    fn collect_json(&self, request_json: &str, sink: Box<dyn RecordSink>) -> Result<String, Error> {
        let _ = self.worker.send(&ToWorker::Collect { request: request_json.into() });
        self.until_done(Some(sink), None)
    }

    fn kill(&self) -> bool {
        self.worker.kill();
        true
    }
}

impl Drop for IsolatedInstance {
    fn drop(&mut self) {
        if self.output.lock().take().is_some() {
            let _ = self.worker.send(&ToWorker::End);
            self.worker.end();
        }
        self.over.set();
        if let Some(passing) = self.passing.take()
            && passing.join().is_err()
        {
            log::error!("the thread that passes a cancel on ended in a panic");
        }
    }
}

/// A worker process.
#[derive(Clone)]
struct Worker {
    child: Arc<Mutex<Child>>,
    input: Arc<Mutex<Option<ChildStdin>>>,
    words: Arc<Mutex<Vec<u8>>>,
    limits: Limits,
}

impl Worker {
    fn start(start: Start) -> Result<(Worker, BufReader<ChildStdout>), Error> {
        let failed = |error: std::io::Error| {
            Error::new(ErrorKind::OTHER, format_args!("no worker process can be started: {error}"))
        };
        let mut command = Command::new(program().map_err(failed)?);
        command.arg("worker").env_clear().envs(environment());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own: a signal of the terminal does not reach it, and all of it can be ended.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(failed)?;
        let (input, output, errors) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let worker = Worker {
            child: Arc::new(Mutex::new(child)),
            input: Arc::new(Mutex::new(input)),
            words: Arc::default(),
            limits: start.limits,
        };
        let words = Arc::clone(&worker.words);
        if let Some(errors) = errors {
            std::thread::Builder::new()
                .name("worker-stderr".into())
                .spawn(move || listen(errors, &words))
                .map_err(failed)?;
        }
        worker.send(&ToWorker::Start(Box::new(start))).map_err(failed)?;
        let output = output.ok_or_else(|| failed(std::io::ErrorKind::BrokenPipe.into()))?;
        Ok((worker, BufReader::new(output)))
    }

    fn send(&self, message: &ToWorker) -> std::io::Result<()> {
        match &mut *self.input.lock() {
            Some(input) => frame::write_message(input, message),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Runs `f`; ends the worker if that takes longer.
    fn within<T>(&self, limit: Option<Duration>, f: impl FnOnce() -> T) -> T {
        let Some(limit) = limit else { return f() };
        let over = Cancel::default();
        std::thread::scope(|scope| {
            let timer = std::thread::Builder::new().name("worker-timer".into());
            let watch = || {
                if !over.sleep(limit) {
                    self.kill();
                }
            };
            if let Err(error) = timer.spawn_scoped(scope, watch) {
                log::warn!("the worker runs without a time limit: {error}");
            }
            let result = f();
            over.set();
            result
        })
    }

    /// Reads frames until the worker is done; an error when it died, with what it sent instead of a
    /// frame.
    fn converse(
        &self,
        output: &mut BufReader<ChildStdout>,
        host: &mut dyn Host,
    ) -> Result<Result<String, Error>, Option<std::io::Error>> {
        loop {
            match self.one_frame(output, host) {
                Ok(None) => {}
                Ok(Some(result)) => return Ok(result),
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    return Err(None);
                }
                Err(error) => return Err(Some(error)),
            }
        }
    }

    /// Serves one frame; returns the result once the worker is done.
    fn one_frame(
        &self,
        output: &mut BufReader<ChildStdout>,
        host: &mut dyn Host,
    ) -> std::io::Result<Option<Result<String, Error>>> {
        let Some((kind, payload)) = frame::read(output)? else {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        };
        if kind == BATCH {
            let (id, dataset, ipc) = frame::batch(&payload)?;
            // Decoding damaged bytes may panic.
            let result = catch("reading the worker's record batch", || decoded(ipc))
                .and_then(|batch| host.batch(dataset, batch));
            self.reply(id, result.map(|()| Answer::Nothing));
            return Ok(None);
        }
        match frame::message(&payload)? {
            ToHost::Done { result } => return Ok(Some(result)),
            ToHost::Call { id, call } => {
                let result = catch("a service", || Ok(host.call(self, id, call)));
                if let Some(result) = result.unwrap_or_else(|error| Some(Err(error))) {
                    self.reply(id, result);
                }
            }
            note => catch("a service", || {
                host.note(note);
                Ok(())
            })
            .unwrap_or_else(|error| log::error!("{error}")),
        }
        Ok(None)
    }

    /// Answers a call. A worker that is gone is noticed when its next frame is read.
    fn reply(&self, id: u32, result: Result<Answer, Error>) {
        if let Err(error) = self.send(&ToWorker::Reply { id, result }) {
            log::debug!("the worker cannot be answered: {error}");
        }
    }

    /// Waits a moment for the worker to end by itself; then ends it and all it started. Returns how
    /// it ended by itself.
    fn end(&self) -> Option<ExitStatus> {
        let began = Instant::now();
        while !self.has_ended() && began.elapsed() < EXIT_WITHIN {
            Cancel::default().sleep(Duration::from_millis(5));
        }
        let by_itself = self.has_ended();
        self.kill();
        *self.input.lock() = None;
        let status = self.child.lock().wait().ok();
        status.filter(|_| by_itself)
    }

    /// Whether the process has ended. It stays unreaped, so that its number is not used again.
    #[cfg(unix)]
    fn has_ended(&self) -> bool {
        use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
        let pid = Pid::from_child(&self.child.lock());
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        !matches!(waitid(WaitId::Pid(pid), options), Ok(None))
    }

    #[cfg(not(unix))]
    fn has_ended(&self) -> bool {
        !matches!(self.child.lock().try_wait(), Ok(None))
    }

    /// Ends the worker and everything it started, at once. To be called before it is reaped.
    fn kill(&self) {
        let mut child = self.child.lock();
        #[cfg(unix)]
        let _ = rustix::process::kill_process_group(
            rustix::process::Pid::from_child(&child),
            rustix::process::Signal::KILL,
        );
        let _ = child.kill();
    }

    /// How a worker that did not finish its job ended. One that met its limits did not crash: what it
    /// was given to read may be the reason.
    fn died(&self, status: Option<ExitStatus>, broken: Option<&std::io::Error>) -> Error {
        let words = String::from_utf8_lossy(&self.words.lock()).into_owned();
        let (kind, how) = match (broken, status) {
            (Some(error), _) => {
                (ErrorKind::PANIC, format!("sent something that is no message ({error})"))
            }
            (None, None) => (ErrorKind::PANIC, "closed its connection to the host".into()),
            (None, Some(_)) if words.contains("memory allocation of") => (
                ErrorKind::OTHER,
                format!("needed more than its {} MiB of memory", self.limits.memory_mib),
            ),
            (None, Some(_)) if words.contains("overflowed its stack") => {
                (ErrorKind::PANIC, "overflowed its stack".into())
            }
            (None, Some(status)) if ran_out_of_time(status) => {
                (ErrorKind::OTHER, how_it_ended(status, self.limits))
            }
            (None, Some(status)) => (ErrorKind::PANIC, how_it_ended(status, self.limits)),
        };
        let hint = match kind {
            ErrorKind::PANIC => "this is a fault of the connector: report it to its maker",
            _ => {
                "if the organization really is that large, raise `worker_memory_mib` in config.toml"
            }
        };
        Error::new(kind, format_args!("the connector's process {how}")).with_hint(hint)
    }
}

/// Whether a process was ended for the processor time it used.
fn ran_out_of_time(status: ExitStatus) -> bool {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::signal(&status) == Some(24);
    #[cfg(not(unix))]
    return {
        let _ = status;
        false
    };
}

/// How a process ended, to be read after "the connector's process".
#[cfg(unix)]
pub(crate) fn how_it_ended(status: ExitStatus, limits: Limits) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.signal(), status.code()) {
        (Some(24), _) => format!("used more than its {} seconds of processor time", limits.cpu_s),
        (Some(25), _) => "tried to write a file".into(),
        (Some(6), _) => "aborted (signal 6)".into(),
        (Some(11 | 7), _) => "crashed by a wrong memory access (segmentation fault)".into(),
        (Some(9), _) => "was killed (signal 9)".into(),
        (Some(signal), _) => format!("was ended by signal {signal}"),
        (None, Some(code)) => {
            format!("ended by itself with exit code {code} before its work was done")
        }
        (None, None) => "ended".into(),
    }
}

#[cfg(not(unix))]
pub(crate) fn how_it_ended(status: ExitStatus, _: Limits) -> String {
    format!("ended with {status} before its work was done")
}

/// The file of this very program, even if another one was put in its place meanwhile.
pub(crate) fn program() -> std::io::Result<std::path::PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

/// Keeps a worker's last words and logs its first lines.
fn listen(mut errors: impl Read, words: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 1_024];
    let mut line = Vec::new();
    let mut lines = 0;
    while let Ok(read) = errors.read(&mut buffer) {
        if read == 0 {
            return;
        }
        let mut kept = words.lock();
        kept.extend_from_slice(&buffer[..read]);
        let excess = kept.len().saturating_sub(LAST_WORDS);
        kept.drain(..excess);
        drop(kept);
        for byte in &buffer[..read] {
            if *byte != b'\n' && line.len() < 500 {
                line.push(*byte);
            } else if *byte == b'\n' {
                if lines < MOST_LINES {
                    log::warn!(
                        "the connector's process: {}",
                        redact::safe_text(&redact::foreign(&String::from_utf8_lossy(&line)))
                    );
                }
                lines += 1;
                line.clear();
            }
        }
    }
}

/// What a worker can reach in this process.
trait Host {
    /// None where another thread will answer.
    fn call(&mut self, worker: &Worker, id: u32, call: Call) -> Option<Result<Answer, Error>>;
    fn note(&mut self, note: ToHost);
    fn batch(&mut self, dataset: &str, batch: RecordBatch) -> Result<(), Error>;
}

/// For a library that is only asked what it is.
struct NothingYet;

impl Host for NothingYet {
    fn call(&mut self, _: &Worker, _: u32, _: Call) -> Option<Result<Answer, Error>> {
        Some(Err(Error::new(ErrorKind::STATE, "there is nothing to ask for yet")))
    }

    fn note(&mut self, _: ToHost) {}

    fn batch(&mut self, _: &str, _: RecordBatch) -> Result<(), Error> {
        Err(Error::new(ErrorKind::STATE, "no run is in progress"))
    }
}

/// For an instance.
struct Serving {
    services: Arc<dyn HostApi>,
    /// Where the records of a running `collect` go.
    sink: Option<Box<dyn RecordSink>>,
}

impl Serving {
    fn sink(&mut self) -> Result<&mut dyn RecordSink, Error> {
        match &mut self.sink {
            Some(sink) => Ok(&mut **sink),
            None => Err(Error::new(ErrorKind::STATE, "no run is in progress")),
        }
    }
}

impl Host for Serving {
    fn call(&mut self, worker: &Worker, id: u32, call: Call) -> Option<Result<Answer, Error>> {
        let services = Arc::clone(&self.services);
        let nothing = |()| Answer::Nothing;
        let result = match call {
            Call::SecretGet { name } => services
                .secret_get(&name)
                .map(|secret| Answer::Text(secret.map(|secret| secret.expose().to_owned()))),
            Call::SecretPut { name, value } => {
                services.secret_put(&name, value.map(Secret::new).as_ref()).map(nothing)
            }
            Call::LeaseAcquire { name, ttl } => {
                // It may take long, and what ends it may be the worker's next message.
                let (services, worker) = (services, worker.clone());
                let wait = move || {
                    let lease = catch("lease", || services.lease_acquire(&name, ttl));
                    worker.reply(id, lease.map(Answer::Number));
                };
                match std::thread::Builder::new().name("lease".into()).spawn(wait) {
                    Ok(_) => return None,
                    Err(error) => Err(Error::new(ErrorKind::OTHER, error)),
                }
            }
            Call::Checkpoint { dataset } => services.checkpoint(&dataset).map(Answer::Text),
            Call::KeepCheckpoint { dataset, state } => {
                self.sink().and_then(|sink| sink.checkpoint(&dataset, &state)).map(nothing)
            }
            Call::Extension { id, json } => {
                services.extension(&id, &json).map(|text| Answer::Text(Some(text)))
            }
        };
        Some(result)
    }

    fn note(&mut self, note: ToHost) {
        let services = &self.services;
        match note {
            // A sleep of no time is a sign of life and nothing else.
            ToHost::Sign => {
                services.sleep(Duration::ZERO);
            }
            ToHost::Log { level, target, message } => services.log(level, &target, &message),
            ToHost::Progress { dataset, rows, expected } => {
                services.progress(&dataset, rows, expected);
            }
            ToHost::Journal { entry } => services.journal(&entry),
            ToHost::LeaseRelease { name, lease } => services.lease_release(&name, lease),
            ToHost::Call { .. } | ToHost::Done { .. } => {}
        }
    }

    fn batch(&mut self, dataset: &str, batch: RecordBatch) -> Result<(), Error> {
        let batch = ArrowBatch::from_record_batch(batch)?;
        self.sink()?.batch(dataset, batch)
    }
}

fn decoded(ipc: &[u8]) -> Result<RecordBatch, Error> {
    let bad = |error: &dyn std::fmt::Display| {
        Error::new(
            ErrorKind::SCHEMA,
            format_args!("a record batch of the worker is damaged: {error}"),
        )
    };
    let mut reader = StreamReader::try_new(ipc, None).map_err(|error| bad(&error))?;
    match (reader.next(), reader.next()) {
        (Some(batch), None) => batch.map_err(|error| bad(&error)),
        _ => Err(bad(&"it is not one batch")),
    }
}
