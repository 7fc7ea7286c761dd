//! Where a run's records arrive: checked, then stored with the checkpoint that covers them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema, SchemaRef, TimeUnit};
use connector_api::batch::ArrowBatch;
use connector_api::host_side::RecordSink;
use connector_api::manifest::{DatasetSpec, FieldType, Manifest};
use connector_api::{Error, ErrorKind};
use inventory::RowWriter;
use parking_lot::{Mutex, MutexGuard};

use crate::services::{Context, for_connector};

/// Most rows of one dataset that wait in memory for their checkpoint; more are stored before it. They
/// stay invisible until the run is published, so nothing is lost or shown by that.
const MOST_WAITING: usize = 65_536;
/// Most bytes of a checkpoint's state.
const LONGEST_STATE: usize = 1 << 20;

/// The receiving end of one run; the host keeps a clone to finish or close it.
#[derive(Clone)]
pub struct RunSink(Arc<Shared>);

struct Shared {
    context: Arc<Context>,
    state: Mutex<State>,
}

struct State {
    writer: RowWriter,
    manifest: Arc<Manifest>,
    datasets: BTreeMap<String, Arriving>,
    /// Once set, every call is answered with it.
    refused: Option<Error>,
}

#[derive(Default)]
struct Arriving {
    schema: Option<SchemaRef>,
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    rows: Arrived,
}

/// How many records of a dataset arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// Stored.
    pub stored: u64,
    /// Stored, and covered by a checkpoint: a run that goes on need not read them again.
    pub covered: u64,
}

impl std::fmt::Debug for RunSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RunSink")
    }
}

impl RunSink {
    /// A sink that stores through that writer.
    pub fn new(context: Arc<Context>, manifest: Arc<Manifest>, writer: RowWriter) -> RunSink {
        let state = State { writer, manifest, datasets: BTreeMap::new(), refused: None };
        RunSink(Arc::new(Shared { context, state: Mutex::new(state) }))
    }

    /// Refuses everything from here on; waits for a call that is just storing.
    pub fn close(&self) {
        let mut state = self.lock();
        state.refused.get_or_insert_with(|| {
            Error::new(ErrorKind::STATE, "the run is over: nothing more is accepted")
        });
    }

    /// Stores what arrived after the last checkpoints and closes; answers what arrived of each
    /// dataset, and the first failure of the sink, even if the connector did not pass it on.
    pub fn finish(&self) -> (BTreeMap<String, Arrived>, Result<(), Error>) {
        let (arrived, result) = {
            let mut state = self.lock();
            let refused = state.refused.clone().map_or(Ok(()), Err);
            // What came before the run was asked to stop is still valid.
            let sound = !matches!(&refused, Err(error) if error.kind != ErrorKind::CANCELLED);
            let stored = if sound { state.flush_all() } else { Ok(()) };
            let datasets = state.datasets.iter();
            let arrived = datasets.map(|(name, arriving)| (name.clone(), arriving.rows)).collect();
            (arrived, refused.and(stored))
        };
        self.close();
        (arrived, result)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }

    /// Runs one call; an error closes the sink.
    fn call<T>(&self, f: impl FnOnce(&mut State) -> Result<T, Error>) -> Result<T, Error> {
        self.0.context.sign();
        let mut state = self.lock();
        if let Some(error) = &state.refused {
            return Err(error.clone());
        }
        let result =
            if self.0.context.cancel.is_set() { Err(Error::cancelled()) } else { f(&mut state) };
        if let Err(error) = &result {
            state.refused = Some(error.clone());
        }
        drop(state);
        self.0.context.sign();
        result
    }
}

impl RecordSink for RunSink {
    fn batch(&mut self, dataset: &str, batch: ArrowBatch) -> Result<(), Error> {
        self.call(|state| state.accept(dataset, batch.into_record_batch()?))
    }

    fn checkpoint(&mut self, dataset: &str, state_json: &str) -> Result<(), Error> {
        self.call(|state| {
            if state_json.len() > LONGEST_STATE {
                return Err(schema_error(dataset, "its checkpoint is too long"));
            }
            state.flush(dataset, Some(state_json))
        })
    }
}

impl State {
    fn accept(&mut self, name: &str, batch: RecordBatch) -> Result<(), Error> {
        let spec = spec(&self.manifest, name)?;
        let arriving = self.datasets.entry(name.to_owned()).or_default();
        check_batch(spec, arriving.schema.as_ref(), &batch)?;
        arriving.schema.get_or_insert_with(|| batch.schema());
        arriving.waiting_rows += batch.num_rows();
        arriving.waiting.push(batch);
        if arriving.waiting_rows >= MOST_WAITING {
            return self.flush(name, None);
        }
        Ok(())
    }

