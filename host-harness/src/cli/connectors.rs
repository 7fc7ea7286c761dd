//! `connectors`: create, change, delete, authorize and check, as in the connector's form.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use connector_api::ErrorKind;

use super::{
    Outcome, Reporter, Table, authorize, cancel_on_interrupt, check, secret_input, status,
};
use crate::app::App;
use crate::app::authorization;
use crate::app::connectors::{self, ConnectorDetails, ConnectorList, ConnectorView};
use crate::app::deployment::Draft;
use crate::error::HostError;
use crate::plugin::Plugin;
use crate::redact;
use crate::store::NewConnector;
use crate::time::rfc3339;

/// The secret that `--client-secret-file` fills.
const CLIENT_SECRET: &str = "client_secret";

/// Commands on connectors.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a connector
    ///
    /// `features show FEATURE` lists the settings of a connector. Its secret is asked for or read from
    /// a file; it is never an argument.
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
        /// Seal with the key in this file (32 bytes, raw or in base64, mode 0600) instead of a new one;
        /// needed if the key is not in the home folder
        #[arg(long, value_name = "FILE")]
        new_key_file: Option<PathBuf>,
    },
    /// Write the permissions a connecting account needs, and no more, as files to deploy at the vendor
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

pub(crate) fn run(app: &App, out: Reporter, command: &Command) -> Result<Outcome, HostError> {
    match command {
        Command::New { feature, name, form } => new(app, out, feature, name, form),
        Command::List => list(out, &connectors::list(app)?),
        Command::Show { name } => {
            out.print(&connectors::show(app, name)?, details)?;
            Ok(Outcome::DONE)
        }
        Command::Edit { name, new_name, form } => edit(app, out, name, new_name.as_deref(), form),
        Command::Delete { name, yes, keep_grant } => delete(app, out, name, *yes, *keep_grant),
        Command::Deauthorize { name, forget } => deauthorize(app, out, name, *forget),
        Command::Authorize(args) => authorize::run(app, out, args),
        Command::PermissionSet { name, out: folder } => permission_set(app, out, name, folder),
        Command::RotateKey { new_key_file } => rotate_key(app, out, new_key_file.as_deref()),
        Command::Check { name } => check::run(app, out, name),
    }
}

