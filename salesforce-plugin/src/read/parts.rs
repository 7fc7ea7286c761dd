//! Several queries for each page, joined by key, where one query's address would be too long.

use std::collections::HashSet;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch, StringArray, UInt32Array};
use arrow_select::concat::concat_batches;

use crate::client::api_error::ApiError;
use crate::read::context::{Output, Stop};
use crate::read::page::Page;
use crate::read::reading::Reading;
use crate::read::refusal::{Chain, yield_to};
use crate::read::soql::{After, Query, literal};

/// Reads with several queries for each page.
///
/// # Errors
/// What ends the dataset or the run.
pub(crate) fn read(reading: &mut Reading<'_>, output: &mut dyn Output) -> Result<Chain, Stop> {
    let key = reading.plan.dataset.key.to_owned();
    let asked = &reading.fields.asked;
    let others: Vec<String> = asked.iter().filter(|field| **field != key).cloned().collect();
    let share = others.len().div_ceil(reading.pace.parts).max(1);
    let parts: Vec<Vec<String>> = others
        .chunks(share)
        .map(|fields| std::iter::once(key.clone()).chain(fields.iter().cloned()).collect())
        .collect();
    let Some((first, rest)) = parts.split_first() else {
        return Ok(Chain::Broken("no field is asked for".into()));
    };
    loop {
        let mut query = reading.query();
        query.fields = first.clone();
        let after = reading.cursor.after.clone();
        let page = match part(reading, &query, after.as_ref())? {
            Ok(page) => page,
            Err(chain) => return Ok(chain),
        };
        if page.batch.num_rows() == 0 {
            return Ok(if page.done { Chain::Done } else { Chain::Broken("an empty page".into()) });
        }
        let Some(last) = last_key(&page.batch, &key) else {
            return Ok(Chain::Broken("a page has no key".into()));
        };
        let mut joined = page.batch.clone();
        for fields in rest {
            let batches = match others_until(reading, fields, &key, &last)? {
                Ok(batches) => batches,
                Err(chain) => return Ok(chain),
            };
            joined = match join(&joined, &batches, &key, fields) {
                Ok(joined) => joined,
                Err(reason) => return Ok(Chain::Broken(reason)),
            };
        }
        let expected = page.total_size.map(|total| total + reading.cursor.answered);
        if reading.cursor.answered == 0 {
            reading.cursor.promised = reading.cursor.promised.or(expected);
        }
        if let Err(reason) = reading.take(&joined, output, expected)? {
            return Ok(Chain::Broken(reason));
        }
        if page.done {
            return Ok(Chain::Done);
        }
    }
}

/// Reads other fields of the same records, up to the key `last`.
fn others_until(
    reading: &mut Reading<'_>,
    fields: &[String],
    key: &str,
    last: &str,
) -> Result<Result<Vec<RecordBatch>, Chain>, Stop> {
    let mut batches = Vec::new();
    let mut after = reading.cursor.after.clone();
    loop {
        let mut query = reading.query();
        query.fields = fields.to_vec();
        query.conditions.push(format!("Id <= {}", literal(last)));
        let page = match part(reading, &query, after.as_ref())? {
            Ok(page) => page,
            Err(chain) => return Ok(Err(chain)),
        };
        let end = last_key(&page.batch, key);
        batches.push(page.batch);
        match end {
            Some(end) if !page.done && end != last => after = Some(After::Id(end)),
            _ => return Ok(Ok(batches)),
        }
    }
}

/// One page of one of the queries.
fn part(
    reading: &mut Reading<'_>,
    query: &Query,
    after: Option<&After>,
) -> Result<Result<Page, Chain>, Stop> {
    match reading.page(query, &reading.plan.path(&query.text(after))) {
        Ok(page) => Ok(Ok(page)),
        Err(ApiError::Refused(refusal)) => yield_to(reading, &refusal).map(Err),
        Err(error) => Err(reading.failed(error)),
    }
}

fn last_key(batch: &RecordBatch, key: &str) -> Option<String> {
    let keys = batch.column_by_name(key)?.as_string_opt::<i32>()?;
    (!keys.is_empty()).then(|| keys.value(keys.len() - 1).to_owned())
}

/// Puts the columns `fields` of other pages next to the records of `batch` with the same key.
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
