//! One page of a query's answer, parsed once, straight into Arrow builders.

use std::fmt;
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, StringBuilder,
    TimestampMillisecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use chrono::{DateTime, NaiveDate};
use connector_api::manifest::FieldType;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

/// The columns of a dataset as selected, in order; made once for each query.
#[derive(Debug)]
pub(crate) struct Columns {
    fields: Vec<(String, FieldType)>,
    schema: Arc<Schema>,
    root: Node,
}

/// Where a key of a record leads: to a column, or over a relationship to more keys.
#[derive(Debug, Default)]
struct Node {
    keys: Vec<(String, Target)>,
}

#[derive(Debug)]
enum Target {
    Column(usize),
    Parent(Node),
}

impl Columns {
    /// Columns by API name; a dotted name is reached over relationships.
    pub(crate) fn new(fields: Vec<(String, FieldType)>) -> Columns {
        let mut root = Node::default();
        for (index, (name, _)) in fields.iter().enumerate() {
            root.insert(name, index);
        }
        let schema = fields
            .iter()
            .map(|(name, kind)| Field::new(name, data_type(*kind), true))
            .collect::<Vec<_>>();
        Columns { fields, schema: Arc::new(Schema::new(schema)), root }
    }

    /// Name and type, in order.
    pub(crate) fn fields(&self) -> &[(String, FieldType)] {
        &self.fields
    }

    /// The schema of a batch of them.
    pub(crate) fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema)
    }

    /// The names, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_str())
    }
}

impl Node {
    fn insert(&mut self, path: &str, column: usize) {
        match path.split_once('.') {
            None => self.keys.push((path.to_owned(), Target::Column(column))),
            Some((parent, rest)) => {
                let known = self.keys.iter_mut().find_map(|(key, target)| match target {
                    Target::Parent(node) if key == parent => Some(node),
                    _ => None,
                });
                match known {
                    Some(node) => node.insert(rest, column),
                    None => {
                        let mut node = Node::default();
                        node.insert(rest, column);
                        self.keys.push((parent.to_owned(), Target::Parent(node)));
                    }
                }
            }
        }
    }
}

/// The Arrow type of a field type.
pub(crate) fn data_type(kind: FieldType) -> DataType {
    match kind {
        FieldType::Text => DataType::Utf8,
        FieldType::Boolean => DataType::Boolean,
        FieldType::Integer => DataType::Int64,
        FieldType::Double => DataType::Float64,
        FieldType::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into())),
        FieldType::Date => DataType::Date32,
    }
}

/// A page.
#[derive(Debug)]
pub(crate) struct Page {
    /// Records of the whole result, as the platform says.
    pub(crate) total_size: Option<u64>,
    /// Whether this is the last page.
    pub(crate) done: bool,
    /// Where the next one is.
    pub(crate) next_records_url: Option<String>,
    /// The records.
    pub(crate) batch: RecordBatch,
}

impl Page {
    /// Parses a page; keys may come in any order, unknown ones are ignored.
    ///
    /// # Errors
    /// A sentence that names the first thing that is not as documented. Nothing of the page is kept.
    pub(crate) fn parse(body: &[u8], columns: &Columns) -> Result<Page, String> {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let page =
            PageSeed(columns).deserialize(&mut deserializer).map_err(|error| error.to_string())?;
        deserializer.end().map_err(|error| error.to_string())?;
        Ok(page)
    }
}

struct PageSeed<'a>(&'a Columns);

impl<'de> DeserializeSeed<'de> for PageSeed<'_> {
    type Value = Page;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Page, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PageSeed<'_> {
    type Value = Page;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a query result")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Page, A::Error> {
        let (mut total_size, mut done, mut next, mut batch) = (None, None, None, None);
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match key.as_ref() {
                "totalSize" => total_size = map.next_value::<Option<u64>>()?,
                "done" => done = Some(map.next_value::<bool>()?),
                "nextRecordsUrl" => next = map.next_value::<Option<String>>()?,
                "records" => batch = Some(map.next_value_seed(RecordsSeed(self.0))?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Page {
            total_size,
            done: done.ok_or_else(|| A::Error::missing_field("done"))?,
            next_records_url: next,
            batch: batch.ok_or_else(|| A::Error::missing_field("records"))?,
        })
    }
}

struct RecordsSeed<'a>(&'a Columns);

