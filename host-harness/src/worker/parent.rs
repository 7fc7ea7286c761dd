//! The host's side: starts a worker, answers its calls, says how it died.

use std::io::{BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use connector_api::batch::ArrowBatch;
use connector_api::host_side::{HostApi, RecordSink, catch};
use connector_api::manifest::Manifest;
use connector_api::message::{CollectRequest, CollectSummary, ConfigureRequest};
use connector_api::{Error, ErrorKind, Secret};

use super::frame::{self, BATCH};
use super::{Answer, Call, Job, Limits, Start, ToHost, ToWorker, environment};
use crate::cancel::Cancel;
use crate::{manifest_check, redact};

/// Time limit for `describe`.
const DESCRIBE_WITHIN: Duration = Duration::from_secs(20);
/// Time a worker gets to exit after its final message or after it was stopped.
const EXIT_WITHIN: Duration = Duration::from_secs(2);
/// Bytes of standard error kept for the crash message.
const LAST_WORDS: usize = 4_096;
/// Most lines of standard error logged.
const MOST_LINES: usize = 100;

/// A worker process.
#[derive(Clone)]
pub(crate) struct Worker {
    child: Arc<Mutex<Child>>,
    input: Arc<Mutex<Option<ChildStdin>>>,
    words: Arc<Mutex<Vec<u8>>>,
    limits: Limits,
}

/// What a library says about itself, asked in a worker: nothing of it runs in this process.
///
/// # Errors
/// Why it is refused, in one line.
pub(crate) fn describe(library: &Path, digest: &str, limits: Limits) -> Result<Manifest, String> {
    let start = Start {
        library: library.into(),
        digest: digest.into(),
        log_level: log::max_level(),
        limits,
        job: Job::Describe,
    };
    let (worker, mut output) = Worker::start(start).map_err(|error| error.message)?;
    let timer = worker.clone();
    let over = Cancel::default();
    let ended = over.clone();
    let watch = std::thread::spawn(move || {
        if !ended.sleep(DESCRIBE_WITHIN) {
            timer.kill();
        }
    });
    let result = worker.converse(&mut output, &mut NothingYet);
    over.set();
    let _ = watch.join();
    let manifest: Manifest = result
        .and_then(|json| serde_json::from_str(&json).map_err(not_understood))
        .map_err(|error| error.message)?;
    manifest_check::check(&manifest)
        .map_err(|reason| format!("its description is not usable: {reason}"))?;
    Ok(manifest)
}

fn not_understood(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::SCHEMA, format_args!("the worker's answer is not understood: {error}"))
}

