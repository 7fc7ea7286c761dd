//! `status`: the server, its connectors, its store, at a glance.

use serde_json::json;

use super::{App, Outcome, Table, serve};
use crate::error::HostError;
use crate::locks::ServerLock;
use crate::position::grouped;
use crate::schedule::scheduler::{JobView, Standing};
use crate::serve::server;
use crate::time::{self, rfc3339};

pub(crate) fn run(app: &App) -> Result<Outcome, HostError> {
    let settings = serve::settings(app)?;
    let zone = settings.zone;
    let store = app.store()?;
    let scheduler = server::look(store, app.scan()?, settings)?;
    let holder = ServerLock::holder(&app.home);
    let views = scheduler.view(time::now());
    let bytes = store.size_bytes();
    let held_back: Vec<(&String, _)> = scheduler
        .plugins()
        .iter()
        .filter_map(|(feature, plugin)| {
            let until = plugin.held_until.filter(|until| *until > time::now())?;
            Some((feature, (until, plugin.reason.clone().unwrap_or_default())))
        })
        .collect();
    let refused = &app.scan()?.refused;
    let needs_attention = holder.is_none()
        || !held_back.is_empty()
        || views.iter().any(|job| {
            matches!(job.standing, Standing::Stopped | Standing::BackingOff)
                || job.standing == Standing::Held && job.schedule.is_some()
        });
    if app.reporter.json {
        let jobs: Vec<_> = views.iter().map(|job| document(job, holder.is_some())).collect();
        let plugins: Vec<_> = held_back
            .iter()
            .map(|(feature, (until, reason))| {
                json!({ "feature": feature, "held_until": rfc3339(*until), "reason": reason })
            })
            .collect();
        app.reporter.document(&json!({
            "ok": !needs_attention,
            "server": holder,
            "time_zone": zone.name(),
            "store_bytes": bytes,
            "connectors": jobs,
            "plugins_held_back": plugins,
            "plugins_refused": refused.len(),
        }))?;
    } else {
        let server = holder.as_deref().unwrap_or("not running: start it with `serve`");
        app.reporter.text(&format!(
            "server     {server}\ntime zone  {zone}\nstore      {} KiB",
            grouped(i64::try_from(bytes / 1024).unwrap_or(i64::MAX))
        ));
        for (feature, (until, reason)) in &held_back {
            app.reporter.text(&crate::redact::shown(&format!(
                "library    `{feature}` is held back until {}: {reason}",
                rfc3339(*until)
            )));
        }
        if !refused.is_empty() {
            app.reporter.text(&format!("libraries  {} refused: see `plugins list`", refused.len()));
        }
        let mut table = Table::new(&["CONNECTOR", "SCHEDULE", "STANDING", "NEXT RUN", "REASON"]);
        for job in &views {
            table.row(vec![
                job.connector.clone(),
                job.schedule.clone().unwrap_or_default(),
                word(job.standing).into(),
                next_run(job, holder.is_some()),
                job.reason.clone().unwrap_or_default(),
            ]);
        }
        if !table.is_empty() {
            app.reporter.text(&format!("\n{}", table.render()));
        }
    }
    Ok(if needs_attention { Outcome::FINDINGS } else { Outcome::DONE })
}

/// How one connector stands, as JSON. Without a server there is no next run.
pub(super) fn document(job: &JobView, served: bool) -> serde_json::Value {
    json!({
        "connector": job.connector,
        "schedule": job.schedule,
        "standing": job.standing,
        "next_run": job.next_run.filter(|_| served).map(rfc3339),
        "reason": job.reason,
        "failures": job.failures,
    })
}

/// When a connector runs next, for people.
pub(super) fn next_run(job: &JobView, served: bool) -> String {
    match (job.next_run, served) {
        _ if job.schedule.is_none() => String::new(),
        (_, false) => "no server is running".into(),
        (Some(at), true) => rfc3339(at),
        (None, true) => word(job.standing).into(),
    }
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Waiting => "waiting",
        Standing::Queued => "queued",
        Standing::Running => "running",
        Standing::BackingOff => "backing off",
        Standing::Paused => "paused",
        Standing::Stopped => "stopped",
        Standing::Held => "held",
        Standing::Unscheduled => "no schedule",
    }
}
