//! The licence position of a connector.

use std::path::PathBuf;

use crate::app::analysis;
use crate::app::{App, snapshots, text_file};
use crate::error::HostError;
use crate::source::StoreSource;
use position::inputs::RuleSettings;
use position::listing::Listing;
use position::model::Position;
use position::money::WhatIf;
use position::rules::Wanted;

/// What to report on.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The snapshot: a number, a day or an instant; `None` for the last one.
    pub as_of: Option<String>,
    /// A TOML file with other prices, limits, growth or headroom.
    pub what_if: Option<PathBuf>,
    /// Limits of the rules that differ from the settings'.
    pub limits: Limits,
    /// Most findings about people to list; 0 for no list.
    pub people: usize,
}

/// Limits of the rules that differ from the settings'.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// A seat is active if a person used it in the last this many days.
    pub active_days: Option<u32>,
    /// Accounts at most this many days old are not judged by their silence.
    pub grace_days: Option<u32>,
}

impl Limits {
    /// The rules' settings with these limits.
    pub(crate) fn over(self, settings: &RuleSettings) -> RuleSettings {
        RuleSettings {
            active_days: self.active_days.unwrap_or(settings.active_days),
            grace_days: self.grace_days.unwrap_or(settings.grace_days),
            ..settings.clone()
        }
    }
}

/// A licence position with the findings it was asked for.
#[derive(Debug)]
pub struct Report {
    /// The position: the document of `report --json`.
    pub position: Position,
    /// Findings about people and pools; `None` if none were asked for.
    pub listing: Option<Listing>,
}

/// Computes the licence position of a connector.
///
/// # Errors
/// Of kind usage for an unknown connector or a wrong what-if file, of kind failed without snapshot.
pub fn report(app: &App, name: &str, request: &Request) -> Result<Report, HostError> {
    let (store, snapshot) = snapshots::find(app, name, request.as_of.as_deref())?;
    let what_if = match &request.what_if {
        Some(path) => WhatIf::parse(&text_file::read(path)?)?,
        None => WhatIf::default(),
    };
    let settings = request.limits.over(&app.config().rules);
    let source = StoreSource::open(&store, &snapshot)?;
    let inputs = analysis::inputs(&store, &snapshot, &settings, what_if)?;
    let wanted = (request.people > 0).then(|| Wanted { rules: Vec::new(), limit: request.people });
    let lists = wanted.is_some();
    let mut analysis = analysis::analyse(&source, &inputs, wanted)?;
    let listing = if lists { Some(analysis.take_listing(&source)?) } else { None };
    Ok(Report { position: analysis.position, listing })
}
