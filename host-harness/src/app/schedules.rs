//! Which connector runs when, as the store remembers it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::app::App;
use crate::error::HostError;
use crate::plugin::Plugin;
use crate::plugin_dir::Scan;
use crate::schedule::scheduler::{Entry, JobView, ScheduleStatus, Scheduler};
use crate::store::{Connector, Store};
use crate::time;

/// How a connector is scheduled.
#[derive(Clone, Debug, Serialize)]
pub struct ScheduleView {
    /// The connector's name.
    pub connector: String,
    /// Its schedule, as entered.
    pub schedule: Option<String>,
    /// Its status.
    pub standing: ScheduleStatus,
    /// When it runs next; `None` without a server, or if that is not decided by time.
    #[serde(with = "time::option_in_rfc3339")]
    pub next_run: Option<DateTime<Utc>>,
    /// Why it does not simply follow its schedule.
    pub reason: Option<String>,
    /// Failed runs in a row.
    pub failures: u32,
}

impl ScheduleView {
    /// A connector's schedule, where a server is running or not.
    pub fn new(job: &JobView, served: bool) -> ScheduleView {
        ScheduleView {
            connector: job.connector.clone(),
            schedule: job.schedule.clone(),
            standing: job.standing,
            next_run: job.next_run.filter(|_| served),
            reason: job.reason.clone(),
            failures: job.failures,
        }
    }
}

/// The scheduler as the store remembers it, for a look from another process than the server's.
///
/// # Errors
/// When the store cannot be read.
pub fn scheduler(app: &App) -> Result<Scheduler, HostError> {
    let (store, scan) = (app.store()?, app.scan()?);
    let mut scheduler = Scheduler::new(
        app.schedule_settings()?,
        store.schedule().jobs()?,
        store.schedule().libraries()?,
    );
    scheduler.update(entries(store, scan)?, &digests(scan), time::now());
    Ok(scheduler)
}

/// The connectors as the scheduler takes them, with why they must not run.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn entries(store: &Store, scan: &Scan) -> Result<Vec<Entry>, HostError> {
    let enabled: BTreeSet<String> = store
        .features()
        .list()?
        .into_iter()
        .filter(|feature| feature.enabled)
        .map(|feature| feature.id)
        .collect();
    let fingerprints = store.connectors().fingerprints()?;
    let plugins = scan.by_feature();
    let hold = |connector: &Connector| {
        let feature = &connector.feature;
        if !enabled.contains(feature) {
            return Some(format!("the feature `{feature}` is disabled"));
        }
        match plugins.get(feature.as_str()) {
            None => Some(format!("no connector library offers the feature `{feature}`")),
            Some(plugin) if !plugin.manifest.grants.is_empty() && !connector.is_authorized() => {
                Some("it is not authorized".into())
            }
            Some(_) => None,
        }
    };
    let entry = |connector: Connector| Entry {
        id: connector.id,
        hold: hold(&connector),
        organization: connector.organization_id.clone().unwrap_or_else(|| connector.domain.clone()),
        fingerprint: fingerprints.get(&connector.id).cloned().unwrap_or_default(),
        name: connector.name,
        feature: connector.feature,
        schedule: connector.schedule,
    };
    Ok(store.connectors().list()?.into_iter().map(entry).collect())
}

/// The SHA-256 of each library, by feature.
pub(crate) fn digests(scan: &Scan) -> BTreeMap<String, String> {
    let digest = |plugin: &Plugin| (plugin.manifest.id.clone(), plugin.digest.clone());
    scan.plugins.iter().map(digest).collect()
}
