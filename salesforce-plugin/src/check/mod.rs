//! The preflight: from the network to each dataset, as findings.

pub(crate) mod doctor;
pub(crate) mod permission_sets;
pub(crate) mod preflight;

use connector_api::message::{CheckReport, Finding, FindingStatus};
use connector_api::{Error, Host};
use serde_json::{Map, Value};

use crate::check::preflight::preflight;
use crate::client::api_error::ApiError;
use crate::client::describe::Catalogue;
use crate::client::session::Session;
use crate::dataset::permission::API_ENABLED;
use crate::read::access::Access;
use crate::settings::Settings;

/// Usage of the daily allowance above which a finding is made.
const HIGH_USAGE_PERCENT: i64 = 80;

/// Runs the preflight. A step that fails is a finding, and ends it where later steps need it.
pub(crate) fn check(host: &Host, settings: &Settings) -> CheckReport {
    let mut report = Report::default();
    match run(host, settings, &mut report) {
        Ok(()) => {}
        Err(error) => report.failed(&error),
    }
    CheckReport { findings: report.findings }
}

#[derive(Default)]
struct Report {
    findings: Vec<Finding>,
    step: (&'static str, String),
}

impl Report {
    /// What is being looked at, in case it fails.
    fn step(&mut self, id: &'static str, subject: impl Into<String>) {
        self.step = (id, subject.into());
    }

    fn ok(&mut self, message: impl Into<String>) {
        let (id, subject) = self.step.clone();
        self.add(id, FindingStatus::Ok, &subject, message, None);
    }

    fn failed(&mut self, error: &Error) {
        let (id, subject) = self.step.clone();
        self.add(id, FindingStatus::Failed, &subject, error.message.clone(), error.hint.clone());
    }

    fn add(
        &mut self,
        id: &str,
        status: FindingStatus,
        subject: &str,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.findings.push(Finding {
            id: id.into(),
            status,
            subject: subject.into(),
            message: message.into(),
            hint,
        });
    }
}

fn run(host: &Host, settings: &Settings, report: &mut Report) -> Result<(), Error> {
    let Some(session) = preflight(host, settings, &mut report.findings) else {
        return Ok(());
    };

    report.step("api.version", "API version");
    let catalogue = Catalogue::open(&session).map_err(ApiError::into_error)?;
    report.ok(format!("reads with version {}.0", catalogue.version));

    report.step("api.enabled", API_ENABLED.label);
    let access = Access::probe(&session, catalogue.version).map_err(ApiError::into_error)?;
    report.ok("the API answers");
    allowance(&session, catalogue.version, report)?;
    report.findings.extend(doctor::examine(&session, &catalogue, &access)?);
    Ok(())
}

fn allowance(session: &Session, version: u16, report: &mut Report) -> Result<(), Error> {
    report.step("api.allowance", "daily API requests");
    let limits = session.get(&format!("/services/data/v{version}.0/limits"), None, |answer| {
        let limits: Map<String, Value> =
            serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        Ok((limits, 0))
    });
    let limits = match limits {
        Ok(limits) => limits,
        Err(ApiError::Fatal(error)) => return Err(error),
        Err(error) => {
            let hint = Some("grant `View Setup and Configuration`".to_owned());
            report.add(
                "api.allowance",
                FindingStatus::Unknown,
                "daily API requests",
                error.into_error().message,
                hint,
            );
            return Ok(());
        }
    };
    let number = |key: &str| {
        limits.get("DailyApiRequests").and_then(|entry| entry.get(key)).and_then(Value::as_i64)
    };
    match (number("Max"), number("Remaining")) {
        (Some(max), Some(remaining)) if max > 0 => {
            let used = max - remaining;
            let message = format!("{used} of {max} used in the last 24 hours");
            if used * 100 >= max * HIGH_USAGE_PERCENT {
                let hint = Some(
                    "another integration may be using them; see Setup > Company Information"
                        .to_owned(),
                );
                report.add(
                    "api.allowance",
                    FindingStatus::Partial,
                    "daily API requests",
                    message,
                    hint,
                );
            } else {
                report.ok(message);
            }
        }
        _ => report.add(
            "api.allowance",
            FindingStatus::Unknown,
            "daily API requests",
            "the org does not say",
            None,
        ),
    }
    Ok(())
}
