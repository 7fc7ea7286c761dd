//! One collection of a connector, from its settings to a published snapshot.

pub mod options;
pub mod outcome;
pub(crate) mod plan;
pub(crate) mod plausible;
pub mod retention;
pub mod run;
pub mod settle;
mod watched;

use std::sync::Arc;
use std::time::Duration;

use connector_api::message::CollectMode;

use crate::app::App;
use crate::cancel::Cancel;
use crate::error::{HostError, Kind};
use crate::services::Watcher;
use options::Options;
use outcome::Outcome;
use retention::RetentionPolicy;

/// What to collect, and how.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Read everything again, not only what changed since the last run.
    pub full: bool,
    /// Datasets by name; empty means all.
    pub datasets: Vec<String>,
    /// Publish even if a dataset lost many of its records since the last snapshot.
    pub accept_shrink: bool,
    /// Time a connector gets to end after it was asked to stop.
    pub grace: Option<Duration>,
}

/// What came of a collection.
#[derive(Debug)]
pub struct Collected {
    /// How the run ended.
    pub outcome: Outcome,
    /// Whether snapshots that are too old could be removed afterwards.
    pub retention: Result<(), HostError>,
}

/// Runs one collection of a connector: checks that it may run, collects, publishes, removes what is
/// too old and prepares what reports need.
///
/// # Errors
/// When the run could not begin: of kind auth without a grant, of kind usage for a disabled feature
/// or an unknown dataset, of kind busy while another run is in progress. What happens later is part
/// of the outcome.
pub fn collect(
    app: &App,
    name: &str,
    request: &Request,
    cancel: &Cancel,
    progress: Arc<dyn Watcher>,
) -> Result<Collected, HostError> {
    let (connector, plugin) = app.ready(name)?;
    if !connector.is_authorized() && !plugin.manifest.grants.is_empty() {
        return Err(HostError::new(
            Kind::Auth,
            format_args!("connector `{}` is not authorized", connector.name),
        )
        .with_hint(format_args!("run `connectors authorize \"{}\"`", connector.name)));
    }
    let (config, default) = (app.config(), Options::default());
    let options = Options {
        mode: if request.full { CollectMode::Full } else { CollectMode::Incremental },
        datasets: request.datasets.clone(),
        accept_shrink: request.accept_shrink,
        silence: config.silence_seconds.map_or(default.silence, Duration::from_secs),
        grace: request.grace.unwrap_or(default.grace),
        ..default
    };
    let deployment = app.deployment()?;
    let outcome = run::collect(deployment, plugin, &connector, &options, cancel, progress)?;
    let policy = RetentionPolicy::of(config);
    let retention = policy.after_run(&deployment.store, &connector, outcome.status);
    Ok(Collected { outcome, retention })
}
