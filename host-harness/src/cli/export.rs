//! `export`: the inventory as files.

use std::path::PathBuf;

use serde::Serialize;

use crate::app::App;
use crate::app::exports::{Exported, Format, Options, export};
use crate::cli::report::find_snapshot;
use crate::cli::{Outcome, Reporter, Table};
use crate::error::HostError;
use crate::position::grouped;
use crate::redact;
use crate::time::rfc3339;

/// Options of `export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The connector's name
    pub name: String,
    /// The file format
    #[arg(long, value_enum)]
    pub format: Format,
    /// The folder the files go to, one for each dataset
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Only this dataset; may be repeated
    #[arg(long = "dataset", value_name = "DATASET")]
    pub datasets: Vec<String>,
    /// Export this snapshot (the number of its run), or the last one of a day, instead of the last
    #[arg(long, value_name = "SNAPSHOT|DATE")]
    pub as_of: Option<String>,
    /// CSV: write texts as they are, even those a spreadsheet takes for a formula
    #[arg(long)]
    pub raw: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    connector: &'a str,
    snapshot: i64,
    as_of: String,
    format: Format,
    #[serde(flatten)]
    exported: &'a Exported,
}

/// Runs `export`.
pub(crate) fn run(app: &App, out: Reporter, args: &Args) -> Result<Outcome, HostError> {
    let (store, snapshot) = find_snapshot(app, &args.name, args.as_of.as_deref())?;
    let connection = store.snapshot_connection(&snapshot)?;
    let options = Options {
        format: args.format,
        out: args.out.clone(),
        datasets: args.datasets.clone(),
        raw: args.raw,
    };
    let exported = export(&connection, &snapshot.manifest, &snapshot.datasets, &options)?;
    if out.json {
        out.document(&Document {
            connector: &snapshot.connector_name,
            snapshot: snapshot.id,
            as_of: rfc3339(snapshot.as_of),
            format: args.format,
            exported: &exported,
        })?;
    } else {
        out.text(&text(&exported));
    }
    let asked_in_vain = !args.datasets.is_empty() && !exported.skipped.is_empty();
    Ok(if asked_in_vain { Outcome::FINDINGS } else { Outcome::DONE })
}

fn text(exported: &Exported) -> String {
    let size = |number: u64| i64::try_from(number).map_or_else(|_| number.to_string(), grouped);
    let mut table = Table::new(&["DATASET", "RECORDS", "BYTES", "STATUS", "FILE"]).right(&[1, 2]);
    for file in &exported.files {
        table.row(vec![
            file.dataset.clone(),
            size(file.rows),
            size(file.bytes),
            file.status.to_owned(),
            file.path.display().to_string(),
        ]);
    }
    let mut text = if table.is_empty() { String::new() } else { table.render() };
    for skipped in &exported.skipped {
        text.push_str(&redact::shown(&format!(
            "no file for {} ({}): {}",
            skipped.dataset, skipped.status, skipped.reason
        )));
        text.push('\n');
    }
    text
}
