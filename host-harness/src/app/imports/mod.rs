//! Lists an administrator adds: prices, contracts, staff, which uses are a person's or a machine's.

mod canonical;
mod file;

use std::collections::BTreeSet;
use std::path::Path;

use connector_api::message::Problem;
use serde::Serialize;

use crate::app::analysis;
use crate::app::{App, snapshots};
use crate::error::{HostError, Kind};
use crate::source::StoreSource;
use crate::store::{ConnectorInfo, Import, ImportKind, ReadStore};
use canonical::KnownLicense;
use file::Sheet;
use position::model::Unit;
use position::money;

pub use canonical::ListProblem;

/// An example of a list, with every column.
#[derive(Clone, Debug, Serialize)]
pub struct Template {
    /// What list.
    pub kind: ImportKind,
    /// The example.
    pub text: String,
}

/// A list that was imported.
#[derive(Clone, Debug, Serialize)]
pub struct Imported {
    /// Its number.
    pub id: i64,
    /// What list.
    pub kind: ImportKind,
    /// Lines in it.
    pub lines: usize,
}

/// What an import would do.
#[derive(Clone, Debug, Serialize)]
pub struct CheckedList {
    /// The connector's name.
    pub connector: String,
    /// What list.
    pub kind: ImportKind,
    /// Whether it can be imported.
    pub ok: bool,
    /// Usable lines in it.
    pub lines: usize,
    /// Lines without a price, which are left out.
    pub passed_by: usize,
    /// The first usable lines as they would be kept, by column.
    pub rows: Vec<serde_json::Map<String, serde_json::Value>>,
    /// What deserves a look before it is imported.
    pub warnings: Vec<String>,
    /// What is wrong.
    pub problems: Vec<ListProblem>,
}

/// The list in use after an undo.
#[derive(Clone, Debug, Serialize)]
pub struct UndoneImport {
    /// What list.
    pub kind: ImportKind,
    /// The list now in use; `None` if there is none.
    pub in_use: Option<Import>,
}

/// Lists that were taken out of use.
#[derive(Clone, Debug, Serialize)]
pub struct RemovedImports {
    /// How many.
    pub removed: usize,
}

/// Rows of a list that a check shows.
const SHOWN_ROWS: usize = 20;
/// Problems of a list that are collected.
const MOST_PROBLEMS: usize = 20;

/// Imports a list in place of an earlier one of its kind.
///
/// # Errors
/// Of kind usage for an unknown connector or a file that cannot be read, of kind config for one that
/// is not understood or has no usable line; the list in use stays then.
pub fn add(app: &App, name: &str, kind: ImportKind, file: &Path) -> Result<Imported, HostError> {
    let list = List::read(app, name, kind, file)?;
    if !list.problems.is_empty() {
        return Err(list.refused(file));
    }
    let file_name = file.file_name().unwrap_or_default().to_string_lossy();
    let store = app.store()?;
    let id = store.additions().add_import(list.connector.id, kind, &file_name, &list.text)?;
    Ok(Imported { id, kind, lines: list.sheet.rows.len() })
}

/// Shows what an import would do, and everything that is wrong with the list; stores nothing.
///
/// # Errors
/// Of kind usage for an unknown connector or a file that cannot be read.
pub fn check(
    app: &App,
    name: &str,
    kind: ImportKind,
    file: &Path,
) -> Result<CheckedList, HostError> {
    let list = List::read(app, name, kind, file)?;
    let rows = list.sheet.rows.iter().take(SHOWN_ROWS).map(|(_, row)| {
        let cells = list.sheet.head.iter().zip(row);
        cells.map(|(column, cell)| (column.clone(), cell.clone().into())).collect()
    });
    Ok(CheckedList {
        kind,
        ok: list.problems.is_empty(),
        lines: list.sheet.rows.len(),
        passed_by: list.passed_by,
        rows: rows.collect(),
        warnings: list.warnings(),
        problems: list.problems,
        connector: list.connector.name,
    })
}

/// Takes the list in use back, so that the one before it is in use again; without a list in use, the
/// last removal is taken back.
///
/// # Errors
/// Of kind usage for an unknown connector, or if nothing of that kind was ever imported.
pub fn undo(app: &App, name: &str, kind: ImportKind) -> Result<UndoneImport, HostError> {
    let (_, connector) = snapshots::connector(app, name)?;
    if !app.store()?.additions().undo_import(connector.id, kind)? {
        return Err(HostError::usage(format_args!(
            "no list of kind `{}` was imported for `{name}`",
            kind.as_str()
        ))
        .with_hint("`imports list` shows what was imported"));
    }
    let in_use = list(app, name)?.into_iter().find(|import| import.current && import.kind == kind);
    Ok(UndoneImport { kind, in_use })
}

