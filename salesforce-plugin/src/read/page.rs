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
    /// Which of them an answer must have; the others are null.
    asked: Vec<bool>,
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
        let schema = fields
            .iter()
            .map(|(name, kind)| Field::new(name, data_type(*kind), true))
            .collect::<Vec<_>>();
        let asked = vec![true; fields.len()];
        Columns::of(fields, asked, Arc::new(Schema::new(schema)))
    }

    /// The same columns for an answer that has only these fields.
    pub(crate) fn of_answer(&self, asked: &[String]) -> Columns {
        let asked = self.names().map(|name| asked.iter().any(|field| field == name)).collect();
        Columns::of(self.fields.clone(), asked, self.schema())
    }

    fn of(fields: Vec<(String, FieldType)>, asked: Vec<bool>, schema: Arc<Schema>) -> Columns {
        let mut root = Node::default();
        for (index, (name, _)) in fields.iter().enumerate().filter(|(index, _)| asked[*index]) {
            root.insert(name, index);
        }
        Columns { fields, asked, schema, root }
    }

    /// Whether an answer must have the column at that place.
    pub(crate) fn is_asked(&self, column: usize) -> bool {
        self.asked[column]
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

/// A value that could not be read; it is null in its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    pub(crate) row: usize,
    /// Its place among the columns.
    pub(crate) column: usize,
}

/// What a text holds in the place of a character that is none; Unicode keeps it free of meaning.
const NO_CHARACTER: char = '\u{ffff}';

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
    /// Their values that could not be read.
    pub(crate) unread: Vec<Unread>,
}

impl Page {
    /// Parses a page; keys may come in any order, unknown ones are ignored. A value that does not fit
    /// its type is null.
    ///
    /// # Errors
    /// A sentence that names the first thing that is not as documented: a missing column is. Nothing
    /// of the page is kept.
    pub(crate) fn parse(body: &[u8], columns: &Columns) -> Result<Page, String> {
        Page::parse_strictly(body, columns).or_else(|reason| match without_unreadable(body) {
            Some(body) => Page::parse_strictly(&body, columns),
            None => Err(reason),
        })
    }

    fn parse_strictly(body: &[u8], columns: &Columns) -> Result<Page, String> {
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
        let (mut total_size, mut done, mut next, mut records) = (None, None, None, None);
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match key.as_ref() {
                "totalSize" => total_size = map.next_value::<Option<u64>>()?,
                "done" => done = Some(map.next_value::<bool>()?),
                "nextRecordsUrl" => next = map.next_value::<Option<String>>()?,
                "records" => records = Some(map.next_value_seed(RecordsSeed(self.0))?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let (batch, unread) = records.ok_or_else(|| A::Error::missing_field("records"))?;
        Ok(Page {
            total_size,
            done: done.ok_or_else(|| A::Error::missing_field("done"))?,
            next_records_url: next,
            batch,
            unread,
        })
    }
}

struct RecordsSeed<'a>(&'a Columns);

impl<'de> DeserializeSeed<'de> for RecordsSeed<'_> {
    type Value = (RecordBatch, Vec<Unread>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RecordsSeed<'_> {
    type Value = (RecordBatch, Vec<Unread>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut builders: Vec<Builder> =
            self.0.fields.iter().map(|(_, kind)| Builder::new(*kind)).collect();
        let mut unread = Vec::new();
        let mut rows = 0;
        while seq
            .next_element_seed(RecordSeed {
                node: &self.0.root,
                builders: &mut builders,
                unread: &mut unread,
                rows,
            })?
            .is_some()
        {
            rows += 1;
            for builder in &mut builders {
                builder.fill_to(rows);
            }
        }
        let arrays = builders.into_iter().map(Builder::finish).collect();
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.0.schema.clone(), arrays, &options)
            .map_err(A::Error::custom)?;
        Ok((batch, unread))
    }
}

