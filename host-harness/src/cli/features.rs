//! `features`: what can be enabled, as under the properties of an endpoint server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Subcommand;
use serde_json::json;

use super::{App, Outcome, Table};
use crate::cancel::Cancel;
use crate::error::HostError;
use crate::locks::RunLock;
use crate::redact;

/// How long `disable` waits for runs in progress to end.
const STOPPING: Duration = Duration::from_secs(60);

/// Commands on features.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the features of this endpoint server and whether they are enabled
    List,
    /// Show a feature: the settings of its connectors, the ways to authorize, what can be read
    Show {
        /// The feature, as `features list` names it
        feature: String,
    },
    /// Enable a feature (Properties > Features > enable its row > Save)
    Enable {
        /// The feature, as `features list` names it
        feature: String,
    },
    /// Disable a feature; its connectors stay as they are and run no more
    ///
    /// A run in progress is stopped first and publishes nothing.
    Disable {
        /// The feature, as `features list` names it
        feature: String,
    },
}

pub(crate) fn run(app: &App, command: &Command) -> Result<Outcome, HostError> {
    match command {
        Command::List => list(app),
        Command::Show { feature } => show(app, feature),
        Command::Enable { feature } => enable(app, feature),
        Command::Disable { feature } => disable(app, feature),
    }
}

fn list(app: &App) -> Result<Outcome, HostError> {
    let scan = app.scan()?;
    let states: BTreeMap<String, bool> =
        app.store()?.features()?.into_iter().map(|state| (state.id, state.enabled)).collect();
    let plugins = scan.by_feature();
    // Features that are enabled stay visible when their library is missing.
    let mut names: Vec<&str> = plugins.keys().copied().collect();
    names.extend(states.keys().map(String::as_str).filter(|name| !plugins.contains_key(name)));
    names.sort_unstable();
    let enabled = |name: &str| states.get(name).copied().unwrap_or(false);
    if app.reporter.json {
        let rows: Vec<_> = names
            .iter()
            .map(|name| {
                let plugin = plugins.get(name);
                json!({
                    "feature": name,
                    "title": plugin.map(|plugin| &plugin.manifest.title),
                    "description": plugin.map(|plugin| &plugin.manifest.description),
                    "enabled": enabled(name),
                    "plugin": plugin.map(|plugin| json!({
                        "path": plugin.path,
                        "version": plugin.manifest.version,
                        "contract": plugin.contract(),
                    })),
                })
            })
            .collect();
        app.reporter.document(&rows)?;
        return Ok(Outcome::DONE);
    }
    let mut table = Table::new(&["FEATURE", "ENABLED", "TITLE", "VERSION"]);
    for name in names {
        let plugin = plugins.get(name);
        table.row(vec![
            name.into(),
            if enabled(name) { "yes" } else { "no" }.into(),
            plugin.map_or("(its connector library is missing)".into(), |plugin| {
                plugin.manifest.title.clone()
            }),
            plugin.map_or(String::new(), |plugin| plugin.manifest.version.clone()),
        ]);
    }
    if table.is_empty() {
        app.reporter.note("there are no features: no connector library was found");
        app.reporter.note("hint: see `plugins list`");
    } else {
        app.reporter.text(&table.render());
    }
    Ok(Outcome::DONE)
}

fn show(app: &App, feature: &str) -> Result<Outcome, HostError> {
    let manifest = &app.scan()?.plugin(feature)?.manifest;
    if app.reporter.json {
        app.reporter.document(manifest)?;
        return Ok(Outcome::DONE);
    }
    let mut text =
        format!("{} {}\n", redact::shown(&manifest.title), redact::shown(&manifest.version));
    text.push_str(&format!("{}\n\n", redact::shown(&manifest.description)));
    let mut settings = Table::new(&["SETTING", "NEEDED", "DEFAULT", "WHAT TO ENTER"]);
    for spec in &manifest.settings {
        settings.row(vec![
            spec.name.clone(),
            match (spec.required, spec.secret) {
                (_, true) => "secret",
                (true, _) => "yes",
                (false, _) => "no",
            }
            .into(),
            spec.default.clone().unwrap_or_default(),
            spec.help.clone(),
        ]);
    }
    text.push_str(&settings.render());
    let mut grants = Table::new(&["GRANT", "TITLE", "WHEN TO CHOOSE IT"]);
    for grant in &manifest.grants {
        grants.row(vec![grant.id.clone(), grant.title.clone(), grant.help.clone()]);
    }
    text.push_str(&format!("\n{}", grants.render()));
    let mut datasets = Table::new(&["DATASET", "READ FROM", "PERSONAL", "ONE OF THESE OPENS IT"]);
    for dataset in &manifest.datasets {
        let labels: Vec<&str> =
            dataset.permissions.iter().map(|permission| permission.label.as_str()).collect();
        datasets.row(vec![
            dataset.name.clone(),
            dataset.source.clone(),
            if dataset.personal { "yes" } else { "no" }.into(),
            labels.join(", "),
        ]);
    }
    text.push_str(&format!("\n{}", datasets.render()));
    app.reporter.text(&text);
    Ok(Outcome::DONE)
}

fn enable(app: &App, feature: &str) -> Result<Outcome, HostError> {
    let plugin = app.scan()?.plugin(feature)?;
    let deployment = app.deployment()?;
    let context = deployment.context(0, Cancel::default());
    // The library must be able to make an instance and to be enabled before the feature counts as
    // enabled.
    plugin
        .instance(Arc::new(context))
        .and_then(|instance| instance.enable().and_then(|()| instance.disable()))?;
    deployment.store.set_feature(feature, true)?;
    done(app, feature, true)?;
    app.reporter.note(&format!("next: `connectors new {feature} --name NAME …`"));
    Ok(Outcome::DONE)
}

fn disable(app: &App, feature: &str) -> Result<Outcome, HostError> {
    let store = app.store()?;
    if !store.features()?.iter().any(|state| state.id == feature) {
        // Not known here: then it must at least be the name of a library.
        app.scan()?.plugin(feature)?;
    }
    store.set_feature(feature, false)?;
    // From here on no run begins; those in progress see it and stop.
    let cancel = app.cancel_on_interrupt();
    let began = Instant::now();
    for connector in store.connectors()?.iter().filter(|other| other.feature == feature) {
        let mut told = false;
        while RunLock::is_held(store.home(), connector.id) {
            if !told {
                app.reporter
                    .note(&redact::shown(&format!("stopping the run of `{}`", connector.name)));
                told = true;
            }
            if began.elapsed() >= STOPPING || cancel.sleep(Duration::from_millis(200)) {
                return Err(HostError::failed(format_args!(
                    "feature `{feature}` is disabled, but the run of `{}` has not ended yet",
                    connector.name
                ))
                .with_hint("it publishes nothing any more; see `runs list`"));
            }
        }
    }
    done(app, feature, false)
}

fn done(app: &App, feature: &str, enabled: bool) -> Result<Outcome, HostError> {
    if app.reporter.json {
        app.reporter.document(&json!({ "feature": feature, "enabled": enabled }))?;
    } else {
        let word = if enabled { "enabled" } else { "disabled" };
        app.reporter.text(&format!("feature `{feature}` is {word}"));
    }
    Ok(Outcome::DONE)
}
