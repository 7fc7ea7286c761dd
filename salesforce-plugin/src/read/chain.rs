//! Pages: along the platform's locator, and on by key where it dies, is missing, or leads back.
//!
//! A record is handed over once, whatever is repeated: pages come in the order of their key, and
//! what is not behind the last record was there before.

use std::collections::HashSet;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{Array, RecordBatch, StringArray, UInt32Array};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;
use connector_api::message::DatasetStatus;

use crate::client::api_error::{ApiError, Refusal};
use crate::dataset::{Changes, Paging};
use crate::read::page::Page;
use crate::read::reader::{Ended, Output, Reader};
use crate::read::soql::{After, instant};

/// Restarts without a new record before a dataset counts as incomplete.
const FRUITLESS_RESTARTS: u32 = 3;
/// The largest batch the contract recommends.
pub(crate) const BATCH_ROWS: usize = 8_192;
/// Records of a dataset without a key are held until its last page is there.
const MOST_HELD: usize = 50_000;
/// An answer may grow while it is read, but not without end.
const MOST_GROWTH: u64 = 10_000;
/// The first window of a log after a query took too long, and the smallest.
const FIRST_WINDOW_MS: i64 = 86_400_000;
const SMALLEST_WINDOW_MS: i64 = 60_000;
/// The same for a dataset that is ordered by its key alone: records in one answer.
const FIRST_LIMIT: u64 = 1_000;
const SMALLEST_LIMIT: u64 = 50;
/// Longer addresses are refused on the way; a query then shares its fields with another.
const LONGEST_PATH: usize = 12_000;

/// Why a chain of pages ended.
enum Chain {
    /// The last page said so.
    Done,
    /// The question was changed: ask again.
    Again,
    /// It broke; the text says how.
    Broken(String),
}