/// One record, or the parent record inside one.
struct RecordSeed<'a> {
    node: &'a Node,
    builders: &'a mut [Builder],
    unread: &'a mut Vec<Unread>,
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
        let mut seen = Seen::default();
        let mut cursor = 0;
        while let Some(found) = map.next_key_seed(KeySeed { keys, cursor })? {
            let Some(position) = found else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            cursor = position + 1;
            seen.note(position);
            match &keys[position].1 {
                Target::Column(index) => {
                    let builder = &mut self.builders[*index];
                    if builder.len() > self.rows {
                        map.next_value::<IgnoredAny>()?; // the key stands twice: the first counts
                    } else {
                        if !map.next_value_seed(ValueSeed(builder))? {
                            builder.null();
                            self.unread.push(Unread { row: self.rows, column: *index });
                        }
                    }
                }
                Target::Parent(node) => {
                    map.next_value_seed(RecordSeed {
                        node,
                        builders: &mut *self.builders,
                        unread: &mut *self.unread,
                        rows: self.rows,
                    })?;
                }
            }
        }
        match seen.first_missing(keys.len()) {
            Some(position) => Err(A::Error::custom(format_args!(
                "a record lacks the field `{}`",
                keys[position].0
            ))),
            None => Ok(()),
        }
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

/// The keys that a record had, by their place among the wanted ones.
#[derive(Default)]
struct Seen {
    first: u128,
    others: Vec<usize>,
}

impl Seen {
    fn note(&mut self, position: usize) {
        match u32::try_from(position).ok().and_then(|position| 1u128.checked_shl(position)) {
            Some(bit) => self.first |= bit,
            None => self.others.push(position),
        }
    }

    fn first_missing(&self, keys: usize) -> Option<usize> {
        let bits = u32::try_from(keys).unwrap_or(u32::MAX).min(u128::BITS);
        let present = self.first.trailing_ones();
        if present < bits {
            return usize::try_from(present).ok();
        }
        (128..keys).find(|position| !self.others.contains(position))
    }
}

/// Takes a value; says whether it could be read. What could not be was not appended.
struct ValueSeed<'a>(&'a mut Builder);

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        self.0.null();
        Ok(true)
    }

    fn visit_bool<E>(self, value: bool) -> Result<bool, E> {
        Ok(self.0.boolean(value).is_some())
    }

    fn visit_i64<E>(self, value: i64) -> Result<bool, E> {
        Ok(self.0.integer(value).is_some())
    }

    fn visit_u64<E>(self, value: u64) -> Result<bool, E> {
        Ok(i64::try_from(value).ok().and_then(|value| self.0.integer(value)).is_some())
    }

    fn visit_f64<E>(self, value: f64) -> Result<bool, E> {
        Ok(self.0.double(value).is_some())
    }

    fn visit_str<E>(self, value: &str) -> Result<bool, E> {
        Ok(self.0.text(value).is_some())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(false)
    }
}

