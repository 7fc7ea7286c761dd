//! `store`: a copy of the store, and back.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Outcome, Reporter};
use crate::app::{App, store_care};
use crate::error::HostError;

/// Commands on the store.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check that the store is sound
    Check,
    /// Copy the store into a new file; a server may keep running meanwhile
    ///
    /// The copy is checked before it is named. The sealing key is not part of it: back it up apart.
    Backup {
        /// The file to write; it must not exist
        file: PathBuf,
    },
    /// Put a copy in the place of the store
    ///
    /// The copy is checked first; the present store is kept next to it. No other command of this
    /// endpoint server may run meanwhile. It opens only with the sealing key it was made under.
    Restore {
        /// The file that `store backup` wrote
        file: PathBuf,
    },
}

pub(crate) fn run(app: &App, out: Reporter, command: &Command) -> Result<Outcome, HostError> {
    match command {
        Command::Check => {
            out.print(&store_care::check(app)?, |_| "the store is sound".into())?;
        }
        Command::Backup { file } => out.print(&store_care::back_up(app, file)?, |copy| {
            format!("the store was copied to `{}`", copy.file.display())
        })?,
        Command::Restore { file } => out.print(&store_care::restore(app, file)?, |restored| {
            let former = restored.former_store.as_ref().map_or(String::new(), |kept| {
                format!("; the former one is kept as `{}`", kept.display())
            });
            format!("`{}` is now the store{former}", restored.restored.display())
        })?,
    }
    Ok(Outcome::DONE)
}
