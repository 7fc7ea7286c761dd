//! `imports`: lists an administrator adds: prices, contracts, staff, who stands behind a use.

use std::path::PathBuf;

use crate::app::App;
use crate::cli::report::{find_connector, pick_snapshot, read_text};
use crate::cli::{Outcome, Reporter, Table};
use crate::error::HostError;
use crate::money;
use crate::position::base;
use crate::redact;
use crate::safe_file::SafeFile;
use crate::store::ImportKind;

/// Commands of `imports`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Write an example with every column; for `activity` with the connector's own table
    Template {
        /// What list
        kind: ImportKind,
        /// The connector, whose licences and table the example shows
        name: Option<String>,
        /// The file; standard output if left out
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Import a list, CSV or TOML, in place of an earlier one of its kind
    Add {
        /// The connector's name
        name: String,
        /// What list
        kind: ImportKind,
        /// The file
        file: PathBuf,
    },
    /// List what was imported
    List {
        /// The connector's name
        name: String,
    },
    /// Take a list out of use
    Remove {
        /// The connector's name
        name: String,
        /// What list
        kind: ImportKind,
    },
}

/// Runs `imports`.
pub(crate) fn run(app: &App, out: Reporter, command: &Command) -> Result<Outcome, HostError> {
    match command {
        Command::Template { kind, name, out: file } => {
            let text = template(app, *kind, name.as_deref())?;
            match file {
                Some(path) => {
                    SafeFile::write(path, text.as_bytes())?;
                    out.note(&redact::shown(&format!("wrote {}", path.display())));
                }
                None if out.json => {
                    out.document(&serde_json::json!({ "kind": kind, "text": text }))?;
                }
                None => {
                    let lines: Vec<_> = text.lines().map(redact::safe_text).collect();
                    out.text(&lines.join("\n"));
                }
            }
        }
        Command::Add { name, kind, file } => {
            let (_, connector) = find_connector(app, name)?;
            let text = read_text(file)?;
            let lines = check(*kind, &text).map_err(|error| HostError {
                message: format!("`{}`: {}", file.display(), error.message),
                ..error
            })?;
            let shown = file.file_name().unwrap_or_default().to_string_lossy();
            let id = app.store()?.add_import(connector.id, *kind, &shown, &text)?;
            if out.json {
                out.document(&serde_json::json!({ "id": id, "kind": kind, "lines": lines }))?;
            } else {
                out.note(&format!("imported {lines} lines of {}", kind.as_str()));
            }
        }
        Command::List { name } => {
            let (reader, connector) = find_connector(app, name)?;
            let imports = reader.imports(connector.id)?;
            if out.json {
                out.document(&imports)?;
            } else {
                let mut table =
                    Table::new(&["ID", "KIND", "FILE", "IMPORTED AT", "IN USE"]).right(&[0]);
                for import in imports {
                    table.row(vec![
                        import.id.to_string(),
                        import.kind,
                        import.name,
                        import.imported_at,
                        if import.current { "yes" } else { "no" }.into(),
                    ]);
                }
                out.text(&table.render());
            }
        }
        Command::Remove { name, kind } => {
            let (_, connector) = find_connector(app, name)?;
            let removed = app.store()?.remove_imports(connector.id, *kind)?;
            if out.json {
                out.document(&serde_json::json!({ "removed": removed }))?;
            } else {
                out.note(&format!("{} is no longer in use", kind.as_str()));
            }
        }
    }
    Ok(Outcome::DONE)
}

/// Reads a list as it will be read later; answers its lines.
fn check(kind: ImportKind, text: &str) -> Result<usize, HostError> {
    let far = chrono::NaiveDate::MAX;
    Ok(match kind {
        ImportKind::Prices => money::prices(text)?.lines.len(),
        ImportKind::Contract => money::contract(text)?.len(),
        ImportKind::Staff => money::leavers(text, far)?.len(),
        ImportKind::Activity => base::classification(text)?.len(),
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
# Who stands behind a use. The first line that fits decides; an empty cell fits everything, * stands for
# any text. kind: human, machine, or ambiguous, which counts as human.
method,detail,application,kind
";

fn template(app: &App, kind: ImportKind, name: Option<&str>) -> Result<String, HostError> {
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
        return Ok(text);
    };
    let (reader, connector) = find_connector(app, name)?;
    let snapshot = pick_snapshot(&reader, &connector, None)?;
    let mut lines = csv::Writer::from_writer(Vec::new());
    match kind {
        ImportKind::Activity => {
            for rule in &snapshot.manifest.position.classification {
                let row = [&rule.method, &rule.detail, &rule.application, &rule.kind];
                lines.write_record(row).map_err(HostError::failed)?;
            }
        }
        ImportKind::Prices => {
            let inputs = base::inputs(&reader, &snapshot, &app.config().rules, <_>::default())?;
            let source = reader.snapshot_connection(&snapshot)?;
            let analysis = base::analyse(&reader, &source, &snapshot, &inputs)?;
            for license in &analysis.position.licenses {
                if license.unit == "requests" || license.is_dormant() {
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
    Ok(text)
}
