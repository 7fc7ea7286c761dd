//! The inventory as files: one for each dataset, with the columns its manifest names.
//!
//! Rows are read and written one after the other; memory does not grow with their number.

mod csv;
mod jsonl;
mod parquet;
mod row;

use std::path::{Path, PathBuf};

use connector_api::manifest::{DatasetSpec, Manifest};
use connector_api::message::DatasetStatus;
use serde::Serialize;

use crate::app::{App, snapshots};
use crate::error::HostError;
use crate::safe_file::{self, SafeFile};
use crate::store::{DatasetInfo, SnapshotReader, Value};
use crate::time::rfc3339;
use position::model::ReadStatus;
use row::{Row, RowWriter};

/// The file formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// RFC 4180, UTF-8, with a head line; null and empty text are both empty.
    Csv,
    /// One JSON object on each line.
    Jsonl,
    /// Apache Parquet with typed columns.
    Parquet,
}

impl Format {
    /// The file name's extension.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Jsonl => "jsonl",
            Format::Parquet => "parquet",
        }
    }
}

/// How to export.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file format.
    pub format: Format,
    /// The folder the files go to; made if it is not there.
    pub out: PathBuf,
    /// Datasets by name; empty means all.
    pub datasets: Vec<String>,
    /// CSV only: write texts as they are, even those a spreadsheet takes for a formula.
    pub raw: bool,
}

/// An export of a snapshot.
#[derive(Clone, Debug, Serialize)]
pub struct ExportView {
    /// The connector's name.
    pub connector: String,
    /// The snapshot.
    pub snapshot: i64,
    /// When it was taken, in RFC 3339.
    pub as_of: String,
    /// The file format.
    pub format: Format,
    /// Its files.
    #[serde(flatten)]
    pub exported: Exported,
}

/// What an export wrote and what it left out.
#[derive(Clone, Debug, Serialize)]
pub struct Exported {
    /// The files, in the order of the manifest.
    pub files: Vec<ExportedFile>,
    /// Datasets that have no file.
    pub skipped: Vec<Skipped>,
}

/// One file.
#[derive(Clone, Debug, Serialize)]
pub struct ExportedFile {
    /// The dataset in it.
    pub dataset: String,
    /// Where it is.
    pub path: PathBuf,
    /// Records.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// Its status; other than `complete`, the file does not have everything.
    pub status: &'static str,
    /// Columns that are null throughout because they were not shown.
    pub missing_fields: Vec<String>,
    /// Why it is not complete.
    pub reason: Option<String>,
}

/// A dataset without a file.
#[derive(Clone, Debug, Serialize)]
pub struct Skipped {
    /// The dataset.
    pub dataset: String,
    /// Its status.
    pub status: ReadStatus,
    /// Why, as one sentence.
    pub reason: String,
}

/// Exports a snapshot of a connector: the last one, or the one that `as_of` names.
///
/// # Errors
/// Of kind usage for an unknown connector or dataset, of kind failed without snapshot or when a file
/// cannot be written.
pub fn export(
    app: &App,
    name: &str,
    as_of: Option<&str>,
    options: &Options,
) -> Result<ExportView, HostError> {
    let (store, snapshot) = snapshots::find(app, name, as_of)?;
    let records = store.snapshots().reader(&snapshot, None)?;
    let exported = write(&records, &snapshot.manifest, &snapshot.datasets, options)?;
    Ok(ExportView {
        connector: snapshot.connector_name,
        snapshot: snapshot.id,
        as_of: rfc3339(snapshot.as_of),
        format: options.format,
        exported,
    })
}

/// Passes on one record, its values in the order of the manifest's fields.
type Each<'a> = dyn FnMut(&[Value<'_>]) -> Result<(), HostError> + 'a;

