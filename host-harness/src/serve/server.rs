//! The long-running endpoint server: starts what the scheduler says is due, one thread a run, and
//! remembers what it decided.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use connector_api::ErrorKind;
use parking_lot::Mutex;

use crate::app::collection::outcome::{Outcome, recorded};
use crate::app::collection::{self, Request};
use crate::app::{App, schedules};
use crate::cancel::Cancel;
use crate::error::{HostError, Kind};
use crate::schedule::scheduler::{Ended, Entry, JobView, PluginState, Scheduler};
use crate::serve::failure_hook::FailureHook;
use crate::serve::service_manager;
use crate::services::Unwatched;
use crate::store::{Folder, RunStatus, Store, StoreError};
use crate::time;

/// Poll interval of the main loop.
const TICK: Duration = Duration::from_millis(250);
/// Interval at which the store is asked whether another process changed it.
const LOOK: Duration = Duration::from_secs(1);
/// Shutdown deadline for running collections.
const STOP_WITHIN: Duration = Duration::from_secs(8);
/// Time a connector gets to end after it was asked to stop; less than [`STOP_WITHIN`].
const GRACE: Duration = Duration::from_secs(6);

/// The endpoint server as a service.
pub struct Server {
    app: App,
    /// Called when a run fails.
    on_failure: Option<FailureHook>,
    /// What metrics and health are made from.
    status: Arc<Mutex<StatusView>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server")
    }
}

/// The server's state, for metrics and health.
#[derive(Clone, Debug, Default)]
pub struct StatusView {
    /// When the loop last turned.
    pub turned_at: Option<Instant>,
    /// The connectors' schedules.
    pub connectors: Vec<JobView>,
    /// The libraries' states.
    pub plugins: BTreeMap<String, PluginState>,
    /// Runs since the start, by connector and status.
    pub runs: BTreeMap<(String, &'static str), u64>,
    /// Seconds the last run took, by connector.
    pub last_run_seconds: BTreeMap<String, f64>,
    /// When something of a connector was last published here.
    pub last_published: BTreeMap<String, DateTime<Utc>>,
    /// Requests that count against an allowance, by connector.
    pub api_calls: BTreeMap<String, u64>,
}

struct Finished {
    id: i64,
    connector: String,
    took: Duration,
    result: Result<Outcome, HostError>,
}

impl Server {
    /// A server of that home; `status` follows its state.
    pub fn new(app: App, status: Arc<Mutex<StatusView>>) -> Server {
        let on_failure = app.config().on_failure.clone().map(FailureHook::new);
        Server { app, on_failure, status }
    }

    /// Serves until `stop` is set; runs in progress are asked to stop then.
    ///
    /// # Errors
    /// When the store cannot be read at the start, or is found to be damaged: it is checked while the
    /// server comes up, and no run begins before. Later failures of the store are logged, and the server
    /// continues with what it knows.
    pub fn serve(self, stop: &Cancel) -> Result<(), HostError> {
        let server = Arc::new(self);
        let app = &server.app;
        let (store, scan, settings) = (app.store()?, app.scan()?, app.schedule_settings()?);
        for refused in &scan.refused {
            log::warn!("`{}` was refused: {}", refused.path.display(), refused.reason);
        }
        let zone = settings.zone;
        let mut scheduler =
            Scheduler::new(settings, store.schedule().jobs()?, store.schedule().libraries()?);
        scheduler.recover(time::now());
        let (finish, finished) = channel();
        let mut main_loop = MainLoop {
            server: &server,
            scheduler,
            cancels: BTreeMap::new(),
            finish,
            finished,
            seen: None,
            looked: None,
            check: Some(check(store.folder())?),
        };
        main_loop.look()?;
        log::info!(
            "the server is ready: {} connectors, {} libraries, time zone {}",
            main_loop.scheduler.view(time::now()).len(),
            scan.plugins.len(),
            zone
        );
        service_manager::ready();
        while !stop.is_set() {
            main_loop.turn()?;
        }
        service_manager::stopping();
        main_loop.wind_down();
        Ok(())
    }
}

struct MainLoop<'a> {
    server: &'a Arc<Server>,
    scheduler: Scheduler,
    cancels: BTreeMap<i64, Cancel>,
    finish: Sender<Finished>,
    finished: Receiver<Finished>,
    /// The store's version when it was last read.
    seen: Option<i64>,
    looked: Option<Instant>,
    /// What the check of the store will say; none when it was found sound.
    check: Option<Receiver<Result<(), StoreError>>>,
}

