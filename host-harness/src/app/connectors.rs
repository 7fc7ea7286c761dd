//! Connectors: list, show, create, change, delete.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use connector_api::message::GrantSummary;
use serde::Serialize;

use crate::app::App;
use crate::app::authorization::{self, Deauthorized};
use crate::app::deployment::{Draft, with_instance};
use crate::app::runs::RunView;
use crate::app::schedules::{self, ScheduleView};
use crate::cancel::Cancel;
use crate::error::HostError;
use crate::locks::ServerLock;
use crate::redact;
use crate::safe_file::SafeFile;
use crate::schedule::scheduler::ScheduleStatus;
use crate::store::{Connector, RunError};
use crate::time;

/// A connector.
#[derive(Clone, Debug, Serialize)]
pub struct ConnectorView {
    /// Its name.
    pub name: String,
    /// In the administrator's words.
    pub description: String,
    /// The feature it belongs to.
    pub feature: String,
    /// The vendor's domain of the organization, as entered.
    pub domain: String,
    /// The client id, as entered.
    pub client_id: String,
    /// When to collect, as entered; `None` for never.
    pub schedule: Option<String>,
    /// Whether it has a grant that may be used.
    pub authorized: bool,
    /// Whether it was deauthorized here, but not at the vendor.
    pub still_live_at_vendor: bool,
    /// Since when that is so.
    #[serde(skip)]
    pub still_live_since: Option<DateTime<Utc>>,
    /// What authorization left.
    pub grant: Option<GrantSummary>,
    /// When it was granted.
    #[serde(with = "time::option_in_rfc3339")]
    pub granted_at: Option<DateTime<Utc>>,
    /// When a link was handed out whose Token was not pasted yet.
    #[serde(with = "time::option_in_rfc3339")]
    pub pending_authorization_at: Option<DateTime<Utc>>,
    /// What only a person can fix: no grant, or wrong settings.
    pub attention: Option<RunError>,
    /// Its last run.
    pub last_run: Option<RunView>,
}

/// A connector with its schedule.
#[derive(Clone, Debug, Serialize)]
pub struct ListedConnector {
    /// The connector.
    #[serde(flatten)]
    pub connector: ConnectorView,
    /// Its status in the schedule.
    pub standing: Option<ScheduleStatus>,
    /// When it runs next.
    #[serde(with = "time::option_in_rfc3339")]
    pub next_run: Option<DateTime<Utc>>,
    /// Why it does not simply follow its schedule.
    pub reason: Option<String>,
}

/// All connectors, and whether a server runs them.
#[derive(Clone, Debug)]
pub struct ConnectorList {
    /// Whether a server of this home is running.
    pub served: bool,
    /// The connectors, by name.
    pub connectors: Vec<ListedConnector>,
}

/// A connector with its settings.
#[derive(Clone, Debug, Serialize)]
pub struct ConnectorDetails {
    /// The connector.
    #[serde(flatten)]
    pub connector: ConnectorView,
    /// Settings other than those above, by name; secrets in them are masked.
    pub settings: BTreeMap<String, String>,
    /// Names of the secrets that were entered.
    pub secrets: Vec<String>,
}

/// A connector that was deleted.
#[derive(Clone, Debug, Serialize)]
pub struct DeletedConnector {
    /// Its name.
    pub deleted: String,
    /// Whether its grant was revoked at the vendor; `None` if that was not tried.
    pub revoked: Option<bool>,
    /// What to do about a grant that is still live.
    #[serde(skip)]
    pub hint: Option<String>,
}

/// Files that say which permissions a connecting account needs.
#[derive(Clone, Debug, Serialize)]
pub struct PermissionSetFiles {
    /// The connector's name.
    pub connector: String,
    /// The files that were written.
    pub files: Vec<PathBuf>,
}

/// The file that holds a new sealing key.
#[derive(Clone, Debug, Serialize)]
pub struct KeyFile {
    /// Where it is.
    pub key_file: PathBuf,
}

/// All connectors by name, with their schedules.
///
/// # Errors
/// When the store cannot be read.
pub fn list(app: &App) -> Result<ConnectorList, HostError> {
    let jobs = schedules::scheduler(app)?.view(time::now());
    let served = ServerLock::holder(app.home().inventory()).is_some();
    let listed = |connector: Connector| {
        let job = jobs.iter().find(|job| job.id == connector.id);
        let job = job.map(|job| ScheduleView::new(job, served));
        Ok(ListedConnector {
            standing: job.as_ref().map(|job| job.standing),
            next_run: job.as_ref().and_then(|job| job.next_run),
            reason: job.and_then(|job| job.reason),
            connector: view(app, connector)?,
        })
    };
    let connectors = app.store()?.connectors().list()?.into_iter().map(listed);
    Ok(ConnectorList { served, connectors: connectors.collect::<Result<_, HostError>>()? })
}

/// One connector, without its settings.
///
/// # Errors
/// Of kind usage for an unknown connector.
pub fn summary(app: &App, name: &str) -> Result<ConnectorView, HostError> {
    view(app, app.store()?.connectors().named(name)?)
}

