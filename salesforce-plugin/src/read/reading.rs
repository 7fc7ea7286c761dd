//! The reading of one dataset: its plan, where it is, and what was seen; hands records over, each once.

use std::collections::HashSet;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{Array, RecordBatch, TimestampMillisecondArray, UInt32Array};
use arrow_select::take::take_record_batch;
use connector_api::message::{CollectMode, DatasetStatus, DatasetSummary};

use crate::client::api_error::ApiError;
use crate::dataset::{Changes, Paging};
use crate::read::context::{Output, Stop, summary};
use crate::read::cursor::{Cursor, Pace};
use crate::read::fields::Fields;
use crate::read::page::{Page, Unread};
use crate::read::plan::Plan;
use crate::read::soql::{After, Query};
use crate::read::state::State;
use crate::read::tally::{Stamps, Tally};

/// The largest batch the contract recommends.
const BATCH_ROWS: usize = 8_192;
/// Unreadable values that a summary names.
const MOST_NAMED: usize = 100;

/// The reading of one dataset.
pub(crate) struct Reading<'a> {
    pub(crate) plan: &'a Plan<'a>,
    pub(crate) fields: Fields<'a>,
    pub(crate) cursor: Cursor,
    pub(crate) pace: Pace,
    pub(crate) tally: Tally,
    pub(crate) mode: CollectMode,
    /// What the next checkpoint is made of.
    pub(crate) state: State,
}

impl<'a> Reading<'a> {
    /// A reading before its first request.
    pub(crate) fn new(plan: &'a Plan<'a>, fields: Fields<'a>) -> Reading<'a> {
        Reading {
            plan,
            fields,
            cursor: Cursor::default(),
            pace: Pace::default(),
            tally: Tally::default(),
            mode: CollectMode::Full,
            state: plan.new_state(),
        }
    }

    /// Starts a full read. What was handed over stays.
    pub(crate) fn start_over(&mut self, fields: Fields<'a>) {
        self.fields.replace(fields, self.tally.rows > 0);
        // What was handed over is not handed over again: its newest stamp counts on.
        let stamps = Stamps { newest: self.cursor.stamps.newest, ..Stamps::default() };
        self.cursor = Cursor { stamps, ..Cursor::default() };
        self.tally.days.clear();
        self.mode = CollectMode::Full;
        self.state = self.plan.new_state();
    }

    /// The present question's conditions.
    pub(crate) fn conditions(&self) -> Vec<String> {
        let mut conditions = self.plan.condition();
        conditions.extend(self.cursor.conditions.iter().cloned());
        conditions
    }

    /// The present question.
    pub(crate) fn query(&self) -> Query {
        Query {
            limit: self.pace.limit,
            ..self.plan.query(self.fields.asked.clone(), self.conditions())
        }
    }

    /// The org's count of the present question's answer; `None` if it cannot be had.
    ///
    /// # Errors
    /// What ends the run.
    pub(crate) fn count(&self) -> Result<Option<u64>, Stop> {
        self.plan.count(self.conditions())
    }

    /// The org's count of the whole dataset; `None` if it cannot be had.
    ///
    /// # Errors
    /// What ends the run.
    pub(crate) fn count_all(&self) -> Result<Option<u64>, Stop> {
        self.plan.count(self.plan.whole_conditions())
    }

    /// Asks for a page of a query's answer.
    ///
    /// # Errors
    /// [`ApiError`].
    pub(crate) fn page(&mut self, query: &Query, path: &str) -> Result<Page, ApiError> {
        let columns = self.fields.shape.columns().of_answer(&query.fields);
        let page = self.plan.context.session.get(path, Some(self.plan.object), |answer| {
            let page = Page::parse(&answer.body, &columns)?;
            let rows = page.batch.num_rows() as u64;
            Ok((page, rows))
        })?;
        self.note_unread(&page.batch, &page.unread);
        Ok(page)
    }

    /// Notes the values of a batch that could not be read, by record and field.
    pub(crate) fn note_unread(&mut self, batch: &RecordBatch, unread: &[Unread]) {
        let key = batch.column_by_name(self.plan.dataset.key).unwrap_or_else(|| batch.column(0));
        let Some(keys) = key.as_string_opt::<i32>() else { return };
        let fields = self.fields.shape.columns().fields();
        let unread = unread.iter().map(|value| (value.row, fields[value.column].0.clone()));
        self.tally.note_unread(keys, unread);
    }

    /// The path of the next page: on this host, of the expected shape, and not followed before.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub(crate) fn next_path(&mut self, url: &str) -> Result<String, String> {
        let host = self.plan.context.session.instance_host();
        let Some(path) = host.next_records_path(url) else {
            return Err("the link to the next page leads elsewhere".into());
        };
        if !self.cursor.followed.insert(path.clone()) {
            return Err("the link to the next page leads back".into());
        }
        Ok(path)
    }

