//! The CSV of a query job, straight into Arrow builders while it arrives.
//!
//! # Source
//! Bulk API 2.0, "Get Results for a Query Job": a header of the fields as asked, every value quoted,
//! line feeds inside values, null and empty text alike; results can be read again.

use std::hash::{DefaultHasher, Hasher};
use std::io::Read;

use arrow_array::{RecordBatch, RecordBatchOptions};

use crate::read::page::{Builder, Columns, Unread};
use crate::transport::answer::Unfinished;

/// Takes records and those of their values that could not be read; returns whether more are wanted.
pub(crate) type TakeRecords<'a> = &'a mut dyn FnMut(RecordBatch, Vec<Unread>) -> bool;

/// A record's largest size in bytes; a quote that nobody closes ends there.
const LARGEST_RECORD: u64 = 16 << 20;

/// One set of results: how much of it was handed over. When it breaks off and is read again, what was
/// handed over before is passed by, and must be the same.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// Records handed over.
    taken: u64,
    /// What they were, as a hash.
    seen: u64,
}

impl Results {
    /// Reads the set from its beginning and hands over what was not yet, in batches of at most `most`
    /// records, until `take` answers that it wants no more. Answers how many records the set has.
    ///
    /// # Errors
    /// The first thing that is not as documented, by line; no value is told. The record before the
    /// place is never handed over: where a body was cut off, it may be half a record.
    pub(crate) fn read(
        &mut self,
        body: &mut dyn Read,
        columns: &Columns,
        most: usize,
        take: TakeRecords<'_>,
    ) -> Result<u64, Unfinished> {
        let body = Bounded { body, last: None, room: LARGEST_RECORD };
        let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(body);
        let header = reader.byte_headers().map_err(|error| told(&error))?.clone();
        let places = places(columns, &header)?;
        let (mut index, mut hash) = (0, DefaultHasher::new());
        let mut rows = Rows::new(columns);
        let mut record = csv::ByteRecord::new();
        while reader.read_byte_record(&mut record).map_err(|error| told(&error))? {
            reader.get_mut().room = LARGEST_RECORD;
            // Only the record behind them shows that these are whole.
            if rows.count == most {
                let full = std::mem::replace(&mut rows, Rows::new(columns));
                self.hand_over(full, columns, index, hash.finish(), take)?;
            }
            hash.write(record.as_slice());
            hash.write_usize(record.len());
            index += 1;
            if index > self.taken {
                rows.push(&places, &record);
            } else if index == self.taken && hash.finish() != self.seen {
                return Err(malformed("the results are others when they are read again"));
            }
        }
        if reader.get_ref().last.is_some_and(|last| last != b'\n') {
            return Err(malformed("the results end in the middle of a line"));
        }
        if index < self.taken {
            return Err(malformed("the results are fewer when they are read again"));
        }
        if rows.count > 0 {
            self.hand_over(rows, columns, index, hash.finish(), take)?;
        }
        Ok(index)
    }

    fn hand_over(
        &mut self,
        rows: Rows,
        columns: &Columns,
        index: u64,
        seen: u64,
        take: TakeRecords<'_>,
    ) -> Result<(), Unfinished> {
        let (batch, unread) = rows.finish(columns).map_err(Unfinished::Malformed)?;
        if !take(batch, unread) {
            return Err(Unfinished::Unwanted);
        }
        (self.taken, self.seen) = (index, seen);
        Ok(())
    }
}

/// The place of each column in a record. No header at all is a result without records.
fn places(columns: &Columns, header: &csv::ByteRecord) -> Result<Vec<Option<usize>>, Unfinished> {
    if header.iter().all(<[u8]>::is_empty) {
        return Ok(Vec::new());
    }
    let place =
        |name: &str| header.iter().position(|column| column.eq_ignore_ascii_case(name.as_bytes()));
    columns
        .names()
        .enumerate()
        .map(|(column, name)| match place(name) {
            None if columns.is_asked(column) => {
                Err(malformed(&format!("the results lack the field `{name}`")))
            }
            place => Ok(place),
        })
        .collect()
}

fn malformed(reason: &str) -> Unfinished {
    Unfinished::Malformed(reason.into())
}