fn new(
    app: &App,
    out: Reporter,
    feature: &str,
    name: &str,
    form: &Form,
) -> Result<Outcome, HostError> {
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
    saved(out, &connectors::create(app, &draft)?, "created")
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

fn edit(
    app: &App,
    out: Reporter,
    name: &str,
    new_name: Option<&str>,
    form: &Form,
) -> Result<Outcome, HostError> {
    let changed = connectors::edit(app, name, |draft| {
        if let Some(new_name) = new_name {
            draft.plain.name = new_name.to_owned();
        }
        form.apply(draft)
    })?;
    saved(out, &changed, "changed")
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

fn saved(out: Reporter, connector: &ConnectorView, what: &str) -> Result<Outcome, HostError> {
    if out.json {
        out.document(connector)?;
        return Ok(Outcome::DONE);
    }
    let name = &connector.name;
    out.text(&redact::shown(&format!("connector `{name}` is {what}")));
    if !connector.authorized && connector.grant.is_some() {
        out.note("its grant was made for other settings and is no longer used: authorize it again");
    }
    if !connector.authorized {
        out.note(&redact::shown(&format!("next: `connectors authorize \"{name}\"`")));
    }
    Ok(Outcome::DONE)
}

fn list(out: Reporter, list: &ConnectorList) -> Result<Outcome, HostError> {
    if out.json {
        out.document(&list.connectors)?;
    } else if list.connectors.is_empty() {
        out.note("there are no connectors yet");
        out.note("hint: `connectors new FEATURE --name NAME …` creates one");
    } else {
        out.text(&list_table(list));
    }
    Ok(Outcome::DONE)
}

fn list_table(list: &ConnectorList) -> String {
    let mut table = Table::new(&[
        "NAME",
        "FEATURE",
        "DOMAIN",
        "AUTHORIZED",
        "SCHEDULE",
        "NEXT RUN",
        "LAST RUN",
        "DESCRIPTION",
    ])
    .optional(&[7, 1, 4]);
    for listed in &list.connectors {
        let connector = &listed.connector;
        let schedule = connector.schedule.as_deref();
        table.row(vec![
            connector.name.clone(),
            connector.feature.clone(),
            connector.domain.clone(),
            authorized(connector),
            schedule.unwrap_or_default().to_owned(),
            listed.standing.map_or_else(String::new, |standing| {
                status::next_run(schedule, standing, listed.next_run, list.served)
            }),
            connector.last_run.as_ref().map_or("never".into(), |run| {
                format!("{} {}", rfc3339(run.started_at), run.status.as_str())
            }),
            connector.description.clone(),
        ]);
    }
    table.render()
}

fn authorized(connector: &ConnectorView) -> String {
    if let Some(at) = connector.still_live_since {
        return format!(
            "no; its grant, not used since {}, is still live at the vendor",
            rfc3339(at)
        );
    }
    if connector.attention.as_ref().is_some_and(|error| error.kind == ErrorKind::AUTH) {
        return "no longer: authorize it again".into();
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

fn details(details: &ConnectorDetails) -> String {
    let connector = &details.connector;
    let mut table = Table::new(&["SETTING", "VALUE"]);
    let mut row = |name: &str, value: String| table.row(vec![name.into(), value]);
    row("name", connector.name.clone());
    row("description", connector.description.clone());
    row("feature", connector.feature.clone());
    row("domain", connector.domain.clone());
    row("client_id", connector.client_id.clone());
    for secret in &details.secrets {
        row(secret, "(stored, not shown)".into());
    }
    row("schedule", connector.schedule.clone().unwrap_or_else(|| "never".into()));
    for (key, value) in &details.settings {
        row(key, value.clone());
    }
    row("authorized", authorized(connector));
    if let Some(grant) = &connector.grant {
        row("  granted at", connector.granted_at.map(rfc3339).unwrap_or_default());
        row("  by way of", grant.grant.clone());
        row("  organization", grant.organization_id.clone().unwrap_or_else(|| "unknown".into()));
        row("  reads from", grant.instance_url.clone().unwrap_or_else(|| "unknown".into()));
        row("  scopes", grant.scopes.join(" "));
        row("  renewable", if grant.renewable { "yes" } else { "no" }.into());
    }
    match &connector.last_run {
        Some(run) => row(
            "last run",
            format!("{}, {} at {}", run.run_id, run.status.as_str(), rfc3339(run.started_at)),
        ),
        None => row("last run", "never".into()),
    }
    table.render()
}

fn deauthorize(app: &App, out: Reporter, name: &str, forget: bool) -> Result<Outcome, HostError> {
    let ended = authorization::deauthorize(app, name, forget, &cancel_on_interrupt(out))?;
    out.print(&ended, |ended| redact::shown(&format!("connector `{name}`: {}", ended.message)))?;
    if ended.revoked {
        return Ok(Outcome::DONE);
    }
    still_live(out, name, ended.hint.as_deref());
    Ok(Outcome::FINDINGS)
}

fn still_live(out: Reporter, name: &str, hint: Option<&str>) {
    out.problem(&redact::shown(&format!(
        "warning: the grant of `{name}` is still live at the vendor"
    )));
    if let Some(hint) = hint {
        out.problem(&format!("hint: {}", redact::shown(hint)));
    }
}

fn delete(
    app: &App,
    out: Reporter,
    name: &str,
    yes: bool,
    keep_grant: bool,
) -> Result<Outcome, HostError> {
    let connector = connectors::summary(app, name)?;
    if !yes {
        confirm_delete(out, &connector.name)?;
    }
    let deleted = connectors::delete(app, name, keep_grant, &cancel_on_interrupt(out))?;
    out.print(&deleted, |deleted| {
        let grant = if deleted.revoked == Some(true) { ", its grant is revoked" } else { "" };
        redact::shown(&format!("connector `{name}` is deleted{grant}"))
    })?;
    if deleted.revoked == Some(false) {
        still_live(out, name, deleted.hint.as_deref());
        return Ok(Outcome::FINDINGS);
    }
    Ok(Outcome::DONE)
}

fn confirm_delete(out: Reporter, name: &str) -> Result<(), HostError> {
    if !secret_input::is_interactive() {
        return Err(HostError::usage(format_args!(
            "deleting `{name}` removes its secrets, runs and records"
        ))
        .with_hint("add `--yes` if that is meant"));
    }
    let question = redact::shown(&format!(
        "Delete connector `{name}` with its secrets, runs and records? Type its name"
    ));
    if secret_input::ask(out, &question)?.as_deref() != Some(name) {
        return Err(HostError::usage("nothing was deleted: the name was not repeated"));
    }
    Ok(())
}

fn rotate_key(app: &App, out: Reporter, new_key_file: Option<&Path>) -> Result<Outcome, HostError> {
    let key = connectors::rotate_key(app, new_key_file)?;
    out.print(&key, |key| {
        redact::shown(&format!(
            "all secrets are sealed with the new key in `{}`",
            key.key_file.display()
        ))
    })?;
    if new_key_file.is_some() {
        out.note("next: let ENDPOINT_SERVER_KEY_FILE or the credential name this file");
    }
    out.note("back the new key up, apart from the store; the old one opens nothing any more");
    Ok(Outcome::DONE)
}

fn permission_set(
    app: &App,
    out: Reporter,
    name: &str,
    folder: &Path,
) -> Result<Outcome, HostError> {
    let written = connectors::permission_set(app, name, folder, &cancel_on_interrupt(out))?;
    out.print(&written, |written| {
        let lines: Vec<String> =
            written.files.iter().map(|path| redact::shown(&path.display().to_string())).collect();
        lines.join("\n")
    })?;
    Ok(Outcome::DONE)
}
