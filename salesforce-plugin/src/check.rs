//! The preflight: from the network to each dataset, as findings.

use connector_api::message::{CheckReport, Finding, FindingStatus};
use connector_api::{Error, ErrorKind, Host};
use serde_json::{Map, Value};

use crate::access::Access;
use crate::api_error::ApiError;
use crate::authorize::{answers_like_an_org, login_host, user_info};
use crate::dataset::{API_ENABLED, CATALOGUE, Dataset, Permission};
use crate::describe::Catalogue;
use crate::http::Http;
use crate::permission::probed;
use crate::session::Session;
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
    report.step("network", "network settings");
    let http = Http::new(&settings.network)
        .map_err(|error| Error::new(ErrorKind::CONFIG, &error).with_hint(error.hint()))?;
    if let Some(warning) = &settings.login_hosts.warning {
        report.add("network.domain", FindingStatus::Partial, "domain", warning.clone(), None);
    }
    let login_host = login_host(&http, settings)?;
    report.step("network.host", login_host.clone());
    answers_like_an_org(&http, &login_host).map_err(|reason| {
        Error::new(ErrorKind::RETRYABLE, format_args!("no Salesforce org answers: {reason}"))
            .with_hint("check the domain, and that this server may reach it on port 443")
    })?;
    report.ok("answers on port 443, the only port used");

    report.step("grant", "authorization");
    let session = Session::open(host, settings)?;
    let user = user_info(&session).map_err(ApiError::into_error)?;
    report.ok(format!("valid for {}", user.shown()));

    report.step("api.version", "API version");
    let catalogue = Catalogue::open(&session).map_err(ApiError::into_error)?;
    report.ok(format!("reads with version {}.0", catalogue.version));

    report.step("api.enabled", API_ENABLED.label);
    let access = Access::probe(&session, catalogue.version).map_err(ApiError::into_error)?;
    report.ok("the API answers");
    allowance(&session, catalogue.version, report)?;
    permissions(&access, report);
    for dataset in CATALOGUE {
        dataset_finding(&catalogue, &access, dataset, report)?;
    }
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

fn permissions(access: &Access, report: &mut Report) {
    for permission in probed() {
        let id = format!("permission.{}", permission.name);
        let (status, message, hint) = match (access.has(permission), needed_by(permission)) {
            (Some(true), _) => (FindingStatus::Ok, "granted".to_owned(), None),
            (None, _) => (
                FindingStatus::Unknown,
                "the org does not say whether it is granted".to_owned(),
                None,
            ),
            (Some(false), needed) if needed.is_empty() || another_opens(permission, access) => {
                (FindingStatus::Ok, "not granted and not needed".to_owned(), None)
            }
            (Some(false), needed) => (
                FindingStatus::Missing,
                format!("not granted; needed to read {}", needed.join(", ")),
                Some(format!(
                    "tick `{}` in the connecting user's profile or permission set",
                    permission.label
                )),
            ),
        };
        report.add(&id, status, permission.label, message, hint);
    }
}

fn needed_by(permission: Permission) -> Vec<&'static str> {
    CATALOGUE
        .iter()
        .filter(|dataset| dataset.permissions.contains(&permission))
        .map(|dataset| dataset.name)
        .collect()
}

/// Whether each dataset that asks for this permission is opened by another one that is held.
fn another_opens(permission: Permission, access: &Access) -> bool {
    CATALOGUE
        .iter()
        .filter(|dataset| dataset.permissions.contains(&permission))
        .all(|dataset| access.has_any(dataset.permissions) == Some(true))
}

fn dataset_finding(
    catalogue: &Catalogue<'_>,
    access: &Access,
    dataset: &Dataset,
    report: &mut Report,
) -> Result<(), Error> {
    let Some(object) = dataset.sobject() else { return Ok(()) };
    let id = format!("dataset.{}", dataset.name);
    let labels: Vec<&str> = dataset.permissions.iter().map(|permission| permission.label).collect();
    let open = || Some(format!("grant `{}`", labels.join("` or `")));
    let described = match catalogue.describe(object) {
        Ok(described) => described,
        Err(ApiError::Fatal(error)) => return Err(error),
        Err(error) => {
            report.add(
                &id,
                FindingStatus::Unknown,
                dataset.title,
                error.into_error().message,
                None,
            );
            return Ok(());
        }
    };
    let held = access.has_any(dataset.permissions);
    if described.is_none() {
        match held {
            Some(true) => {
                report.add(&id, FindingStatus::Ok, dataset.title, "the org does not have it", None)
            }
            _ => report.add(
                &id,
                FindingStatus::Missing,
                dataset.title,
                "not visible to the connecting user",
                open(),
            ),
        }
        return Ok(());
    }
    if dataset.own_rows.is_some() && held == Some(false) {
        report.add(
            &id,
            FindingStatus::Partial,
            dataset.title,
            "perhaps only the connecting user's own records are visible",
            open(),
        );
        return Ok(());
    }
    let mut missing = Vec::new();
    for field in dataset.fields.iter().filter(|field| !field.optional) {
        if !catalogue.shows(object, field.name).map_err(ApiError::into_error)? {
            missing.push(field.name);
        }
    }
    if missing.is_empty() {
        report.add(&id, FindingStatus::Ok, dataset.title, "readable", None);
    } else {
        let message = format!("readable, without {}", missing.join(", "));
        let hint = Some(
            "give the connecting user read access to these fields (field-level security)"
                .to_owned(),
        );
        report.add(&id, FindingStatus::Partial, dataset.title, message, hint);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{MANAGE_USERS, MONITOR_LOGIN_HISTORY};

    #[test]
    fn the_login_history_is_opened_by_either_of_two_permissions() {
        assert!(needed_by(MONITOR_LOGIN_HISTORY).contains(&"login_history"));
        assert!(needed_by(MANAGE_USERS).contains(&"login_history"));
        assert!(needed_by(API_ENABLED).is_empty());
    }
}
