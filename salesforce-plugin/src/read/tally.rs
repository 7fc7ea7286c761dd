//! What was seen of a dataset.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{Array, RecordBatch, StringArray, TimestampMillisecondArray};
use connector_api::message::{Proof, UnreadableValue};

use crate::dataset::{Changes, Dataset};
use crate::read::seen_keys::SeenKeys;
use crate::read::state::State;

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// What was handed over of a dataset in this run, and what is proven of it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Records handed over.
    pub(crate) rows: u64,
    /// Whether a record was seen that is not the asking user's.
    pub(crate) saw_others: bool,
    /// Records that the host holds of the part that an earlier run read.
    pub(crate) earlier: u64,
    /// Records of a log by day, in days since 1970.
    pub(crate) days: BTreeMap<i64, u64>,
    /// When the oldest of them was read, if that was before the run.
    pub(crate) oldest_ms: Option<i64>,
    /// What the records were compared with.
    pub(crate) proof: Option<Proof>,
    /// Keys handed over.
    keys: SeenKeys,
    /// Values that could not be read, by record.
    unreadable: BTreeMap<String, BTreeSet<String>>,
}

impl Tally {
    /// Distinct records that the host holds.
    pub(crate) fn held(&self) -> u64 {
        self.earlier + self.keys.len()
    }

    /// The rows of a batch that were not handed over before, by their key.
    pub(crate) fn new_rows(&mut self, keys: &StringArray) -> Vec<u32> {
        let mut new = Vec::with_capacity(keys.len());
        for (row, key) in (0..).zip(keys) {
            // A record without a key cannot be told from others.
            if key.is_some_and(|key| self.keys.insert(key)) {
                new.push(row);
            }
        }
        new
    }

    /// Whether every key that is held is held by the other one, which comes from [`Tally::another`].
    pub(crate) fn is_part_of(&self, other: &Tally) -> bool {
        self.keys.is_part_of(&other.keys)
    }

    /// An empty tally whose keys can be compared with this one's.
    pub(crate) fn another(&self) -> Tally {
        Tally { keys: self.keys.another(), ..Tally::default() }
    }

    /// Counts the records of a log by day.
    pub(crate) fn note_days(&mut self, stamps: &TimestampMillisecondArray) {
        for stamp in stamps.iter().flatten() {
            *self.days.entry(stamp.div_euclid(DAY_MS)).or_default() += 1;
        }
    }

    /// Notes the values of these records that could not be read; a record that is read anew loses
    /// what was noted of it.
    pub(crate) fn note_unread(
        &mut self,
        keys: &StringArray,
        unread: impl Iterator<Item = (usize, String)>,
    ) {
        if !self.unreadable.is_empty() {
            for key in keys.iter().flatten() {
                self.unreadable.remove(key);
            }
        }
        for (row, field) in unread {
            let key = if keys.is_valid(row) { keys.value(row) } else { "" };
            self.unreadable.entry(key.to_owned()).or_default().insert(field);
        }
    }

    /// Takes over what an earlier run noted.
    pub(crate) fn recall(&mut self, state: &State) {
        self.days.clone_from(&state.days);
        for value in &state.unreadable {
            let fields = self.unreadable.entry(value.record.clone()).or_default();
            fields.insert(value.field.clone());
        }
    }

    /// The values that could not be read, up to `most`, and how many there are.
    pub(crate) fn unreadable(&self, most: usize) -> (Vec<UnreadableValue>, usize) {
        let all = self.unreadable.values().map(BTreeSet::len).sum();
        let named = self.unreadable.iter().flat_map(|(record, fields)| {
            fields
                .iter()
                .map(|field| UnreadableValue { record: record.clone(), field: field.clone() })
        });
        (named.take(most).collect(), all)
    }

    /// Notes whether records belong to others than the asking user.
    pub(crate) fn note_owners(
        &mut self,
        dataset: &Dataset,
        own_id: Option<&str>,
        batch: &RecordBatch,
    ) {
        let Some(owner) = dataset.own_rows.filter(|_| !self.saw_others) else { return };
        let Some(owners) = batch.column_by_name(owner).and_then(|c| c.as_string_opt::<i32>())
        else {
            return;
        };
        let own = own_id.and_then(|id| id.get(..15));
        self.saw_others = owners.iter().flatten().any(|id| own.is_none() || id.get(..15) != own);
    }
}

/// The stamps of the records of one question.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    pub(crate) newest: Option<i64>,
    /// Records changed after the newest one of the last reading.
    pub(crate) changed: u64,
    /// Records created after it.
    pub(crate) created: u64,
}

impl Stamps {
    /// Keeps the newest stamp, and counts what is newer than the last reading's.
    pub(crate) fn note(&mut self, dataset: &Dataset, former: Option<i64>, batch: &RecordBatch) {
        let (fields, created): (&[&str], Option<&str>) = match &dataset.changes {
            Changes::Unknown => return,
            Changes::Stamps { fields, created, .. } => (fields, *created),
            Changes::Log(field) => (std::slice::from_ref(field), None),
        };
        let column = |name: &str| {
            batch
                .column_by_name(name)
                .and_then(|column| column.as_primitive_opt::<TimestampMillisecondType>())
        };
        let columns: Vec<_> = fields.iter().filter_map(|field| column(field)).collect();
        let created = created.and_then(column);
        for row in 0..batch.num_rows() {
            let newest = columns.iter().filter(|c| c.is_valid(row)).map(|c| c.value(row)).max();
            self.newest = self.newest.max(newest);
            self.changed += u64::from(newest > former);
            let born = created.filter(|c| c.is_valid(row)).map(|c| c.value(row));
            self.created += u64::from(born.is_some() && born > former);
        }
    }
}
