//! `connectors`: create, change, delete, authorize and check, as in the connector's form.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use connector_api::ErrorKind;
use serde_json::{Value, json};

use super::{App, Outcome, Table, authorize, check, runs, secret_input, serve, status};
use crate::app::authorization::{self as authorization, Deauthorized};
use crate::app::deployment::{Draft, with_instance};
use crate::error::HostError;
use crate::locks::ServerLock;
use crate::plugin::Plugin;
use crate::redact;
use crate::safe_file::SafeFile;
use crate::schedule::scheduler::JobView;
use crate::serve::server;
use crate::store::{Connector, NewConnector, Run, RunError};
use crate::time::rfc3339;

/// The secret that `--client-secret-file` fills.
const CLIENT_SECRET: &str = "client_secret";

/// Commands on connectors.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a connector
    ///
    /// Which settings a connector has, `features show FEATURE` says. Its secret is asked for,
    /// or read from a file; it is never an argument.
    New {
        /// The feature, as `features list` names it
        feature: String,
        /// A name for it, unique on this endpoint server
        #[arg(long)]
        name: String,
        #[command(flatten)]
        form: Form,
    },
    /// List all connectors
    List,
    /// Show one connector with its settings, its grant and its last run
    Show {
        /// The connector's name
        name: String,
    },
    /// Change settings of a connector; what is not named stays as it is
    Edit {
        /// The connector's name
        name: String,
        /// A new name
        #[arg(long = "name", value_name = "NAME")]
        new_name: Option<String>,
        #[command(flatten)]
        form: Form,
    },
    /// Delete a connector with its secrets, runs and records; its grant is revoked first
    ///
    /// Exit code 4 when the grant could not be revoked: it is then still live at the vendor.
    Delete {
        /// The connector's name
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Leave the grant alive at the vendor instead of revoking it
        #[arg(long)]
        keep_grant: bool,
    },
    /// Authorize a connector: open the link, press Allow, paste the Token
    Authorize(authorize::Args),
    /// End the grant: revoke it at the vendor, then forget it here
    ///
    /// A grant that could not be revoked is shown as still live and no longer used; run this again.
    /// Exit code 4 then.
    Deauthorize {
        /// The connector's name
        name: String,
        /// Forget the grant here even if it could not be revoked
        #[arg(long)]
        forget: bool,
    },
    /// Seal all stored secrets with a new key
    ///
    /// A crash at any moment leaves a key that opens everything. No other command of this endpoint
    /// server may run meanwhile. Replace the backup of the key afterwards.
    RotateKey {
        /// Seal with the key in this file (32 bytes, as such or in base64, mode 0600) instead of a
        /// fresh one; needed when the key does not lie in the home folder
        #[arg(long, value_name = "FILE")]
        new_key_file: Option<PathBuf>,
    },
    /// Write the rights a connecting account needs, and no more, as files to deploy at the vendor
    PermissionSet {
        /// The connector's name
        name: String,
        /// The folder the files go to
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Check a connector: network, authorization, permissions, what can be read
    ///
    /// Exit code 4 when something is missing.
    Check {
        /// The connector's name
        name: String,
    },
}

/// The fields of the form.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Form {
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The domain of the organization at the vendor, e.g. the first part of its address
    #[arg(long)]
    domain: Option<String>,
    /// The client id (consumer key) of the app at the vendor
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Read the client secret from this file, `-` for standard input
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// When to collect: `daily 02:30`, `weekly sun 03:00`, or five cron fields; empty for never
    #[arg(long, value_name = "WHEN")]
    schedule: Option<String>,
    /// Another setting of the connector; empty for its default; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    settings: Vec<(String, String)>,
    /// Read another secret of the connector from a file; may be repeated
    #[arg(long = "set-file", value_name = "KEY=FILE", value_parser = pair)]
    secret_files: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().into(), value.into())),
        // The text is not repeated: it could be a secret.
        _ => Err("it must have the form KEY=VALUE".into()),
    }
}

