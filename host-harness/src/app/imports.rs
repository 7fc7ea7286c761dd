//! Lists an administrator adds: prices, contracts, staff, which uses are a person's or a machine's.

use std::path::Path;

use serde::Serialize;

use crate::app::analysis;
use crate::app::{App, snapshots, text_file};
use crate::error::HostError;
use crate::source::StoreSource;
use crate::store::{Import, ImportKind};
use position::model::Unit;
use position::money;

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

/// Lists that were taken out of use.
#[derive(Clone, Debug, Serialize)]
pub struct RemovedImports {
    /// How many.
    pub removed: usize,
}

/// Imports a list in place of an earlier one of its kind.
///
/// # Errors
/// Of kind usage for an unknown connector or a file that cannot be read, of kind config for one that
/// is not understood; the list in use stays then.
pub fn add(app: &App, name: &str, kind: ImportKind, file: &Path) -> Result<Imported, HostError> {
    let (_, connector) = snapshots::connector(app, name)?;
    let text = text_file::read(file)?;
    let lines = check(kind, &text).map_err(|error| HostError {
        message: format!("`{}`: {}", file.display(), error.message),
        ..error
    })?;
    let shown = file.file_name().unwrap_or_default().to_string_lossy();
    let id = app.store()?.additions().add_import(connector.id, kind, &shown, &text)?;
    Ok(Imported { id, kind, lines })
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

/// Reads a list as it will be read later; returns its lines.
fn check(kind: ImportKind, text: &str) -> Result<usize, HostError> {
    let far = chrono::NaiveDate::MAX;
    Ok(match kind {
        ImportKind::Prices => money::prices(text)?.lines.len(),
        ImportKind::Contract => money::contract(text)?.len(),
        ImportKind::Staff => money::leavers(text, far)?.len(),
        ImportKind::Activity => money::classification(text)?.len(),
    })
}

const PRICES: &str = "\
# One line for each licence. basis: list, or override where this organization pays something else.
# license: FAMILY/KEY as the report shows them. period: month or year. A pool counted in logins is
# priced for one login a month; alternative_to names the licence by member that it could replace.
license,unit_price,currency,period,basis,alternative_to
";
const CONTRACT: &str = "\
# One line for each line of an order form. licenses: what the product gives, FAMILY/KEY, several with
# semicolons; the first carries the price. term_years: of the next term. auto_renew: yes or no.
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
            text.push_str("# user/KEY,165,EUR,month,list,\n");
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
            let analysis = analysis::analyse(&source, &inputs)?;
            for license in &analysis.position.licenses {
                if license.unit == Unit::Requests || license.is_dormant() {
                    continue;
                }
                let key = format!("# {}/{}", license.family, license.key);
                let row = [key.as_str(), "", "EUR", "month", "list", ""];
                lines.write_record(row).map_err(HostError::failed)?;
            }
        }
        ImportKind::Contract | ImportKind::Staff => {}
    }
    let lines = lines.into_inner().map_err(HostError::failed)?;
    text.push_str(&String::from_utf8_lossy(&lines));
    Ok(Template { kind, text })
}
