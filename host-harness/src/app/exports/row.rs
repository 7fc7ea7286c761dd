//! One record on its way from the store to a file.

use chrono::{DateTime, Days, NaiveDate, SecondsFormat};
use connector_api::manifest::{DatasetSpec, FieldSpec, FieldType};

use crate::error::HostError;
use crate::store::Value;

/// Where records go.
pub(super) trait RowWriter {
    /// Writes one record.
    fn write(&mut self, row: &Row<'_>) -> Result<(), HostError>;

    /// Writes what is still held back.
    fn finish(&mut self) -> Result<(), HostError>;
}

/// One record; its columns are the manifest's.
pub(super) struct Row<'r> {
    values: &'r [Value<'r>],
    spec: &'r DatasetSpec,
}

/// One value, in the type its column has in the manifest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'r> {
    Null,
    Text(&'r str),
    Boolean(bool),
    Integer(i64),
    Double(f64),
    /// Milliseconds since 1970 in UTC.
    Timestamp(i64),
    /// Days since 1970.
    Date(i32),
}

impl<'r> Row<'r> {
    pub(super) fn new(values: &'r [Value<'r>], spec: &'r DatasetSpec) -> Row<'r> {
        Row { values, spec }
    }

    /// The values, in the manifest's order.
    pub(super) fn cells(&self) -> impl Iterator<Item = Result<Cell<'r>, HostError>> {
        let spec = self.spec;
        spec.fields.iter().zip(self.values).map(move |(field, value)| {
            cell(*value, field.kind).ok_or_else(|| misfit(spec, field, *value))
        })
    }
}

fn cell(value: Value<'_>, kind: FieldType) -> Option<Cell<'_>> {
    Some(match (kind, value) {
        (_, Value::Null) => Cell::Null,
        (FieldType::Text, Value::Text(text)) => Cell::Text(text),
        (FieldType::Boolean, Value::Integer(number @ (0 | 1))) => Cell::Boolean(number == 1),
        (FieldType::Integer, Value::Integer(number)) => Cell::Integer(number),
        (FieldType::Double, Value::Real(number)) => Cell::Double(number),
        (FieldType::Double, Value::Integer(number)) => Cell::Double(number as f64),
        (FieldType::Timestamp, Value::Integer(ms)) => Cell::Timestamp(ms),
        (FieldType::Date, Value::Integer(days)) => Cell::Date(i32::try_from(days).ok()?),
        _ => return None,
    })
}

// The value itself stays out of the message: it may describe a person.
fn misfit(spec: &DatasetSpec, field: &FieldSpec, value: Value<'_>) -> HostError {
    HostError::failed(format_args!(
        "column `{}` of dataset `{}` holds a value of type {} that does not fit its type {:?}",
        field.name,
        spec.name,
        value.type_name(),
        field.kind
    ))
}

/// RFC 3339 with milliseconds in UTC; none outside the years it can write.
pub(super) fn timestamp_text(ms: i64) -> Option<String> {
    let at = DateTime::from_timestamp_millis(ms)?;
    Some(at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// `2026-03-01`; none outside the years that can be written.
pub(super) fn date_text(days: i32) -> Option<String> {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?;
    let distance = Days::new(u64::from(days.unsigned_abs()));
    let date =
        if days < 0 { epoch.checked_sub_days(distance) } else { epoch.checked_add_days(distance) };
    date.map(|date| date.to_string())
}
