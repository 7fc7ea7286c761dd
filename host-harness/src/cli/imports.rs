//! `imports`: lists an administrator adds: prices, contracts, staff, which uses are a person's or a machine's.

use std::path::PathBuf;

use super::{Outcome, Reporter, Table};
use crate::app::App;
use crate::app::imports::{self, CheckedList};
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
    /// Import a list, CSV, XLSX or TOML, in place of an earlier one of its kind
    ///
    /// Licences are named by key, by name or as FAMILY/KEY. A list that is wrong or has no usable line
    /// is refused, and the one in use stays.
    Add {
        /// The connector's name
        name: String,
        /// What list
        kind: Kind,
        /// The file
        file: PathBuf,
    },
    /// Show what an import would do, and everything that is wrong with the list
    ///
    /// Exit code 4 when it would be refused.
    Check {
        /// The connector's name
        name: String,
        /// What list
        kind: Kind,
        /// The file
        file: PathBuf,
    },
    /// Put the list before the one in use in use again
    Undo {
        /// The connector's name
        name: String,
        /// What list
        kind: Kind,
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
                let kind = imported.kind.as_str();
                out.note(&format!("imported {} of {kind}", lines(imported.lines)));
            }
        }
        Command::Check { name, kind, file } => {
            let checked = imports::check(app, name, (*kind).into(), file)?;
            out.print(&checked, preview)?;
            return Ok(if checked.ok { Outcome::DONE } else { Outcome::FINDINGS });
        }
        Command::Undo { name, kind } => {
            let undone = imports::undo(app, name, (*kind).into())?;
            if out.json {
                out.document(&undone)?;
            } else {
                let kind = undone.kind.as_str();
                out.note(&match &undone.in_use {
                    Some(import) => redact::shown(&format!(
                        "`{}` of {} is in use for {kind}",
                        import.name, import.imported_at
                    )),
                    None => format!("no list is in use for {kind}"),
                });
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

fn lines(count: usize) -> String {
    if count == 1 { "1 line".into() } else { format!("{count} lines") }
}

fn preview(checked: &CheckedList) -> String {
    let columns: Vec<&str> = checked
        .rows
        .first()
        .map(|row| row.keys().map(String::as_str).collect())
        .unwrap_or_default();
    let mut text = String::new();
    if !columns.is_empty() {
        let mut table = Table::new(&columns);
        for row in &checked.rows {
            let cell =
                |column: &&str| row.get(*column).and_then(|cell| cell.as_str()).unwrap_or("");
            table.row(columns.iter().map(cell).map(str::to_owned).collect());
        }
        text.push_str(&table.render());
    }
    text.push_str(&format!("{} of {}", lines(checked.lines), checked.kind.as_str()));
    if checked.passed_by > 0 {
        text.push_str(&format!(", {} without a price passed by", checked.passed_by));
    }
    text.push('\n');
    let warnings = checked.warnings.iter().map(|warning| format!("warning: {warning}"));
    let problems = checked.problems.iter().map(|problem| match problem.line {
        Some(line) => format!("problem: line {line}: {}", problem.message),
        None => format!("problem: {}", problem.message),
    });
    for line in warnings.chain(problems) {
        text.push_str(&redact::shown(&line));
        text.push('\n');
    }
    text
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
