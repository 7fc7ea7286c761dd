//! The imported lists: prices, contract lines, staff. CSV with a header line, or TOML with one table
//! for each line (`[[line]]`); the columns are the same.

use chrono::NaiveDate;
use connector_api::position::UseRule;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::model::{ContractLine, Decimal, Family, Leaver, PriceBasis, PriceBook, PriceLine};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPrice {
    license: String,
    unit_price: Decimal,
    currency: String,
    period: String,
    #[serde(default)]
    basis: Option<String>,
    #[serde(default)]
    alternative_to: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawContract {
    contract: String,
    product: String,
    quantity: i64,
    #[serde(default)]
    unit_price: Option<Decimal>,
    #[serde(default)]
    currency: Option<String>,
    #[serde(default)]
    period: Option<String>,
    start_on: String,
    end_on: String,
    #[serde(default)]
    notice_days: Option<i64>,
    #[serde(default)]
    auto_renew: Option<String>,
    #[serde(default)]
    term_years: Option<i64>,
    #[serde(default)]
    planned_adds: Option<i64>,
    licenses: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStaff {
    #[serde(default)]
    federation_id: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    employee_number: Option<String>,
    #[serde(default)]
    ended_on: Option<String>,
}

/// Reads a price list.
///
/// # Errors
/// What is wrong, with the line.
pub fn prices(text: &str) -> Result<PriceBook, Error> {
    let mut book = PriceBook::default();
    for (line, raw) in rows::<RawPrice>(text)? {
        let at = |reason: String| wrong(line, &reason);
        let (family, key) = license(&raw.license).map_err(at)?;
        let basis = match filled(raw.basis).as_deref() {
            None | Some("list") => PriceBasis::List,
            Some("override") => PriceBasis::Override,
            Some(other) => {
                let reason = format!("`basis` is `{other}`, not `list` or `override`");
                return Err(wrong(line, &reason));
            }
        };
        let known =
            |other: &PriceLine| other.family == family && other.key == key && other.basis == basis;
        if book.lines.iter().any(known) {
            return Err(wrong(line, &format!("`{}` has a {basis} price already", raw.license)));
        }
        book.lines.push(PriceLine {
            per_year: per_year(raw.unit_price, &raw.period).map_err(|r| wrong(line, &r))?,
            currency: currency(&raw.currency).map_err(|r| wrong(line, &r))?,
            basis,
            alternative_to: filled(raw.alternative_to),
            family,
            key,
        });
    }
    Ok(book)
}

/// Reads the lines of order forms.
///
/// # Errors
/// What is wrong, with the line.
pub fn contract(text: &str) -> Result<Vec<ContractLine>, Error> {
    let mut lines = Vec::new();
    for (line, raw) in rows::<RawContract>(text)? {
        let at = |reason: String| wrong(line, &reason);
        let per_year = match raw.unit_price {
            Some(price) => {
                let period = filled(raw.period).unwrap_or_else(|| "month".into());
                Some(per_year(price, &period).map_err(at)?)
            }
            None => None,
        };
        let currency = match (filled(raw.currency), per_year) {
            (Some(text), _) => currency(&text).map_err(at)?,
            (None, None) => String::new(),
            (None, Some(_)) => return Err(wrong(line, "a price without a currency")),
        };
        let (start_on, end_on) = (day(&raw.start_on).map_err(at)?, day(&raw.end_on).map_err(at)?);
        if end_on < start_on || raw.quantity < 0 {
            return Err(wrong(line, "it ends before it starts, or its quantity is negative"));
        }
        let auto_renew = match filled(raw.auto_renew).as_deref() {
            None | Some("no" | "false") => false,
            Some("yes" | "true") => true,
            Some(_) => return Err(wrong(line, "`auto_renew` is neither `yes` nor `no`")),
        };
        let licenses = raw
            .licenses
            .split(';')
            .map(|text| license(text.trim()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(at)?;
        lines.push(ContractLine {
            contract: raw.contract,
            product: raw.product,
            quantity: raw.quantity,
            per_year,
            currency,
            start_on,
            end_on,
            notice_days: raw.notice_days.unwrap_or(0),
            auto_renew,
            term_years: raw.term_years.unwrap_or(1).max(1),
            planned_adds: raw.planned_adds,
            licenses,
        });
    }
    Ok(lines)
}

/// Reads a staff list: those whose employment has ended by that day.
///
/// # Errors
/// What is wrong, with the line.
pub fn leavers(text: &str, by: NaiveDate) -> Result<Vec<Leaver>, Error> {
    let mut leavers = Vec::new();
    for (line, raw) in rows::<RawStaff>(text)? {
        let keys = [raw.federation_id, raw.email, raw.employee_number].map(filled);
        if keys.iter().all(Option::is_none) {
            let reason = "it has neither `federation_id` nor `email` nor `employee_number`";
            return Err(wrong(line, reason));
        }
        let Some(ended_on) = filled(raw.ended_on) else { continue };
        if day(&ended_on).map_err(|reason| wrong(line, &reason))? <= by {
            let [federation_id, email, employee_number] = keys;
            leavers.push(Leaver { ended_on, federation_id, email, employee_number });
        }
    }
    Ok(leavers)
}

/// Reads a table of who makes a use: a person or a machine.
///
/// # Errors
/// What is wrong, with the line.
pub fn classification(text: &str) -> Result<Vec<UseRule>, Error> {
    let rows: Vec<(u64, UseRule)> = rows(text)?;
    for (line, rule) in &rows {
        if !["human", "machine", "ambiguous", "none"].contains(&rule.kind.as_str()) {
            return Err(Error::input(format_args!(
                "line {line}: `kind` is `{}`, not `human`, `machine`, `ambiguous` or `none`",
                rule.kind
            )));
        }
    }
    Ok(rows.into_iter().map(|(_, rule)| rule).collect())
}

/// The rows of a file with their line numbers.
fn rows<T: DeserializeOwned>(text: &str) -> Result<Vec<(u64, T)>, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.lines().any(|line| line.trim() == "[[line]]") {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File<T> {
            line: Vec<T>,
        }
        let file: File<T> = toml::from_str(text)
            .map_err(|error| Error::input(format_args!("it is not valid: {}", error.message())))?;
        return Ok((1..).zip(file.line).collect());
    }
    // Spreadsheets of half the world write semicolons.
    let head = text.lines().find(|line| !line.starts_with('#')).unwrap_or_default();
    let delimiter = if head.contains(',') || !head.contains(';') { b',' } else { b';' };
    let mut reader = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| Error::input(error.to_string()))?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| Error::input(error.to_string()))?;
        let at = record.position().map_or(0, csv::Position::byte);
        let line = line_of_record(text, usize::try_from(at).unwrap_or(0)) as u64;
        let row = record.deserialize(Some(&headers)).map_err(|error| {
            let reason = match error.kind() {
                csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
                _ => error.to_string(),
            };
            wrong(line, &reason)
        })?;
        rows.push((line, row));
    }
    Ok(rows)
}

