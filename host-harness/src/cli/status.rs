//! `status`: the server, its connectors, its store, at a glance.

use chrono::{DateTime, Utc};

use super::{Outcome, Reporter, Table};
use crate::app::App;
use crate::app::status::{self, StatusView};
use crate::error::HostError;
use crate::redact;
use crate::schedule::scheduler::ScheduleStatus;
use crate::time::rfc3339;
use position::grouped;

pub(crate) fn run(app: &App, out: Reporter) -> Result<Outcome, HostError> {
    let status = status::status(app)?;
    out.print(&status, text)?;
    Ok(if status.ok { Outcome::DONE } else { Outcome::FINDINGS })
}

fn text(status: &StatusView) -> String {
    let server = status.server.as_deref().unwrap_or("not running: start it with `serve`");
    let mut text = format!(
        "server     {server}\ntime zone  {}\nstore      {} KiB\n",
        status.time_zone,
        grouped(i64::try_from(status.store_bytes / 1024).unwrap_or(i64::MAX))
    );
    for library in &status.plugins_held_back {
        text.push_str(&redact::shown(&format!(
            "library    `{}` is held back until {}: {}",
            library.feature,
            rfc3339(library.held_until),
            library.reason
        )));
        text.push('\n');
    }
    if status.plugins_refused > 0 {
        text.push_str(&format!(
            "libraries  {} refused: see `plugins list`\n",
            status.plugins_refused
        ));
    }
    let mut table = Table::new(&["CONNECTOR", "SCHEDULE", "STATUS", "NEXT RUN", "REASON"]);
    for job in &status.connectors {
        table.row(vec![
            job.connector.clone(),
            job.schedule.clone().unwrap_or_default(),
            word(job.standing).into(),
            next_run(job.schedule.as_deref(), job.standing, job.next_run, status.server.is_some()),
            job.reason.clone().unwrap_or_default(),
        ]);
    }
    if !table.is_empty() {
        text.push_str(&format!("\n{}", table.render()));
    }
    text
}

/// When a connector runs next, for people.
pub(super) fn next_run(
    schedule: Option<&str>,
    standing: ScheduleStatus,
    at: Option<DateTime<Utc>>,
    served: bool,
) -> String {
    match (at, served) {
        _ if schedule.is_none() => String::new(),
        (_, false) => "no server is running".into(),
        (Some(at), true) => rfc3339(at),
        (None, true) => word(standing).into(),
    }
}

fn word(standing: ScheduleStatus) -> &'static str {
    match standing {
        ScheduleStatus::Waiting => "waiting",
        ScheduleStatus::Queued => "queued",
        ScheduleStatus::Running => "running",
        ScheduleStatus::BackingOff => "backing off",
        ScheduleStatus::Paused => "paused",
        ScheduleStatus::Stopped => "stopped",
        ScheduleStatus::Held => "held",
        ScheduleStatus::Unscheduled => "no schedule",
    }
}
