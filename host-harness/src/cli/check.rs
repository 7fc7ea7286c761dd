//! `connectors check`: the preflight.

use connector_api::message::{Finding, FindingStatus};

use super::{Outcome, Reporter, Table, cancel_on_interrupt};
use crate::app::App;
use crate::app::checks::{self, is_fine};
use crate::error::HostError;
use crate::redact;

pub(crate) fn run(app: &App, out: Reporter, name: &str) -> Result<Outcome, HostError> {
    let check = checks::check(app, name, &cancel_on_interrupt(out))?;
    if out.json {
        out.document(&check)?;
    } else {
        out.text(&text(&check.findings));
        let wrong = check.findings.iter().filter(|finding| !is_fine(finding.status)).count();
        out.note(&match wrong {
            0 => redact::shown(&format!("all well; next: `collect \"{}\"`", check.connector)),
            1 => "1 finding needs a look".to_owned(),
            _ => format!("{wrong} findings need a look"),
        });
    }
    Ok(if check.ok { Outcome::DONE } else { Outcome::FINDINGS })
}

fn word(status: FindingStatus) -> &'static str {
    match status {
        FindingStatus::Ok => "ok",
        FindingStatus::Missing => "missing",
        FindingStatus::Excess => "excess",
        FindingStatus::Partial => "partial",
        FindingStatus::Unknown => "unknown",
        FindingStatus::Failed => "failed",
    }
}

fn text(findings: &[Finding]) -> String {
    let mut table = Table::new(&["STATUS", "SUBJECT", "FINDING", "WHAT TO DO"]);
    for finding in findings {
        table.row(vec![
            word(finding.status).into(),
            finding.subject.clone(),
            finding.message.clone(),
            finding.hint.clone().unwrap_or_default(),
        ]);
    }
    table.render()
}