/// Checks the store in a thread of its own; that takes long if it is large.
fn check(folder: &Folder) -> Result<Receiver<Result<(), StoreError>>, HostError> {
    let store = Store::open_read(folder)?;
    let (sender, receiver) = channel();
    std::thread::Builder::new()
        .name("store-check".into())
        .spawn(move || {
            // Nobody listens any more if the server is stopped meanwhile.
            let _ = sender.send(store.quick_check());
        })
        .map_err(|error| HostError::failed(format_args!("no thread for the check: {error}")))?;
    Ok(receiver)
}

impl MainLoop<'_> {
    /// Whether the store was found sound; not yet while it is being checked.
    fn is_sound(&mut self) -> Result<bool, HostError> {
        let Some(check) = &self.check else { return Ok(true) };
        match check.try_recv() {
            Ok(found) => found?,
            Err(TryRecvError::Empty) => return Ok(false),
            Err(TryRecvError::Disconnected) => {
                return Err(HostError::failed("the check of the store ended in a panic"));
            }
        }
        self.check = None;
        Ok(true)
    }

    /// One turn: what changed, what ended, what is due.
    fn turn(&mut self) -> Result<(), HostError> {
        if self.looked.is_none_or(|at| at.elapsed() >= LOOK)
            && let Err(error) = self.look()
        {
            log::error!("the connectors cannot be read: {error}");
        }
        if self.is_sound()? {
            for entry in self.scheduler.start(time::now()) {
                self.begin(&entry);
            }
        }
        self.remember();
        self.show();
        service_manager::alive();
        match self.finished.recv_timeout(TICK) {
            Ok(finished) => self.end(finished, false),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        while let Ok(finished) = self.finished.try_recv() {
            self.end(finished, false);
        }
        Ok(())
    }

    /// Tells the scheduler what the store says, if it says something new.
    fn look(&mut self) -> Result<(), HostError> {
        self.looked = Some(Instant::now());
        let (store, scan) = (self.server.app.store()?, self.server.app.scan()?);
        let version = store.data_version()?;
        if self.seen == Some(version) {
            return Ok(());
        }
        let entries = schedules::entries(store, scan)?;
        self.scheduler.update(entries, &schedules::digests(scan), time::now());
        self.seen = Some(version);
        Ok(())
    }

    fn begin(&mut self, entry: &Entry) {
        let cancel = Cancel::default();
        self.cancels.insert(entry.id, cancel.clone());
        let (server, finish, name) =
            (Arc::clone(self.server), self.finish.clone(), entry.name.clone());
        let id = entry.id;
        let collect = move || {
            let began = Instant::now();
            let result = server.collect(&name, &cancel);
            // The loop is gone only when the process ends.
            let _ = finish.send(Finished { id, connector: name, took: began.elapsed(), result });
        };
        let spawned = std::thread::Builder::new().name(format!("run-{id}")).spawn(collect);
        if let Err(error) = spawned {
            let result = Err(HostError::failed(format_args!("no thread for the run: {error}")));
            let finished =
                Finished { id, connector: entry.name.clone(), took: Duration::ZERO, result };
            self.end(finished, false);
        }
    }

    fn end(&mut self, finished: Finished, stopping: bool) {
        self.cancels.remove(&finished.id);
        let ended = ended(&finished.result, stopping);
        self.count(&finished);
        if let (Ended::Badly { .. }, Some(hook)) = (&ended, &self.server.on_failure) {
            hook.call(&finished.connector, &finished.result);
        }
        match &finished.result {
            Ok(outcome) => match &outcome.error {
                Some(error) => log::warn!(
                    "run {} of `{}` {}: {}",
                    outcome.run_id,
                    finished.connector,
                    outcome.status.as_str(),
                    error.message
                ),
                None => log::info!(
                    "run {} of `{}` {} in {:.1} s with {} API calls",
                    outcome.run_id,
                    finished.connector,
                    outcome.status.as_str(),
                    finished.took.as_secs_f64(),
                    outcome.api_calls
                ),
            },
            Err(error) => log::warn!("`{}` could not run: {error}", finished.connector),
        }
        self.scheduler.ended(finished.id, &ended, time::now());
        self.remember();
        let view = self.scheduler.view(time::now());
        if let Some(job) = view.iter().find(|job| job.id == finished.id) {
            let when = job.next_run.map_or("not by itself".into(), time::rfc3339);
            log::info!("`{}` runs next: {when}", finished.connector);
        }
    }

    fn count(&self, finished: &Finished) {
        let mut shown = self.server.status.lock();
        let name = finished.connector.clone();
        let status = match &finished.result {
            Ok(outcome) => outcome.status.as_str(),
            Err(_) => RunStatus::Failed.as_str(),
        };
        *shown.runs.entry((name.clone(), status)).or_default() += 1;
        shown.last_run_seconds.insert(name.clone(), finished.took.as_secs_f64());
        if let Ok(outcome) = &finished.result {
            *shown.api_calls.entry(name.clone()).or_default() += outcome.api_calls;
            if outcome.error.is_none() {
                shown.last_published.insert(name, time::now());
            }
        }
    }

    fn remember(&mut self) {
        let (jobs, plugins) = self.scheduler.take_changes();
        let store = self.server.app.store();
        if let Err(error) =
            store.and_then(|store| Ok(store.schedule().remember(&jobs, &plugins)?))
        {
            log::error!("the state of the schedule cannot be stored: {error}");
        }
    }

    fn show(&self) {
        let mut shown = self.server.status.lock();
        shown.turned_at = Some(Instant::now());
        shown.connectors = self.scheduler.view(time::now());
        shown.plugins.clone_from(self.scheduler.plugins());
    }

    /// Asks all runs to stop and waits for them, but not for ever: what does not end is taken back
    /// when the store is next opened.
    fn wind_down(&mut self) {
        for cancel in self.cancels.values() {
            cancel.set();
        }
        if !self.cancels.is_empty() {
            log::info!("stopping {} runs", self.cancels.len());
        }
        let began = Instant::now();
        while !self.cancels.is_empty() {
            let left = STOP_WITHIN.saturating_sub(began.elapsed());
            match self.finished.recv_timeout(left) {
                Ok(finished) => self.end(finished, true),
                Err(_) => break,
            }
        }
        let stuck: Vec<i64> = self.cancels.keys().copied().collect();
        for id in stuck {
            log::warn!("a run did not stop in time and is left behind");
            self.scheduler.ended(id, &Ended::Interrupted, time::now());
        }
        self.remember();
        log::info!("the server has stopped");
    }
}

impl Server {
    fn collect(&self, name: &str, cancel: &Cancel) -> Result<Outcome, HostError> {
        let request = Request { grace: Some(GRACE), ..Request::default() };
        let collected =
            collection::collect(&self.app, name, &request, cancel, Arc::new(Unwatched))?;
        // The run itself is published; the next one forgets what is old.
        if let Err(error) = collected.retention {
            log::error!("old snapshots of `{name}` could not be removed: {error}");
        }
        Ok(collected.outcome)
    }
}

/// How a run ended, as far as the schedule is concerned.
fn ended(result: &Result<Outcome, HostError>, stopping: bool) -> Ended {
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(error) if error.kind == Kind::Busy => return Ended::Busy,
        Err(error) => {
            let error = recorded(error.clone().into());
            return Ended::Badly { status: RunStatus::Failed, error };
        }
    };
    match &outcome.error {
        None => Ended::Well,
        Some(error) if error.kind == ErrorKind::CANCELLED && stopping => Ended::Interrupted,
        Some(error) if error.kind == ErrorKind::CANCELLED => Ended::Withdrawn,
        Some(error) => Ended::Badly { status: outcome.status, error: error.clone() },
    }
}
