//! JSON Lines: one object for each record, keys in the manifest's order, nulls written.

use std::io::{BufWriter, Write};

use connector_api::manifest::DatasetSpec;
use serde::Serialize;

use super::row::{Cell, Row, RowWriter, date_text, timestamp_text};
use crate::error::HostError;

/// Writes one line for each record.
pub(super) struct Writer<W: Write> {
    out: BufWriter<W>,
    /// Each with its opening brace or comma and its colon.
    keys: Vec<String>,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W, spec: &DatasetSpec) -> Result<Writer<W>, HostError> {
        let mut keys = Vec::with_capacity(spec.fields.len());
        for (at, field) in spec.fields.iter().enumerate() {
            let name = serde_json::to_string(&field.name).map_err(HostError::failed)?;
            keys.push(format!("{}{name}:", if at == 0 { '{' } else { ',' }));
        }
        Ok(Writer { out: BufWriter::new(out), keys })
    }

    fn value(&mut self, value: impl Serialize) -> Result<(), HostError> {
        serde_json::to_writer(&mut self.out, &value).map_err(HostError::failed)
    }
}

impl<W: Write> RowWriter for Writer<W> {
    fn write(&mut self, row: &Row<'_>) -> Result<(), HostError> {
        for (at, cell) in row.cells().enumerate() {
            self.out.write_all(self.keys[at].as_bytes()).map_err(HostError::failed)?;
            match cell? {
                Cell::Null => self.value(()),
                Cell::Text(text) => self.value(text),
                Cell::Boolean(value) => self.value(value),
                Cell::Integer(number) => self.value(number),
                // JSON has no infinity and no not-a-number: they become null.
                Cell::Double(number) => self.value(number),
                // What cannot be written as a date keeps its number.
                Cell::Timestamp(ms) => match timestamp_text(ms) {
                    Some(text) => self.value(text),
                    None => self.value(ms),
                },
                Cell::Date(days) => match date_text(days) {
                    Some(text) => self.value(text),
                    None => self.value(days),
                },
            }?;
        }
        let end: &[u8] = if self.keys.is_empty() { b"{}\n" } else { b"}\n" };
        self.out.write_all(end).map_err(HostError::failed)
    }

    fn finish(&mut self) -> Result<(), HostError> {
        self.out.flush().map_err(HostError::failed)
    }
}