impl Worker {
    /// Starts a worker for one collection.
    ///
    /// # Errors
    /// When no process can be started.
    pub(crate) fn collect(
        library: &Path,
        digest: &str,
        limits: Limits,
        configure: ConfigureRequest,
        request: CollectRequest,
    ) -> Result<(Worker, BufReader<ChildStdout>), Error> {
        Worker::start(Start {
            library: library.into(),
            digest: digest.into(),
            log_level: log::max_level(),
            limits,
            job: Job::Collect { configure, request },
        })
    }

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
        match &mut *lock(&self.input) {
            Some(input) => frame::write_message(input, message),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Serves the worker's calls until it is done.
    ///
    /// # Errors
    /// Those of the connector, or how the worker died.
    pub(crate) fn serve(
        &self,
        output: &mut BufReader<ChildStdout>,
        services: Arc<dyn HostApi>,
        sink: Box<dyn RecordSink>,
        cancel: &Cancel,
    ) -> Result<CollectSummary, Error> {
        let over = Cancel::default();
        let (worker, asked, ended) = (self.clone(), cancel.clone(), over.clone());
        let pass_on = move || {
            while !ended.sleep(Duration::from_millis(100)) {
                if asked.is_set() {
                    let _ = worker.send(&ToWorker::Cancel);
                    return;
                }
            }
        };
        let passing = std::thread::Builder::new().name("worker-cancel".into()).spawn(pass_on);
        let mut run = Run { services, sink };
        let result = self.converse(output, &mut run);
        over.set();
        if let Ok(passing) = passing {
            // It may be writing to a worker that does not read; the worker is gone by now.
            let _ = passing.join();
        }
        serde_json::from_str(&result?).map_err(not_understood)
    }

    /// Reads frames until the worker is done or dead.
    fn converse(
        &self,
        output: &mut BufReader<ChildStdout>,
        host: &mut dyn Host,
    ) -> Result<String, Error> {
        let result = loop {
            match self.one_frame(output, host) {
                Ok(None) => {}
                Ok(Some(result)) => break Ok(result),
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break Err(None),
                Err(error) => break Err(Some(error)),
            }
        };
        let status = self.end();
        match result {
            Ok(result) => result,
            Err(broken) => Err(self.died(status, broken.as_ref())),
        }
    }

    /// Serves one frame; answers the worker's last word once it came.
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

    /// Waits a moment for the worker to end by itself; then ends it and all it started. Answers how
    /// it ended by itself.
    fn end(&self) -> Option<ExitStatus> {
        *lock(&self.input) = None;
        let began = Instant::now();
        while !self.has_ended() && began.elapsed() < EXIT_WITHIN {
            Cancel::default().sleep(Duration::from_millis(5));
        }
        let by_itself = self.has_ended();
        self.kill();
        let status = lock(&self.child).wait().ok();
        status.filter(|_| by_itself)
    }

    /// Whether the process has ended. It stays unreaped, so that its number is not used again.
    #[cfg(unix)]
    fn has_ended(&self) -> bool {
        use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
        let pid = Pid::from_child(&lock(&self.child));
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        !matches!(waitid(WaitId::Pid(pid), options), Ok(None))
    }

    #[cfg(not(unix))]
    fn has_ended(&self) -> bool {
        !matches!(lock(&self.child).try_wait(), Ok(None))
    }

    /// Ends the worker and everything it started, at once. To be called before it is reaped.
    pub(crate) fn kill(&self) {
        let mut child = lock(&self.child);
        #[cfg(unix)]
        let _ = rustix::process::kill_process_group(
            rustix::process::Pid::from_child(&child),
            rustix::process::Signal::KILL,
        );
        let _ = child.kill();
    }

    /// How a worker that did not finish its job ended.
    fn died(&self, status: Option<ExitStatus>, broken: Option<&std::io::Error>) -> Error {
        let words = String::from_utf8_lossy(&lock(&self.words)).into_owned();
        let how = match (broken, status) {
            (Some(error), _) => format!("sent something that is no message ({error})"),
            (None, None) => "closed its connection to the host".into(),
            (None, Some(_)) if words.contains("memory allocation of") => {
                format!("needed more than its {} MiB of memory", self.limits.memory_mib)
            }
            (None, Some(_)) if words.contains("overflowed its stack") => {
                "overflowed its stack".into()
            }
            (None, Some(status)) => how_it_ended(status, self.limits),
        };
        Error::new(ErrorKind::PANIC, format_args!("the connector's process {how}"))
            .with_hint("this is a fault of the connector: report it to its maker")
    }
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
        let mut kept = lock(words);
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
                        redact::shown(&String::from_utf8_lossy(&line))
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

/// For a run.
struct Run {
    services: Arc<dyn HostApi>,
    sink: Box<dyn RecordSink>,
}

impl Host for Run {
    fn call(&mut self, worker: &Worker, id: u32, call: Call) -> Option<Result<Answer, Error>> {
        let services = &self.services;
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
                let (services, worker) = (Arc::clone(services), worker.clone());
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
                self.sink.checkpoint(&dataset, &state).map(nothing)
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
        self.sink.batch(dataset, ArrowBatch::from_record_batch(batch)?)
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
