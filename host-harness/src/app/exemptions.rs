//! Findings that somebody decided not to act on, until a day.

use chrono::NaiveDate;
use serde::Serialize;

use crate::app::findings::known_rule;
use crate::app::{App, snapshots};
use crate::error::HostError;
use crate::source::{self, StoreSource, exemption_row};
use crate::time;
use position::listing;
use position::rules::Exemption;

/// An exemption to be added.
#[derive(Clone, Debug)]
pub struct NewExemption {
    /// The user name or id of an account, or a pool as FAMILY/KEY.
    pub subject: String,
    /// The rule; `None` for all.
    pub rule: Option<String>,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day it holds.
    pub until: NaiveDate,
}

/// An exemption that was ended.
#[derive(Clone, Debug, Serialize)]
pub struct RemovedExemption {
    /// Its number.
    pub removed: i64,
}

/// Exempts an account or a pool from a rule, or from all.
///
/// # Errors
/// Of kind usage for an unknown connector, rule or account, for a day that is over, or without
/// reason or owner.
pub fn add(app: &App, name: &str, new: &NewExemption) -> Result<Exemption, HostError> {
    let (reader, connector) = snapshots::connector(app, name)?;
    let rule = new.rule.as_deref().map(known_rule).transpose()?;
    if new.until < time::now().date_naive() {
        return Err(HostError::usage(format_args!("`{}` is over", new.until)));
    }
    if new.reason.trim().is_empty() || new.owner.trim().is_empty() {
        return Err(HostError::usage("an exemption needs a reason and an owner"));
    }
    let snapshot = snapshots::pick(&reader, &connector, None)?;
    let source = StoreSource::open(&reader, &snapshot)?;
    let found = listing::find_person(&snapshot.manifest, &source, &new.subject);
    let (subject, subject_name) = match (found, new.subject.split_once('/')) {
        (Ok((id, username)), _) => (id.clone(), username.unwrap_or(id)),
        (Err(_), Some(_)) => (new.subject.clone(), new.subject.clone()),
        (Err(error), None) => return Err(error.into()),
    };
    let exemption = Exemption {
        id: 0,
        rule,
        subject,
        subject_name,
        reason: new.reason.clone(),
        owner: new.owner.clone(),
        expires_on: new.until,
    };
    let id = app.store()?.additions().add_exemption(connector.id, &exemption_row(&exemption))?;
    Ok(Exemption { id, ..exemption })
}

/// The exemptions of a connector.
///
/// # Errors
/// Of kind usage for an unknown connector.
pub fn list(app: &App, name: &str) -> Result<Vec<Exemption>, HostError> {
    let (reader, connector) = snapshots::connector(app, name)?;
    source::exemptions(&reader, connector.id)
}

/// Ends an exemption.
///
/// # Errors
/// Of kind usage for an unknown connector or exemption.
pub fn remove(app: &App, name: &str, id: i64) -> Result<RemovedExemption, HostError> {
    let (_, connector) = snapshots::connector(app, name)?;
    if !app.store()?.additions().remove_exemption(connector.id, id)? {
        return Err(HostError::usage(format_args!("there is no exemption {id}"))
            .with_hint("`exemptions list` shows all"));
    }
    Ok(RemovedExemption { removed: id })
}