pub(crate) fn run(app: &App, command: &Command) -> Result<Outcome, HostError> {
    match command {
        Command::New { feature, name, form } => new(app, feature, name, form),
        Command::List => list(app),
        Command::Show { name } => show(app, name),
        Command::Edit { name, new_name, form } => edit(app, name, new_name.as_deref(), form),
        Command::Delete { name, yes, keep_grant } => delete(app, name, *yes, *keep_grant),
        Command::Deauthorize { name, forget } => deauthorize(app, name, *forget),
        Command::Authorize(args) => authorize::run(app, args),
        Command::PermissionSet { name, out } => permission_set(app, name, out),
        Command::RotateKey { new_key_file } => rotate_key(app, new_key_file.as_deref()),
        Command::Check { name } => check::run(app, name),
    }
}

fn new(app: &App, feature: &str, name: &str, form: &Form) -> Result<Outcome, HostError> {
    let plugin = app.enabled(feature)?;
    let mut draft = Draft {
        plain: NewConnector {
            name: name.to_owned(),
            feature: feature.to_owned(),
            ..NewConnector::default()
        },
        ..Draft::default()
    };
    form.apply(&mut draft)?;
    ask_for_secrets(plugin, &mut draft)?;
    app.deployment()?.create(plugin, &draft)?;
    saved(app, name, "created")
}

/// Asks a person at the terminal for secrets that were not given by file.
fn ask_for_secrets(plugin: &Plugin, draft: &mut Draft) -> Result<(), HostError> {
    if !secret_input::is_interactive() {
        return Ok(());
    }
    for spec in plugin.manifest.settings.iter().filter(|spec| spec.secret) {
        let asked = spec.required || spec.name == CLIENT_SECRET;
        if asked && !draft.secrets.contains_key(&spec.name) {
            let label = format!("{} (not shown; Enter for none)", redact::shown(&spec.title));
            if let Some(secret) = secret_input::prompt(&label)? {
                draft.secrets.insert(spec.name.clone(), Some(secret));
            }
        }
    }
    Ok(())
}

fn edit(app: &App, name: &str, new_name: Option<&str>, form: &Form) -> Result<Outcome, HostError> {
    let (connector, plugin) = app.ready(name)?;
    let deployment = app.deployment()?;
    let mut draft = deployment.draft(&connector)?;
    if let Some(new_name) = new_name {
        draft.plain.name = new_name.to_owned();
    }
    form.apply(&mut draft)?;
    deployment.change(plugin, &connector, &draft)?;
    saved(app, &draft.plain.name, "changed")
}

impl Form {
    fn apply(&self, draft: &mut Draft) -> Result<(), HostError> {
        let plain = &mut draft.plain;
        let given = |field: &mut String, value: &Option<String>| {
            if let Some(value) = value {
                *field = value.trim().to_owned();
            }
        };
        given(&mut plain.description, &self.description);
        given(&mut plain.domain, &self.domain);
        given(&mut plain.client_id, &self.client_id);
        if let Some(schedule) = &self.schedule {
            plain.schedule = Some(schedule.trim().to_owned()).filter(|text| !text.is_empty());
        }
        for (key, value) in &self.settings {
            if value.trim().is_empty() {
                draft.settings.remove(key);
            } else {
                draft.settings.insert(key.clone(), value.clone());
            }
        }
        let mut secrets: BTreeMap<&str, &Path> = self
            .secret_files
            .iter()
            .map(|(key, file)| (key.as_str(), Path::new(file.as_str())))
            .collect();
        if let Some(file) = &self.client_secret_file {
            secrets.insert(CLIENT_SECRET, file);
        }
        for (key, file) in secrets {
            let secret = match file.as_os_str().is_empty() {
                true => None,
                false => Some(secret_input::from_file(key, file)?),
            };
            draft.secrets.insert(key.to_owned(), secret);
        }
        Ok(())
    }
}

