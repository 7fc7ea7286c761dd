//! A list in the form in which it is kept: licences as FAMILY/KEY, numbers with a decimal point,
//! without rows that have no price. Every row stays on its line.

use serde::Serialize;

use crate::app::imports::file::Sheet;

/// What is wrong with a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListProblem {
    /// The line of the file, from 1; `None` if it is about the whole file.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

/// A licence of the connector's last snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownLicense {
    pub(crate) family: String,
    pub(crate) key: String,
    pub(crate) name: String,
}

impl KnownLicense {
    /// FAMILY/KEY.
    fn full_name(&self) -> String {
        format!("{}/{}", self.family, self.key)
    }
}

/// Drops a column that only helps people, and rows without a price; returns how many rows.
pub(crate) fn drop_unpriced(sheet: &mut Sheet) -> usize {
    drop_column(sheet, "name");
    let Some(price) = column(sheet, "unit_price") else { return 0 };
    let before = sheet.rows.len();
    sheet.rows.retain(|(_, row)| row.get(price).is_some_and(|price| !price.is_empty()));
    before - sheet.rows.len()
}

fn drop_column(sheet: &mut Sheet, name: &str) {
    let Some(at) = column(sheet, name) else { return };
    sheet.head.remove(at);
    for (_, row) in sheet.rows.iter_mut().filter(|(_, row)| row.len() > at) {
        row.remove(at);
    }
}

fn column(sheet: &Sheet, name: &str) -> Option<usize> {
    sheet.head.iter().position(|column| column == name)
}

/// Writes prices with a decimal point. A file with a decimal comma has one in all of its prices.
pub(crate) fn point_decimals(sheet: &mut Sheet, problems: &mut Vec<ListProblem>) {
    let Some(at) = column(sheet, "unit_price") else { return };
    let has_comma = |(_, row): &(usize, Vec<String>)| row.get(at).is_some_and(|p| p.contains(','));
    if !sheet.rows.iter().any(has_comma) {
        return;
    }
    for (line, row) in &mut sheet.rows {
        let Some(price) = row.get_mut(at).filter(|price| !price.is_empty()) else { continue };
        match pointed(price) {
            Ok(pointed) => *price = pointed,
            Err(message) => problems.push(ListProblem { line: Some(*line), message }),
        }
    }
}

/// A number with a decimal comma, and points between its thousands, with a decimal point.
fn pointed(text: &str) -> Result<String, String> {
    let (whole, decimals) = text.split_once(',').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = whole.split('.');
    let first = groups.next().unwrap_or_default();
    let grouped = groups.clone().next().is_some();
    let is_whole = !first.is_empty()
        && digits(first)
        && (!grouped || first.len() <= 3)
        && groups.all(|group| group.len() == 3 && digits(group));
    if !is_whole || !digits(decimals) {
        return Err(format!("`{text}` has no decimal comma as other prices of this file have"));
    }
    if decimals.len() == 3 && !grouped {
        let joined = format!("{whole}{decimals}");
        return Err(format!(
            "`{text}` may mean {joined} or {whole}.{decimals}: write it as one of these"
        ));
    }
    let whole = whole.replace('.', "");
    Ok(if decimals.is_empty() { whole } else { format!("{whole}.{decimals}") })
}

/// Names licences as FAMILY/KEY.
pub(crate) fn name_licenses(
    sheet: &mut Sheet,
    known: &[KnownLicense],
    problems: &mut Vec<ListProblem>,
) {
    let columns = ["license", "licenses", "alternative_to"].map(|name| column(sheet, name));
    for (line, row) in &mut sheet.rows {
        for at in columns.into_iter().flatten() {
            let Some(cell) = row.get_mut(at).filter(|cell| !cell.is_empty()) else { continue };
            let found: Result<Vec<String>, String> = match find(cell, known) {
                Ok(license) => Ok(vec![license.full_name()]),
                // A line of an order form may give several licences.
                Err(_) if cell.contains(';') => cell
                    .split(';')
                    .map(|part| find(part.trim(), known).map(KnownLicense::full_name))
                    .collect(),
                Err(message) => Err(message),
            };
            match found {
                Ok(found) => *cell = found.join(";"),
                Err(message) => problems.push(ListProblem { line: Some(*line), message }),
            }
        }
    }
}

