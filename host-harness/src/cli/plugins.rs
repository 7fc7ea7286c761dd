//! `plugins`: connector libraries.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Outcome, Reporter, Table, plugin_check};
use crate::app::App;
use crate::app::plugins::{self, LibraryList};
use crate::error::HostError;
use crate::redact;
use crate::time::rfc3339;

/// Commands on connector libraries.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the connector libraries found, and the files that were refused
    List,
    /// Copy a connector library into the plugins folder
    ///
    /// The file is checked first, and asked what it is in a process of its own; its SHA-256 is
    /// recorded, so that a file changed afterwards is not loaded. A minisign signature next to it is
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

pub(crate) fn run(app: &App, out: Reporter, command: &Command) -> Result<Outcome, HostError> {
    match command {
        Command::List => {
            show(app, out)?;
            Ok(Outcome::DONE)
        }
        Command::Verify => {
            let libraries = show(app, out)?;
            Ok(if libraries.refused.is_empty() { Outcome::DONE } else { Outcome::REFUSED })
        }
        Command::Check(args) => plugin_check::run(out, args),
        Command::Install { file, allow_downgrade } => {
            let installed = plugins::install(app, file, *allow_downgrade)?;
            out.print(&installed, |installed| {
                format!("installed `{}`", installed.installed.display())
            })?;
            if !out.json {
                out.note("next: `features list`, then `features enable FEATURE`");
            }
            Ok(Outcome::DONE)
        }
    }
}

fn show(app: &App, out: Reporter) -> Result<LibraryList, HostError> {
    let libraries = plugins::list(app)?;
    if out.json {
        out.document(&libraries)?;
        return Ok(libraries);
    }
    for held in plugins::held_back(app)? {
        out.text(&redact::shown(&format!(
            "the library of `{}` is held back by the server until {}: {}",
            held.feature,
            rfc3339(held.held_until),
            held.reason
        )));
    }
    if libraries.plugins.is_empty() {
        out.note("no connector library was found");
        for folder in &libraries.folders {
            out.note(&format!("  looked in `{}`", folder.display()));
        }
        out.note("hint: install one with `plugins install FILE`");
    } else {
        out.text(&loaded(&libraries));
    }
    if !libraries.refused.is_empty() {
        let mut table = Table::new(&["REFUSED", "REASON"]);
        for refused in &libraries.refused {
            table.row(vec![refused.path.display().to_string(), refused.reason.clone()]);
        }
        out.text(&format!("\n{}", table.render()));
    }
    Ok(libraries)
}

fn loaded(libraries: &LibraryList) -> String {
    let mut table = Table::new(&["FEATURE", "VERSION", "CONTRACT", "INSTALLED", "FILE"]);
    for library in &libraries.plugins {
        table.row(vec![
            library.feature.clone(),
            library.version.clone(),
            library.contract.clone(),
            match (library.signed, library.pinned) {
                (true, true) => "yes, signed",
                (true, false) => "no, but signed",
                (false, true) => "yes, as recorded",
                (false, false) => "no",
            }
            .into(),
            library.path.display().to_string(),
        ]);
    }
    table.render()
}