/// A list that was read and compared with the connector's licences.
struct List {
    connector: ConnectorInfo,
    sheet: Sheet,
    passed_by: usize,
    /// The list as it is kept.
    text: String,
    problems: Vec<ListProblem>,
}

impl List {
    fn read(app: &App, name: &str, kind: ImportKind, file: &Path) -> Result<List, HostError> {
        let (reader, connector) = snapshots::connector(app, name)?;
        let mut list = List {
            connector,
            sheet: Sheet::default(),
            passed_by: 0,
            text: String::new(),
            problems: Vec::new(),
        };
        match file::read(file) {
            Ok(sheet) => list.sheet = sheet,
            Err(error) if error.kind == Kind::Config => {
                list.problems.push(ListProblem { line: None, message: error.message });
                return Ok(list);
            }
            Err(error) => return Err(error),
        }
        let problems = &mut list.problems;
        if kind == ImportKind::Prices {
            list.passed_by = canonical::drop_unpriced(&mut list.sheet);
        }
        canonical::point_decimals(&mut list.sheet, problems);
        if matches!(kind, ImportKind::Prices | ImportKind::Contract)
            && let Some(known) = known_licenses(app, &reader, &list.connector)?
        {
            canonical::name_licenses(&mut list.sheet, &known, problems);
        }
        if list.sheet.rows.is_empty() {
            let what = if kind == ImportKind::Prices { "line with a price" } else { "line" };
            problems.push(ListProblem { line: None, message: format!("it has no {what}") });
        }
        list.text = canonical::text(&list.sheet);
        list.understand(kind);
        list.problems.sort_by_key(|problem| problem.line);
        list.problems.truncate(MOST_PROBLEMS);
        Ok(list)
    }

    /// Reads the list as it will be read later, and line by line for everything that is wrong.
    fn understand(&mut self, kind: ImportKind) {
        let Err(error) = understood(kind, &self.text) else { return };
        let known: BTreeSet<usize> =
            self.problems.iter().filter_map(|problem| problem.line).collect();
        let wrong_lines = self.sheet.rows.iter().filter_map(|row| {
            let alone = Sheet { head: self.sheet.head.clone(), rows: vec![row.clone()] };
            let error = understood(kind, &canonical::text(&alone)).err()?;
            Some(problem(&error, Some(row.0)))
        });
        let found: Vec<ListProblem> =
            wrong_lines.filter(|p| p.line.is_none_or(|line| !known.contains(&line))).collect();
        if found.is_empty() && self.problems.is_empty() {
            self.problems.push(problem(&error, None));
        }
        self.problems.extend(found);
    }

    fn refused(&self, file: &Path) -> HostError {
        let shown = |problem: &ListProblem| match problem.line {
            Some(line) => format!("line {line}: {}", problem.message),
            None => problem.message.clone(),
        };
        let first = self.problems.first().map(shown).unwrap_or_default();
        let more = match self.problems.len() {
            0 | 1 => String::new(),
            several => format!(" (and {} more)", several - 1),
        };
        let problems = self.problems.iter().map(|problem| Problem {
            field: problem.line.map_or("file".into(), |line| format!("line {line}")),
            message: problem.message.clone(),
            hint: None,
        });
        HostError {
            problems: problems.collect(),
            ..HostError::config(format_args!("`{}`: {first}{more}", file.display()))
        }
        .with_hint(
            "`imports check` shows everything; `imports template` writes an example with every column",
        )
    }

    fn warnings(&self) -> Vec<String> {
        let Some(at) = self.sheet.head.iter().position(|column| column == "currency") else {
            return Vec::new();
        };
        let cells = self.sheet.rows.iter().filter_map(|(_, row)| row.get(at));
        let currencies: BTreeSet<String> =
            cells.filter(|cell| !cell.is_empty()).map(|cell| cell.to_ascii_uppercase()).collect();
        if currencies.len() < 2 {
            return Vec::new();
        }
        let currencies: Vec<String> = currencies.into_iter().collect();
        vec![format!(
            "it has prices in {}: amounts of different currencies are never added",
            currencies.join(", ")
        )]
    }
}

fn problem(error: &HostError, line: Option<usize>) -> ListProblem {
    // The line of the message is the one given here, or the list's own.
    let (at, message) = match error.message.strip_prefix("line ").and_then(|m| m.split_once(": ")) {
        Some((at, message)) => (at.parse().ok(), message.to_owned()),
        None => (None, error.message.clone()),
    };
    ListProblem { line: line.or(at), message }
}

/// The licences of the connector's last snapshot; `None` if there is none.
fn known_licenses(
    app: &App,
    reader: &ReadStore,
    connector: &ConnectorInfo,
) -> Result<Option<Vec<KnownLicense>>, HostError> {
    if reader.snapshots().latest(connector.id)?.is_none() {
        return Ok(None);
    }
    let snapshot = snapshots::pick(reader, connector, None)?;
    let inputs = analysis::inputs(reader, &snapshot, &app.config().rules, <_>::default())?;
    let source = StoreSource::open(reader, &snapshot)?;
    let analysis = analysis::analyse(&source, &inputs, None)?;
    let known = analysis.position.licenses.iter().map(|license| KnownLicense {
        family: license.family.to_string(),
        key: license.key.clone(),
        name: license.name.clone(),
    });
    Ok(Some(known.collect()))
}

