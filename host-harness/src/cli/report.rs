//! `report`: the licence position of a connector, or of all of them.

mod fleet;
mod text;

use std::path::PathBuf;

use super::{Outcome, Reporter};
use crate::app::App;
use crate::app::fleet::fleet;
use crate::app::reports::{self, Limits, Request};
use crate::error::HostError;
use crate::redact;
use crate::report::html;
use crate::safe_file::SafeFile;

/// Options of `report`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The connector's name
    #[arg(required_unless_present = "all")]
    name: Option<String>,
    /// Report on all connectors together; exit code 4 when one failed, is stale or was never read
    #[arg(long, conflicts_with_all = ["name", "html", "as_of", "what_if"])]
    all: bool,
    /// With --all: a snapshot older than this is stale
    #[arg(long, value_name = "HOURS", default_value_t = 48, requires = "all")]
    stale_hours: u32,
    /// Also write the report as one HTML file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Report on this snapshot (the number of its run), or the last one of a day, instead of the last
    #[arg(long, value_name = "SNAPSHOT|DATE")]
    as_of: Option<String>,
    /// Suppose other prices, limits, growth or headroom, from a TOML file
    #[arg(long, value_name = "FILE")]
    what_if: Option<PathBuf>,
    /// A seat is active if a person used it in the last this many days
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    active_days: Option<u32>,
    /// Ignore accounts younger than this many days
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(0..=3650))]
    grace_days: Option<u32>,
}

/// Findings about people that the HTML report is made from; it shows some of each rule.
const MOST_PEOPLE: usize = 20_000;

/// Runs `report`.
pub(crate) fn run(app: &App, out: Reporter, args: &Args) -> Result<Outcome, HostError> {
    let limits = Limits { active_days: args.active_days, grace_days: args.grace_days };
    let Some(name) = &args.name else {
        let view = fleet(app, limits, args.stale_hours)?;
        out.print(&view, fleet::render)?;
        return Ok(if view.complete { Outcome::DONE } else { Outcome::FINDINGS });
    };
    let request = Request {
        as_of: args.as_of.clone(),
        what_if: args.what_if.clone(),
        limits,
        people: if args.html.is_some() { MOST_PEOPLE } else { 0 },
    };
    let report = reports::report(app, name, &request)?;
    if let (Some(path), Some(listing)) = (&args.html, &report.listing) {
        let page = html::render(&report.position, listing)?;
        SafeFile::write(path, page.as_bytes())?;
        out.note(&redact::shown(&format!("wrote {}", path.display())));
    }
    out.print(&report.position, text::render)?;
    // Claims about a part of the organization want a look at what was not seen.
    Ok(if report.position.unseen.is_partial() { Outcome::FINDINGS } else { Outcome::DONE })
}
