//! What was seen of a dataset.

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{Array, RecordBatch};

use crate::dataset::{Changes, Dataset};

/// What was handed over of a dataset in this run.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Records handed over.
    pub(crate) rows: u64,
    /// Whether a record was seen that is not the asking user's.
    pub(crate) saw_others: bool,
}

impl Tally {
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
