//! `connectors check`: the preflight.

use std::sync::Arc;

use connector_api::message::{Finding, FindingStatus};
use serde::Serialize;

use super::{App, Outcome, Table};
use crate::app::deployment::with_instance;
use crate::error::HostError;
use crate::redact;

#[derive(Serialize)]
struct Document<'a> {
    connector: &'a str,
    ok: bool,
    findings: &'a [Finding],
}

pub(crate) fn run(app: &App, name: &str) -> Result<Outcome, HostError> {
    let (connector, plugin) = app.ready(name)?;
    let deployment = app.deployment()?;
    let context = Arc::new(deployment.context(connector.id, app.cancel_on_interrupt()));
    let report =
        with_instance(deployment, plugin, &connector, &context, |instance| instance.check())?;
    let findings: Vec<Finding> = report.findings.into_iter().map(masked).collect();
    let ok = findings.iter().all(|finding| is_fine(finding.status));
    if app.reporter.json {
        app.reporter.document(&Document { connector: &connector.name, ok, findings: &findings })?;
    } else {
        app.reporter.text(&text(&findings));
        let wrong = findings.iter().filter(|finding| !is_fine(finding.status)).count();
        app.reporter.note(&match wrong {
            0 => redact::shown(&format!("all well; next: `collect \"{}\"`", connector.name)),
            1 => "1 finding needs a look".to_owned(),
            _ => format!("{wrong} findings need a look"),
        });
    }
    Ok(if ok { Outcome::DONE } else { Outcome::FINDINGS })
}

/// Too much is worth knowing, but nothing is wrong with it.
fn is_fine(status: FindingStatus) -> bool {
    matches!(status, FindingStatus::Ok | FindingStatus::Excess)
}

fn masked(finding: Finding) -> Finding {
    Finding {
        message: redact::mask(&finding.message).into_owned(),
        hint: finding.hint.map(|hint| redact::mask(&hint).into_owned()),
        ..finding
    }
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
