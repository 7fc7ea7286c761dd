//! `store`: a copy of the store, and back.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::{App, Outcome};
use crate::error::HostError;
use crate::locks::{KeyLock, ServerLock};
use crate::store::restore;

/// Commands on the store.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check that the store is sound
    Check,
    /// Copy the store into a new file; a server may go on working meanwhile
    ///
    /// The copy is checked before it is named. The sealing key is not part of it: back it up apart.
    Backup {
        /// The file to write; it must not exist
        file: PathBuf,
    },
    /// Put a copy in the place of the store
    ///
    /// The copy is checked first; the present store is kept beside it. No other command of this
    /// endpoint server may run meanwhile. It opens only with the sealing key it was made under.
    Restore {
        /// The file that `store backup` wrote
        file: PathBuf,
    },
}

pub(crate) fn run(app: &App, command: &Command) -> Result<Outcome, HostError> {
    match command {
        Command::Check => {
            app.store()?.quick_check()?;
            said(app, "the store is sound", json!({ "ok": true }))
        }
        Command::Backup { file } => {
            app.store()?.back_up(file)?;
            let text = format!("the store was copied to `{}`", file.display());
            said(app, &text, json!({ "file": file }))
        }
        Command::Restore { file } => {
            app.home.ensure()?;
            let _server = ServerLock::take(app.home.inventory())?;
            let _key = KeyLock::exclusive(app.home.inventory())?;
            let kept = restore(app.home.inventory(), file)?;
            let beside = kept.as_ref().map_or(String::new(), |kept| {
                format!("; the former one is kept as `{}`", kept.display())
            });
            let text = format!("`{}` is now the store{beside}", file.display());
            said(app, &text, json!({ "restored": file, "former_store": kept }))
        }
    }
}

fn said(app: &App, text: &str, document: serde_json::Value) -> Result<Outcome, HostError> {
    if app.reporter.json {
        app.reporter.document(&document)?;
    } else {
        app.reporter.text(text);
    }
    Ok(Outcome::DONE)
}