/// What was wrong, without a value of the record.
fn told(error: &csv::Error) -> Unfinished {
    Unfinished::Malformed(match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            format!("line {line} has {len} values instead of {expected_len}")
        }
        csv::ErrorKind::Io(error) => error.to_string(),
        _ => "the results are not CSV".into(),
    })
}

/// A body whose records are not endless, and whose last byte is known.
struct Bounded<'a> {
    body: &'a mut dyn Read,
    last: Option<u8>,
    /// Bytes that may come until the present record ends.
    room: u64,
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.room == 0 {
            let reason = format!("a record is larger than {} MiB", LARGEST_RECORD >> 20);
            return Err(std::io::Error::other(reason));
        }
        let read = self.body.read(buffer)?;
        self.room = self.room.saturating_sub(read as u64);
        self.last = buffer[..read].last().copied().or(self.last);
        Ok(read)
    }
}

struct Rows {
    builders: Vec<Builder>,
    unread: Vec<Unread>,
    count: usize,
}

impl Rows {
    fn new(columns: &Columns) -> Rows {
        let builders = columns.fields().iter().map(|(_, kind)| Builder::new(*kind)).collect();
        Rows { builders, unread: Vec::new(), count: 0 }
    }

    /// Adds a record. A value that does not fit its type is null.
    fn push(&mut self, places: &[Option<usize>], record: &csv::ByteRecord) {
        for (column, builder) in self.builders.iter_mut().enumerate() {
            let place = places.get(column).copied().flatten();
            let value = place.and_then(|place| record.get(place));
            let Some(value) = value.filter(|value| !value.is_empty()) else {
                builder.null();
                continue;
            };
            let text = std::str::from_utf8(value).ok().map(without_nul);
            if text.and_then(|text| builder.text(&text)).is_none() {
                builder.null();
                self.unread.push(Unread { row: self.count, column });
            }
        }
        self.count += 1;
    }

    fn finish(self, columns: &Columns) -> Result<(RecordBatch, Vec<Unread>), String> {
        let arrays = self.builders.into_iter().map(Builder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.count));
        RecordBatch::try_new_with_options(columns.schema(), arrays, &options)
            .map(|batch| (batch, self.unread))
            .map_err(|error| error.to_string())
    }
}

