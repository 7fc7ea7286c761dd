//! One collection: configure, enable, collect in a thread of its own, publish or take back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use connector_api::host_side::Instance;
use connector_api::message::{
    CollectMode, CollectRequest, CollectSummary, DatasetStatus, DatasetSummary,
};
use connector_api::{Error, ErrorKind};
use serde::Serialize;

use crate::app::collection::plan::{self, RunPlan};
use crate::app::collection::plausible;
use crate::app::deployment::{Deployment, configured};
use crate::cancel::Cancel;
use crate::error::{HostError, Kind};
use crate::locks::RunLock;
use crate::plugin::Plugin;
use crate::redact;
use crate::services::{Context, Watcher, for_connector};
use crate::sink::{Arrived, RunSink};
use crate::store::{Connector, RowWriter, Run, RunEnd, RunError, RunStatus};
use crate::time;

/// How often a run looks whether its feature is still enabled.
const FEATURE_POLL: Duration = Duration::from_millis(500);

/// What to collect and how patient to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Everything, or what changed.
    pub mode: CollectMode,
    /// Datasets by name; empty means all.
    pub datasets: Vec<String>,
    /// Publish even if a dataset lost many of its records since the last snapshot.
    pub accept_shrink: bool,
    /// A connector that gives no sign for so long is asked to stop.
    pub silence: Duration,
    /// A connector that was asked to stop may take so long.
    pub grace: Duration,
    /// A run may take so long.
    pub longest: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            mode: CollectMode::Full,
            datasets: Vec::new(),
            accept_shrink: false,
            silence: Duration::from_secs(600),
            grace: Duration::from_secs(30),
            longest: Duration::from_secs(24 * 3_600),
        }
    }
}

/// How a run ended, in the shape `collect --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The run.
    pub run_id: i64,
    /// The connector's name.
    pub connector: String,
    /// Complete, partial, failed or paused.
    pub status: RunStatus,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339.
    pub finished_at: String,
    /// Requests that count against the vendor's allowance.
    pub api_calls: u64,
    /// How each dataset ended.
    pub datasets: Vec<DatasetSummary>,
    /// What ended the run.
    pub error: Option<RunError>,
}

impl Outcome {
    /// The exit code of `collect`.
    pub fn exit_code(&self) -> u8 {
        match (self.status, &self.error) {
            (RunStatus::Complete, _) => 0,
            (RunStatus::Partial, _) => 4,
            (RunStatus::Paused, Some(error)) if error.kind != ErrorKind::CANCELLED => 5,
            (_, Some(error)) => Kind::from(error.kind).exit_code(),
            _ => 1,
        }
    }
}

/// Runs one collection of a connector.
///
/// # Errors
/// When the run could not begin: settings, store, or another run in progress. What happens later is
/// part of the outcome.
pub fn collect(
    deployment: &Deployment,
    plugin: &Plugin,
    connector: &Connector,
    options: &Options,
    cancel: &Cancel,
    watcher: Arc<dyn Watcher>,
) -> Result<Outcome, HostError> {
    check_datasets(plugin, &options.datasets)?;
    let _lock = RunLock::take(deployment.store.folder(), connector)?;
    deployment.recover_runs(Some(connector.id))?;

    let mut context = deployment.context(connector.id, cancel.clone());
    context.watcher = watcher;
    let begun = plan::begin(&deployment.store, plugin, connector, options)?;
    context.run_id = Some(begun.run.id);
    context.goes_on = begun.goes_on();
    let context = Arc::new(context);

    let disabled = Arc::new(AtomicBool::new(false));
    let _guard = FeatureGuard::start(deployment, &plugin.manifest.id, cancel, &disabled);
    let mut collected = attempt(deployment, plugin, connector, options, &begun, &context);
    if disabled.load(Ordering::Relaxed) && stopped(&collected) {
        collected = Err(feature_disabled(&plugin.manifest.id));
    }
    let mut end = judge(plugin, options, &begun, &context, collected);
    let run = &begun.run;
    let feature = &plugin.manifest.id;
    plausible::doubt(&deployment.store, feature, run, &mut end, options.accept_shrink)?;
    settle(deployment, plugin, run, &end)?;
    log::info!("run {} ended: {}", run.id, end.status.as_str());
    Ok(outcome(run, connector, end))
}

/// Cancels a run when its feature is disabled, until dropped.
struct FeatureGuard {
    over: Cancel,
    thread: Option<JoinHandle<()>>,
}