impl Reader<'_> {
    /// Follows pages from the last record on, starting again where a chain breaks. Answers how it
    /// broke for good.
    pub(crate) fn read_to_end(&mut self, output: &mut dyn Output) -> Result<Option<String>, Ended> {
        let mut fruitless = 0;
        loop {
            let before = self.answered;
            match self.read_windows(output)? {
                Chain::Done => return Ok(None),
                Chain::Again => {}
                Chain::Broken(reason) => {
                    fruitless = if self.answered > before { 0 } else { fruitless + 1 };
                    if fruitless >= FRUITLESS_RESTARTS {
                        return Ok(Some(reason));
                    }
                    log::warn!("{}: {reason}; going on after the last record", self.dataset.name);
                }
            }
        }
    }

    /// One question, or the same in windows of time once the whole of it took too long.
    fn read_windows(&mut self, output: &mut dyn Output) -> Result<Chain, Ended> {
        loop {
            let (Some(length), Paging::Stamp(field)) = (self.window_ms, self.dataset.paging) else {
                return self.read_chain(&[], output);
            };
            let from = self.window_from.unwrap_or_else(|| self.oldest());
            let mut window = vec![format!("{field} >= {}", instant(from))];
            let end = from.saturating_add(length);
            let is_last = end >= self.context.now_ms;
            if !is_last {
                window.push(format!("{field} < {}", instant(end)));
            }
            match self.read_chain(&window, output)? {
                Chain::Done if !is_last => self.window_from = Some(end),
                ended => return Ok(ended),
            }
        }
    }

    /// Where the first window begins: at the last record, or where a log can begin at all.
    fn oldest(&self) -> i64 {
        match &self.after {
            Some(After::StampAndId(at, _)) => *at,
            _ => {
                let days = self.context.session.settings().login_history_days.unwrap_or(200);
                self.context.now_ms - i64::from(days) * 86_400_000
            }
        }
    }

    /// One query and the pages its locators lead to.
    fn read_chain(&mut self, window: &[String], output: &mut dyn Output) -> Result<Chain, Ended> {
        self.followed.clear();
        let mut query = self.query();
        let windowed = !window.is_empty();
        query.conditions.extend(window.iter().cloned());
        // The last record may stand before the window: the window's own start holds then.
        let after = self.after.as_ref().filter(|after| match (after, self.window_from) {
            (After::StampAndId(at, _), Some(from)) => *at >= from,
            _ => true,
        });
        let mut path = self.path(&query.text(after));
        if self.parts > 1 || path.len() > LONGEST_PATH && self.split() {
            return self.read_in_parts(output);
        }
        let start = self.answered;
        let mut held: Vec<RecordBatch> = Vec::new();
        loop {
            let Some(columns) = self.shape.as_ref().map(|shape| shape.columns()) else {
                return Ok(Chain::Broken("no field is asked for".into()));
            };
            let page = self.context.session.get(&path, Some(self.object), |answer| {
                let page = Page::parse(&answer.body, columns)?;
                let rows = page.batch.num_rows() as u64;
                Ok((page, rows))
            });
            let page = match page {
                Ok(page) => page,
                Err(ApiError::Refused(refusal)) => return self.refused(&refusal),
                Err(error) => return Err(self.failed(error)),
            };
            let expected = page.total_size.map(|total| total + start);
            if start == 0 && !windowed && self.limit.is_none() {
                self.promised = self.promised.or(expected);
                self.one_whole_page = self.followed.is_empty()
                    && page.done
                    && page.total_size == Some(page.batch.num_rows() as u64);
            }
            if self.dataset.paging == Paging::None {
                held.push(page.batch);
                if held.iter().map(RecordBatch::num_rows).sum::<usize>() > MOST_HELD {
                    return Ok(Chain::Broken("it has more records than can be told apart".into()));
                }
            } else if let Err(reason) = self.take(&page.batch, output, expected)? {
                return Ok(Chain::Broken(reason));
            }
            if page.done {
                let all = held.iter().map(|batch| batch.num_rows() as u64).sum::<u64>();
                self.cut = self.dataset.row_cap.is_some_and(|cap| all >= cap);
                if self.cut && !self.conditions.is_empty() {
                    return Ok(Chain::Done);
                }
                for batch in held {
                    self.hand_over(&batch, output, expected)?;
                }
                let full = self.limit.is_some_and(|limit| self.answered - start >= limit);
                return Ok(if full { Chain::Again } else { Chain::Done });
            }
            if self.promised.is_some_and(|most| self.answered > most * 2 + MOST_GROWTH) {
                let reason = "the answer grows without end";
                return Err(Ended::Dataset(
                    self.summary(DatasetStatus::Incomplete, Some(reason.into())),
                ));
            }
            match page.next_records_url.as_deref().map(|url| self.next_path(url)) {
                Some(Ok(next)) => path = next,
                Some(Err(reason)) => return Ok(Chain::Broken(reason)),
                None => {
                    return Ok(Chain::Broken(
                        "a page that is not the last has no link to the next".into(),
                    ));
                }
            }
        }
    }

    /// The path of the next page: on this host, of the expected shape, and not followed before.
    pub(crate) fn next_path(&mut self, url: &str) -> Result<String, String> {
        let Some(path) = self.context.session.instance_host().next_records_path(url) else {
            return Err("the link to the next page leads elsewhere".into());
        };
        if !self.followed.insert(path.clone()) {
            return Err("the link to the next page leads back".into());
        }
        Ok(path)
    }

    /// Hands over what a page has that was not there before. The inner error says why its records
    /// cannot be right.
    fn take(
        &mut self,
        batch: &RecordBatch,
        output: &mut dyn Output,
        expected: Option<u64>,
    ) -> Result<Result<(), String>, Ended> {
        if batch.num_rows() == 0 {
            return Ok(Ok(()));
        }
        let keys = match batch.column_by_name(self.dataset.key).map(|c| c.as_string::<i32>()) {
            Some(keys) if keys.null_count() == 0 => keys,
            Some(_) => return Ok(Err("a record has no key".into())),
            None => return Ok(Err("a page has no key".into())),
        };
        let stamps = match self.dataset.paging {
            Paging::Stamp(field) => {
                let column = batch
                    .column_by_name(field)
                    .and_then(|c| c.as_primitive_opt::<TimestampMillisecondType>());
                match column {
                    Some(stamps) if stamps.null_count() == 0 => Some(stamps),
                    _ => return Ok(Err(format!("a record has no `{field}`"))),
                }
            }
            Paging::Id | Paging::None => None,
        };
        let place = |row: usize| (stamps.map_or(0, |stamps| stamps.value(row)), keys.value(row));
        self.in_order &= (1..batch.num_rows()).all(|row| place(row - 1) < place(row));
        let new: Vec<u32> = (0..batch.num_rows())
            .filter(|row| {
                let behind = match &self.after {
                    Some(After::Id(id)) => !self.in_order || keys.value(*row) > id.as_str(),
                    Some(After::StampAndId(at, id)) => {
                        !self.in_order || place(*row) > (*at, id.as_str())
                    }
                    None => true,
                };
                behind && !self.page_keys.contains(keys.value(*row))
            })
            .filter_map(|row| u32::try_from(row).ok())
            .collect();
        self.page_keys = keys.iter().flatten().map(str::to_owned).collect();
        let Some(last) = new.last().map(|row| *row as usize) else {
            return Ok(Err("a page holds nothing new".into()));
        };
        let (at, id) = place(last);
        let after = match stamps {
            Some(_) => After::StampAndId(at, id.to_owned()),
            None => After::Id(id.to_owned()),
        };
        let repeated = batch.num_rows() - new.len();
        let batch = if repeated == 0 {
            batch.clone()
        } else {
            log::warn!("{}: {repeated} records came twice", self.dataset.name);
            match take_record_batch(batch, &UInt32Array::from(new)) {
                Ok(batch) => batch,
                Err(error) => return Ok(Err(error.to_string())),
            }
        };
        self.after = Some(after);
        self.hand_over(&batch, output, expected)?;
        Ok(Ok(()))
    }

    /// Hands a batch over, in pieces that the contract recommends.
    pub(crate) fn hand_over(
        &mut self,
        batch: &RecordBatch,
        output: &mut dyn Output,
        expected: Option<u64>,
    ) -> Result<(), Ended> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.note_owners(batch);
        self.note_stamps(batch);
        let finished = match self.shape.as_mut().map(|shape| shape.finish(batch)) {
            Some(Ok(finished)) => finished,
            Some(Err(reason)) => {
                return Err(Ended::Dataset(self.summary(DatasetStatus::Failed, Some(reason))));
            }
            None => return Ok(()),
        };
        let mut offset = 0;
        while offset < finished.num_rows() {
            let length = BATCH_ROWS.min(finished.num_rows() - offset);
            self.rows += length as u64;
            self.answered += length as u64;
            let state = crate::read::state::State {
                done: false,
                after: self.after.clone(),
                rows: self.answered,
                fields: self.asked.clone(),
                newest: match self.state.since {
                    // The changes since then are read again if this reading does not end.
                    Some(_) => self.state.newest,
                    None => self.stamps.newest,
                },
                ..self.state.clone()
            };
            output
                .batch(self.dataset.name, finished.slice(offset, length), state.text())
                .map_err(Ended::Run)?;
            offset += length;
        }
        self.context.session.host().progress(self.dataset.name, self.rows, expected);
        Ok(())
    }

    fn note_owners(&mut self, batch: &RecordBatch) {
        let Some(owner) = self.dataset.own_rows.filter(|_| !self.saw_others) else { return };
        let (_, own_id) = self.context.session.ids();
        let Some(others) = batch.column_by_name(owner).and_then(|c| c.as_string_opt::<i32>())
        else {
            return;
        };
        let own = own_id.as_deref().and_then(|id| id.get(..15));
        self.saw_others = others.iter().flatten().any(|id| own.is_none() || id.get(..15) != own);
    }

    /// Keeps the newest stamp, and counts what is newer than the last reading.
    fn note_stamps(&mut self, batch: &RecordBatch) {
        let (fields, created): (&[&str], Option<&str>) = match &self.dataset.changes {
            Changes::Unknown => return,
            Changes::Stamps { fields, created, .. } => (fields, *created),
            Changes::Log(field) => (std::slice::from_ref(field), None),
        };
        let column = |name: &str| {
            batch
                .column_by_name(name)
                .and_then(|column| column.as_primitive_opt::<TimestampMillisecondType>())
        };
        let former = self.state.newest;
        let columns: Vec<_> = fields.iter().filter_map(|field| column(field)).collect();
        let created = created.and_then(column);
        for row in 0..batch.num_rows() {
            let newest = columns.iter().filter(|c| c.is_valid(row)).map(|c| c.value(row)).max();
            self.stamps.newest = self.stamps.newest.max(newest);
            self.stamps.changed += u64::from(newest > former);
            let born = created.filter(|c| c.is_valid(row)).map(|c| c.value(row));
            self.stamps.created += u64::from(born.is_some() && born > former);
        }
    }

    /// A refused query: what vanished is left out and the rest kept.
    fn refused(&mut self, refusal: &Refusal) -> Result<Chain, Ended> {
        if refusal.is_hidden() {
            return self.vanished(refusal);
        }
        let mut left_out = false;
        while let Some(at) = self
            .asked
            .iter()
            .position(|field| refusal.is_about(field) && *field != self.dataset.key)
        {
            log::warn!("{}: the field `{}` is gone", self.dataset.name, self.asked[at]);
            self.leave_out(at);
            left_out = true;
        }
        if left_out {
            return Ok(Chain::Again);
        }
        let timed_out = refusal.code == "QUERY_TIMEOUT";
        if timed_out && let Paging::Stamp(_) = self.dataset.paging {
            match self.window_ms {
                None => self.window_ms = Some(FIRST_WINDOW_MS),
                Some(length) if length > SMALLEST_WINDOW_MS => self.window_ms = Some(length / 2),
                Some(_) => return Ok(Chain::Broken(refusal.shown())),
            }
            return Ok(Chain::Again);
        }
        if timed_out && self.dataset.paging == Paging::Id {
            match self.limit {
                None => self.limit = Some(FIRST_LIMIT),
                Some(limit) if limit > SMALLEST_LIMIT => self.limit = Some(limit / 2),
                Some(_) => return Ok(Chain::Broken(refusal.shown())),
            }
            return Ok(Chain::Again);
        }
        if timed_out || refusal.code == "INVALID_QUERY_LOCATOR" {
            return Ok(Chain::Broken(refusal.shown()));
        }
        if matches!(refusal.status, 414 | 431) && self.split() {
            return Ok(Chain::Again);
        }
        let reason = format!("Salesforce refused the query ({})", refusal.shown());
        let status = if self.rows == 0 { DatasetStatus::Failed } else { DatasetStatus::Incomplete };
        Err(Ended::Dataset(self.summary(status, Some(reason))))
    }

    /// The object is refused. A parent's field may be the reason: it is described again, once.
    fn vanished(&mut self, refusal: &Refusal) -> Result<Chain, Ended> {
        if self.described_again || self.rows == 0 {
            return Err(Ended::Dataset(self.hidden(Some(refusal))));
        }
        self.described_again = true;
        self.context.catalogue.forget(self.object);
        match self.context.catalogue.describe(self.object) {
            Ok(Some(_)) => Ok(Chain::Broken(refusal.shown())),
            Ok(None) => Err(Ended::Dataset(self.hidden(Some(refusal)))),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Shares the fields among one query more. Needs a key that pages can be joined by.
    fn split(&mut self) -> bool {
        let possible =
            self.dataset.paging == Paging::Id && self.parts * 2 < self.asked.len().max(2);
        if possible {
            self.parts *= 2;
        }
        possible
    }

    /// Reads with several queries for each page, joined by key.
    fn read_in_parts(&mut self, output: &mut dyn Output) -> Result<Chain, Ended> {
        let key = self.dataset.key.to_owned();
        let others: Vec<String> = self.asked.iter().filter(|f| **f != key).cloned().collect();
        let share = others.len().div_ceil(self.parts).max(1);
        let parts: Vec<Vec<String>> = others
            .chunks(share)
            .map(|fields| std::iter::once(key.clone()).chain(fields.iter().cloned()).collect())
            .collect();
        let Some((first, rest)) = parts.split_first() else {
            return Ok(Chain::Broken("no field is asked for".into()));
        };
        loop {
            let mut query = self.query();
            query.fields = first.clone();
            let page = match self.part(&query.text(self.after.as_ref()))? {
                Ok(page) => page,
                Err(chain) => return Ok(chain),
            };
            if page.batch.num_rows() == 0 {
                return Ok(if page.done {
                    Chain::Done
                } else {
                    Chain::Broken("an empty page".into())
                });
            }
            let ids: Vec<String> = page
                .batch
                .column_by_name(&key)
                .map(|c| c.as_string::<i32>().iter().flatten().map(str::to_owned).collect())
                .unwrap_or_default();
            let Some(last) = ids.last().cloned() else {
                return Ok(Chain::Broken("a page has no key".into()));
            };
            let mut joined = page.batch.clone();
            for fields in rest {
                let mut batches = Vec::new();
                let mut after = self.after.clone();
                loop {
                    let mut query = self.query();
                    query.fields = fields.clone();
                    query.conditions.push(format!("Id <= {}", crate::read::soql::literal(&last)));
                    let more = match self.part(&query.text(after.as_ref()))? {
                        Ok(page) => page,
                        Err(chain) => return Ok(chain),
                    };
                    let end = more.batch.column_by_name(&key).and_then(|c| {
                        let ids = c.as_string::<i32>();
                        (!ids.is_empty()).then(|| ids.value(ids.len() - 1).to_owned())
                    });
                    batches.push(more.batch);
                    match end {
                        Some(end) if !more.done && end != last => after = Some(After::Id(end)),
                        _ => break,
                    }
                }
                joined = match join(&joined, &batches, &key, fields) {
                    Ok(joined) => joined,
                    Err(reason) => return Ok(Chain::Broken(reason)),
                };
            }
            let expected = page.total_size.map(|total| total + self.answered);
            if self.answered == 0 {
                self.promised = self.promised.or(expected);
            }
            if let Err(reason) = self.take(&joined, output, expected)? {
                return Ok(Chain::Broken(reason));
            }
            if page.done {
                return Ok(Chain::Done);
            }
        }
    }

    /// One page of one of several queries.
    fn part(&mut self, soql: &str) -> Result<Result<Page, Chain>, Ended> {
        let Some(columns) = self.shape.as_ref().map(|shape| shape.columns()) else {
            return Ok(Err(Chain::Broken("no field is asked for".into())));
        };
        let path = self.path(soql);
        let page = self.context.session.get(&path, Some(self.object), |answer| {
            let page = Page::parse(&answer.body, columns)?;
            let rows = page.batch.num_rows() as u64;
            Ok((page, rows))
        });
        match page {
            Ok(page) => Ok(Ok(page)),
            Err(ApiError::Refused(refusal)) => self.refused(&refusal).map(Err),
            Err(error) => Err(self.failed(error)),
        }
    }
}

/// Puts the columns `fields` of other pages beside the records of `batch` with the same key.
fn join(
    batch: &RecordBatch,
    others: &[RecordBatch],
    key: &str,
    fields: &[String],
) -> Result<RecordBatch, String> {
    let wrong = |error: arrow_schema::ArrowError| error.to_string();
    let other = concat_batches(&batch.schema(), others).map_err(wrong)?;
    let ids = |batch: &RecordBatch| -> Option<StringArray> {
        Some(batch.column_by_name(key)?.as_string::<i32>().clone())
    };
    let (Some(ours), Some(theirs)) = (ids(batch), ids(&other)) else {
        return Err("a page has no key".into());
    };
    let at: std::collections::HashMap<&str, u32> =
        theirs.iter().zip(0u32..).filter_map(|(id, row)| Some((id?, row))).collect();
    let rows: UInt32Array = ours.iter().map(|id| at.get(id?).copied()).collect();
    let wanted: HashSet<&str> =
        fields.iter().map(String::as_str).filter(|field| *field != key).collect();
    let columns = batch
        .schema()
        .fields()
        .iter()
        .enumerate()
        .map(|(position, field)| {
            if wanted.contains(field.name().as_str()) {
                arrow_select::take::take(other.column(position), &rows, None)
            } else {
                Ok(std::sync::Arc::clone(batch.column(position)))
            }
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(wrong)?;
    RecordBatch::try_new(batch.schema(), columns).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_schema::{DataType, Field, Schema};

    use super::*;

    #[test]
    fn pages_of_two_queries_are_joined_by_key() {
        let schema = Arc::new(Schema::new(vec![
            Field::new("Id", DataType::Utf8, true),
            Field::new("A", DataType::Utf8, true),
            Field::new("B", DataType::Utf8, true),
        ]));
        let batch = |rows: [[Option<&str>; 2]; 3]| {
            let column = |at: usize| -> arrow_array::ArrayRef {
                Arc::new(StringArray::from(rows.map(|row| row[at]).to_vec()))
            };
            (column(0), column(1))
        };
        let (id, a) = batch([[Some("1"), Some("a1")], [Some("2"), Some("a2")], [Some("3"), None]]);
        let nulls: arrow_array::ArrayRef = Arc::new(StringArray::from(vec![None::<&str>; 3]));
        let ours = RecordBatch::try_new(schema.clone(), vec![id, a, nulls.clone()]).unwrap();
        // Out of order, with one record that is gone and one that is new.
        let (id, b) = batch([[Some("3"), Some("b3")], [Some("1"), Some("b1")], [Some("9"), None]]);
        let theirs = RecordBatch::try_new(schema, vec![id, nulls, b]).unwrap();
        let joined = join(&ours, &[theirs], "Id", &["Id".into(), "B".into()]).unwrap();
        let texts = |at: usize| -> Vec<Option<String>> {
            joined.column(at).as_string::<i32>().iter().map(|v| v.map(Into::into)).collect()
        };
        assert_eq!(texts(0), ["1", "2", "3"].map(|v| Some(v.to_owned())));
        assert_eq!(texts(1), [Some("a1".into()), Some("a2".into()), None]);
        assert_eq!(texts(2), [Some("b1".into()), None, Some("b3".into())]);
    }
}
