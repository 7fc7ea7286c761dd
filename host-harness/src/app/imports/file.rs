//! A file of an administrator as rows of text, whatever program wrote it: CSV with commas, semicolons
//! or tabs, TOML with one `[[line]]` for each row, or the first sheet of an XLSX workbook.

use std::io::{Cursor, Read};
use std::ops::Range;
use std::path::Path;

use calamine::{Data, Reader, Xlsx};
use position::money::{line_at, line_of_record};
use toml::de::{DeTable, DeValue};

use crate::app::text_file;
use crate::error::HostError;

/// Most bytes that a workbook may unpack to.
const MAX_UNPACKED_BYTES: u64 = 128 << 20;
/// First bytes of an XLSX workbook.
const ZIP: &[u8] = b"PK\x03\x04";

/// A table of text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sheet {
    /// Names of the columns.
    pub(crate) head: Vec<String>,
    /// The rows with their line numbers in the file, from 1.
    pub(crate) rows: Vec<(usize, Vec<String>)>,
}

/// Reads a file.
///
/// # Errors
/// Of kind usage when it cannot be read, is no regular file or too large; of kind config when it is no
/// table.
pub(crate) fn read(path: &Path) -> Result<Sheet, HostError> {
    let bytes = text_file::bytes(path)?;
    if bytes.starts_with(ZIP) {
        return workbook(bytes);
    }
    let text =
        String::from_utf8(bytes).map_err(|_| HostError::config("it is not text in UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if text.lines().any(|line| line.trim() == "[[line]]") { tables(text) } else { lines(text) }
}

/// Rows of CSV. Lines that start with `#` are remarks.
fn lines(text: &str) -> Result<Sheet, HostError> {
    let head = text.lines().find(|line| !line.starts_with('#') && !line.trim().is_empty());
    let head = head.unwrap_or_default();
    let delimiter = match head {
        head if head.contains('\t') => b'\t',
        // Spreadsheets of half the world write semicolons.
        head if head.contains(';') && !head.contains(',') => b';',
        _ => b',',
    };
    let mut reader = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .flexible(true)
        .has_headers(false)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let mut sheet = Sheet::default();
    for record in reader.records() {
        let record = record.map_err(|error| HostError::config(error.to_string()))?;
        let cells: Vec<String> = record.iter().map(str::to_owned).collect();
        if sheet.head.is_empty() {
            sheet.head = cells;
        } else if cells.iter().any(|cell| !cell.is_empty()) {
            let at = record.position().map_or(0, csv::Position::byte);
            sheet.rows.push((line_of_record(text, usize::try_from(at).unwrap_or(0)), cells));
        }
    }
    Ok(sheet)
}

/// Rows of TOML: the tables `[[line]]`.
fn tables(text: &str) -> Result<Sheet, HostError> {
    let wrong = |span: Option<Range<usize>>, reason: &str| {
        let line = line_at(text, span.map_or(0, |span| span.start));
        HostError::config(format_args!("line {line}: {reason}"))
    };
    let file = DeTable::parse(text).map_err(|error| wrong(error.span(), "it is not valid TOML"))?;
    let mut sheet = Sheet::default();
    for (key, value) in file.get_ref() {
        let (DeValue::Array(tables), "line") = (value.get_ref(), key.get_ref().as_ref()) else {
            return Err(wrong(Some(key.span()), "only `[[line]]` is known"));
        };
        for table in tables {
            let DeValue::Table(cells) = table.get_ref() else {
                return Err(wrong(Some(table.span()), "only `[[line]]` is known"));
            };
            let mut row = vec![String::new(); sheet.head.len()];
            for (column, cell) in cells {
                let text = match cell.get_ref() {
                    DeValue::String(text) => text.to_string(),
                    DeValue::Integer(number) => number.to_string(),
                    DeValue::Float(number) => number.to_string(),
                    DeValue::Boolean(value) => value.to_string(),
                    DeValue::Datetime(at) => at.to_string(),
                    _ => return Err(wrong(Some(cell.span()), "it is no single value")),
                };
                let name = column.get_ref().to_string();
                match sheet.head.iter().position(|known| *known == name) {
                    Some(at) => row[at] = text,
                    None => {
                        sheet.head.push(name);
                        row.push(text);
                    }
                }
            }
            sheet.rows.push((line_at(text, table.span().start), row));
        }
    }
    Ok(sheet)
}

/// Rows of a workbook's first sheet.
fn workbook(bytes: Vec<u8>) -> Result<Sheet, HostError> {
    let wrong = |reason: &dyn std::fmt::Display| {
        HostError::config(format_args!("it is no readable XLSX workbook: {reason}"))
    };
    let mut archive = zip::ZipArchive::new(Cursor::new(&bytes)).map_err(|error| wrong(&error))?;
    // What an archive says of its own size may be a lie, so it is unpacked once, to nowhere.
    let mut unpacked = 0;
    for at in 0..archive.len() {
        let entry = archive.by_index(at).map_err(|error| wrong(&error))?;
        let mut entry = entry.take(MAX_UNPACKED_BYTES + 1 - unpacked);
        unpacked +=
            std::io::copy(&mut entry, &mut std::io::sink()).map_err(|error| wrong(&error))?;
        if unpacked > MAX_UNPACKED_BYTES {
            return Err(wrong(&format_args!(
                "it unpacks to more than {} MiB",
                MAX_UNPACKED_BYTES >> 20
            )));
        }
    }
    let mut workbook: Xlsx<_> =
        calamine::open_workbook_from_rs(Cursor::new(bytes)).map_err(|error| wrong(&error))?;
    let range = workbook.worksheet_range_at(0).ok_or_else(|| wrong(&"it has no sheet"))?;
    let range = range.map_err(|error| wrong(&error))?;
    let first = range.start().map_or(0, |(row, _)| row as usize) + 1;
    let mut sheet = Sheet::default();
    for (at, row) in range.rows().enumerate() {
        let cells: Vec<String> = row.iter().map(cell).collect();
        let is_remark = cells.first().is_some_and(|cell| cell.starts_with('#'));
        if is_remark || cells.iter().all(String::is_empty) {
            continue;
        }
        if sheet.head.is_empty() {
            sheet.head = cells;
        } else {
            sheet.rows.push((first + at, cells));
        }
    }
    Ok(sheet)
}

fn cell(cell: &Data) -> String {
    match cell {
        Data::DateTime(at) => {
            let (year, month, day, ..) = at.to_ymd_hms_milli();
            format!("{year:04}-{month:02}-{day:02}")
        }
        other => other.to_string().trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(text: &str) -> Vec<usize> {
        lines(text).unwrap().rows.iter().map(|(line, _)| *line).collect()
    }

    #[test]
    fn line_numbers_are_those_of_an_editor_whatever_ends_the_lines() {
        let text = "# remark\na,b\n1,2\n\n# remark\n3,4\n\"5\n6\",7\n8,9\n";
        assert_eq!(numbered(text), [3, 6, 7, 9]);
        assert_eq!(numbered(&text.replace('\n', "\r\n")), [3, 6, 7, 9]);
    }

    #[test]
    fn a_table_in_toml_has_the_same_cells() {
        let text = "[[line]]\na = \"x\"\nb = 1.5\n\n[[line]]\nb = 2\nc = 2026-12-31\n";
        let sheet = tables(text).unwrap();
        assert_eq!(sheet.head, ["a", "b", "c"]);
        assert_eq!(sheet.rows.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 5]);
        assert_eq!(sheet.rows[1].1, ["", "2", "2026-12-31"]);
        assert!(tables("[[line]]\na = [1]\n").unwrap_err().message.starts_with("line 2"));
    }
}