/// What was imported.
///
/// # Errors
/// Of kind usage for an unknown connector.
pub fn list(app: &App, name: &str) -> Result<Vec<Import>, HostError> {
    let (reader, connector) = snapshots::connector(app, name)?;
    Ok(reader.additions().imports(connector.id)?)
}

/// Takes the lists of a kind out of use.
///
/// # Errors
/// Of kind usage for an unknown connector.
pub fn remove(app: &App, name: &str, kind: ImportKind) -> Result<RemovedImports, HostError> {
    let (_, connector) = snapshots::connector(app, name)?;
    let removed = app.store()?.additions().remove_imports(connector.id, kind)?;
    Ok(RemovedImports { removed })
}

/// Reads a list as it will be read later.
fn understood(kind: ImportKind, text: &str) -> Result<(), HostError> {
    let far = chrono::NaiveDate::MAX;
    match kind {
        ImportKind::Prices => drop(money::prices(text)?),
        ImportKind::Contract => drop(money::contract(text)?),
        ImportKind::Staff => drop(money::leavers(text, far)?),
        ImportKind::Activity => drop(money::classification(text)?),
    }
    Ok(())
}

const PRICES: &str = "\
# One line for each licence; lines without unit_price are passed by. license: its key, its name or
# FAMILY/KEY. basis: list, or override if this organization pays something else. period: month or year.
# A pool counted in logins is priced for one login a month; alternative_to names the licence by member
# that it could replace.
license,name,unit_price,currency,period,basis,alternative_to
";
const CONTRACT: &str = "\
# One line for each line of an order form. licenses: what the product gives, by key, name or FAMILY/KEY,
# several with semicolons; the first carries the price. term_years: of the next term. auto_renew: yes or no.
contract,product,quantity,unit_price,currency,period,start_on,end_on,notice_days,auto_renew,term_years,planned_adds,licenses
# C-1,Sales bundle,100,150,EUR,month,2026-01-01,2026-12-31,60,yes,1,10,user/KEY;package/other
";
const STAFF: &str = "\
# One line for each person, with at least one of the first three columns. ended_on: empty while employed.
federation_id,email,employee_number,ended_on
# ,person@example.com,,2026-01-31
";
const ACTIVITY: &str = "\
# Whether a person or a machine is behind a use. The first line that matches decides; an empty cell
# matches everything, * any text. kind: human, machine, ambiguous, which counts as human, or none for what is no use of the licence.
method,detail,application,kind
";

/// An example of a list; with the connector's own licences or table if one is named.
///
/// # Errors
/// Of kind usage for an unknown connector, of kind failed if nothing of it was collected.
pub fn template(app: &App, kind: ImportKind, name: Option<&str>) -> Result<Template, HostError> {
    let mut text = match kind {
        ImportKind::Prices => PRICES,
        ImportKind::Contract => CONTRACT,
        ImportKind::Staff => STAFF,
        ImportKind::Activity => ACTIVITY,
    }
    .to_owned();
    let Some(name) = name else {
        if kind == ImportKind::Prices {
            text.push_str("# user/KEY,A licence,165,EUR,month,list,\n");
        }
        return Ok(Template { kind, text });
    };
    let (reader, connector) = snapshots::connector(app, name)?;
    let snapshot = snapshots::pick(&reader, &connector, None)?;
    let mut lines = csv::Writer::from_writer(Vec::new());
    match kind {
        ImportKind::Activity => {
            for rule in &snapshot.manifest.position.classification {
                let row = [&rule.method, &rule.detail, &rule.application, &rule.kind];
                lines.write_record(row).map_err(HostError::failed)?;
            }
        }
        ImportKind::Prices => {
            let inputs = analysis::inputs(&reader, &snapshot, &app.config().rules, <_>::default())?;
            let source = StoreSource::open(&reader, &snapshot)?;
            let analysis = analysis::analyse(&source, &inputs, None)?;
            for license in &analysis.position.licenses {
                if license.unit == Unit::Requests || license.is_dormant() {
                    continue;
                }
                let key = format!("{}/{}", license.family, license.key);
                let row = [key.as_str(), license.name.as_str(), "", "EUR", "month", "list", ""];
                lines.write_record(row).map_err(HostError::failed)?;
            }
        }
        ImportKind::Contract | ImportKind::Staff => {}
    }
    let lines = lines.into_inner().map_err(HostError::failed)?;
    text.push_str(&String::from_utf8_lossy(&lines));
    Ok(Template { kind, text })
}
