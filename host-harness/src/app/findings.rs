//! What the rules found, and why somebody was found or not.

use serde::Serialize;

use crate::app::analysis;
use crate::app::{App, snapshots};
use crate::error::HostError;
use crate::source::StoreSource;
use crate::time::rfc3339;
use position::listing::{self, Explanation, Listing};
use position::money::WhatIf;
use position::rules::{RuleId, RuleResult, Wanted, rule};

/// What the rules found in a snapshot.
#[derive(Debug, Serialize)]
pub struct FindingsView {
    /// The connector's name.
    pub connector: String,
    /// The snapshot.
    pub snapshot: i64,
    /// When it was taken, in RFC 3339.
    pub as_of: String,
    /// The rules that were asked for, in the catalogue's order.
    pub rules: Vec<RuleResult>,
    /// Their findings.
    pub findings: Listing,
}

impl FindingsView {
    /// Whether any rule found something.
    pub fn found(&self) -> bool {
        self.rules.iter().any(|rule| rule.findings > 0)
    }
}

/// Lists what the rules found; all rules if none is named.
///
/// # Errors
/// Of kind usage for an unknown connector or rule, of kind failed without snapshot.
pub fn list(
    app: &App,
    name: &str,
    rules: &[String],
    limit: usize,
    as_of: Option<&str>,
) -> Result<FindingsView, HostError> {
    let wanted = rules.iter().map(|id| known_rule(id)).collect::<Result<Vec<RuleId>, _>>()?;
    let (store, snapshot) = snapshots::find(app, name, as_of)?;
    let inputs = analysis::inputs(&store, &snapshot, &app.config().rules, WhatIf::default())?;
    let source = StoreSource::open(&store, &snapshot)?;
    let listed = Wanted { rules: wanted.clone(), limit };
    let mut analysis = analysis::analyse(&source, &inputs, Some(listed))?;
    let findings = analysis.take_listing(&source)?;
    let asked = |rule: &RuleResult| wanted.is_empty() || wanted.contains(&rule.id);
    Ok(FindingsView {
        connector: snapshot.connector_name.clone(),
        snapshot: snapshot.id,
        as_of: rfc3339(snapshot.as_of),
        rules: analysis.position.rules.into_iter().filter(asked).collect(),
        findings,
    })
}

/// Says for every rule why a person was found, or why not.
///
/// # Errors
/// Of kind usage for an unknown connector or person, of kind failed without snapshot.
pub fn explain(
    app: &App,
    name: &str,
    person: &str,
    as_of: Option<&str>,
) -> Result<Explanation, HostError> {
    let (store, snapshot) = snapshots::find(app, name, as_of)?;
    let inputs = analysis::inputs(&store, &snapshot, &app.config().rules, WhatIf::default())?;
    let source = StoreSource::open(&store, &snapshot)?;
    let analysis = analysis::analyse(&source, &inputs, None)?;
    Ok(listing::explain(&analysis, &source, person)?)
}

/// The id of a rule as the catalogue spells it.
pub(crate) fn known_rule(id: &str) -> Result<RuleId, HostError> {
    rule(id).map(|rule| rule.id).ok_or_else(|| {
        HostError::usage(format_args!("there is no rule `{id}`")).with_hint("rules are R01 to R22")
    })
}
