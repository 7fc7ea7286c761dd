//! One collection: configure, enable, collect in a thread of its own, publish or take back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use connector_api::host_side::Instance;
use connector_api::message::{CollectRequest, CollectSummary};
use connector_api::{Error, ErrorKind};

use crate::app::collection::options::Options;
use crate::app::collection::outcome::{Collected, Outcome, outcome, run_end, stopped};
use crate::app::collection::plan::{self, RunPlan};
use crate::app::collection::plausible;
use crate::app::collection::watched::in_own_thread;
use crate::app::deployment::{Deployment, configured};
use crate::cancel::Cancel;
use crate::error::HostError;
use crate::locks::RunLock;
use crate::plugin::Plugin;
use crate::services::{Context, Watcher, for_connector};
use crate::sink::RunSink;
use crate::store::{Connector, RowWriter, Run, RunEnd, RunStatus};

/// Interval at which a run checks that its feature is still enabled.
const FEATURE_POLL: Duration = Duration::from_millis(500);

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
    let plan = plan::begin(deployment, plugin, connector, options)?;
    context.run_id = Some(plan.run.id);
    context.goes_on = plan.goes_on();
    let context = Arc::new(context);

    let disabled = Arc::new(AtomicBool::new(false));
    let _guard = FeatureGuard::start(deployment, &plugin.manifest.id, cancel, &disabled);
    let mut collected = attempt(deployment, plugin, connector, options, &plan, &context);
    if disabled.load(Ordering::Relaxed) && stopped(&collected) {
        collected = Err(feature_disabled(&plugin.manifest.id));
    }
    let mut end = run_end(plugin, options, &plan, &context, collected);
    let run = &plan.run;
    let feature = &plugin.manifest.id;
    plausible::withhold_implausible(
        &deployment.store,
        feature,
        run,
        &mut end,
        options.accept_shrink,
    )?;
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
                if matches!(store.features().state(&feature), Ok(Some(false))) {
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

fn attempt(
    deployment: &Deployment,
    plugin: &Plugin,
    connector: &Connector,
    options: &Options,
    plan: &RunPlan,
    context: &Arc<Context>,
) -> Collected {
    let run = &plan.run;
    let request = CollectRequest {
        run_id: run.id,
        mode: plan.mode,
        datasets: if plan.goes_on() { plan.left() } else { options.datasets.clone() },
        resume: plan.goes_on(),
    };
    if plan.goes_on() && request.datasets.is_empty() {
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

fn check_datasets(plugin: &Plugin, datasets: &[String]) -> Result<(), HostError> {
    let Some(unknown) = datasets.iter().find(|name| plugin.manifest.dataset(name).is_none()) else {
        return Ok(());
    };
    let known: Vec<&str> =
        plugin.manifest.datasets.iter().map(|dataset| dataset.name.as_str()).collect();
    Err(HostError::usage(format_args!("there is no dataset `{unknown}`"))
        .with_hint(format_args!("datasets of this connector: {}", known.join(", "))))
}

fn settle(
    deployment: &Deployment,
    plugin: &Plugin,
    run: &Run,
    end: &RunEnd,
) -> Result<(), HostError> {
    let (store, feature) = (&deployment.store, &plugin.manifest.id);
    if end.status == RunStatus::Paused {
        return Ok(store.runs().pause(run, end)?);
    }
    if !matches!(end.status, RunStatus::Complete | RunStatus::Partial) {
        return Ok(store.runs().take_back(run, feature, end)?);
    }
    let published = store.runs().publish(run, &plugin.manifest, end).inspect_err(|_| {
        let failed = RunEnd { status: RunStatus::Failed, ..end.clone() };
        // If this fails too, the next start takes the run back.
        if let Err(second) = store.runs().take_back(run, feature, &failed) {
            log::warn!("run {} could not be taken back now: {second}", run.id);
        }
    });
    Ok(published?)
}