/// Where records come from.
pub(crate) trait Records {
    /// Passes on the records of a dataset in the order of its key.
    fn each(&self, spec: &DatasetSpec, each: &mut Each<'_>) -> Result<(), HostError>;
}

impl Records for SnapshotReader {
    fn each(&self, spec: &DatasetSpec, each: &mut Each<'_>) -> Result<(), HostError> {
        let columns: Vec<&str> = spec.fields.iter().map(|field| field.name.as_str()).collect();
        self.dataset(&spec.name, &columns, each)
    }
}

/// Writes the datasets of a snapshot to files; each file appears complete or not at all, and replaces
/// one of an earlier export. A dataset of which nothing was read gets no file.
///
/// # Errors
/// Of kind usage for an unknown dataset, before anything is written; otherwise when a file cannot
/// be written or a record does not fit the manifest. Files finished until then stay.
pub(crate) fn write(
    records: &impl Records,
    manifest: &Manifest,
    datasets: &[DatasetInfo],
    options: &Options,
) -> Result<Exported, HostError> {
    check_names(manifest, &options.datasets)?;
    let mut exported = Exported { files: Vec::new(), skipped: Vec::new() };
    safe_file::make_folder(&options.out)?;
    let wanted =
        |spec: &&DatasetSpec| options.datasets.is_empty() || options.datasets.contains(&spec.name);
    for spec in manifest.datasets.iter().filter(wanted) {
        let info = datasets.iter().find(|info| info.dataset == spec.name);
        match info {
            Some(info) if has_records(info.status) => {
                exported.files.push(write_dataset(records, spec, info, options)?);
            }
            _ => {
                let status =
                    info.map_or(ReadStatus::NotCollected, |info| ReadStatus::Read(info.status));
                let reason = info.and_then(|info| info.reason.clone());
                let reason = reason.unwrap_or_else(|| status.plain_reason().to_owned());
                exported.skipped.push(Skipped { dataset: spec.name.clone(), status, reason });
            }
        }
    }
    Ok(exported)
}

fn check_names(manifest: &Manifest, names: &[String]) -> Result<(), HostError> {
    let known = || manifest.datasets.iter().map(|spec| spec.name.as_str());
    match names.iter().find(|name| !known().any(|known| known == name.as_str())) {
        None => Ok(()),
        Some(name) => Err(HostError::usage(format_args!("there is no dataset `{name}`"))
            .with_hint(format_args!("known are: {}", known().collect::<Vec<_>>().join(", ")))),
    }
}

/// Whether a reading that ended like this left records worth a file.
fn has_records(status: DatasetStatus) -> bool {
    use DatasetStatus::{Complete, Degraded, Incomplete, PartialSelf};
    matches!(status, Complete | Degraded | Incomplete | PartialSelf)
}

fn write_dataset(
    records: &impl Records,
    spec: &DatasetSpec,
    info: &DatasetInfo,
    options: &Options,
) -> Result<ExportedFile, HostError> {
    let path = file_path(&options.out, &spec.name, options.format)?;
    let mut file = SafeFile::create(&path)?;
    let rows = {
        let mut writer: Box<dyn RowWriter + '_> = match options.format {
            Format::Csv => Box::new(csv::Writer::new(&mut file, spec, options.raw)?),
            Format::Jsonl => Box::new(jsonl::Writer::new(&mut file, spec)?),
            Format::Parquet => Box::new(parquet::Writer::new(&mut file, spec)?),
        };
        copy_rows(records, spec, writer.as_mut())?
    };
    let bytes = file.finish()?;
    Ok(ExportedFile {
        dataset: spec.name.clone(),
        path,
        rows,
        bytes,
        status: info.status.as_str(),
        missing_fields: info.missing_fields.clone(),
        reason: info.reason.clone(),
    })
}

/// The file of a dataset. Names of datasets are slugs; this is the last place to make sure, because
/// they come from a connector.
fn file_path(folder: &Path, dataset: &str, format: Format) -> Result<PathBuf, HostError> {
    let slug = !dataset.is_empty()
        && dataset.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !slug {
        return Err(HostError::failed(format_args!("`{dataset}` cannot be the name of a file")));
    }
    Ok(folder.join(format!("{dataset}.{}", format.extension())))
}

fn copy_rows(
    records: &impl Records,
    spec: &DatasetSpec,
    writer: &mut dyn RowWriter,
) -> Result<u64, HostError> {
    let mut number = 0;
    records.each(spec, &mut |values| {
        number += 1;
        writer.write(&Row::new(values, spec))
    })?;
    writer.finish()?;
    Ok(number)
}

#[cfg(test)]
mod tests;