    /// Hands over the records of a page that were not there before.
    ///
    /// # Errors
    /// What ends the dataset or the run. The inner error says why the page cannot be right.
    pub(crate) fn take(
        &mut self,
        batch: &RecordBatch,
        output: &mut dyn Output,
        expected: Option<u64>,
    ) -> Result<Result<(), String>, Stop> {
        if batch.num_rows() == 0 {
            return Ok(Ok(()));
        }
        let keys = match batch.column_by_name(self.plan.dataset.key).map(|c| c.as_string::<i32>()) {
            Some(keys) if keys.null_count() == 0 => keys,
            Some(_) => return Ok(Err("a record has no key".into())),
            None => return Ok(Err("a page has no key".into())),
        };
        let stamps = match self.plan.dataset.paging {
            Paging::Stamp(field) => {
                let column = batch
                    .column_by_name(field)
                    .and_then(|c| c.as_primitive_opt::<TimestampMillisecondType>());
                match column {
                    Some(stamps) => Some(carried(stamps, self.cursor.after.as_ref())),
                    None => return Ok(Err(format!("a page has no `{field}`"))),
                }
            }
            Paging::Id | Paging::None => None,
        };
        let place = |row: usize| (stamps.as_ref().map_or(0, |stamps| stamps[row]), keys.value(row));
        let (cursor, pace) = (&mut self.cursor, &mut self.pace);
        pace.in_order &= (1..batch.num_rows()).all(|row| place(row - 1) < place(row));
        let new: Vec<u32> = (0..batch.num_rows())
            .filter(|row| {
                let behind = match &cursor.after {
                    Some(After::Id(id)) => !pace.in_order || keys.value(*row) > id.as_str(),
                    Some(After::StampAndId(at, id)) => {
                        !pace.in_order || place(*row) > (*at, id.as_str())
                    }
                    None => true,
                };
                behind && !cursor.page_keys.contains(keys.value(*row))
            })
            .filter_map(|row| u32::try_from(row).ok())
            .collect();
        cursor.page_keys = keys.iter().flatten().map(str::to_owned).collect::<HashSet<_>>();
        let Some(last) = new.last().map(|row| *row as usize) else {
            return Ok(Err("a page holds nothing new".into()));
        };
        let (at, id) = place(last);
        cursor.after = Some(match stamps {
            Some(_) => After::StampAndId(at, id.to_owned()),
            None => After::Id(id.to_owned()),
        });
        let repeated = batch.num_rows() - new.len();
        let batch = if repeated == 0 {
            batch.clone()
        } else {
            log::warn!("{}: {repeated} records came twice", self.plan.dataset.name);
            match take_record_batch(batch, &UInt32Array::from(new)) {
                Ok(batch) => batch,
                Err(error) => return Ok(Err(error.to_string())),
            }
        };
        self.hand_over(&batch, output, expected)?;
        Ok(Ok(()))
    }

