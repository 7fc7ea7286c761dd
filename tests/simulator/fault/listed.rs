//! Faults of an answer that is a list: records, versions, fields, limits, or the rows of a CSV.

use serde_json::{Map, Value, json};

use super::Action;
use super::action::Spoiled;
use crate::http::Response;

/// Where the rows of a JSON answer are, by the key of the outermost object.
const LISTS: [&str; 4] = ["records", "sobjects", "fields", "resultPages"];
/// What counts the rows of an answer.
const COUNTERS: [&str; 3] = ["totalSize", "size", "numberRecordsProcessed"];
const COUNT_HEADER: &str = "Sforce-NumberOfRecords";
/// Replaces bytes that no JSON text can hold until the text is written.
const MARK: &str = "\u{e000}spoiled\u{e000}";

/// Applies a fault of a list; answers whether it changed anything.
pub(crate) fn alter(action: &Action, response: &mut Response) -> bool {
    if response.status >= 300 {
        return false;
    }
    let before = (response.body.clone(), response.header(COUNT_HEADER).map(str::to_owned));
    let csv = response.header("Content-Type").is_some_and(|kind| kind.starts_with("text/csv"));
    match (csv, serde_json::from_slice::<Value>(&response.body)) {
        (true, _) => alter_csv(action, response),
        (false, Ok(value)) => alter_json(action, value, response),
        (false, Err(_)) => {}
    }
    before != (response.body.clone(), response.header(COUNT_HEADER).map(str::to_owned))
}

fn alter_json(action: &Action, mut value: Value, response: &mut Response) {
    let mut spoiled = None;
    match action {
        Action::EmptyList => share(&mut value, 0),
        Action::CutList { keep_percent } => share(&mut value, *keep_percent),
        Action::Doubles { instead } => doubles(&mut value, *instead),
        Action::DropColumn { column } => drop_column(&mut value, column.as_deref()),
        Action::Reorder => {
            if let Some(rows) = rows_of(&mut value) {
                rows.reverse();
            }
        }
        Action::Spoil { value: with, column } => {
            spoiled = Some(*with);
            spoil(&mut value, *with, column.as_deref());
        }
        _ => return,
    }
    let text = value.to_string();
    response.body = match spoiled {
        Some(with) => text.replace(&json!(MARK).to_string(), with.in_json()).into_bytes(),
        None => text.into_bytes(),
    };
}

/// The rows of an answer that has a list of them.
fn rows_of(value: &mut Value) -> Option<&mut Vec<Value>> {
    if value.is_array() {
        return value.as_array_mut();
    }
    let key = LISTS.into_iter().find(|key| value[*key].is_array())?;
    value[key].as_array_mut()
}

/// Whether the answer is an object of limits, each with `Max` and `Remaining`.
fn is_limits(object: &Map<String, Value>) -> bool {
    !object.is_empty() && object.values().all(|limit| limit.get("Max").is_some())
}

/// Keeps a share of the rows, and lets every counter agree with what is left.
fn share(value: &mut Value, percent: u8) {
    let kept = |all: u64| all * u64::from(percent.min(100)) / 100;
    if let Some(object) = value.as_object_mut()
        && (is_limits(object) || object.contains_key("access_token"))
    {
        let first = kept(object.len() as u64);
        let names: Vec<String> = object.keys().cloned().collect();
        names.iter().skip(usize::try_from(first).unwrap_or(0)).for_each(|name| {
            object.remove(name);
        });
        return;
    }
    let counted = value["totalSize"].as_u64();
    let mut lost = None;
    if let Some(rows) = rows_of(value)
        && !rows.is_empty()
    {
        let all = rows.len() as u64;
        rows.truncate(usize::try_from(kept(all)).unwrap_or(0));
        lost = Some(all - rows.len() as u64);
    }
    if !value.is_object() {
        return;
    }
    for counter in COUNTERS {
        if let Some(count) = value[counter].as_u64() {
            value[counter] = json!(match lost {
                Some(lost) => count.saturating_sub(lost),
                None => kept(count),
            });
        }
    }
    if counted.is_some() && lost.is_some() {
        value["done"] = json!(true);
        value.as_object_mut().map(|answer| answer.remove("nextRecordsUrl"));
    }
}

/// Rows that come twice: in place of the row after, or in addition.
fn doubles(value: &mut Value, instead: bool) {
    let mut added = 0;
    if let Some(rows) = rows_of(value) {
        let before = rows.len();
        if instead {
            for at in (1..rows.len()).step_by(2) {
                rows[at] = rows[at - 1].clone();
            }
        } else {
            *rows = rows.iter().flat_map(|row| [row.clone(), row.clone()]).collect();
        }
        added = (rows.len() - before) as u64;
    }
    if added > 0 && value.is_object() {
        for counter in COUNTERS {
            if let Some(count) = value[counter].as_u64() {
                value[counter] = json!(count + added);
            }
        }
    }
}