/// One connector with its settings.
///
/// # Errors
/// Of kind usage for an unknown connector; when its settings cannot be opened.
pub fn show(app: &App, name: &str) -> Result<ConnectorDetails, HostError> {
    let connector = app.store()?.connectors().named(name)?;
    let deployment = app.deployment()?;
    let settings = deployment.settings(&connector)?;
    if let Some(proxy) = settings.get("proxy") {
        redact::remember_url_password(proxy);
    }
    let settings =
        settings.into_iter().map(|(key, value)| (key, redact::mask(&value).into_owned())).collect();
    let manifest = app.scan()?.plugin(&connector.feature).ok().map(|plugin| &plugin.manifest);
    // Only the form's own secrets; the connector's working secrets are nobody's business.
    let entered = |name: &String| {
        manifest.is_some_and(|m| m.setting(name).is_some_and(|setting| setting.secret))
    };
    let secrets = deployment.store.secrets().names(connector.id)?.into_iter().filter(entered);
    let secrets = secrets.collect();
    Ok(ConnectorDetails { connector: view(app, connector)?, settings, secrets })
}

/// Checks and stores a new connector; all or nothing.
///
/// # Errors
/// A settings error with all problems by field.
pub fn create(app: &App, draft: &Draft) -> Result<ConnectorView, HostError> {
    let plugin = app.enabled(&draft.plain.feature)?;
    app.deployment()?.create(plugin, draft)?;
    summary(app, &draft.plain.name)
}

/// Changes a connector; what `change` leaves alone stays as it is.
///
/// # Errors
/// A settings error with all problems by field.
pub fn edit(
    app: &App,
    name: &str,
    change: impl FnOnce(&mut Draft) -> Result<(), HostError>,
) -> Result<ConnectorView, HostError> {
    let (connector, plugin) = app.ready(name)?;
    let deployment = app.deployment()?;
    let mut draft = deployment.draft(&connector)?;
    change(&mut draft)?;
    deployment.change(plugin, &connector, &draft)?;
    summary(app, &draft.plain.name)
}

/// Deletes a connector with its secrets, runs and records; its grant is revoked first unless it is to
/// be kept. A missing library or network does not keep a connector from being deleted.
///
/// # Errors
/// When a run of it is in progress, or the store cannot be written.
pub fn delete(
    app: &App,
    name: &str,
    keep_grant: bool,
    cancel: &Cancel,
) -> Result<DeletedConnector, HostError> {
    let connector = app.store()?.connectors().named(name)?;
    let ended = match connector.grant.is_some() && !keep_grant {
        true => Some(revoke(app, &connector, cancel)?),
        false => None,
    };
    app.deployment()?.delete(&connector)?;
    Ok(DeletedConnector {
        deleted: connector.name,
        revoked: ended.as_ref().map(|ended| ended.revoked),
        hint: ended.and_then(|ended| ended.hint),
    })
}

fn revoke(app: &App, connector: &Connector, cancel: &Cancel) -> Result<Deauthorized, HostError> {
    match app.scan()?.plugin(&connector.feature) {
        Ok(plugin) => authorization::end_grant(app.deployment()?, plugin, connector, true, cancel),
        Err(error) => Ok(Deauthorized {
            connector: connector.name.clone(),
            revoked: false,
            forgotten: false,
            message: error.message,
            hint: Some("revoke the app for this user in the vendor's administration pages".into()),
        }),
    }
}

/// Writes the permissions a connecting account needs, and no more, as files to deploy at the vendor.
///
/// # Errors
/// Those of the connector; when a file cannot be written.
pub fn permission_set(
    app: &App,
    name: &str,
    folder: &Path,
    cancel: &Cancel,
) -> Result<PermissionSetFiles, HostError> {
    let (connector, plugin) = app.ready(name)?;
    let deployment = app.deployment()?;
    let context = Arc::new(deployment.context(connector.id, cancel.clone()));
    let files = with_instance(deployment, plugin, &connector, &context, |instance| {
        instance.permission_sets()
    })?;
    let mut written = Vec::new();
    for file in &files {
        let path = folder.join(relative(&file.path)?);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)
            .map_err(|error| HostError::io("make the folder", parent, &error))?;
        SafeFile::write(&path, file.content.as_bytes())?;
        written.push(path);
    }
    Ok(PermissionSetFiles { connector: connector.name, files: written })
}

/// A path that stays in its folder.
fn relative(path: &str) -> Result<PathBuf, HostError> {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    if !path.split('/').all(plain) {
        return Err(HostError::failed("the connector names a file outside the folder"));
    }
    Ok(path.split('/').collect())
}

/// Seals all stored secrets with a new key: the one in that file, otherwise a fresh one.
///
/// # Errors
/// When another process uses the key, or files cannot be written.
pub fn rotate_key(app: &App, new_key_file: Option<&Path>) -> Result<KeyFile, HostError> {
    Ok(KeyFile { key_file: app.change_key(new_key_file)? })
}

fn view(app: &App, connector: Connector) -> Result<ConnectorView, HostError> {
    let last = app.store()?.runs().list(Some(&connector), 1)?.pop();
    let attention =
        last.as_ref().and_then(|run| schedules::needs_a_person(&connector, run)).cloned();
    Ok(ConnectorView {
        authorized: connector.is_authorized(),
        still_live_at_vendor: connector.revocation_failed_at.is_some(),
        still_live_since: connector.revocation_failed_at,
        name: connector.name,
        description: connector.description,
        feature: connector.feature,
        domain: connector.domain,
        client_id: connector.client_id,
        schedule: connector.schedule,
        grant: connector.grant,
        granted_at: connector.granted_at,
        pending_authorization_at: connector.pending_authorization_at,
        attention,
        last_run: last.as_ref().map(RunView::from),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_connector_stays_in_its_folder() {
        assert_eq!(relative("sets/One.xml").unwrap(), Path::new("sets").join("One.xml"));
        for path in ["../x", "/etc/x", "a//b", ".hidden", "a/..", "a\\b", ""] {
            assert!(relative(path).is_err(), "{path}");
        }
    }
}