fn saved(app: &App, name: &str, what: &str) -> Result<Outcome, HostError> {
    let connector = app.store()?.connector(name)?;
    if app.reporter.json {
        app.reporter.document(&summary(app, &connector)?)?;
    } else {
        app.reporter.text(&redact::shown(&format!("connector `{name}` is {what}")));
        if !connector.is_authorized() {
            app.reporter.note(&redact::shown(&format!("next: `connectors authorize \"{name}\"`")));
        }
    }
    Ok(Outcome::DONE)
}

fn list(app: &App) -> Result<Outcome, HostError> {
    let connectors = app.store()?.connectors()?;
    if app.reporter.json {
        let standings = standings(app)?;
        let served = ServerLock::holder(&app.home).is_some();
        let row = |connector: &Connector| {
            let mut row = summary(app, connector)?;
            let job = standings.get(&connector.id).map(|job| status::document(job, served));
            for key in ["standing", "next_run", "reason"] {
                row[key] = job.as_ref().map_or(Value::Null, |job| job[key].clone());
            }
            Ok(row)
        };
        let rows: Vec<Value> = connectors.iter().map(row).collect::<Result<_, HostError>>()?;
        app.reporter.document(&rows)?;
        return Ok(Outcome::DONE);
    }
    let standings = standings(app)?;
    let served = ServerLock::holder(&app.home).is_some();
    let mut table = Table::new(&[
        "NAME",
        "FEATURE",
        "DOMAIN",
        "AUTHORIZED",
        "SCHEDULE",
        "NEXT RUN",
        "LAST RUN",
        "DESCRIPTION",
    ]);
    for connector in &connectors {
        let last = app.store()?.runs(Some(connector), 1)?.pop();
        table.row(vec![
            connector.name.clone(),
            connector.feature.clone(),
            connector.domain.clone(),
            authorized(connector),
            connector.schedule.clone().unwrap_or_default(),
            standings
                .get(&connector.id)
                .map_or_else(String::new, |job| status::next_run(job, served)),
            last.map_or("never".into(), |run| {
                format!("{} {}", rfc3339(run.started_at), run.status.as_str())
            }),
            connector.description.clone(),
        ]);
    }
    if table.is_empty() {
        app.reporter.note("there are no connectors yet");
        app.reporter.note("hint: `connectors new FEATURE --name NAME …` creates one");
    } else {
        app.reporter.text(&table.render());
    }
    Ok(Outcome::DONE)
}

/// How the connectors stand with the schedule, by number.
fn standings(app: &App) -> Result<BTreeMap<i64, JobView>, HostError> {
    let scheduler = server::look(app.store()?, app.scan()?, serve::settings(app)?)?;
    Ok(scheduler.view(crate::time::now()).into_iter().map(|job| (job.id, job)).collect())
}

fn authorized(connector: &Connector) -> String {
    if let Some(at) = connector.revocation_failed_at {
        return format!("no, but still live at the vendor since {}", rfc3339(at));
    }
    match (&connector.grant, connector.pending_authorization_at) {
        (Some(grant), _) => match &grant.username {
            Some(username) => format!("yes, by {username}"),
            None => "yes".into(),
        },
        (None, Some(_)) => "no, waiting for the Token".into(),
        (None, None) => "no".into(),
    }
}

/// A connector in the shape of `connectors list --json`.
pub(super) fn summary(app: &App, connector: &Connector) -> Result<Value, HostError> {
    let last = app.store()?.runs(Some(connector), 1)?.pop();
    Ok(json!({
        "name": connector.name,
        "description": connector.description,
        "feature": connector.feature,
        "domain": connector.domain,
        "client_id": connector.client_id,
        "schedule": connector.schedule,
        "authorized": connector.is_authorized(),
        "still_live_at_vendor": connector.revocation_failed_at.is_some(),
        "grant": connector.grant,
        "granted_at": connector.granted_at.map(rfc3339),
        "pending_authorization_at": connector.pending_authorization_at.map(rfc3339),
        "attention": last.as_ref().and_then(|run| attention(run)),
        "last_run": last.as_ref().map(runs::summary),
    }))
}