fn drop_column(value: &mut Value, column: Option<&str>) {
    if value.get("fields").is_some_and(Value::is_array) {
        // A describe's rows are the columns.
        if let Some(fields) = rows_of(value) {
            let at = column.map_or(fields.len().checked_sub(1), |column| {
                fields.iter().position(|field| field["name"] == column)
            });
            at.map(|at| fields.remove(at));
        }
        return;
    }
    if let Some(object) = value.as_object_mut() {
        if object.contains_key("access_token") {
            object.remove(column.unwrap_or("access_token"));
            return;
        }
        if is_limits(object) {
            for limit in object.values_mut().filter_map(Value::as_object_mut) {
                limit.remove(column.unwrap_or("Remaining"));
            }
            return;
        }
        if object.contains_key("state") {
            object.remove(column.unwrap_or("id"));
            return;
        }
        if object.contains_key("totalSize")
            && object.get("records").and_then(Value::as_array).is_none_or(Vec::is_empty)
        {
            object.remove(column.unwrap_or("totalSize"));
            return;
        }
    }
    let Some(rows) = rows_of(value) else { return };
    let last = rows.first().and_then(Value::as_object).and_then(|row| {
        row.keys().rfind(|name| !matches!(name.as_str(), "Id" | "attributes")).cloned()
    });
    let Some(column) = column.map(str::to_owned).or(last) else { return };
    for row in rows.iter_mut().filter_map(Value::as_object_mut) {
        row.remove(&column);
    }
}

/// Puts a value that cannot be read into the first record that has one of its kind.
fn spoil(value: &mut Value, with: Spoiled, column: Option<&str>) {
    if let Some(limits) = value.as_object_mut().filter(|object| is_limits(object)) {
        let first = limits.values_mut().next().and_then(Value::as_object_mut);
        if with == Spoiled::NumberTooLarge
            && let Some(first) = first
        {
            first.insert("Max".to_owned(), json!(MARK));
        }
        return;
    }
    let Some(records) = value.get_mut("records").and_then(Value::as_array_mut) else { return };
    for record in records.iter_mut().filter_map(Value::as_object_mut) {
        let name = match column {
            Some(column) => Some(column.to_owned()).filter(|name| record.contains_key(name)),
            None => record
                .iter()
                .find(|(name, old)| with.replaces(name, old))
                .map(|(name, _)| name.clone()),
        };
        if let Some(name) = name {
            record.insert(name, json!(MARK));
            return;
        }
    }
}

/// A CSV as Bulk API 2.0 writes it, with commas: header and rows.
fn read_csv(text: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let (mut row, mut value, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                value.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut value)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut value));
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !quoted => {}
            other => value.push(other),
        }
    }
    rows
}

fn write_csv(rows: &[Vec<String>]) -> String {
    let line = |row: &Vec<String>| {
        let values: Vec<String> =
            row.iter().map(|value| format!("\"{}\"", value.replace('"', "\"\""))).collect();
        format!("{}\n", values.join(","))
    };
    rows.iter().map(line).collect()
}

fn alter_csv(action: &Action, response: &mut Response) {
    let Ok(text) = String::from_utf8(response.body.clone()) else { return };
    let mut table = read_csv(&text);
    if table.is_empty() {
        return;
    }
    let mut header = table.remove(0);
    let mut spoiled = None;
    match action {
        Action::EmptyList => table.clear(),
        Action::CutList { keep_percent } => {
            table.truncate(table.len() * usize::from((*keep_percent).min(100)) / 100);
        }
        Action::Doubles { instead: true } => {
            for at in (1..table.len()).step_by(2) {
                table[at] = table[at - 1].clone();
            }
        }
        Action::Doubles { instead: false } => {
            table = table.iter().flat_map(|row| [row.clone(), row.clone()]).collect();
        }
        Action::DropColumn { column } => {
            let at = match column {
                Some(column) => header.iter().position(|name| name == column),
                None => header.len().checked_sub(1),
            };
            let Some(at) = at else { return };
            header.remove(at);
            table.iter_mut().filter(|row| at < row.len()).for_each(|row| {
                row.remove(at);
            });
        }
        Action::Reorder => table.reverse(),
        // A query job refuses compound fields.
        Action::Spoil { value: Spoiled::Compound, .. } => return,
        Action::Spoil { value, column } => {
            spoiled = Some(*value);
            let place = table.iter().enumerate().find_map(|(row, values)| {
                let at = header.iter().zip(values).position(|(name, old)| match column {
                    Some(column) => name == column,
                    None => value.replaces(name, &guess(old)),
                });
                at.map(|at| (row, at))
            });
            let Some((row, at)) = place else { return };
            table[row][at] = MARK.to_owned();
        }
        _ => return,
    }
    response.set(COUNT_HEADER, table.len().to_string());
    table.insert(0, header);
    let text = write_csv(&table);
    response.body = match spoiled {
        Some(with) => replaced(text.as_bytes(), MARK.as_bytes(), with.in_csv()),
        None => text.into_bytes(),
    };
}

/// The JSON value that a text of a CSV means.
fn guess(text: &str) -> Value {
    text.parse::<f64>().map_or_else(|_| json!(text), |number| json!(number))
}

