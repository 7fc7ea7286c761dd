//! Values that belong to another record, taken from that record's own dataset: one snapshot says one
//! thing of it, whenever its copies were read.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use connector_api::message::{CollectMode, DatasetSummary};
use ring::digest::{SHA256, digest};

use crate::dataset::{CATALOGUE, Dataset};

/// One field of a dataset's records, by their key.
type Values = BTreeMap<String, Option<String>>;

/// The datasets of a run whose values others copy.
#[derive(Debug)]
pub(crate) struct Parents {
    datasets: Mutex<HashMap<&'static str, Parent>>,
    ended: Condvar,
}

/// A parent's dataset in this run.
#[derive(Debug, Default)]
struct Parent {
    fields: HashMap<&'static str, Values>,
    /// Whether its reading ended.
    ended: bool,
    /// Whether every record was read in this run.
    whole: bool,
}

impl Parents {
    /// The parents among the datasets that a run reads.
    pub(crate) fn among(chosen: &[&'static Dataset]) -> Parents {
        let is_copied = |dataset: &&&Dataset| copied_fields(dataset.name).next().is_some();
        let parents = chosen.iter().filter(is_copied);
        Parents {
            datasets: Mutex::new(parents.map(|d| (d.name, Parent::default())).collect()),
            ended: Condvar::new(),
        }
    }

    /// Keeps the fields that others copy.
    pub(crate) fn note(&self, dataset: &'static Dataset, batch: &RecordBatch) {
        let mut datasets = self.lock();
        let Some(parent) = datasets.get_mut(dataset.name) else { return };
        let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
        let Some(keys) = text(dataset.key) else { return };
        for field in copied_fields(dataset.name) {
            let Some(values) = text(field) else { continue };
            let known = parent.fields.entry(field).or_default();
            let rows = keys.iter().zip(values);
            known
                .extend(rows.filter_map(|(key, value)| Some((key?.into(), value.map(Into::into)))));
        }
    }

    /// Notes that the reading of a dataset ended, and how.
    pub(crate) fn end(&self, dataset: &str, summary: Option<&DatasetSummary>) {
        if let Some(parent) = self.lock().get_mut(dataset) {
            parent.ended = true;
            parent.whole = summary.is_some_and(|summary| {
                summary.status.has_every_record() && summary.mode == Some(CollectMode::Full)
            });
        }
        self.ended.notify_all();
    }

    /// What a dataset copies from others. Waits until they were read.
    pub(crate) fn of(&self, dataset: &'static Dataset) -> Copies {
        let mut copies = Copies::default();
        for field in dataset.fields {
            let Some(copied) = field.copied else { continue };
            let datasets = self.lock();
            let pending = |datasets: &mut HashMap<&str, Parent>| {
                datasets.get(copied.dataset).is_some_and(|parent| !parent.ended)
            };
            let datasets =
                self.ended.wait_while(datasets, pending).unwrap_or_else(PoisonError::into_inner);
            let values = datasets
                .get(copied.dataset)
                .filter(|parent| parent.whole)
                .and_then(|parent| parent.fields.get(copied.field));
            let Some(values) = values else { continue };
            copies.fields.push((field.name, copied.by, Arc::new(values.clone())));
        }
        if !copies.fields.is_empty() {
            let all = copies.fields.iter().map(|(field, _, values)| (field, values.as_ref()));
            let text = serde_json::to_string(&all.collect::<Vec<_>>()).unwrap_or_default();
            copies.fingerprint = hex::encode(&digest(&SHA256, text.as_bytes()).as_ref()[..16]);
        }
        copies
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<&'static str, Parent>> {
        self.datasets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The fields of a dataset that others copy.
fn copied_fields(name: &str) -> impl Iterator<Item = &'static str> {
    let fields = CATALOGUE.iter().flat_map(|dataset| dataset.fields);
    fields.filter_map(move |f| f.copied.filter(|c| c.dataset == name)).map(|c| c.field)
}

/// What a dataset copies from its parents' datasets of the same run.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    /// Field, the field with the parent's key, and the values by that key.
    fields: Vec<(&'static str, &'static str, Arc<Values>)>,
    /// Tells these values from others; empty if there are none.
    pub(crate) fingerprint: String,
}

impl Copies {
    /// Whether an earlier reading copied the same. What this run does not read is taken as unchanged.
    pub(crate) fn are_those_of(&self, earlier: &str) -> bool {
        self.fingerprint.is_empty() || self.fingerprint == earlier
    }

    /// The batch with the parents' own values. A parent that is not shown keeps the copy.
    ///
    /// # Errors
    /// When the columns do not fit each other.
    pub(crate) fn put_into(&self, batch: &RecordBatch) -> Result<RecordBatch, String> {
        if self.fields.is_empty() {
            return Ok(batch.clone());
        }
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        for (field, by, values) in &self.fields {
            let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
            let (Some(copies), Some(keys)) = (text(field), text(by)) else { continue };
            let Ok(at) = batch.schema().index_of(field) else { continue };
            let own: StringArray = keys
                .iter()
                .zip(copies)
                .map(|(key, copy)| match key.and_then(|key| values.get(key)) {
                    Some(value) => value.as_deref(),
                    None => copy,
                })
                .collect();
            columns[at] = Arc::new(own);
        }
        RecordBatch::try_new(batch.schema(), columns).map_err(|error| error.to_string())
    }
}