    fn flush(&mut self, name: &str, checkpoint: Option<&str>) -> Result<(), Error> {
        let manifest = Arc::clone(&self.manifest);
        let spec = spec(&manifest, name)?;
        let arriving = self.datasets.entry(name.to_owned()).or_default();
        let batches = std::mem::take(&mut arriving.waiting);
        let rows = std::mem::take(&mut arriving.waiting_rows);
        self.writer.commit(spec, &batches, checkpoint).map_err(for_connector)?;
        arriving.rows.stored += rows as u64;
        if checkpoint.is_some() {
            arriving.rows.covered = arriving.rows.stored;
        }
        Ok(())
    }

    fn flush_all(&mut self) -> Result<(), Error> {
        let waiting: Vec<String> = self
            .datasets
            .iter()
            .filter(|(_, arriving)| !arriving.waiting.is_empty())
            .map(|(name, _)| name.clone())
            .collect();
        for name in waiting {
            self.flush(&name, None)?;
        }
        Ok(())
    }
}

fn spec<'a>(manifest: &'a Manifest, name: &str) -> Result<&'a DatasetSpec, Error> {
    manifest
        .dataset(name)
        .ok_or_else(|| schema_error(name, "the connector does not declare this dataset"))
}

fn schema_error(dataset: &str, reason: &str) -> Error {
    Error::new(
        ErrorKind::SCHEMA,
        format_args!("the connector's records of `{dataset}` were refused: {reason}"),
    )
    .with_hint("this is a fault of the connector: report it to its maker")
}

/// Whether a batch is as the dataset was declared, and like its first one.
///
/// # Errors
/// [`ErrorKind::SCHEMA`] with the reason.
pub(crate) fn check_batch(
    spec: &DatasetSpec,
    first: Option<&SchemaRef>,
    batch: &RecordBatch,
) -> Result<(), Error> {
    let refuse = |reason: &str| Err(schema_error(&spec.name, reason));
    match first {
        Some(first) if same_columns(first, &batch.schema()) => {}
        Some(_) => return refuse("its columns differ from those of its first batch"),
        None => check_columns(spec, &batch.schema()).or_else(|reason| refuse(&reason))?,
    }
    for key in &spec.key {
        let nulls = batch.column_by_name(key).map_or(1, |column| column.null_count());
        if nulls > 0 {
            return refuse(&format!("its key `{key}` is null in {nulls} records"));
        }
    }
    Ok(())
}

/// Whether two schemas have the same columns in the same order; nullability may differ.
fn same_columns(first: &Schema, other: &Schema) -> bool {
    first.fields().len() == other.fields().len()
        && first
            .fields()
            .iter()
            .zip(other.fields())
            .all(|(a, b)| a.name() == b.name() && a.data_type() == b.data_type())
}

fn check_columns(spec: &DatasetSpec, schema: &Schema) -> Result<(), String> {
    for (position, column) in schema.fields().iter().enumerate() {
        let name = column.name();
        let Some(field) = spec.fields.iter().find(|field| field.name == *name) else {
            return Err(format!("it does not declare the column `{}`", name.escape_debug()));
        };
        if schema.fields()[..position].iter().any(|other| other.name() == name) {
            return Err(format!("column `{name}` is there twice"));
        }
        if !fits(field.kind, column.data_type()) {
            return Err(format!("column `{name}` has the type {}", column.data_type()));
        }
    }
    match spec.key.iter().find(|key| schema.field_with_name(key).is_err()) {
        Some(key) => Err(format!("its key column `{key}` is missing")),
        None => Ok(()),
    }
}

fn fits(kind: FieldType, data_type: &DataType) -> bool {
    match (kind, data_type) {
        (FieldType::Text, DataType::Utf8)
        | (FieldType::Boolean, DataType::Boolean)
        | (FieldType::Integer, DataType::Int64)
        | (FieldType::Double, DataType::Float64)
        | (FieldType::Date, DataType::Date32) => true,
        (FieldType::Timestamp, DataType::Timestamp(TimeUnit::Millisecond, Some(zone))) => {
            matches!(&**zone, "+00:00" | "UTC")
        }
        _ => false,
    }
}
