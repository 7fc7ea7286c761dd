//! `serve`: the endpoint server as a service.

use std::sync::Arc;

use parking_lot::Mutex;

use super::{Outcome, Reporter, cancel_on_interrupt};
use crate::app::App;
use crate::error::HostError;
use crate::locks::ServerLock;
use crate::serve::metrics;
use crate::serve::server::{Server, StatusView};

/// Options of `serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Format of log records on standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(super) log_format: LogFormat,
    /// Run connectors inside this process instead of in processes of their own
    ///
    /// A connector library that crashes then ends the server.
    #[arg(long)]
    pub(super) in_process: bool,
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

pub(crate) fn run(app: App, out: Reporter) -> Result<Outcome, HostError> {
    app.home().ensure()?;
    let _lock = ServerLock::take(app.home().inventory())?;
    app.schedule_settings()?;
    let status = Arc::new(Mutex::new(StatusView::default()));
    // A metrics address that is in use is reported before anything else begins.
    let _metrics =
        app.config().metrics.map(|at| metrics::listen(at, Arc::clone(&status))).transpose()?;
    app.deployment()?;
    let stop = cancel_on_interrupt(out);
    Server::new(app, status).serve(&stop)?;
    Ok(Outcome::DONE)
}
