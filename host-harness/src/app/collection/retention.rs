//! What follows a run, whoever started it: old snapshots go, and what reports need is prepared.

use chrono::Duration;

use super::settle::settle;
use crate::error::HostError;
use crate::redact;
use position::inputs::RuleSettings;

use crate::settings::Config;
use crate::store::{Connector, RunStatus, Store};
use crate::time;

/// How long daily sums of uses are kept unless the settings say otherwise.
const ACTIVITY_RETENTION_DAYS: u32 = 730;

/// What is kept, and by which limits it is prepared.
#[derive(Clone, Debug)]
pub struct RetentionPolicy {
    retention_days: Option<u32>,
    activity_retention_days: u32,
    rules: RuleSettings,
}

impl RetentionPolicy {
    /// As the settings say.
    pub fn of(config: &Config) -> RetentionPolicy {
        RetentionPolicy {
            retention_days: config.retention_days,
            activity_retention_days: config
                .activity_retention_days
                .unwrap_or(ACTIVITY_RETENTION_DAYS),
            rules: config.rules.clone(),
        }
    }

    /// Removes old snapshots after a run and prepares reports. What only reports need may fail: that is
    /// in a warning, and the snapshot stays published.
    ///
    /// # Errors
    /// When old snapshots cannot be removed.
    pub fn after_run(
        &self,
        store: &Store,
        connector: &Connector,
        status: RunStatus,
    ) -> Result<(), HostError> {
        if let Some(days) = self.retention_days {
            store
                .snapshots()
                .forget_before(connector, time::now() - Duration::days(i64::from(days)))?;
        }
        if matches!(status, RunStatus::Complete | RunStatus::Partial)
            && let Err(error) =
                settle(store, connector.id, &self.rules, self.activity_retention_days)
        {
            log::warn!(
                "the snapshot is published; what reports prepare from it is not: {}",
                redact::shown(&error.message)
            );
        }
        Ok(())
    }
}
