//! The state of one org, shared by all of its connections.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use estate::{EditError, Editor, Estate, Viewer};

use crate::api::{ApiUsage, Jobs, Locators};
use crate::app_key::Verifier;
use crate::clock::Clock;
use crate::fault::FaultScript;
use crate::hosts::HostNames;
use crate::journal::Journal;
use crate::oauth::Store;
use crate::policy::Policy;
use crate::sync::lock;

/// The external client app.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) redirect_uris: Vec<String>,
    /// What verifies assertions the app signs; none if no certificate is registered.
    pub(crate) verifier: Option<Verifier>,
}

/// What people log in with; every user of the org has the same password.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) username: String,
    pub(crate) user_id: String,
    pub(crate) password: String,
    pub(crate) security_token: String,
}

/// What is hidden from everyone, and what the connector's user may see in addition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Visibility {
    pub(crate) hidden_objects: BTreeSet<String>,
    /// Objects that are there and show no record.
    pub(crate) emptied_objects: BTreeSet<String>,
    pub(crate) hidden_fields: BTreeSet<(String, String)>,
    pub(crate) removed_permissions: BTreeSet<String>,
    /// What the connector's user has beyond its guide.
    pub(crate) added_permissions: BTreeSet<String>,
}

/// The records after all changes.
#[derive(Debug)]
pub(crate) struct Edited {
    pub(crate) estate: Arc<Estate>,
    /// By how much the clock was advanced: the time in which people logged in.
    pub(crate) worked: Duration,
}

/// Seconds.
const DAY: i64 = 86_400;
/// Days of metrics that one advance of the clock adds at most.
const MOST_DAYS: i64 = 400;

impl Visibility {
    /// Hides what only orgs with Digital Experiences have.
    pub(crate) fn without_digital_experiences(&mut self) {
        self.hidden_objects.extend(["Network", "NetworkMember"].map(str::to_owned));
        let fields = [
            ("UserLicense", "MonthlyLoginsEntitlement"),
            ("UserLicense", "MonthlyLoginsUsed"),
            ("LoginHistory", "NetworkId"),
        ];
        let fields = fields.map(|(object, field)| (object.to_owned(), field.to_owned()));
        self.hidden_fields.extend(fields);
    }
}

/// One org.
pub(crate) struct Core {
    pub(crate) hosts: HostNames,
    /// The records as they were made; what they are now is [`Core::records`].
    pub(crate) estate: Arc<Estate>,
    /// What became of them by changes, and by how much the clock was advanced.
    pub(crate) edited: Mutex<Edited>,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) app: App,
    pub(crate) login: Login,
    pub(crate) policy: Mutex<Policy>,
    pub(crate) visibility: Mutex<Visibility>,
    pub(crate) grants: Mutex<Store>,
    pub(crate) locators: Locators,
    pub(crate) jobs: Jobs,
    /// Held once for each data request in work.
    pub(crate) in_work: Arc<()>,
    pub(crate) usage: ApiUsage,
    pub(crate) faults: FaultScript,
    pub(crate) journal: Journal,
    /// When objects and fields changed last.
    pub(crate) schema_changed_at: Mutex<DateTime<Utc>>,
}

impl fmt::Debug for Core {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Core")
            .field("my_domain", &self.hosts.my_domain)
            .finish_non_exhaustive()
    }
}

impl Core {
    /// The switches as they stand.
    pub(crate) fn policy(&self) -> Policy {
        lock(&self.policy).clone()
    }

    /// The time the org shows to the outside, which may be wrong on purpose.
    pub(crate) fn shown_time(&self, policy: &Policy) -> DateTime<Utc> {
        self.clock.now() + TimeDelta::seconds(policy.clock_offset_seconds.into())
    }

    /// The records as they are now: with every change, with the logins of the time the clock was advanced by, without
    /// rows past their retention.
    pub(crate) fn records(&self) -> Arc<Estate> {
        let edited = lock(&self.edited);
        Arc::new(edited.estate.at(self.present(), edited.worked))
    }

    /// The present instant as the records see it.
    fn present(&self) -> DateTime<Utc> {
        self.estate.spec().now + (self.clock.now() - self.started_at)
    }

    /// Changes records.
    pub(crate) fn edit<T>(
        &self,
        change: impl FnOnce(&mut Editor) -> Result<T, EditError>,
    ) -> Result<T, EditError> {
        let mut edited = lock(&self.edited);
        let (estate, made) = edited.estate.edit(self.present(), change)?;
        edited.estate = Arc::new(estate);
        Ok(made)
    }

    /// Moves the clock on. People and integrations log in, and every day has its metrics.
    pub(crate) fn advance(&self, by: Duration) {
        let before = self.present();
        self.clock.advance(by);
        let mut edited = lock(&self.edited);
        edited.worked = edited.worked.saturating_add(by);
        drop(edited);
        let days = self.present().timestamp().div_euclid(DAY) - before.timestamp().div_euclid(DAY);
        // Nobody looks at metrics of longer ago, and the metrics have their fields.
        let _ = self.edit(|edit| (0..days.min(MOST_DAYS)).try_for_each(|_| edit.new_day()));
    }

    /// Moves the `SystemModstamp` of some records to the present.
    pub(crate) fn touch<'i>(
        &self,
        object: &str,
        ids: impl IntoIterator<Item = &'i str>,
    ) -> Result<(), EditError> {
        let now = self.present();
        self.edit(|edit| edit.touch(object, ids, now))
    }

    /// The address data requests go to.
    pub(crate) fn instance_url(&self) -> String {
        format!("https://{}", self.hosts.instance())
    }

    /// The URL that names a user.
    pub(crate) fn identity_url(&self, user_id: &str) -> String {
        format!("https://{}/id/{}/{user_id}", self.hosts.generic(), self.estate.organization_id())
    }

    /// What a user may see. The connector's user has the permissions its guide asks for,
    /// every other user only those to log in and to call the API.
    pub(crate) fn viewer(&self, user_id: &str) -> Viewer {
        let mut viewer = Viewer::guide(user_id);
        if user_id != self.login.user_id {
            viewer.permissions.retain(|permission| permission == "PermissionsApiEnabled");
        }
        let visibility = lock(&self.visibility);
        if user_id == self.login.user_id {
            viewer.permissions.extend(visibility.added_permissions.iter().cloned());
        }
        if self.estate.spec().is_sandbox {
            viewer.hidden_objects.insert("LightningUsageByAppTypeMetrics".to_owned());
        }
        viewer.hidden_objects.extend(visibility.hidden_objects.iter().cloned());
        viewer.emptied_objects.extend(visibility.emptied_objects.iter().cloned());
        viewer.hidden_fields.extend(visibility.hidden_fields.iter().cloned());
        for permission in &visibility.removed_permissions {
            viewer = viewer.without(permission);
        }
        viewer
    }

    /// Changes what is hidden; describes are then newer than any copy of them.
    pub(crate) fn change_visibility(&self, change: impl FnOnce(&mut Visibility)) {
        change(&mut lock(&self.visibility));
        *lock(&self.schema_changed_at) = self.clock.now();
    }
}