/// A JSON text whose halves of surrogate pairs, and numbers that no type holds, are replaced by a
/// character that has no meaning. `None` if it has neither.
fn without_unreadable(body: &[u8]) -> Option<Vec<u8>> {
    let mut clean = Vec::with_capacity(body.len() + 64);
    let mut changed = false;
    let mut in_string = false;
    let mut at = 0;
    while let Some(&byte) = body.get(at) {
        let rest = &body[at..];
        let length = match byte {
            b'\\' if in_string => {
                let pair = high(rest) && rest.get(6..).is_some_and(low);
                if pair {
                    12
                } else if high(rest) || low(rest) {
                    clean.extend_from_slice(br"\uffff");
                    changed = true;
                    at += 6;
                    continue;
                } else {
                    2
                }
            }
            b'"' => {
                in_string = !in_string;
                1
            }
            b'-' | b'0'..=b'9' if !in_string => {
                let is_part = |b: &&u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let length = rest.iter().take_while(is_part).count();
                let number = std::str::from_utf8(&rest[..length]).unwrap_or_default();
                if number.parse::<f64>().is_ok_and(f64::is_infinite) {
                    clean.extend_from_slice(br#""\uffff""#);
                    changed = true;
                    at += length;
                    continue;
                }
                length
            }
            _ => 1,
        };
        clean.extend_from_slice(&rest[..length.min(rest.len())]);
        at += length;
    }
    changed.then_some(clean)
}

/// The code unit of an escape at the beginning of the text.
fn escaped(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(br"\u")?.get(..4)?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn high(text: &[u8]) -> bool {
    escaped(text).is_some_and(|unit| (0xd800..0xdc00).contains(&unit))
}

fn low(text: &[u8]) -> bool {
    escaped(text).is_some_and(|unit| (0xdc00..0xe000).contains(&unit))
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

    /// Appends a value written as text; `None` if it does not fit the type.
    pub(crate) fn text(&mut self, value: &str) -> Option<()> {
        match self {
            Builder::Text(_) if value.contains(NO_CHARACTER) => return None,
            Builder::Text(builder) => builder.append_value(value),
            Builder::Boolean(builder) => builder.append_value(value.parse().ok()?),
            Builder::Integer(builder) => builder.append_value(parse_integer(value)?),
            Builder::Double(builder) => {
                builder.append_value(value.parse().ok().filter(|n: &f64| n.is_finite())?);
            }
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

    /// A page of `Id` and one more field.
    fn of_two(field: &str, records: &str) -> Result<Page, String> {
        let columns = columns().of_answer(&["Id".into(), field.into()]);
        let body = format!(r#"{{"totalSize":2,"done":true,"records":[{records}]}}"#);
        Page::parse(body.as_bytes(), &columns)
    }

    #[test]
    fn a_value_that_cannot_be_read_is_null_and_noted_and_its_record_is_kept() {
        for (field, value) in [
            ("Total", r#""canary""#),
            ("Total", "1.5"),
            ("Total", "1e400"),
            ("Total", "99999999999999999999"),
            ("At", r#""canary""#),
            ("At", r#""2026-01-31""#),
            ("At", r#""20190-01-31T10:11:12.000+0000""#),
            ("At", r#"{"latitude":1}"#),
            ("IsActive", "[1]"),
            ("Profile.Name", r#"{"Name":{"street":"a"}}"#),
            ("Profile.Name", r#"{"Name":"cut \ud83d"}"#),
            ("Profile.Name", r#"{"Name":"\udc00\ud83d\u0041 -1e999"}"#),
        ] {
            let name = field.split('.').next().unwrap();
            let records = format!(r#"{{"Id":"1","{name}":null}},{{"Id":"2","{name}":{value}}}"#);
            let page = of_two(field, &records).unwrap();
            assert_eq!(page.batch.num_rows(), 2, "{value}");
            let column = page.batch.schema().index_of(field).unwrap();
            assert!(page.batch.column(column).is_null(1), "{value}");
            assert_eq!(page.unread, [Unread { row: 1, column }], "{value}");
        }
        let page =
            of_two("Profile.Name", r#"{"Id":"1","Profile":{"Name":"\ud83d\ude00 \\ud83d"}}"#);
        let page = page.unwrap();
        assert_eq!(page.batch.column(2).as_string::<i32>().value(0), "\u{1f600} \\ud83d");
        assert!(page.unread.is_empty(), "a whole pair, and a backslash");
    }

    #[test]
    fn a_record_without_a_field_that_was_asked_for_is_refused() {
        let error = of_two("Total", r#"{"Id":"1","Total":1},{"Id":"2"}"#).unwrap_err();
        assert!(error.contains("lacks the field `Total`"), "{error}");
        let error = of_two("Profile.Name", r#"{"Id":"1","Profile":{}}"#).unwrap_err();
        assert!(error.contains("lacks the field `Name`"), "{error}");
        of_two("Profile.Name", r#"{"Id":"1","Profile":null}"#).unwrap();
    }

    #[test]
    fn ten_thousand_changed_pages_are_read_or_refused_and_never_half_read() {
        let columns = columns();
        let text = br#"{"totalSize":2,"done":false,"nextRecordsUrl":"/services/data/v66.0/query/0r8-2000","records":[{"attributes":{"type":"User"},"Id":"1","IsActive":true,"Profile":{"Name":"P","UserLicense":{"Name":"L"}},"Total":7,"At":"2026-01-31T10:11:12.345+0000"},{"Id":"2","IsActive":false,"Profile":null,"Total":300.0,"At":null}]}"#;
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
