//! `report`: the licence position of a connector, or of all of them.

mod roll_up;
mod text;

use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, Utc};

use crate::app::App;
use crate::cli::{Outcome, Reporter};
use crate::error::HostError;
use crate::findings::list;
use crate::money::WhatIf;
use crate::position::inputs::RuleSettings;
use crate::position::{self, base};
use crate::redact;
use crate::safe_file::SafeFile;
use crate::store::{ConnectorInfo, ReadStore, SnapshotInfo, Store};

/// Options of `report`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The connector's name
    #[arg(required_unless_present = "all")]
    pub name: Option<String>,
    /// Report on all connectors together; exit code 4 when one failed, is stale or was never read
    #[arg(long, conflicts_with_all = ["name", "html", "as_of", "what_if"])]
    pub all: bool,
    /// With --all: a snapshot older than this is stale
    #[arg(long, value_name = "HOURS", default_value_t = 48, requires = "all")]
    pub stale_hours: u32,
    /// Also write the report as one HTML file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Report on this snapshot (the number of its run), or the last one of a day, instead of the last
    #[arg(long, value_name = "SNAPSHOT|DATE")]
    pub as_of: Option<String>,
    /// Suppose other prices, limits, growth or headroom, from a TOML file
    #[arg(long, value_name = "FILE")]
    pub what_if: Option<PathBuf>,
    /// A seat is active if a person used it in the last so many days
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub active_days: Option<u32>,
    /// Nothing is concluded from the silence of an account of at most this age
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(0..=3650))]
    pub grace_days: Option<u32>,
}

/// Findings about people that the HTML report is made from; it shows some of each rule.
const MOST_PEOPLE: usize = 20_000;

/// Runs `report`.
pub(crate) fn run(app: &App, out: Reporter, args: &Args) -> Result<Outcome, HostError> {
    let settings = RuleSettings {
        active_days: args.active_days.unwrap_or(app.config().rules.active_days),
        grace_days: args.grace_days.unwrap_or(app.config().rules.grace_days),
        ..app.config().rules.clone()
    };
    let Some(name) = &args.name else { return roll_up::run(app, out, &settings, args.stale_hours) };
    let (store, snapshot) = find_snapshot(app, name, args.as_of.as_deref())?;
    let source = store.snapshot_connection(&snapshot)?;
    let what_if = match &args.what_if {
        Some(path) => WhatIf::parse(&read_text(path)?)?,
        None => WhatIf::default(),
    };
    let inputs = base::inputs(&store, &snapshot, &settings, what_if)?;
    let analysis = base::analyse(&store, &source, &snapshot, &inputs)?;
    let position = &analysis.position;
    if let Some(path) = &args.html {
        let listing = list::list(&analysis, &source, &[], MOST_PEOPLE)?;
        let page = position::html::render(position, &listing)?;
        SafeFile::write(path, page.as_bytes())?;
        out.note(&redact::shown(&format!("wrote {}", path.display())));
    }
    if out.json {
        out.document(position)?;
    } else {
        out.text(&text::render(position));
    }
    Ok(Outcome::DONE)
}

/// A file that an administrator wrote.
pub(crate) fn read_text(path: &std::path::Path) -> Result<String, HostError> {
    std::fs::read_to_string(path).map_err(|error| HostError {
        kind: crate::error::Kind::Usage,
        ..HostError::io("read", path, &error)
    })
}

/// The snapshot a command is about, with the store it lies in: the last one, or the one of that
/// number, or the last one of a day (`2026-03-01`, in UTC) or instant (RFC 3339).
///
/// # Errors
/// Exit code 2 when there is no such connector, 1 when it has no such snapshot.
pub(crate) fn find_snapshot(
    app: &App,
    name: &str,
    which: Option<&str>,
) -> Result<(ReadStore, SnapshotInfo), HostError> {
    let (store, connector) = find_connector(app, name)?;
    let snapshot = pick_snapshot(&store, &connector, which)?;
    Ok((store, snapshot))
}

/// A connector that the store knows.
///
/// # Errors
/// Exit code 2 when there is no such connector.
pub(crate) fn find_connector(
    app: &App,
    name: &str,
) -> Result<(ReadStore, ConnectorInfo), HostError> {
    let unknown = || {
        HostError::usage(format_args!("there is no connector `{name}`"))
            .with_hint("`connectors list` shows all connectors")
    };
    if !app.home().store_file().exists() {
        return Err(unknown()); // reading makes no store
    }
    let store = Store::open_read(app.home())?;
    let connector = store.connector(name)?.ok_or_else(unknown)?;
    Ok((store, connector))
}

/// The snapshot of a connector that a text names.
///
/// # Errors
/// Exit code 2 when the text names none, 1 when the connector has no such snapshot.
pub(crate) fn pick_snapshot(
    store: &ReadStore,
    connector: &ConnectorInfo,
    which: Option<&str>,
) -> Result<SnapshotInfo, HostError> {
    let Some(which) = which else {
        return store.latest_snapshot(connector.id)?.ok_or_else(|| {
            HostError::failed(format_args!(
                "nothing was collected of connector `{}` yet",
                connector.name
            ))
            .with_hint(format_args!("run `collect {}`", connector.name))
        });
    };
    if let Ok(id) = which.parse::<i64>() {
        return store
            .snapshot(connector.id, id)?
            .ok_or_else(|| no_such_snapshot(store, connector, &id.to_string()));
    }
    let at = instant(which).ok_or_else(|| {
        HostError::usage(format_args!("`{which}` is neither a snapshot nor a day"))
            .with_hint("write a snapshot's number, a day like 2026-03-01, or an RFC 3339 instant")
    })?;
    store
        .snapshot_at(connector.id, at)?
        .ok_or_else(|| no_such_snapshot(store, connector, &format!("up to {which}")))
}

/// The end of a day, or an instant.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    let next = text.parse::<NaiveDate>().ok()?.succ_opt()?;
    Some(next.and_hms_opt(0, 0, 0)?.and_utc() - chrono::Duration::milliseconds(1))
}

fn no_such_snapshot(store: &ReadStore, connector: &ConnectorInfo, which: &str) -> HostError {
    let error =
        HostError::failed(format_args!("connector `{}` has no snapshot {which}", connector.name));
    match store.snapshot_ids(connector.id).as_deref() {
        Ok([]) | Err(_) => error.with_hint(format_args!("run `collect {}`", connector.name)),
        Ok(ids) => {
            const SHOWN: usize = 10;
            let newest: Vec<String> = ids.iter().rev().take(SHOWN).map(i64::to_string).collect();
            error.with_hint(format_args!("the newest snapshots are {}", newest.join(", ")))
        }
    }
}
