//! `serve`: the endpoint server as a service.

use std::sync::{Arc, Mutex};

use super::{App, Outcome};
use crate::app::collection::retention::Keeping;
use crate::error::HostError;
use crate::locks::ServerLock;
use crate::plugin_dir::{self, Loading};
use crate::schedule::scheduler;
use crate::serve::failure_hook::FailureHook;
use crate::serve::metrics;
use crate::serve::server::{Server, Shown};

/// Options of `serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How log records on standard error look
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(super) log_format: LogFormat,
    /// Run connectors inside this process instead of in processes of their own
    ///
    /// A connector library that crashes then ends the server.
    #[arg(long)]
    in_process: bool,
}

/// How log records look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// Time, level, target and message on one line
    #[default]
    Text,
    /// One JSON object on one line
    Json,
}

pub(crate) fn run(app: &App, args: &Args) -> Result<Outcome, HostError> {
    app.home.ensure()?;
    let _lock = ServerLock::take(&app.home)?;
    let settings = settings(app)?;
    let shown = Arc::new(Mutex::new(Shown::default()));
    // A metrics address that is in use is told before anything else begins.
    let _metrics =
        app.config.metrics.map(|at| metrics::listen(at, Arc::clone(&shown))).transpose()?;
    let deployment = app.deployment()?.clone();
    let isolate = (!args.in_process).then(|| app.config.limits());
    let loading = isolate.map_or(Loading::Here, Loading::Isolated);
    let scan = plugin_dir::scan(&app.plugin_folders()?, &app.trusted_keys()?, loading);
    for refused in &scan.refused {
        log::warn!("`{}` was refused: {}", refused.path.display(), refused.reason);
    }
    let stop = app.cancel_on_interrupt();
    let server = Server {
        deployment,
        scan,
        isolate,
        silence: app.config.silence_seconds.map(std::time::Duration::from_secs),
        settings,
        keeping: Keeping::of(&app.config),
        on_failure: app.config.on_failure.clone().map(FailureHook::new),
        shown,
    };
    server.serve(&stop)?;
    Ok(Outcome::DONE)
}

/// How the scheduler works, by `config.toml`.
pub(super) fn settings(app: &App) -> Result<scheduler::Settings, HostError> {
    Ok(scheduler::Settings {
        zone: crate::schedule::zone(app.config.time_zone.as_deref())?,
        most_runs: app.config.parallel_runs.unwrap_or(4) as usize,
        jitter: chrono::Duration::minutes(i64::from(app.config.jitter_minutes.unwrap_or(5))),
    })
}