impl<'de> DeserializeSeed<'de> for RecordsSeed<'_> {
    type Value = RecordBatch;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RecordBatch, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RecordsSeed<'_> {
    type Value = RecordBatch;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RecordBatch, A::Error> {
        let mut builders: Vec<Builder> =
            self.0.fields.iter().map(|(_, kind)| Builder::new(*kind)).collect();
        let mut rows = 0;
        while seq
            .next_element_seed(RecordSeed { node: &self.0.root, builders: &mut builders, rows })?
            .is_some()
        {
            rows += 1;
            for builder in &mut builders {
                builder.fill_to(rows);
            }
        }
        let arrays = builders.into_iter().map(Builder::finish).collect();
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.0.schema.clone(), arrays, &options)
            .map_err(A::Error::custom)
    }
}

/// One record, or the parent record inside one.
struct RecordSeed<'a> {
    node: &'a Node,
    builders: &'a mut [Builder],
    /// Complete rows before this record.
    rows: usize,
}

impl<'de> DeserializeSeed<'de> for RecordSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RecordSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    // A parent that is not visible is null: its columns stay null.
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let keys = &self.node.keys;
        let mut cursor = 0;
        while let Some(found) = map.next_key_seed(KeySeed { keys, cursor })? {
            let Some(position) = found else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            cursor = position + 1;
            match &keys[position].1 {
                Target::Column(index) => {
                    let builder = &mut self.builders[*index];
                    if builder.len() > self.rows {
                        map.next_value::<IgnoredAny>()?; // the key stands twice: the first counts
                    } else {
                        map.next_value_seed(ValueSeed { builder, name: &keys[position].0 })?;
                    }
                }
                Target::Parent(node) => {
                    map.next_value_seed(RecordSeed {
                        node,
                        builders: &mut *self.builders,
                        rows: self.rows,
                    })?;
                }
            }
        }
        Ok(())
    }
}

/// A record's key, as its place among the wanted ones.
struct KeySeed<'a> {
    keys: &'a [(String, Target)],
    /// Fields come in the order they were asked for: the likeliest place.
    cursor: usize,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<'de> Visitor<'de> for KeySeed<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, key: &str) -> Result<Option<usize>, E> {
        let is_key = |(name, _): &(String, Target)| name == key;
        if self.keys.get(self.cursor).is_some_and(is_key) {
            return Ok(Some(self.cursor));
        }
        Ok(self.keys.iter().position(is_key))
    }
}

struct ValueSeed<'a> {
    builder: &'a mut Builder,
    name: &'a str,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl ValueSeed<'_> {
    fn push<E: serde::de::Error>(
        self,
        pushed: Option<()>,
        shown: &dyn fmt::Display,
    ) -> Result<(), E> {
        pushed.ok_or_else(|| E::custom(format_args!("field `{}` holds {shown}", self.name)))
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value for field `{}`", self.name)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.builder.null();
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        let pushed = self.builder.boolean(value);
        self.push(pushed, &"true or false")
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        let pushed = self.builder.integer(value);
        self.push(pushed, &"a number")
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        let pushed = i64::try_from(value).ok().and_then(|value| self.builder.integer(value));
        self.push(pushed, &"a number out of range")
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        let pushed = self.builder.double(value);
        self.push(pushed, &"a number with decimals")
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        let pushed = self.builder.text(value);
        // The value itself may be personal data: only its kind is told.
        self.push(pushed, &"a text that does not fit its type")
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom(format_args!("field `{}` holds an object", self.name)))
    }
}

/// Collects the values of one column.
pub(crate) enum Builder {
    Text(StringBuilder),
    Boolean(BooleanBuilder),
    Integer(Int64Builder),
    Double(Float64Builder),
    Timestamp(TimestampMillisecondBuilder),
    Date(Date32Builder),
}

macro_rules! each {
    ($self:expr, $builder:ident => $do:expr) => {
        match $self {
            Builder::Text($builder) => $do,
            Builder::Boolean($builder) => $do,
            Builder::Integer($builder) => $do,
            Builder::Double($builder) => $do,
            Builder::Timestamp($builder) => $do,
            Builder::Date($builder) => $do,
        }
    };
}

impl Builder {
    /// An empty column.
    pub(crate) fn new(kind: FieldType) -> Builder {
        match kind {
            FieldType::Text => Builder::Text(StringBuilder::new()),
            FieldType::Boolean => Builder::Boolean(BooleanBuilder::new()),
            FieldType::Integer => Builder::Integer(Int64Builder::new()),
            FieldType::Double => Builder::Double(Float64Builder::new()),
            FieldType::Timestamp => {
                Builder::Timestamp(TimestampMillisecondBuilder::new().with_timezone("+00:00"))
            }
            FieldType::Date => Builder::Date(Date32Builder::new()),
        }
    }

    fn len(&self) -> usize {
        use arrow_array::builder::ArrayBuilder;
        each!(self, builder => builder.len())
    }

    /// Appends a null.
    pub(crate) fn null(&mut self) {
        each!(self, builder => builder.append_null());
    }

