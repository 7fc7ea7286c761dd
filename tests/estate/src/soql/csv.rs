//! Results as CSV, as bulk jobs write them: a header, every value quoted.

use crate::clock;
use crate::org::{Reader, Row};
use crate::schema::ObjectIndex;
use crate::soql::column::{follow, leaf_value};
use crate::soql::select::Item;
use crate::soql::{Answer, ResultSet};
use crate::value::{Value, append};

/// How CSV is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvFormat {
    /// Between two values.
    pub delimiter: char,
    /// After each record.
    pub line_ending: &'static str,
    /// After every how many records the first text gets a NUL, which some orgs hold.
    pub nul_every: Option<u64>,
}

impl ResultSet {
    /// Appends the header: columns as asked for, those of parents with their path.
    pub fn write_csv_header(&self, format: &CsvFormat, out: &mut String) {
        let Answer::Records { items, .. } = &self.answer else { return };
        let mut names = Vec::new();
        name(items, "", &mut names);
        for (at, name) in names.iter().enumerate() {
            if at > 0 {
                out.push(format.delimiter);
            }
            quote(name, false, out);
        }
        out.push_str(format.line_ending);
    }

    /// Whether the query says in which order its records come.
    pub fn is_sorted(&self) -> bool {
        matches!(&self.answer, Answer::Records { sorted: true, .. })
    }

    /// Appends the records from `offset`, at most `limit` of them.
    pub fn write_csv(&self, offset: u64, limit: u64, format: &CsvFormat, out: &mut String) {
        let Answer::Records { items, rows, .. } = &self.answer else { return };
        let from = offset.min(self.len());
        let to = self.len().min(from.saturating_add(limit));
        let mut reader = Reader::new(&self.estate, &self.access);
        for position in from..to {
            let row = reader.row(self.object, rows.get(position));
            let mut record = Record {
                out,
                delimiter: format.delimiter,
                first: true,
                nul: format.nul_every.is_some_and(|every| position % every.max(1) == 0),
            };
            record.items(&mut reader, self.object, Some(&row), items);
            out.push_str(format.line_ending);
        }
    }
}

fn name(items: &[Item], path: &str, names: &mut Vec<String>) {
    for item in items {
        match item {
            Item::Value { label, .. } | Item::Computed { label, .. } => {
                names.push(format!("{path}{label}"));
            }
            Item::Parent { label, items, .. } => name(items, &format!("{path}{label}."), names),
            Item::Children { .. } => {}
        }
    }
}

/// A record being written.
struct Record<'o> {
    out: &'o mut String,
    delimiter: char,
    first: bool,
    nul: bool,
}

impl Record<'_> {
    fn items<'e>(
        &mut self,
        reader: &mut Reader<'e>,
        object: ObjectIndex,
        row: Option<&Row<'e>>,
        items: &[Item],
    ) {
        for item in items {
            match (item, row) {
                (Item::Value { leaf, .. }, Some(row)) => {
                    let value = leaf_value(reader, object, row, leaf);
                    self.value(&value);
                }
                (Item::Computed { column, .. }, Some(row)) => {
                    column.with(reader, object, row, |value| self.value(value));
                }
                (Item::Value { .. } | Item::Computed { .. }, None) => self.value(&Value::Null),
                (Item::Parent { reference, items, .. }, row) => {
                    match row.and_then(|row| follow(reader, object, row, *reference)) {
                        Some((parent, row)) => self.items(reader, parent, Some(&row), items),
                        None => self.items(reader, object, None, items),
                    }
                }
                (Item::Children { .. }, _) => {}
            }
        }
    }

    fn value(&mut self, value: &Value<'_>) {
        if !std::mem::take(&mut self.first) {
            self.out.push(self.delimiter);
        }
        let out = &mut *self.out;
        if let Value::Text(text) | Value::Compound(text) = value {
            return quote(text, std::mem::take(&mut self.nul), out);
        }
        out.push('"');
        match value {
            Value::Null | Value::Text(_) | Value::Compound(_) => {}
            Value::Bool(value) => append(out, format_args!("{value}")),
            Value::Int(value) => append(out, format_args!("{value}")),
            Value::Double(value) => append(out, format_args!("{value:?}")),
            Value::Instant(seconds) => {
                clock::write_instant(*seconds, out);
                out.truncate(out.len() - "+0000".len());
                out.push('Z');
            }
            Value::Date(days) => clock::write_date(*days, out),
            Value::Id(id) => id.write(out),
        }
        out.push('"');
    }
}

fn quote(text: &str, nul: bool, out: &mut String) {
    out.push('"');
    out.push_str(&text.replace('"', "\"\""));
    if nul {
        out.push('\0');
    }
    out.push('"');
}
