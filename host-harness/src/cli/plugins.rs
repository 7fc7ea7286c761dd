//! `plugins`: connector libraries.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::{App, Outcome, Table, plugin_check};
use crate::error::HostError;
use crate::plugin_dir::Scan;
use crate::plugin_pins::{self, Pins};
use crate::redact;
use crate::schedule::scheduler::PluginState;
use crate::trust::Trust;

/// Commands on connector libraries.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the connector libraries found, and the files that were refused
    List,
    /// Copy a connector library into the plugins folder
    ///
    /// The file is checked first, and asked what it is in a process of its own; its SHA-256 is
    /// recorded, so that a file changed afterwards is not loaded. A minisign signature beside it is
    /// copied along. A running process keeps the old one.
    Install {
        /// The library, e.g. libexample_plugin.so
        file: PathBuf,
        /// Install it although a higher version was installed here before
        #[arg(long)]
        allow_downgrade: bool,
    },
    /// Load every connector library and compare the installed ones with their recorded SHA-256
    ///
    /// Exit code 6 when any is refused.
    Verify,
    /// Check whether a connector library keeps to the contract, before it is installed
    ///
    /// Each check runs in a process of its own and is one line: ok, failed or not applicable. Exit
    /// code 4 when one failed, 6 when the library cannot be loaded.
    Check(plugin_check::Args),
}

pub(crate) fn run(app: &App, command: &Command) -> Result<Outcome, HostError> {
    match command {
        Command::List => {
            show(app, app.scan()?)?;
            Ok(Outcome::DONE)
        }
        Command::Verify => {
            let scan = app.scan()?;
            show(app, scan)?;
            Ok(if scan.refused.is_empty() { Outcome::DONE } else { Outcome::REFUSED })
        }
        Command::Check(args) => plugin_check::run(app, args),
        Command::Install { file, allow_downgrade } => install(app, file, *allow_downgrade),
    }
}

fn install(app: &App, file: &std::path::Path, allow_downgrade: bool) -> Result<Outcome, HostError> {
    let folder = app.install_folder();
    if folder == app.home.plugins() {
        app.home.ensure()?;
    }
    let installed = plugin_pins::install(file, &folder, app.config.limits(), allow_downgrade)?;
    if app.reporter.json {
        app.reporter.document(&json!({ "installed": installed }))?;
    } else {
        app.reporter.text(&format!("installed `{}`", installed.display()));
        app.reporter.note("next: `features list`, then `features enable FEATURE`");
    }
    Ok(Outcome::DONE)
}

fn show(app: &App, scan: &Scan) -> Result<(), HostError> {
    let pinned = |path: &std::path::Path| {
        path.parent().and_then(|folder| Pins::read(folder).ok()).is_some_and(|pins| pins.has(path))
    };
    if app.reporter.json {
        let plugins: Vec<_> = scan
            .plugins
            .iter()
            .map(|plugin| {
                json!({
                    "feature": plugin.manifest.id,
                    "title": plugin.manifest.title,
                    "version": plugin.manifest.version,
                    "contract": plugin.contract(),
                    "path": plugin.path,
                    "pinned": pinned(&plugin.path),
                    "signed": plugin.trust == Trust::Signed,
                    "sha256": plugin.digest,
                })
            })
            .collect();
        let refused: Vec<_> = scan
            .refused
            .iter()
            .map(|refused| json!({ "path": refused.path, "reason": refused.reason }))
            .collect();
        return app
            .reporter
            .document(&json!({ "plugins": plugins, "refused": refused, "folders": scan.folders }));
    }
    for (feature, state) in app.store()?.plugin_states::<PluginState>()? {
        if let Some(until) = state.held_until.filter(|until| *until > crate::time::now()) {
            app.reporter.text(&redact::shown(&format!(
                "the library of `{feature}` is held back by the server until {}: {}",
                crate::time::rfc3339(until),
                state.reason.unwrap_or_default()
            )));
        }
    }
    let mut table = Table::new(&["FEATURE", "VERSION", "CONTRACT", "INSTALLED", "FILE"]);
    for plugin in &scan.plugins {
        table.row(vec![
            plugin.manifest.id.clone(),
            plugin.manifest.version.clone(),
            plugin.contract(),
            match (plugin.trust, pinned(&plugin.path)) {
                (Trust::Signed, true) => "yes, signed",
                (Trust::Signed, false) => "no, but signed",
                (_, true) => "yes, as recorded",
                (_, false) => "no",
            }
            .into(),
            plugin.path.display().to_string(),
        ]);
    }
    if table.is_empty() {
        app.reporter.note("no connector library was found");
        for folder in &scan.folders {
            app.reporter.note(&format!("  looked in `{}`", folder.display()));
        }
        app.reporter.note("hint: install one with `plugins install FILE`");
    } else {
        app.reporter.text(&table.render());
    }
    if !scan.refused.is_empty() {
        let mut table = Table::new(&["REFUSED", "REASON"]);
        for refused in &scan.refused {
            table.row(vec![refused.path.display().to_string(), refused.reason.clone()]);
        }
        app.reporter.text(&format!("\n{}", table.render()));
    }
    Ok(())
}