    fn fill_to(&mut self, rows: usize) {
        while self.len() < rows {
            self.null();
        }
    }

    fn boolean(&mut self, value: bool) -> Option<()> {
        match self {
            Builder::Boolean(builder) => builder.append_value(value),
            Builder::Text(builder) => builder.append_value(if value { "true" } else { "false" }),
            _ => return None,
        }
        Some(())
    }

    fn integer(&mut self, value: i64) -> Option<()> {
        match self {
            Builder::Integer(builder) => builder.append_value(value),
            #[expect(clippy::cast_precision_loss, reason = "the API's doubles are doubles")]
            Builder::Double(builder) => builder.append_value(value as f64),
            Builder::Text(builder) => builder.append_value(value.to_string()),
            Builder::Timestamp(builder) => builder.append_value(value),
            _ => return None,
        }
        Some(())
    }

    fn double(&mut self, value: f64) -> Option<()> {
        match self {
            Builder::Double(builder) => builder.append_value(value),
            // Integers may be printed as `300.0`.
            #[expect(
                clippy::cast_possible_truncation,
                reason = "whole and within 53 bits, checked here"
            )]
            Builder::Integer(builder) if value.fract() == 0.0 && value.abs() < 9e15 => {
                builder.append_value(value as i64)
            }
            Builder::Text(builder) => builder.append_value(value.to_string()),
            _ => return None,
        }
        Some(())
    }

    /// Appends a value written as text; none if it does not fit the type.
    pub(crate) fn text(&mut self, value: &str) -> Option<()> {
        match self {
            Builder::Text(builder) => builder.append_value(value),
            Builder::Boolean(builder) => builder.append_value(value.parse().ok()?),
            Builder::Integer(builder) => builder.append_value(parse_integer(value)?),
            Builder::Double(builder) => builder.append_value(value.parse().ok()?),
            Builder::Timestamp(builder) => builder.append_value(parse_timestamp(value)?),
            Builder::Date(builder) => builder.append_value(parse_date(value)?),
        }
        Some(())
    }

    /// The column.
    pub(crate) fn finish(self) -> ArrayRef {
        match self {
            Builder::Text(mut builder) => Arc::new(builder.finish()),
            Builder::Boolean(mut builder) => Arc::new(builder.finish()),
            Builder::Integer(mut builder) => Arc::new(builder.finish()),
            Builder::Double(mut builder) => Arc::new(builder.finish()),
            Builder::Timestamp(mut builder) => Arc::new(builder.finish()),
            Builder::Date(mut builder) => Arc::new(builder.finish()),
        }
    }
}

/// A whole number, which some answers print as `300.0`.
fn parse_integer(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole and within 53 bits, checked here"
        )]
        (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
    })
}

/// Milliseconds since 1970 of `2026-01-31T10:11:12.000+0000`; the offset may also be `Z` or `+00:00`.
pub(crate) fn parse_timestamp(text: &str) -> Option<i64> {
    fast_timestamp(text.as_bytes()).or_else(|| {
        ["%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%dT%H:%M:%S%.f%#z"]
            .iter()
            .find_map(|format| DateTime::parse_from_str(text, format).ok())
            .or_else(|| DateTime::parse_from_rfc3339(text).ok())
            .map(|instant| instant.timestamp_millis())
    })
}

/// The one form the API documents, `YYYY-MM-DDTHH:MM:SS.mmm+0000`, without a general parser: half of
/// a page's columns are of this type.
fn fast_timestamp(text: &[u8]) -> Option<i64> {
    let number = |from: usize, to: usize| -> Option<i64> {
        text.get(from..to)?
            .iter()
            .try_fold(0i64, |sum, b| b.is_ascii_digit().then(|| sum * 10 + i64::from(b - b'0')))
    };
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.')];
    if text.len() != 28
        || &text[23..] != b"+0000"
        || marks.iter().any(|(at, mark)| text[*at] != *mark)
    {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second, ms) =
        (number(11, 13)?, number(14, 16)?, number(17, 19)?, number(20, 23)?);
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(year).ok()?,
        u32::try_from(month).ok()?,
        u32::try_from(day).ok()?,
    )?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = i64::from(days_since_1970(date)?);
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000 + ms)
}

fn parse_date(text: &str) -> Option<i32> {
    // A datetime where a date is documented keeps its day.
    days_since_1970(NaiveDate::parse_from_str(text.get(..10)?, "%Y-%m-%d").ok()?)
}