impl FeatureGuard {
    fn start(
        deployment: &Deployment,
        feature: &str,
        cancel: &Cancel,
        disabled: &Arc<AtomicBool>,
    ) -> FeatureGuard {
        let over = Cancel::default();
        let (store, feature) = (Arc::clone(&deployment.store), feature.to_owned());
        let (cancel, disabled, ended) = (cancel.clone(), Arc::clone(disabled), over.clone());
        let watch = move || {
            while !ended.sleep(FEATURE_POLL) {
                if matches!(store.feature_state(&feature), Ok(Some(false))) {
                    log::info!("feature `{feature}` was disabled: its run is stopped");
                    disabled.store(true, Ordering::Relaxed);
                    cancel.set();
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("feature".into()).spawn(watch);
        FeatureGuard { over, thread: thread.ok() }
    }
}

impl Drop for FeatureGuard {
    fn drop(&mut self) {
        self.over.set();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the thread that watches the feature ended in a panic");
        }
    }
}

fn feature_disabled(feature: &str) -> Error {
    Error::new(
        ErrorKind::CANCELLED,
        format_args!("the feature `{feature}` was disabled during the run"),
    )
    .with_hint(format_args!("nothing was published; `features enable {feature}` lets it run again"))
}

/// What came out of a connector: its summary, and what really arrived of each dataset.
type Collected = Result<(CollectSummary, BTreeMap<String, Arrived>), Error>;

/// Whether the connector ended because it was asked to.
fn stopped(collected: &Collected) -> bool {
    let error = match collected {
        Ok((summary, _)) => summary.error.as_ref(),
        Err(error) => Some(error),
    };
    error.is_some_and(|error| error.kind == ErrorKind::CANCELLED)
}

fn attempt(
    deployment: &Deployment,
    plugin: &Plugin,
    connector: &Connector,
    options: &Options,
    begun: &RunPlan,
    context: &Arc<Context>,
) -> Collected {
    let run = &begun.run;
    let request = CollectRequest {
        run_id: run.id,
        mode: begun.mode,
        datasets: if begun.goes_on() { begun.left() } else { options.datasets.clone() },
        resume: begun.goes_on(),
    };
    if begun.goes_on() && request.datasets.is_empty() {
        return Ok((CollectSummary::default(), BTreeMap::new()));
    }
    let instance: Arc<dyn Instance> = configured(deployment, plugin, connector, context)?.into();
    instance.enable()?;
    let writer =
        RowWriter::open(&deployment.store, run, &plugin.manifest.id).map_err(for_connector)?;
    let sink = RunSink::new(Arc::clone(context), Arc::new(plugin.manifest.clone()), writer);
    let (receiving, working) = (Box::new(sink.clone()), Arc::clone(&instance));
    let work = move || {
        let result = working.collect(&request, receiving);
        if !matches!(&result, Err(error) if error.kind == ErrorKind::PANIC)
            && let Err(error) = working.disable()
        {
            log::warn!("the connector could not be disabled after the run: {error}");
        }
        result
    };
    let leave = || match instance.kill() {
        true => log::error!("the connector did not stop: its process is ended"),
        false => log::error!("the connector did not stop: it is left behind"),
    };
    let summary = in_own_thread(work, leave, &sink, options, context);
    if summary.is_err() {
        sink.close();
        return summary.map(|summary| (summary, BTreeMap::new()));
    }
    let (arrived, stored) = sink.finish();
    let summary = summary?;
    // The summary's own error tells more than the sink's answer that followed from it.
    if summary.error.is_none() {
        stored?;
    }
    Ok((summary, arrived))
}

/// Collects in a thread of its own, so that one that hangs can be left behind.
fn in_own_thread(
    work: impl FnOnce() -> Result<CollectSummary, Error> + Send + 'static,
    leave: impl Fn(),
    sink: &RunSink,
    options: &Options,
    context: &Arc<Context>,
) -> Result<CollectSummary, Error> {
    let (done, finished) = channel();
    let began = Instant::now();
    let thread = std::thread::Builder::new()
        .name("collect".into())
        .stack_size(8 << 20)
        .spawn(move || {
            let result = work();
            // Nobody listens any more if the run was abandoned.
            let _ = done.send(result);
        })
        .map_err(|error| {
            Error::new(ErrorKind::OTHER, format_args!("no thread for the run: {error}"))
        })?;
    // Why the host itself asked to stop.
    let mut stopped: Option<Error> = None;
    loop {
        match finished.recv_timeout(Duration::from_millis(100).min(options.grace)) {
            Ok(result) => {
                if thread.join().is_err() {
                    log::error!("the run's thread ended in a panic");
                }
                return stopped.map_or(result, Err);
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::new(ErrorKind::PANIC, "the run's thread ended in a panic"));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(since) = context.cancel.since() {
            if since.elapsed() >= options.grace {
                sink.close();
                leave();
                return Err(stopped.unwrap_or_else(Error::cancelled));
            }
        } else if context.last_sign().elapsed() >= options.silence {
            stopped = Some(gave_no_sign(options));
            context.cancel.set();
        } else if began.elapsed() >= options.longest {
            stopped = Some(took_too_long(options));
            context.cancel.set();
        }
    }
}

fn took_too_long(options: &Options) -> Error {
    Error::new(
        ErrorKind::OTHER,
        format_args!(
            "the run took longer than {} hours and was stopped",
            options.longest.as_secs() / 3_600
        ),
    )
}

fn gave_no_sign(options: &Options) -> Error {
    Error::new(
        ErrorKind::PANIC,
        format_args!(
            "the connector gave no sign for {} seconds and was stopped",
            options.silence.as_secs()
        ),
    )
    .with_hint("collect again; with `-vv` the log shows what it was doing")
}

fn check_datasets(plugin: &Plugin, datasets: &[String]) -> Result<(), HostError> {
    let Some(unknown) = datasets.iter().find(|name| plugin.manifest.dataset(name).is_none()) else {
        return Ok(());
    };
    let known: Vec<&str> =
        plugin.manifest.datasets.iter().map(|dataset| dataset.name.as_str()).collect();
    Err(HostError::usage(format_args!("there is no dataset `{unknown}`"))
        .with_hint(format_args!("datasets of this connector: {}", known.join(", "))))
}

/// Makes the run's end of what came out: status, one entry for each dataset that was asked for.
fn judge(
    plugin: &Plugin,
    options: &Options,
    begun: &RunPlan,
    context: &Context,
    collected: Collected,
) -> RunEnd {
    // A connector that stopped in order told what it read; the next run goes on from there.
    let may_go_on = collected.is_ok() && stopped(&collected);
    let (summary, arrived) = match collected {
        Ok(collected) => collected,
        Err(error) => {
            (CollectSummary { error: Some(error), ..CollectSummary::default() }, BTreeMap::new())
        }
    };
    let api_calls = begun.run.api_calls + summary.api_calls;
    let mut error = summary.error.map(|error| shown_error(error.shortened()));
    let resumed: BTreeSet<String> =
        context.resumed.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let is_optional = |name: &str| {
        options.datasets.is_empty()
            && plugin.manifest.dataset(name).is_some_and(|spec| spec.optional)
    };
    let datasets: Vec<DatasetSummary> = plan::asked(plugin, options)
        .iter()
        .filter_map(|name| {
            let said = summary.datasets.iter().rev().find(|dataset| dataset.dataset == *name);
            let rows = arrived.get(name).copied().unwrap_or_default();
            let mut dataset = match (said, begun.finished_earlier(name)) {
                (Some(said), _) => reconcile(said.clone(), rows, error.is_some()),
                (None, Some(earlier)) => return Some(earlier),
                // Nobody asked for it, and the connector's settings did not either.
                (None, None) if is_optional(name) && rows.stored == 0 => return None,
                (None, None) => not_read(name, rows, error.is_some()),
            };
            // A connector that was given the former state reads on from there, unless it says that
            // it read a dataset whole.
            let by_changes = begun.mode == CollectMode::Incremental
                && dataset
                    .mode
                    .map_or(resumed.contains(name), |mode| mode == CollectMode::Incremental);
            dataset.mode =
                Some(if by_changes { CollectMode::Incremental } else { CollectMode::Full });
            Some(begun.with_earlier(dataset))
        })
        .collect();
    let readable = |status: DatasetStatus| {
        !matches!(status, DatasetStatus::Denied | DatasetStatus::Absent | DatasetStatus::Failed)
    };
    let good =
        |status: DatasetStatus| matches!(status, DatasetStatus::Complete | DatasetStatus::Absent);
    let all_good = datasets.iter().all(|dataset| good(dataset.status));
    let status = match &error {
        Some(error) if error.kind == ErrorKind::RATE_LIMITED || may_go_on => RunStatus::Paused,
        Some(_) => RunStatus::Failed,
        None if all_good => RunStatus::Complete,
        None if datasets.iter().any(|dataset| readable(dataset.status)) => RunStatus::Partial,
        None => {
            error = Some(nothing_readable(&datasets));
            RunStatus::Failed
        }
    };
    let changes_only = datasets
        .iter()
        .filter(|dataset| dataset.mode == Some(CollectMode::Incremental))
        .map(|dataset| dataset.dataset.clone())
        .collect();
    RunEnd { status, api_calls, error, datasets, changes_only }
}

/// What was said about a dataset, held against what arrived. Of one that was not read whole, a run
/// that goes on reads again what no checkpoint covers.
fn reconcile(mut said: DatasetSummary, arrived: Arrived, ended_early: bool) -> DatasetSummary {
    if arrived.stored != said.rows && said.status.has_every_record() {
        log::warn!(
            "`{}`: the connector counted {} records, {} arrived",
            said.dataset,
            said.rows,
            arrived.stored
        );
        (said.status, said.reason) = if ended_early {
            (DatasetStatus::Failed, Some("the run ended before all of it was stored".into()))
        } else {
            let reason = format!("{} records were counted, {} arrived", said.rows, arrived.stored);
            (DatasetStatus::Incomplete, Some(reason))
        };
    }
    let read_again = ended_early && said.status == DatasetStatus::Failed;
    said.rows = if read_again { arrived.covered } else { arrived.stored };
    said.reason = said.reason.map(|reason| redact::mask(&reason).into_owned());
    said
}

fn not_read(name: &str, arrived: Arrived, ended_early: bool) -> DatasetSummary {
    let reason = if ended_early {
        "the run ended before it was read"
    } else {
        "the connector did not say how its reading ended"
    };
    DatasetSummary {
        dataset: name.into(),
        status: DatasetStatus::Failed,
        rows: if ended_early { arrived.covered } else { arrived.stored },
        expected: None,
        missing_fields: Vec::new(),
        reason: Some(reason.into()),
        mode: None,
        total: None,
    }
}

fn nothing_readable(datasets: &[DatasetSummary]) -> RunError {
    let denied = datasets.iter().any(|dataset| dataset.status == DatasetStatus::Denied);
    let reason = datasets
        .iter()
        .find_map(|dataset| dataset.reason.as_deref())
        .map_or_else(String::new, |reason| format!(": {reason}"));
    RunError {
        kind: if denied { ErrorKind::DENIED } else { ErrorKind::OTHER },
        message: format!("no dataset could be read{reason}"),
        hint: Some("run `connectors check` to see what the connecting account lacks".into()),
        retry_after_ms: None,
    }
}

fn shown_error(error: Error) -> RunError {
    let hint = error.hint.or_else(|| match error.kind {
        ErrorKind::AUTH => Some("run `connectors authorize` for this connector".into()),
        ErrorKind::CANCELLED => {
            Some("nothing was published; the next run goes on where this one stopped".into())
        }
        ErrorKind::PANIC => Some("this is a fault of the connector: report it to its maker".into()),
        ErrorKind::RETRYABLE => Some("collect again later".into()),
        _ => None,
    });
    RunError {
        kind: error.kind,
        message: redact::mask(&error.message).into_owned(),
        hint: hint.map(|hint| redact::mask(&hint).into_owned()),
        retry_after_ms: error.retry_after_ms,
    }
}

fn outcome(run: &Run, connector: &Connector, end: RunEnd) -> Outcome {
    Outcome {
        run_id: run.id,
        connector: connector.name.clone(),
        status: end.status,
        started_at: time::rfc3339(run.started_at),
        finished_at: time::rfc3339(time::now()),
        api_calls: end.api_calls,
        datasets: end.datasets,
        error: end.error,
    }
}

fn settle(
    deployment: &Deployment,
    plugin: &Plugin,
    run: &Run,
    end: &RunEnd,
) -> Result<(), HostError> {
    let (store, feature) = (&deployment.store, &plugin.manifest.id);
    if end.status == RunStatus::Paused {
        return Ok(store.pause_run(run, end)?);
    }
    if !matches!(end.status, RunStatus::Complete | RunStatus::Partial) {
        return Ok(store.take_back_run(run, feature, end)?);
    }
    let published = store.publish_run(run, &plugin.manifest, end).inspect_err(|_| {
        let failed = RunEnd { status: RunStatus::Failed, ..end.clone() };
        // If this fails too, the next start takes the run back.
        if let Err(second) = store.take_back_run(run, feature, &failed) {
            log::warn!("run {} could not be taken back now: {second}", run.id);
        }
    });
    Ok(published?)
}