fn replaced(text: &[u8], mark: &[u8], with: &[u8]) -> Vec<u8> {
    match text.windows(mark.len()).position(|window| window == mark) {
        Some(at) => [&text[..at], with, &text[at + mark.len()..]].concat(),
        None => text.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"{"totalSize":9,"done":false,"nextRecordsUrl":"/x-4","records":[
        {"attributes":{"type":"User"},"Id":"1","CreatedDate":"2026-01-31T10:11:12.000+0000","Name":"A","Count":1},
        {"attributes":{"type":"User"},"Id":"2","CreatedDate":null,"Name":"B","Count":2},
        {"attributes":{"type":"User"},"Id":"3","CreatedDate":null,"Name":"C","Count":3},
        {"attributes":{"type":"User"},"Id":"4","CreatedDate":null,"Name":"D","Count":4}]}"#;

    fn page(action: Action) -> Value {
        let mut response = Response::json(200, PAGE);
        assert!(alter(&action, &mut response), "{action:?} changed nothing");
        serde_json::from_slice(&response.body).expect("JSON")
    }

    fn ids(page: &Value) -> Vec<&str> {
        let rows = page["records"].as_array().expect("rows");
        rows.iter().filter_map(|row| row["Id"].as_str()).collect()
    }

    #[test]
    fn a_list_that_is_cut_counts_what_is_left_of_it() {
        let half = page(Action::CutList { keep_percent: 50 });
        assert_eq!((ids(&half), &half["totalSize"]), (vec!["1", "2"], &json!(7)));
        assert_eq!((&half["done"], half.get("nextRecordsUrl")), (&json!(true), None));
        assert!(ids(&page(Action::EmptyList)).is_empty());
    }

    #[test]
    fn doubles_hide_what_is_missing_or_come_in_addition() {
        assert_eq!(ids(&page(Action::Doubles { instead: true })), ["1", "1", "3", "3"]);
        let more = page(Action::Doubles { instead: false });
        assert_eq!(ids(&more), ["1", "1", "2", "2", "3", "3", "4", "4"]);
        assert_eq!(more["totalSize"], 13);
        assert_eq!(ids(&page(Action::Reorder)), ["4", "3", "2", "1"]);
    }

    #[test]
    fn a_column_can_be_dropped_and_a_count_be_lowered() {
        let without = page(Action::DropColumn { column: Some("Count".into()) });
        assert!(without["records"][0].get("Count").is_none());
        let mut count = Response::json(200, r#"{"totalSize":10,"done":true,"records":[]}"#);
        assert!(alter(&Action::CutList { keep_percent: 70 }, &mut count));
        assert_eq!(count.body, br#"{"done":true,"records":[],"totalSize":7}"#);
    }

    #[test]
    fn values_that_cannot_be_read_are_written_as_they_are_met() {
        let text = |value: Spoiled| {
            let mut response = Response::json(200, PAGE);
            assert!(alter(&Action::Spoil { value, column: None }, &mut response));
            String::from_utf8(response.body).expect("text")
        };
        assert!(text(Spoiled::HalfSurrogate).contains(r#""Name":"\ud83d""#));
        assert!(text(Spoiled::NoSuchDate).contains(r#""CreatedDate":"2026-02-31T"#));
        assert!(text(Spoiled::YearTooLarge).contains(r#""CreatedDate":"20190-"#));
        assert!(text(Spoiled::NumberTooLarge).contains(r#""Count":1e400"#));
        assert!(text(Spoiled::PlainDate).contains(r#""CreatedDate":"2026-01-31""#));
        assert!(text(Spoiled::Compound).contains(r#""Name":{"city""#));
    }

    #[test]
    fn a_csv_is_a_list_with_its_header() {
        let csv = "\"Id\",\"Name\"\n\"1\",\"A, \"\"a\"\"\"\n\"2\",\"B\nb\"\n";
        let altered = |action: Action| {
            let mut response = Response::new(200, "text/csv", csv).with(COUNT_HEADER, "2");
            assert!(alter(&action, &mut response), "{action:?}");
            let count = response.header(COUNT_HEADER).map(str::to_owned);
            (response.body, count.expect("a count"))
        };
        let (body, count) = altered(Action::CutList { keep_percent: 50 });
        assert_eq!(body, b"\"Id\",\"Name\"\n\"1\",\"A, \"\"a\"\"\"\n");
        assert_eq!(count, "1");
        let (body, _) = altered(Action::DropColumn { column: None });
        assert_eq!(body, b"\"Id\"\n\"1\"\n\"2\"\n");
        let (body, _) = altered(Action::Doubles { instead: true });
        assert_eq!(body, b"\"Id\",\"Name\"\n\"1\",\"A, \"\"a\"\"\"\n\"1\",\"A, \"\"a\"\"\"\n");
        let spoil = Action::Spoil { value: Spoiled::HalfSurrogate, column: Some("Name".into()) };
        assert!(altered(spoil).0.windows(3).any(|bytes| bytes == b"\xed\xa0\xbd"));
    }
}
