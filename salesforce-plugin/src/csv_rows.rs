//! The CSV of a query job, straight into Arrow builders.
//!
//! # Source
//! Bulk API 2.0, "Get Results for a Query Job": a header of the fields as asked, every value quoted,
//! line feeds inside values, null and empty text alike.

use arrow_array::{RecordBatch, RecordBatchOptions};

use crate::page::{Builder, Columns};

/// Parses one set of results whole, in batches of at most `most` records.
///
/// # Errors
/// The first thing that is not as documented, by line; no value is told. Nothing is kept then: a
/// body that was cut off looks like a shorter one.
pub(crate) fn parse(
    body: &[u8],
    columns: &Columns,
    most: usize,
) -> Result<Vec<RecordBatch>, String> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    if body.last() != Some(&b'\n') {
        return Err("the results end in the middle of a line".into());
    }
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(body);
    let header = reader.byte_headers().map_err(|error| told(&error))?.clone();
    let places = columns
        .fields()
        .iter()
        .map(|(name, _)| {
            header.iter().position(|column| column.eq_ignore_ascii_case(name.as_bytes()))
        })
        .collect::<Vec<Option<usize>>>();
    if places.iter().all(Option::is_none) {
        return Err("the results have none of the fields that were asked for".into());
    }
    let mut batches = Vec::new();
    let mut rows = Rows::new(columns);
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|error| told(&error))? {
        rows.push(columns, &places, &record)
            .map_err(|reason| format!("line {}: {reason}", reader.position().line()))?;
        if rows.count == most {
            batches.push(std::mem::replace(&mut rows, Rows::new(columns)).finish(columns)?);
        }
    }
    if rows.count > 0 {
        batches.push(rows.finish(columns)?);
    }
    Ok(batches)
}

/// What was wrong, without a value of the record.
fn told(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            format!("line {line} has {len} values instead of {expected_len}")
        }
        _ => "the results are not CSV".into(),
    }
}

struct Rows {
    builders: Vec<Builder>,
    count: usize,
}

impl Rows {
    fn new(columns: &Columns) -> Rows {
        let builders = columns.fields().iter().map(|(_, kind)| Builder::new(*kind)).collect();
        Rows { builders, count: 0 }
    }

    fn push(
        &mut self,
        columns: &Columns,
        places: &[Option<usize>],
        record: &csv::ByteRecord,
    ) -> Result<(), String> {
        for ((builder, (name, _)), place) in
            self.builders.iter_mut().zip(columns.fields()).zip(places)
        {
            let value = place.and_then(|place| record.get(place)).unwrap_or_default();
            if value.is_empty() {
                builder.null();
                continue;
            }
            let text = std::str::from_utf8(value)
                .map_err(|_| format!("field `{name}` is not valid text"))?;
            let clean;
            let text = if text.contains('\0') {
                clean = text.replace('\0', "");
                &clean
            } else {
                text
            };
            builder
                .text(text)
                .ok_or_else(|| format!("field `{name}` holds a text that does not fit its type"))?;
        }
        self.count += 1;
        Ok(())
    }

    fn finish(self, columns: &Columns) -> Result<RecordBatch, String> {
        let arrays = self.builders.into_iter().map(Builder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.count));
        RecordBatch::try_new_with_options(columns.schema(), arrays, &options)
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::TimestampMillisecondType;
    use connector_api::manifest::FieldType;

    use super::*;

    fn columns() -> Columns {
        Columns::new(vec![
            ("Id".into(), FieldType::Text),
            ("LoginTime".into(), FieldType::Timestamp),
            ("Status".into(), FieldType::Text),
            ("OptionsIsPost".into(), FieldType::Boolean),
            ("Gone".into(), FieldType::Text),
        ])
    }

    // The shape of a result as the Bulk API documentation gives it; made by us.
    const PAGE: &str = "\"Id\",\"UserId\",\"LoginTime\",\"Status\",\"OptionsIsPost\"\n\
        \"0Ya000000000001AAA\",\"005000000000001AAA\",\"2026-01-31T10:11:12.000Z\",\"Success\",\"true\"\n\
        \"0Ya000000000002AAA\",\"\",\"\",\"a \"\"quoted\"\", comma\nand a line feed\",\"false\"\n";

    #[test]
    fn hard_quoting_becomes_columns() {
        let batches = parse(PAGE.as_bytes(), &columns(), 100).unwrap();
        let [batch] = batches.as_slice() else { panic!("{batches:?}") };
        assert_eq!(batch.num_rows(), 2);
        assert_eq!(
            batch.column(1).as_primitive::<TimestampMillisecondType>().value(0),
            1_769_854_272_000
        );
        assert!(batch.column(1).is_null(1) && batch.column(4).is_null(0));
        assert_eq!(
            batch.column(2).as_string::<i32>().value(1),
            "a \"quoted\", comma\nand a line feed"
        );
        assert!(!batch.column(3).as_boolean().value(1));
    }

    #[test]
    fn an_empty_result_has_a_header_or_nothing() {
        assert!(parse(b"", &columns(), 10).unwrap().is_empty());
        assert!(parse(b"\n", &columns(), 10).unwrap().is_empty());
        assert!(parse(b"\"Id\",\"Status\"\n", &columns(), 10).unwrap().is_empty());
    }

    #[test]
    fn a_body_that_was_cut_off_anywhere_is_never_a_shorter_result_of_the_same_last_line() {
        let whole: usize =
            parse(PAGE.as_bytes(), &columns(), 1).unwrap().iter().map(RecordBatch::num_rows).sum();
        assert_eq!(whole, 2);
        let mut shorter = 0;
        for end in 1..PAGE.len() {
            if let Ok(batches) = parse(&PAGE.as_bytes()[..end], &columns(), 1) {
                // A cut at the end of a record: the count of records, which comes beside, tells it.
                assert!(PAGE.as_bytes()[end - 1] == b'\n' && batches.len() < whole, "{end}");
                shorter += 1;
            }
        }
        assert!(shorter <= 3, "{shorter}");
    }

    #[test]
    fn a_value_that_does_not_fit_is_named_by_line_and_field_only() {
        let error = parse(b"\"Id\",\"LoginTime\"\n\"1\",\"canary\"\n", &columns(), 10).unwrap_err();
        assert!(error.contains("LoginTime") && !error.contains("canary"), "{error}");
        let error = parse(b"\"Id\",\"Status\"\n\"1\"\n", &columns(), 10).unwrap_err();
        assert!(error.contains("1 values instead of 2"), "{error}");
    }

    #[test]
    fn ten_thousand_changed_results_are_read_or_refused() {
        let columns = columns();
        let (mut read, mut refused) = (0, 0);
        crate::mutation::mutations(PAGE.as_bytes(), 10_000, |body| {
            match parse(body, &columns, 100) {
                Ok(_) => read += 1,
                Err(_) => refused += 1,
            }
        });
        assert!(read > 500 && refused > 500, "both happen: {read} read, {refused} refused");
    }

    #[test]
    fn nul_bytes_are_left_out() {
        let batches = parse(b"\"Id\",\"Status\"\n\"1\",\"a\0b\"\n", &columns(), 10).unwrap();
        assert_eq!(batches[0].column(2).as_string::<i32>().value(0), "ab");
    }
}
