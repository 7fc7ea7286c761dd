//! `imports`: lists an administrator adds: prices, contracts, staff, which uses are a person's or a machine's.

use std::path::PathBuf;

use super::{Outcome, Reporter, Table};
use crate::app::{App, imports};
use crate::error::HostError;
use crate::redact;
use crate::safe_file::SafeFile;
use crate::store::{Import, ImportKind};

/// The kinds of lists.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Kind {
    /// What a unit of each licence costs
    Prices,
    /// Lines of order forms
    Contract,
    /// Staff with the day employment ended
    Staff,
    /// Which uses are a person's or a machine's
    Activity,
}

impl From<Kind> for ImportKind {
    fn from(kind: Kind) -> ImportKind {
        match kind {
            Kind::Prices => ImportKind::Prices,
            Kind::Contract => ImportKind::Contract,
            Kind::Staff => ImportKind::Staff,
            Kind::Activity => ImportKind::Activity,
        }
    }
}

/// Commands of `imports`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Write an example with every column; for `activity` with the connector's own table
    Template {
        /// What list
        kind: Kind,
        /// The connector, whose licences and table the example shows
        name: Option<String>,
        /// The file; standard output if left out
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Import a list, CSV or TOML, in place of an earlier one of its kind
    Add {
        /// The connector's name
        name: String,
        /// What list
        kind: Kind,
        /// The file
        file: PathBuf,
    },
    /// List what was imported
    List {
        /// The connector's name
        name: String,
    },
    /// Take a list out of use
    Remove {
        /// The connector's name
        name: String,
        /// What list
        kind: Kind,
    },
}

/// Runs `imports`.
pub(crate) fn run(app: &App, out: Reporter, command: &Command) -> Result<Outcome, HostError> {
    match command {
        Command::Template { kind, name, out: file } => {
            let template = imports::template(app, (*kind).into(), name.as_deref())?;
            match file {
                Some(path) => {
                    SafeFile::write(path, template.text.as_bytes())?;
                    out.note(&redact::shown(&format!("wrote {}", path.display())));
                }
                None => out.print(&template, |template| {
                    let lines: Vec<_> = template.text.lines().map(redact::safe_text).collect();
                    lines.join("\n")
                })?,
            }
        }
        Command::Add { name, kind, file } => {
            let imported = imports::add(app, name, (*kind).into(), file)?;
            if out.json {
                out.document(&imported)?;
            } else {
                out.note(&format!(
                    "imported {} lines of {}",
                    imported.lines,
                    ImportKind::from(*kind).as_str()
                ));
            }
        }
        Command::List { name } => out.print(&imports::list(app, name)?, |list| table(list))?,
        Command::Remove { name, kind } => {
            let removed = imports::remove(app, name, (*kind).into())?;
            if out.json {
                out.document(&removed)?;
            } else {
                out.note(&format!("{} is no longer in use", ImportKind::from(*kind).as_str()));
            }
        }
    }
    Ok(Outcome::DONE)
}

fn table(imports: &[Import]) -> String {
    let mut table = Table::new(&["ID", "KIND", "FILE", "IMPORTED AT", "IN USE"]).right(&[0]);
    for import in imports {
        table.row(vec![
            import.id.to_string(),
            import.kind.as_str().into(),
            import.name.clone(),
            import.imported_at.clone(),
            if import.current { "yes" } else { "no" }.into(),
        ]);
    }
    table.render()
}
