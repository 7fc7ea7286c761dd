//! `features`: what can be enabled, as under the properties of an endpoint server.

use clap::Subcommand;
use connector_api::manifest::Manifest;

use super::progress::Progress;
use super::{Outcome, Reporter, Table, cancel_on_interrupt};
use crate::app::App;
use crate::app::features::{self, FeatureState, FeatureView};
use crate::error::HostError;
use crate::redact;

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
    /// Disable a feature; its connectors are kept but no longer run
    ///
    /// A run in progress is stopped first and publishes nothing.
    Disable {
        /// The feature, as `features list` names it
        feature: String,
    },
}

pub(crate) fn run(app: &App, out: Reporter, command: &Command) -> Result<Outcome, HostError> {
    match command {
        Command::List => list(out, &features::list(app)?),
        Command::Show { feature } => {
            let manifest = features::show(app, feature)?;
            if out.json {
                out.document(manifest)?;
            } else {
                out.text(&details(manifest));
            }
            Ok(Outcome::DONE)
        }
        Command::Enable { feature } => {
            saved(out, &features::enable(app, feature)?)?;
            out.note(&format!("next: `connectors new {feature} --name NAME …`"));
            Ok(Outcome::DONE)
        }
        Command::Disable { feature } => {
            let cancel = cancel_on_interrupt(out);
            saved(out, &features::disable(app, feature, &cancel, &Progress::new(out))?)
        }
    }
}

fn list(out: Reporter, features: &[FeatureView]) -> Result<Outcome, HostError> {
    if out.json {
        out.document(&features)?;
        return Ok(Outcome::DONE);
    }
    let mut table = Table::new(&["FEATURE", "ENABLED", "TITLE", "VERSION"]);
    for feature in features {
        table.row(vec![
            feature.feature.clone(),
            if feature.enabled { "yes" } else { "no" }.into(),
            feature.title.clone().unwrap_or("(its connector library is missing)".into()),
            feature.plugin.as_ref().map_or(String::new(), |plugin| plugin.version.clone()),
        ]);
    }
    if table.is_empty() {
        out.note("there are no features: no connector library was found");
        out.note("hint: see `plugins list`");
    } else {
        out.text(&table.render());
    }
    Ok(Outcome::DONE)
}

fn details(manifest: &Manifest) -> String {
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
    text
}

fn saved(out: Reporter, state: &FeatureState) -> Result<Outcome, HostError> {
    if out.json {
        out.document(state)?;
    } else {
        let word = if state.enabled { "enabled" } else { "disabled" };
        out.text(&format!("feature `{}` is {word}", state.feature));
    }
    Ok(Outcome::DONE)
}