/// What only a person can mend: a run that ended for want of a grant or for wrong settings.
fn attention(run: &Run) -> Option<&RunError> {
    run.error.as_ref().filter(|error| matches!(error.kind, ErrorKind::AUTH | ErrorKind::CONFIG))
}

fn show(app: &App, name: &str) -> Result<Outcome, HostError> {
    let connector = app.store()?.connector(name)?;
    let deployment = app.deployment()?;
    let settings = deployment.settings(&connector)?;
    if let Some(proxy) = settings.get("proxy") {
        redact::remember_url_password(proxy);
    }
    let settings: BTreeMap<String, String> =
        settings.into_iter().map(|(key, value)| (key, redact::mask(&value).into_owned())).collect();
    let manifest = app.scan()?.plugin(&connector.feature).ok().map(|plugin| &plugin.manifest);
    // Only the form's own secrets; the connector's working secrets are nobody's business.
    let secrets: Vec<String> = deployment
        .store
        .secret_names(connector.id)?
        .into_iter()
        .filter(|name| {
            manifest.is_some_and(|m| m.setting(name).is_some_and(|setting| setting.secret))
        })
        .collect();
    if app.reporter.json {
        let mut document = summary(app, &connector)?;
        document["settings"] = json!(settings);
        document["secrets"] = json!(secrets);
        app.reporter.document(&document)?;
        return Ok(Outcome::DONE);
    }
    let mut table = Table::new(&["SETTING", "VALUE"]);
    let mut row = |name: &str, value: String| table.row(vec![name.into(), value]);
    row("name", connector.name.clone());
    row("description", connector.description.clone());
    row("feature", connector.feature.clone());
    row("domain", connector.domain.clone());
    row("client_id", connector.client_id.clone());
    for secret in &secrets {
        row(secret, "(stored, not shown)".into());
    }
    row("schedule", connector.schedule.clone().unwrap_or_else(|| "never".into()));
    for (key, value) in settings {
        row(&key, value);
    }
    row("authorized", authorized(&connector));
    if let Some(grant) = &connector.grant {
        row("  granted at", connector.granted_at.map(rfc3339).unwrap_or_default());
        row("  by way of", grant.grant.clone());
        row("  organization", grant.organization_id.clone().unwrap_or_else(|| "unknown".into()));
        row("  reads from", grant.instance_url.clone().unwrap_or_else(|| "unknown".into()));
        row("  scopes", grant.scopes.join(" "));
        row("  renewable", if grant.renewable { "yes" } else { "no" }.into());
    }
    match app.store()?.runs(Some(&connector), 1)?.pop() {
        Some(run) => row(
            "last run",
            format!("{}, {} at {}", run.id, run.status.as_str(), rfc3339(run.started_at)),
        ),
        None => row("last run", "never".into()),
    }
    app.reporter.text(&table.render());
    Ok(Outcome::DONE)
}

fn deauthorize(app: &App, name: &str, forget: bool) -> Result<Outcome, HostError> {
    let connector = app.store()?.connector(name)?;
    let plugin = app.scan()?.plugin(&connector.feature)?;
    let cancel = app.cancel_on_interrupt();
    let ended = authorization::deauthorize(app.deployment()?, plugin, &connector, forget, &cancel)?;
    if app.reporter.json {
        app.reporter.document(&json!({
            "connector": connector.name,
            "revoked": ended.revoked,
            "forgotten": ended.forgotten,
            "message": ended.message,
            "hint": ended.hint,
        }))?;
    } else {
        app.reporter.text(&redact::shown(&format!("connector `{name}`: {}", ended.message)));
    }
    if ended.revoked {
        return Ok(Outcome::DONE);
    }
    still_live(app, name, ended.hint.as_deref());
    Ok(Outcome::FINDINGS)
}

fn still_live(app: &App, name: &str, hint: Option<&str>) {
    app.reporter.problem(&redact::shown(&format!(
        "warning: the grant of `{name}` is still live at the vendor"
    )));
    if let Some(hint) = hint {
        app.reporter.problem(&format!("hint: {}", redact::shown(hint)));
    }
}

