//! The state of one org, shared by all of its connections.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use estate::{Estate, Viewer};

use crate::api::{ApiUsage, Locators};
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
    pub(crate) hidden_fields: BTreeSet<(String, String)>,
    pub(crate) removed_permissions: BTreeSet<String>,
    /// What the connector's user has beyond its guide.
    pub(crate) added_permissions: BTreeSet<String>,
}

/// One org.
pub(crate) struct Core {
    pub(crate) hosts: HostNames,
    pub(crate) estate: Arc<Estate>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) app: App,
    pub(crate) login: Login,
    pub(crate) policy: Mutex<Policy>,
    pub(crate) visibility: Mutex<Visibility>,
    pub(crate) grants: Mutex<Store>,
    pub(crate) locators: Locators,
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
        viewer.hidden_objects.extend(visibility.hidden_objects.iter().cloned());
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
