//! Authorize links that were given out and not used yet.

use connector_api::{Error, ErrorKind, Host, Secret};
use serde::{Deserialize, Serialize};

use crate::auth::grant::now_s;
use crate::settings::org_url::OrgHost;

const PENDING: &str = "pending_authorization";
const MOST_PENDING: usize = 5;
const PENDING_LIFE_S: u64 = 24 * 60 * 60;

/// An authorize link that was given out and not used yet.
#[derive(Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) state: String,
    verifier: String,
    pub(crate) login_host: OrgHost,
    created_at_s: u64,
}

impl Pending {
    pub(crate) fn new(state: String, verifier: &Secret, login_host: &OrgHost) -> Pending {
        Pending {
            state,
            verifier: verifier.expose().to_owned(),
            login_host: login_host.clone(),
            created_at_s: now_s(),
        }
    }

    pub(crate) fn verifier(&self) -> Secret {
        Secret::new(self.verifier.as_str())
    }

    /// Those given out in the last day, the newest last.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) fn load(host: &Host) -> Result<Vec<Pending>, Error> {
        let stored = host.secret_get(PENDING)?;
        let mut pending: Vec<Pending> =
            stored.and_then(|json| serde_json::from_str(json.expose()).ok()).unwrap_or_default();
        pending.retain(|link| link.created_at_s + PENDING_LIFE_S > now_s());
        Ok(pending)
    }

    /// Keeps one more.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) fn add(self, host: &Host) -> Result<(), Error> {
        let mut pending = Pending::load(host)?;
        pending.push(self);
        let surplus = pending.len().saturating_sub(MOST_PENDING);
        pending.drain(..surplus);
        let json =
            serde_json::to_string(&pending).map_err(|error| Error::new(ErrorKind::OTHER, error))?;
        host.secret_put(PENDING, Some(&Secret::new(json)))
    }

    /// Forgets all.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) fn clear(host: &Host) -> Result<(), Error> {
        host.secret_put(PENDING, None)
    }
}
