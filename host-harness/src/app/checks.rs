//! The check of a connector: network, authorization, permissions, what can be read.

use std::sync::Arc;

use connector_api::message::{Finding, FindingStatus};
use serde::Serialize;

use crate::app::App;
use crate::app::deployment::with_instance;
use crate::cancel::Cancel;
use crate::error::HostError;
use crate::redact;
use crate::store::{Run, RunStatus};

/// What a check found.
#[derive(Clone, Debug, Serialize)]
pub struct CheckView {
    /// The connector's name.
    pub connector: String,
    /// Whether nothing needs attention.
    pub ok: bool,
    /// One finding for each thing that was checked.
    pub findings: Vec<Finding>,
}

/// Checks a connector.
///
/// # Errors
/// When the connector is unknown or its feature disabled, else those of the connector.
pub fn check(app: &App, name: &str, cancel: &Cancel) -> Result<CheckView, HostError> {
    let (connector, plugin) = app.ready(name)?;
    let deployment = app.deployment()?;
    let context = Arc::new(deployment.context(connector.id, cancel.clone()));
    let report =
        with_instance(deployment, plugin, &connector, &context, |instance| instance.check())?;
    let mut findings: Vec<Finding> = report.findings.into_iter().map(masked).collect();
    // What a check cannot see, the last run may have met.
    if findings.iter().all(|finding| is_fine(finding.status)) {
        let last = app.store()?.runs().list(Some(&connector), 1)?.into_iter().next();
        findings.extend(last.as_ref().and_then(unsuccessful));
    }
    let ok = findings.iter().all(|finding| is_fine(finding.status));
    Ok(CheckView { connector: connector.name, ok, findings })
}

/// The finding about a last run that did not read everything.
fn unsuccessful(run: &Run) -> Option<Finding> {
    let how = match run.status {
        RunStatus::Running | RunStatus::Complete => return None,
        RunStatus::Partial => "read only a part",
        RunStatus::Failed => "failed",
        RunStatus::Paused => "paused",
    };
    let why = run.error.as_ref().map_or_else(String::new, |error| format!(": {}", error.message));
    let hint = run.error.as_ref().and_then(|error| error.hint.clone());
    Some(masked(Finding {
        id: "run.last".into(),
        status: FindingStatus::Partial,
        subject: "last run".into(),
        message: format!("run {} {how}{why}", run.id),
        hint: Some(hint.unwrap_or_else(|| {
            format!("see `runs show {}`; nothing is wrong now: collect again", run.id)
        })),
    }))
}

/// Whether a finding needs no attention: too many permissions are worth knowing, but nothing is wrong
/// with them.
pub fn is_fine(status: FindingStatus) -> bool {
    matches!(status, FindingStatus::Ok | FindingStatus::Excess)
}

fn masked(finding: Finding) -> Finding {
    Finding {
        message: redact::mask(&finding.message).into_owned(),
        hint: finding.hint.map(|hint| redact::mask(&hint).into_owned()),
        ..finding
    }
}
