//! The server, its connectors and its store at a glance.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::app::App;
use crate::app::schedules::{self, ScheduleView};
use crate::error::HostError;
use crate::locks::ServerLock;
use crate::schedule::scheduler::ScheduleStatus;
use crate::time;

/// An endpoint server at a glance.
#[derive(Clone, Debug, Serialize)]
pub struct StatusView {
    /// Whether nothing needs attention.
    pub ok: bool,
    /// The process that serves this home; `None` if there is none.
    pub server: Option<String>,
    /// The zone schedules are meant in.
    pub time_zone: String,
    /// Size of the store with its side files.
    pub store_bytes: u64,
    /// The connectors' schedules.
    pub connectors: Vec<ScheduleView>,
    /// Libraries that crash and do not run for a while.
    pub plugins_held_back: Vec<HeldLibrary>,
    /// Number of library files that were refused.
    pub plugins_refused: usize,
}

/// A library that does not run for a while.
#[derive(Clone, Debug, Serialize)]
pub struct HeldLibrary {
    /// Its feature.
    pub feature: String,
    /// Until then.
    #[serde(with = "time::in_rfc3339")]
    pub held_until: DateTime<Utc>,
    /// How it crashed last.
    pub reason: String,
}

/// Reads the status of an endpoint server.
///
/// # Errors
/// When store or libraries cannot be read.
pub fn status(app: &App) -> Result<StatusView, HostError> {
    let scheduler = schedules::scheduler(app)?;
    let server = ServerLock::holder(app.home().inventory());
    let now = time::now();
    let held = scheduler.plugins().iter().filter_map(|(feature, plugin)| {
        Some(HeldLibrary {
            feature: feature.clone(),
            held_until: plugin.held_until.filter(|until| *until > now)?,
            reason: plugin.reason.clone().unwrap_or_default(),
        })
    });
    let plugins_held_back: Vec<HeldLibrary> = held.collect();
    let connectors: Vec<ScheduleView> =
        scheduler.view(now).iter().map(|job| ScheduleView::new(job, server.is_some())).collect();
    Ok(StatusView {
        ok: server.is_some()
            && plugins_held_back.is_empty()
            && !connectors.iter().any(needs_attention),
        server,
        time_zone: scheduler.zone().name().to_owned(),
        store_bytes: app.store()?.size_bytes(),
        connectors,
        plugins_held_back,
        plugins_refused: app.scan()?.refused.len(),
    })
}

fn needs_attention(job: &ScheduleView) -> bool {
    matches!(job.standing, ScheduleStatus::Stopped | ScheduleStatus::BackingOff)
        || job.standing == ScheduleStatus::Held && job.schedule.is_some()
}