fn days_since_1970(date: NaiveDate) -> Option<i32> {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?;
    i32::try_from(date.signed_duration_since(epoch).num_days()).ok()
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Int64Type, TimestampMillisecondType};

    use super::*;

    fn columns() -> Columns {
        Columns::new(vec![
            ("Id".into(), FieldType::Text),
            ("IsActive".into(), FieldType::Boolean),
            ("Profile.Name".into(), FieldType::Text),
            ("Profile.UserLicense.Name".into(), FieldType::Text),
            ("Total".into(), FieldType::Integer),
            ("At".into(), FieldType::Timestamp),
        ])
    }

    fn parse(records: &str) -> Result<RecordBatch, String> {
        let body = format!(r#"{{"totalSize":2,"done":true,"records":[{records}]}}"#);
        Page::parse(body.as_bytes(), &columns()).map(|page| page.batch)
    }

    #[test]
    fn records_become_columns_whatever_the_order_of_keys() {
        let batch = parse(
            r#"{"attributes":{"type":"User","url":"/x"},"Id":"1","IsActive":true,"Profile":{"attributes":{},"Name":"P","UserLicense":{"Name":"L"}},"Total":7,"At":"2026-01-31T10:11:12.345+0000"},
               {"New":{"a":[1]},"At":null,"Total":300.0,"Profile":null,"Id":"2","IsActive":false,"Id":"twice"}"#,
        )
        .unwrap();
        assert_eq!(batch.num_rows(), 2);
        let ids: Vec<_> = batch.column(0).as_string::<i32>().iter().flatten().collect();
        assert_eq!(ids, ["1", "2"]);
        assert_eq!(batch.column(2).as_string::<i32>().value(0), "P");
        assert_eq!(batch.column(3).as_string::<i32>().value(0), "L");
        assert!(batch.column(2).is_null(1) && batch.column(3).is_null(1));
        assert_eq!(batch.column(4).as_primitive::<Int64Type>().values(), &[7, 300]);
        assert_eq!(
            batch.column(5).as_primitive::<TimestampMillisecondType>().value(0),
            1_769_854_272_345
        );
        assert!(batch.column(5).is_null(1));
    }

    #[test]
    fn every_documented_form_of_an_instant_is_the_same_instant() {
        for text in [
            "2026-01-31T10:11:12.000+0000",
            "2026-01-31T10:11:12.000Z",
            "2026-01-31T10:11:12Z",
            "2026-01-31T10:11:12.000+00:00",
            "2026-01-31T11:11:12.000+0100",
        ] {
            assert_eq!(parse_timestamp(text), Some(1_769_854_272_000), "{text}");
        }
        for text in
            ["", "2026-01-31", "2026-13-31T10:11:12.000+0000", "2026-01-31T25:11:12.000+0000"]
        {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn a_value_that_does_not_fit_its_type_is_an_error_that_names_the_field_and_not_the_value() {
        let error = parse(r#"{"Id":"1","Total":"canary"}"#).unwrap_err();
        assert!(error.contains("field `Total`") && !error.contains("canary"), "{error}");
        let error = parse(r#"{"Id":"1","At":"canary"}"#).unwrap_err();
        assert!(error.contains("field `At`"), "{error}");
    }

    #[test]
    fn ten_thousand_changed_pages_are_read_or_refused_and_never_half_read() {
        let columns = columns();
        let text = br#"{"totalSize":2,"done":false,"nextRecordsUrl":"/services/data/v66.0/query/0r8-2000","records":[{"attributes":{"type":"User"},"Id":"1","IsActive":true,"Profile":{"Name":"P","UserLicense":{"Name":"L"}},"Total":7,"At":"2026-01-31T10:11:12.345+0000"},{"Id":"2","Total":300.0,"Profile":null}]}"#;
        let (mut read, mut refused) = (0, 0);
        crate::read::mutation::mutations(text, 10_000, |body| match Page::parse(body, &columns) {
            Ok(page) => {
                assert!(page.batch.columns().iter().all(|c| c.len() == page.batch.num_rows()));
                read += 1;
            }
            Err(_) => refused += 1,
        });
        assert!(read > 500 && refused > 500, "both happen: {read} read, {refused} refused");
    }

    #[test]
    fn a_page_without_its_parts_or_with_more_behind_it_is_refused() {
        let columns = columns();
        for body in [
            r#"{"records":[]}"#,
            r#"{"done":true}"#,
            r#"{"done":true,"records":[]"#,
            r#"{"done":true,"records":[]} x"#,
            "[]",
            "",
        ] {
            assert!(Page::parse(body.as_bytes(), &columns).is_err(), "{body}");
        }
        let page = Page::parse(
            br#"{"records":[],"done":false,"nextRecordsUrl":"/n","totalSize":9,"more":1}"#,
            &columns,
        )
        .unwrap();
        assert_eq!(
            (page.total_size, page.done, page.next_records_url.as_deref()),
            (Some(9), false, Some("/n"))
        );
    }
}
