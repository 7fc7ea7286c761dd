//! `diff`: what changed between two snapshots.

use crate::app::App;
use crate::cli::report::{find_connector, pick_snapshot};
use crate::cli::{Outcome, Reporter, Table};
use crate::diff::{self, Diff};
use crate::error::HostError;
use crate::position::grouped;
use crate::redact;

/// Options of `diff`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The connector's name
    name: String,
    /// The earlier snapshot: its number, or a day for the last one of it
    #[arg(value_name = "SNAPSHOT|DATE")]
    from: String,
    /// The later one
    #[arg(value_name = "SNAPSHOT|DATE")]
    to: String,
}

/// Runs `diff`.
pub(crate) fn run(app: &App, out: Reporter, args: &Args) -> Result<Outcome, HostError> {
    let (store, connector) = find_connector(app, &args.name)?;
    let mut from = pick_snapshot(&store, &connector, Some(&args.from))?;
    let mut to = pick_snapshot(&store, &connector, Some(&args.to))?;
    if from.id > to.id {
        std::mem::swap(&mut from, &mut to);
    }
    let diff = diff::compare(&store, &from, &to)?;
    if out.json {
        out.document(&diff)?;
    } else {
        out.text(&render(&diff));
    }
    Ok(Outcome::DONE)
}

fn render(diff: &Diff) -> String {
    let mut text = redact::shown(&format!(
        "{} from snapshot {} ({}) to snapshot {} ({})",
        diff.connector, diff.from.snapshot, diff.from.as_of, diff.to.snapshot, diff.to.as_of
    ));
    text.push('\n');
    let people = &diff.people;
    text.push_str(&format!(
        "accounts: {} added, {} removed, {} made active, {} made inactive\n",
        grouped(people.added),
        grouped(people.removed),
        grouped(people.activated),
        grouped(people.deactivated)
    ));
    text.push_str(&format!(
        "sets of rights: {} given, {} taken; {} rights added to sets, {} removed\n",
        grouped(diff.rights.sets_given),
        grouped(diff.rights.sets_taken),
        diff.rights.rights_added.len(),
        diff.rights.rights_removed.len()
    ));
    let number = |value: Option<i64>| value.map_or_else(|| "-".to_owned(), grouped);
    let mut table = Table::new(&["POOL", "CHANGE", "PURCHASED", "ASSIGNED", "STATUS", "ENDS"]);
    for license in &diff.licenses {
        let pair = |before: String, after: String| {
            if before == after { before } else { format!("{before} -> {after}") }
        };
        let words = |(before, after): &(Option<String>, Option<String>)| {
            pair(before.clone().unwrap_or("-".into()), after.clone().unwrap_or("-".into()))
        };
        table.row(vec![
            format!("{}/{}", license.family, license.key),
            license.change.to_owned(),
            pair(number(license.purchased.0), number(license.purchased.1)),
            pair(number(license.assigned.0), number(license.assigned.1)),
            words(&license.status),
            words(&license.expires_at),
        ]);
    }
    if !table.is_empty() {
        text.push_str(&format!("\nLicence pools\n{}", table.render()));
    }
    let mut table = Table::new(&[
        "SEATS OF",
        "NET",
        "TO NEW ACCOUNTS",
        "GIVEN",
        "HOLDER ACTIVATED",
        "TAKEN",
        "HOLDER DEACTIVATED",
        "WITH ACCOUNT",
    ])
    .right(&[1, 2, 3, 4, 5, 6, 7]);
    for seat in &diff.seats {
        let mut row = vec![format!("{}/{}", seat.family, seat.key)];
        row.extend(
            [
                seat.net_active,
                seat.given_to_new,
                seat.given,
                seat.activated,
                -seat.taken,
                -seat.deactivated,
                -seat.removed_with_account,
            ]
            .map(grouped),
        );
        table.row(row);
    }
    if !table.is_empty() {
        text.push_str(&format!(
            "\nSeats of active accounts, and why they moved\n{}",
            table.render()
        ));
    }
    for price in &diff.prices {
        let shown = |price: &Option<String>| price.clone().unwrap_or_else(|| "none".into());
        text.push_str(&redact::shown(&format!(
            "price of {} ({}): {} -> {}",
            price.license,
            price.basis,
            shown(&price.per_year.0),
            shown(&price.per_year.1)
        )));
        text.push('\n');
    }
    for reason in &diff.not_compared {
        text.push_str(&redact::shown(&format!("not compared: {reason}")));
        text.push('\n');
    }
    text
}