fn without_nul(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "").into() } else { text.into() }
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
        .of_answer(&["Id", "LoginTime", "Status", "OptionsIsPost"].map(Into::into))
    }

    /// The columns of a result with these two fields.
    fn two(first: &str, second: &str) -> Columns {
        columns().of_answer(&[first.into(), second.into()])
    }

    fn parse(body: &[u8], columns: &Columns, most: usize) -> Result<Vec<RecordBatch>, String> {
        let mut batches = Vec::new();
        let read = Results::default().read(&mut &*body, columns, most, &mut |batch, _| {
            batches.push(batch);
            true
        });
        match read {
            Ok(rows) => {
                assert_eq!(rows, batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>());
                Ok(batches)
            }
            Err(Unfinished::Malformed(reason)) => Err(reason),
            Err(Unfinished::Unwanted) => panic!("all are wanted"),
        }
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
        assert!(parse(b"\"Id\",\"Status\"\n", &two("Id", "Status"), 10).unwrap().is_empty());
    }

    #[test]
    fn a_result_without_a_field_that_was_asked_for_is_refused() {
        let error = parse(b"\"Id\",\"Status\"\n\"1\",\"\"\n", &columns(), 10).unwrap_err();
        assert!(error.contains("lack the field `LoginTime`"), "{error}");
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
    fn a_value_that_does_not_fit_is_null_and_noted() {
        let columns = two("Id", "LoginTime");
        let body = b"\"Id\",\"LoginTime\"\n\"1\",\"2026-01-31T10:11:12.000Z\"\n\"2\",\"canary\"\n";
        let mut taken = Vec::new();
        let read =
            Results::default().read(&mut body.as_slice(), &columns, 10, &mut |batch, unread| {
                taken.push((batch, unread));
                true
            });
        assert_eq!(read, Ok(2));
        let [(batch, unread)] = taken.as_slice() else { panic!("{taken:?}") };
        assert!(batch.column(1).is_valid(0) && batch.column(1).is_null(1));
        assert_eq!(*unread, [Unread { row: 1, column: 1 }]);
        let error = parse(b"\"Id\",\"Status\"\n\"1\"\n", &two("Id", "Status"), 10).unwrap_err();
        assert!(error.contains("1 values instead of 2"), "{error}");
    }

    #[test]
    fn ten_thousand_changed_results_are_read_or_refused() {
        let columns = columns();
        let (mut read, mut refused) = (0, 0);
        crate::read::mutation::mutations(PAGE.as_bytes(), 10_000, |body| {
            match parse(body, &columns, 100) {
                Ok(_) => read += 1,
                Err(_) => refused += 1,
            }
        });
        assert!(read > 500 && refused > 500, "both happen: {read} read, {refused} refused");
    }

    #[test]
    fn nul_bytes_are_left_out() {
        let batches =
            parse(b"\"Id\",\"Status\"\n\"1\",\"a\0b\"\n", &two("Id", "Status"), 10).unwrap();
        assert_eq!(batches[0].column(2).as_string::<i32>().value(0), "ab");
    }

    /// A body that breaks off after so many bytes.
    struct Breaks<'a>(&'a [u8]);

    impl Read for Breaks<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(std::io::ErrorKind::ConnectionReset.into()),
                read => Ok(read),
            }
        }
    }

    fn ten(first: &str) -> String {
        let rows = (1..10).map(|n| format!("\"{n}\",\"text, of {n}\"\n"));
        format!("\"Id\",\"Status\"\n\"{first}\",\"\"\n{}", rows.collect::<String>())
    }

    fn ids(batches: &[RecordBatch]) -> Vec<String> {
        let texts = |batch: &RecordBatch| {
            let ids = batch.column(0).as_string::<i32>().iter();
            ids.map(|id| id.unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        batches.iter().flat_map(texts).collect()
    }

    #[test]
    fn results_that_break_off_anywhere_are_handed_over_once_each_when_read_again() {
        let (columns, body) = (two("Id", "Status"), ten("0"));
        for first in 0..body.len() {
            for second in [first / 2, first, body.len() - 1] {
                let mut results = Results::default();
                let mut batches = Vec::new();
                let mut read = |body: &mut dyn Read| {
                    results.read(body, &columns, 3, &mut |batch, _| {
                        batches.push(batch);
                        true
                    })
                };
                for end in [first, second] {
                    assert!(read(&mut Breaks(&body.as_bytes()[..end])).is_err());
                }
                assert_eq!(read(&mut body.as_bytes()), Ok(10));
                assert_eq!(ids(&batches), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
            }
        }
    }

    #[test]
    fn results_that_are_others_or_fewer_when_read_again_are_refused() {
        let (columns, body) = (two("Id", "Status"), ten("0"));
        let fewer: String = body.split_inclusive('\n').take(3).collect();
        for other in [ten("x"), fewer] {
            let mut results = Results::default();
            let mut taken = 0;
            let mut read = |body: &mut dyn Read| {
                results.read(body, &columns, 3, &mut |batch, _| {
                    taken += batch.num_rows();
                    true
                })
            };
            assert!(read(&mut Breaks(body.as_bytes())).is_err());
            assert!(matches!(read(&mut other.as_bytes()), Err(Unfinished::Malformed(_))));
            assert_eq!(taken, 9, "the last one may be half a record");
        }
    }

    #[test]
    fn a_quote_that_nobody_closes_does_not_fill_the_memory() {
        let endless = b"\"Id\",\"Status\"\n\"1\",\"".chain(std::io::repeat(b'x'));
        let read =
            Results::default().read(&mut { endless }, &two("Id", "Status"), 10, &mut |_, _| true);
        let Err(Unfinished::Malformed(reason)) = read else { panic!("{read:?}") };
        assert!(reason.contains("larger than 16 MiB"), "{reason}");
    }

    #[test]
    fn nobody_reads_on_when_no_more_is_wanted() {
        let body = ten("0");
        let read =
            Results::default()
                .read(&mut body.as_bytes(), &two("Id", "Status"), 3, &mut |_, _| false);
        assert_eq!(read, Err(Unfinished::Unwanted));
    }
}