fn delete(app: &App, name: &str, yes: bool, keep_grant: bool) -> Result<Outcome, HostError> {
    let connector = app.store()?.connector(name)?;
    if !yes {
        if !secret_input::is_interactive() {
            return Err(HostError::usage(format_args!(
                "deleting `{name}` removes its secrets, runs and records"
            ))
            .with_hint("add `--yes` if that is meant"));
        }
        let question = redact::shown(&format!(
            "Delete connector `{name}` with its secrets, runs and records? Type its name"
        ));
        if secret_input::ask(app.reporter, &question)?.as_deref() != Some(connector.name.as_str()) {
            return Err(HostError::usage("nothing was deleted: the name was not repeated"));
        }
    }
    let ended = match connector.grant.is_some() && !keep_grant {
        true => Some(revoke_before_delete(app, &connector)?),
        false => None,
    };
    app.deployment()?.delete(&connector)?;
    let revoked = ended.as_ref().map(|ended| ended.revoked);
    if app.reporter.json {
        app.reporter.document(&json!({ "deleted": connector.name, "revoked": revoked }))?;
    } else {
        let grant = if revoked == Some(true) { ", its grant is revoked" } else { "" };
        app.reporter.text(&redact::shown(&format!("connector `{name}` is deleted{grant}")));
    }
    match ended {
        Some(ended) if !ended.revoked => {
            still_live(app, name, ended.hint.as_deref());
            Ok(Outcome::FINDINGS)
        }
        _ => Ok(Outcome::DONE),
    }
}

/// Best effort: a missing library or network does not keep a connector from being deleted.
fn revoke_before_delete(app: &App, connector: &Connector) -> Result<Deauthorized, HostError> {
    let cancel = app.cancel_on_interrupt();
    match app.scan()?.plugin(&connector.feature) {
        Ok(plugin) => {
            authorization::deauthorize(app.deployment()?, plugin, connector, true, &cancel)
        }
        Err(error) => Ok(Deauthorized {
            revoked: false,
            forgotten: false,
            message: error.message,
            hint: Some("revoke the app for this user in the vendor's administration pages".into()),
        }),
    }
}

fn rotate_key(app: &App, new_key_file: Option<&Path>) -> Result<Outcome, HostError> {
    let file = app.change_key(new_key_file)?;
    if app.reporter.json {
        app.reporter.document(&json!({ "key_file": file }))?;
    } else {
        app.reporter.text(&redact::shown(&format!(
            "all secrets are sealed with the new key in `{}`",
            file.display()
        )));
    }
    if new_key_file.is_some() {
        app.reporter.note("next: let ENDPOINT_SERVER_KEY_FILE or the credential name this file");
    }
    app.reporter
        .note("back the new key up, apart from the store; the old one opens nothing any more");
    Ok(Outcome::DONE)
}

fn permission_set(app: &App, name: &str, out: &Path) -> Result<Outcome, HostError> {
    let (connector, plugin) = app.ready(name)?;
    let deployment = app.deployment()?;
    let context = Arc::new(deployment.context(connector.id, app.cancel_on_interrupt()));
    let files = with_instance(deployment, plugin, &connector, &context, |instance| {
        instance.permission_sets()
    })?;
    let mut written = Vec::new();
    for file in &files {
        let parts: Vec<&str> = file.path.split('/').collect();
        let plain = |part: &&str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        if !parts.iter().all(plain) {
            return Err(HostError::failed("the connector names a file outside the folder"));
        }
        let path = out.join(parts.iter().collect::<PathBuf>());
        let folder = path.parent().unwrap_or(out);
        std::fs::create_dir_all(folder)
            .map_err(|error| HostError::io("make the folder", folder, &error))?;
        SafeFile::write(&path, file.content.as_bytes())?;
        written.push(path);
    }
    if app.reporter.json {
        app.reporter.document(&json!({ "connector": connector.name, "files": written }))?;
    } else {
        for path in &written {
            app.reporter.text(&redact::shown(&path.display().to_string()));
        }
    }
    Ok(Outcome::DONE)
}