/// The line, from 1, of a CSV record at that byte. The reader's own place lies before what the reader passes by: the rest of a line
/// end, empty lines and remarks.
pub fn line_of_record(text: &str, mut at: usize) -> usize {
    let bytes = text.as_bytes();
    loop {
        match bytes.get(at) {
            Some(b'\r' | b'\n') => at += 1,
            Some(b'#') => {
                let rest = bytes.get(at..).unwrap_or_default();
                at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            }
            _ => return line_at(text, at),
        }
    }
}

/// The line, from 1, of a byte of a text.
pub fn line_at(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

fn wrong(line: u64, reason: &str) -> Error {
    Error::input(format_args!("line {line}: {reason}"))
        .with_hint("`imports template` writes an example with every column")
}

fn filled(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn license(text: &str) -> Result<(Family, String), String> {
    match text.split_once('/') {
        Some((family, key)) if !family.is_empty() && !key.is_empty() => {
            Ok((family.into(), key.to_owned()))
        }
        _ => Err(format!("`{text}` is no licence; write FAMILY/KEY as the report shows them")),
    }
}

fn per_year(price: Decimal, period: &str) -> Result<i64, String> {
    let times = match period {
        "month" => 12,
        "year" => 1,
        _ => return Err(format!("`period` is `{period}`, not `month` or `year`")),
    };
    price.0.checked_mul(times).ok_or_else(|| "the price is too large".to_owned())
}

fn currency(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.len() == 3 && text.chars().all(|c| c.is_ascii_alphabetic()) {
        return Ok(text.to_ascii_uppercase());
    }
    Err(format!("`{text}` is no currency; write three letters like EUR"))
}

fn day(text: &str) -> Result<NaiveDate, String> {
    text.trim().parse().map_err(|_| format!("`{}` is no day; write it as 2026-12-31", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_and_toml_say_the_same() {
        let csv = "license,unit_price,currency,period,basis\nuser/A,165,eur,month,list\n";
        let toml = "[[line]]\nlicense = \"user/A\"\nunit_price = 165\ncurrency = \"EUR\"\nperiod = \"month\"\n";
        let book = prices(csv).unwrap();
        assert_eq!(book, prices(toml).unwrap());
        assert_eq!(book.lines[0].per_year, 165 * 12 * 10_000);
        let semicolons = "license;unit_price;currency;period\nuser/A;165;EUR;month\n";
        assert_eq!(book, prices(semicolons).unwrap());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let head = "license,unit_price,currency,period\n";
        for (row, part) in [
            ("A,1,EUR,month", "line 2: `A` is no licence"),
            ("user/A,-1,EUR,month", "line 2: invalid value"),
            ("user/A,1,EURO,month", "no currency"),
            ("user/A,1,EUR,week", "not `month` or `year`"),
            ("user/A,1,EUR,year\nuser/A,2,EUR,year", "line 3: `user/A` has a list price already"),
        ] {
            let error = prices(&format!("{head}{row}\n")).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
        assert!(prices("licence,price\nuser/A,1\n").is_err());
    }

    #[test]
    fn a_contract_line_may_give_several_licences() {
        let text = "contract,product,quantity,start_on,end_on,licenses\n\
                    C-1,Bundle,10,2026-01-01,2026-12-31,user/A; package/b\n";
        let lines = contract(text).unwrap();
        assert_eq!(lines[0].licenses, [(Family::User, "A".into()), (Family::Package, "b".into())]);
        assert_eq!(lines[0].per_year, None);
        assert!(contract(&text.replace("2026-12-31", "2025-12-31")).is_err());
    }

    #[test]
    fn only_staff_whose_employment_has_ended_counts_as_left() {
        let by = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
        let text = "email,ended_on\na@x.example,2026-02-28\nb@x.example,2026-03-02\nc@x.example,\n";
        let left = leavers(text, by).unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].email.as_deref(), Some("a@x.example"));
        assert!(leavers("email,ended_on\n,2026-01-01\n", by).is_err());
    }
}
