//! CSV as RFC 4180 has it, and harmless to a spreadsheet.

use std::borrow::Cow;
use std::io::Write;

use connector_api::manifest::DatasetSpec;

use super::row::{Cell, Row, RowWriter, date_text, timestamp_text};
use crate::error::HostError;

/// Writes a head line, then one line for each record.
pub(super) struct Writer<W: Write> {
    csv: csv::Writer<W>,
    raw: bool,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W, spec: &DatasetSpec, raw: bool) -> Result<Writer<W>, HostError> {
        let csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        let mut writer = Writer { csv, raw };
        for field in &spec.fields {
            writer.text(&field.name)?;
        }
        writer.end_record()?;
        Ok(writer)
    }

    fn text(&mut self, text: &str) -> Result<(), HostError> {
        let text = if self.raw { Cow::Borrowed(text) } else { disarmed(text) };
        self.plain(&text)
    }

    fn plain(&mut self, text: &str) -> Result<(), HostError> {
        self.csv.write_field(text).map_err(HostError::failed)
    }

    fn end_record(&mut self) -> Result<(), HostError> {
        self.csv.write_record(None::<&[u8]>).map_err(HostError::failed)
    }
}

impl<W: Write> RowWriter for Writer<W> {
    fn write(&mut self, row: &Row<'_>) -> Result<(), HostError> {
        for cell in row.cells() {
            match cell? {
                Cell::Null => self.plain("")?,
                Cell::Text(text) => self.text(text)?,
                Cell::Boolean(value) => self.plain(if value { "true" } else { "false" })?,
                Cell::Integer(number) => self.plain(&number.to_string())?,
                Cell::Double(number) => self.plain(&number.to_string())?,
                // What cannot be written as a date keeps its number.
                Cell::Timestamp(ms) => {
                    self.plain(&timestamp_text(ms).unwrap_or_else(|| ms.to_string()))?;
                }
                Cell::Date(days) => {
                    self.plain(&date_text(days).unwrap_or_else(|| days.to_string()))?;
                }
            }
        }
        self.end_record()
    }

    fn finish(&mut self) -> Result<(), HostError> {
        self.csv.flush().map_err(HostError::failed)
    }
}

/// A text that a spreadsheet would take for a formula, with an apostrophe before it. Numbers are
/// not texts: `-5` of a numeric column stays as it is.
///
/// # Source
/// OWASP, "CSV Injection".
fn disarmed(text: &str) -> Cow<'_, str> {
    let formula = text.starts_with([
        '=', '+', '-', '@', '\t', '\r', '\n',
        // Their full-width forms, which some spreadsheets take for the same.
        '\u{FF1D}', '\u{FF0B}', '\u{FF0D}', '\u{FF20}',
    ]);
    if formula { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}
