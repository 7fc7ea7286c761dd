//! `shell`: completions and manual pages, made from the definition of the command line.

use std::path::PathBuf;

use clap::Subcommand;
use clap_complete::Shell;

use super::{Outcome, Reporter};
use crate::error::HostError;

/// Commands for shells and manuals.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages, one for each command
    Manual {
        /// The folder to write them into
        folder: PathBuf,
    },
}

pub(crate) fn run(
    out: Reporter,
    command: &Command,
    mut definition: clap::Command,
) -> Result<Outcome, HostError> {
    match command {
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut definition, "host-harness", &mut text);
            out.text(&String::from_utf8_lossy(&text));
        }
        Command::Manual { folder } => {
            let failed = |error: std::io::Error| HostError::io("write into", folder, &error);
            std::fs::create_dir_all(folder).map_err(failed)?;
            clap_mangen::generate_to(definition, folder).map_err(failed)?;
        }
    }
    Ok(Outcome::DONE)
}