    /// Hands a batch over, in pieces of the recommended size.
    ///
    /// # Errors
    /// What ends the dataset or the run.
    pub(crate) fn hand_over(
        &mut self,
        batch: &RecordBatch,
        output: &mut dyn Output,
        expected: Option<u64>,
    ) -> Result<(), Stop> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let (dataset, session) = (self.plan.dataset, self.plan.context.session);
        self.tally.note_owners(dataset, session.ids().1.as_deref(), batch);
        self.cursor.answered += batch.num_rows() as u64;
        let failed = |reason| Stop::dataset(summary(dataset, DatasetStatus::Failed, reason));
        let batch = self.plan.copies.put_into(batch).map_err(failed)?;
        let finished = self.fields.shape.finish(&batch).map_err(failed)?;
        let finished = self.not_handed_over(&finished).map_err(failed)?;
        self.cursor.stamps.note(dataset, self.state.newest, &finished);
        self.plan.context.parents.note(dataset, &finished);
        let mut offset = 0;
        while offset < finished.num_rows() {
            let length = BATCH_ROWS.min(finished.num_rows() - offset);
            self.tally.rows += length as u64;
            output
                .batch(dataset.name, finished.slice(offset, length), self.midway().text())
                .map_err(Stop::Run)?;
            offset += length;
        }
        session.host().progress(dataset.name, self.tally.rows, expected);
        Ok(())
    }

    /// The records of a batch that were not handed over before.
    fn not_handed_over(&mut self, batch: &RecordBatch) -> Result<RecordBatch, String> {
        let key = self.plan.dataset.key;
        let keys = batch
            .column_by_name(key)
            .and_then(|column| column.as_string_opt::<i32>())
            .ok_or_else(|| format!("the column `{key}` is missing"))?;
        let new = self.tally.new_rows(keys);
        let batch = if new.len() == batch.num_rows() {
            batch.clone()
        } else {
            take_record_batch(batch, &UInt32Array::from(new)).map_err(|error| error.to_string())?
        };
        if let Changes::Log(stamp) = self.plan.dataset.changes
            && let Some(stamps) = batch.column_by_name(stamp).and_then(|c| c.as_primitive_opt())
        {
            self.tally.note_days(stamps);
        }
        Ok(batch)
    }

    /// Starts the present question again, from its first record.
    pub(crate) fn rewind(&mut self) {
        self.cursor = Cursor {
            conditions: std::mem::take(&mut self.cursor.conditions),
            promised: self.cursor.promised,
            stamps: std::mem::take(&mut self.cursor.stamps),
            ..Cursor::default()
        };
        self.fields.shape.forget_keys();
        if self.tally.earlier > 0 {
            // The keys of the part that an earlier run read are not known: it is read again.
            self.tally.earlier = 0;
            self.tally.days.clear();
        }
    }

    /// The state from which this reading could continue.
    fn midway(&self) -> State {
        State {
            done: false,
            after: self.cursor.after.clone(),
            rows: self.tally.held(),
            fields: self.fields.asked.clone(),
            days: self.tally.days.clone(),
            unreadable: self.tally.unreadable(usize::MAX).0,
            newest: match self.state.since {
                // The changes since then are read again if this reading does not end.
                Some(_) => self.state.newest,
                None => self.cursor.stamps.newest,
            },
            ..self.state.clone()
        }
    }

    /// The summary of this reading with that status.
    pub(crate) fn summary(&self, status: DatasetStatus, reason: Option<String>) -> DatasetSummary {
        self.filled(summary(self.plan.dataset, status, reason))
    }

    /// What a request that failed at every try ends: the run, or this dataset.
    pub(crate) fn failed(&self, error: ApiError) -> Stop {
        Stop::of(error, |reason| self.summary(DatasetStatus::Failed, reason))
    }

    /// A summary with what this reading counted. What failed after its first record is incomplete.
    pub(crate) fn filled(&self, summary: DatasetSummary) -> DatasetSummary {
        DatasetSummary {
            status: match summary.status {
                DatasetStatus::Failed if self.tally.rows > 0 => DatasetStatus::Incomplete,
                status => status,
            },
            rows: self.tally.rows,
            expected: self.cursor.promised,
            missing_fields: self.fields.missing.clone(),
            mode: Some(self.mode),
            proof: self.tally.proof,
            oldest_ms: self.tally.oldest_ms,
            unreadable: self.tally.unreadable(MOST_NAMED).0,
            ..summary
        }
    }
}

/// The stamps by which records are ordered; one that could not be read is that of the record before.
fn carried(stamps: &TimestampMillisecondArray, after: Option<&After>) -> Vec<i64> {
    let mut last = match after {
        Some(After::StampAndId(at, _)) => *at,
        _ => 0,
    };
    let carry = |stamp: Option<i64>| {
        last = stamp.unwrap_or(last);
        last
    };
    stamps.iter().map(carry).collect()
}
