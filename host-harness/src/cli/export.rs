//! `export`: the inventory as files.

use std::path::PathBuf;

use super::{Outcome, Reporter, Table};
use crate::app::App;
use crate::app::exports::{self, Exported, Format, Options};
use crate::error::HostError;
use crate::redact;
use position::grouped;

/// Options of `export`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The connector's name
    name: String,
    /// The file format
    #[arg(long, value_enum)]
    format: FileFormat,
    /// The folder the files go to, one for each dataset
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Only this dataset; may be repeated
    #[arg(long = "dataset", value_name = "DATASET")]
    datasets: Vec<String>,
    /// Export this snapshot (the number of its run), or the last one of a day, instead of the last
    #[arg(long, value_name = "SNAPSHOT|DATE")]
    as_of: Option<String>,
    /// CSV: write texts as they are, even those a spreadsheet takes for a formula
    #[arg(long)]
    raw: bool,
}

/// The file formats.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum FileFormat {
    /// RFC 4180, UTF-8, with a head line; null and empty text are both empty.
    Csv,
    /// One JSON object on each line.
    Jsonl,
    /// Apache Parquet with typed columns.
    Parquet,
}

impl From<FileFormat> for Format {
    fn from(format: FileFormat) -> Format {
        match format {
            FileFormat::Csv => Format::Csv,
            FileFormat::Jsonl => Format::Jsonl,
            FileFormat::Parquet => Format::Parquet,
        }
    }
}

/// Runs `export`.
pub(crate) fn run(app: &App, out: Reporter, args: &Args) -> Result<Outcome, HostError> {
    let options = Options {
        format: args.format.into(),
        out: args.out.clone(),
        datasets: args.datasets.clone(),
        raw: args.raw,
    };
    let view = exports::export(app, &args.name, args.as_of.as_deref(), &options)?;
    out.print(&view, |view| text(&view.exported))?;
    let asked_in_vain = !args.datasets.is_empty() && !view.exported.skipped.is_empty();
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