fn find<'k>(text: &str, known: &'k [KnownLicense]) -> Result<&'k KnownLicense, String> {
    let full = |license: &&KnownLicense| {
        text.strip_prefix(license.family.as_str())
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(|key| key == license.key)
    };
    if let Some(license) = known.iter().find(full) {
        return Ok(license);
    }
    let same = |other: &str| other.trim().to_lowercase() == text.to_lowercase();
    let found: Vec<&KnownLicense> = known
        .iter()
        .filter(|license| same(&license.key) || same(&license.name) || same(&license.full_name()))
        .collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(format!("there is no licence `{text}` in the last snapshot")),
        several => {
            let names: Vec<String> = several.iter().map(|one| one.full_name()).collect();
            Err(format!("`{text}` names several licences: {}", names.join(", ")))
        }
    }
}

/// The list as CSV. Remarks keep every row on its line, so that errors name the file's own lines.
pub(crate) fn text(sheet: &Sheet) -> String {
    let record = |cells: &[String]| {
        let mut line = csv::Writer::from_writer(Vec::new());
        let cells = cells.iter().map(|cell| cell.replace(['\n', '\r'], " "));
        // Writing to memory does not fail.
        let _ = line.write_record(cells);
        String::from_utf8(line.into_inner().unwrap_or_default()).unwrap_or_default()
    };
    let mut text = record(&sheet.head);
    let mut next = 2;
    for (line, row) in &sheet.rows {
        while next < *line {
            text.push_str("#\n");
            next += 1;
        }
        text.push_str(&record(row));
        next += 1;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_comma_becomes_a_point_and_an_ambiguous_one_is_refused() {
        for (text, expected) in [
            ("165,50", Some("165.50")),
            ("165", Some("165")),
            ("1.165,5", Some("1165.5")),
            ("12.345.678", Some("12345678")),
            ("1.234,567", Some("1234.567")),
            ("1,234", None),
            ("165.50", None),
            ("1234.567,0", None),
            (",5", None),
            ("x,5", None),
        ] {
            assert_eq!(pointed(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_name_that_two_licences_have_is_refused_with_the_candidates() {
        let license = |family: &str, key: &str, name: &str| KnownLicense {
            family: family.into(),
            key: key.into(),
            name: name.into(),
        };
        let known = [
            license("user", "A", "Sales"),
            license("permission_set", "B", "Sales"),
            license("user", "C/D", "Other"),
        ];
        assert_eq!(find("user/A", &known), Ok(&known[0]));
        assert_eq!(find("b", &known), Ok(&known[1]));
        assert_eq!(find("user/C/D", &known), Ok(&known[2]));
        assert_eq!(find("other", &known), Ok(&known[2]));
        let error = find("Sales", &known).unwrap_err();
        assert!(error.contains("user/A, permission_set/B"), "{error}");
        assert!(find("user/B", &known).is_err());
    }

    #[test]
    fn each_column_that_names_licences_gets_their_full_names() {
        let license = |key: &str, name: &str| KnownLicense {
            family: "user".into(),
            key: key.into(),
            name: name.into(),
        };
        let known = [license("A", "Login"), license("B", "Member")];
        let mut sheet = Sheet {
            head: ["license", "alternative_to", "licenses"].map(str::to_owned).to_vec(),
            rows: vec![
                (2, ["Login", "Member", "A; user/B"].map(str::to_owned).to_vec()),
                (3, ["A", "", "nothing; B"].map(str::to_owned).to_vec()),
            ],
        };
        let mut problems = Vec::new();
        name_licenses(&mut sheet, &known, &mut problems);
        assert_eq!(sheet.rows[0].1, ["user/A", "user/B", "user/A;user/B"]);
        assert_eq!(problems.iter().map(|one| one.line).collect::<Vec<_>>(), [Some(3)]);
    }

    #[test]
    fn every_row_stays_on_its_line() {
        let sheet = Sheet {
            head: vec!["a".into()],
            rows: vec![(3, vec!["x".into()]), (4, vec!["y,z".into()])],
        };
        assert_eq!(text(&sheet), "a\n#\nx\n\"y,z\"\n");
    }
}
