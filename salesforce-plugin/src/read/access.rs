//! What the connecting user may do: the self check.
//!
//! # Source
//! Object Reference, `UserPermissionAccess`: one record of booleans about the asking user.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::client::api_error::ApiError;
use crate::client::describe::not_refused_everywhere;
use crate::client::session::Session;
use crate::dataset::permission::{Permission, probed};
use crate::read::soql::query_path;

/// Which permissions the user has; one that could not be asked for is absent.
#[derive(Debug, Default)]
pub(crate) struct Access(BTreeMap<&'static str, bool>);

#[derive(Deserialize)]
struct Records {
    records: Vec<BTreeMap<String, Value>>,
}

impl Access {
    /// Asks the org; an org that does not answer leaves everything unknown.
    ///
    /// # Errors
    /// Only what ends the run.
    pub(crate) fn probe(session: &Session, version: u16) -> Result<Access, ApiError> {
        let mut wanted: Vec<Permission> = probed().collect();
        while !wanted.is_empty() {
            let names: Vec<&str> = wanted.iter().map(|permission| permission.name).collect();
            let soql = format!("SELECT {} FROM UserPermissionAccess", names.join(", "));
            let answer =
                session.get(&query_path(version, &soql), Some("UserPermissionAccess"), |answer| {
                    let page: Records =
                        serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
                    Ok((page, 1))
                });
            match answer {
                Ok(page) => return Ok(Access::of(page, &wanted)),
                Err(ApiError::Refused(refusal)) => {
                    if refusal.is_of_account() {
                        not_refused_everywhere(session, version, &refusal)?;
                    }
                    let Some(column) = refusal.invalid_column() else { break };
                    let before = wanted.len();
                    wanted.retain(|permission| permission.name != column);
                    if wanted.len() == before {
                        break;
                    }
                }
                Err(ApiError::Fatal(error)) => return Err(ApiError::Fatal(error)),
                Err(other) => {
                    log::warn!(
                        "the connecting user's permissions could not be read: {}",
                        other.into_error()
                    );
                    break;
                }
            }
        }
        Ok(Access::default())
    }

    fn of(page: Records, wanted: &[Permission]) -> Access {
        let record = page.records.into_iter().next().unwrap_or_default();
        let held =
            wanted.iter().filter_map(|p| Some((p.name, record.get(p.name)?.as_bool()?))).collect();
        Access(held)
    }

    /// Tells these rights from others; `None` if they are not known.
    pub(crate) fn fingerprint(&self) -> Option<String> {
        let text = serde_json::to_string(&self.0).ok().filter(|_| !self.0.is_empty())?;
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        Some(hex::encode(&digest.as_ref()[..8]))
    }

    /// Whether the user has it, where that is known.
    pub(crate) fn has(&self, permission: Permission) -> Option<bool> {
        self.0.get(permission.name).copied()
    }

    /// Whether one of them is held: yes if any is, no if all are known not to be.
    pub(crate) fn has_any(&self, permissions: &[Permission]) -> Option<bool> {
        let known: Vec<Option<bool>> =
            permissions.iter().map(|permission| self.has(*permission)).collect();
        if known.contains(&Some(true)) {
            Some(true)
        } else if !known.is_empty() && known.iter().all(|held| *held == Some(false)) {
            Some(false)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::permission::{MANAGE_USERS, MONITOR_LOGIN_HISTORY, VIEW_SETUP};

    #[test]
    fn a_permission_that_could_not_be_probed_stays_unknown() {
        let access = Access(BTreeMap::from([(VIEW_SETUP.name, false), (MANAGE_USERS.name, true)]));
        assert_eq!(access.has_any(&[VIEW_SETUP]), Some(false));
        assert_eq!(access.has_any(&[VIEW_SETUP, MANAGE_USERS]), Some(true));
        assert_eq!(access.has_any(&[VIEW_SETUP, MONITOR_LOGIN_HISTORY]), None);
        assert_eq!(access.has_any(&[]), None);
    }
}
