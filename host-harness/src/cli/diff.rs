//! `diff`: what changed between two snapshots.

use super::{Outcome, Reporter, Table};
use crate::app::{App, diffs};
use crate::error::HostError;
use crate::redact;
use position::diff::Diff;
use position::grouped;

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
    out.print(&diffs::compare(app, &args.name, &args.from, &args.to)?, text)?;
    Ok(Outcome::DONE)
}

fn text(diff: &Diff) -> String {
    let mut text = summary(diff);
    let pools = pool_table(diff);
    if !pools.is_empty() {
        text.push_str(&format!("\nLicence pools\n{}", pools.render()));
    }
    let seats = seat_table(diff);
    if !seats.is_empty() {
        text.push_str(&format!(
            "\nSeats of active accounts, and why they moved\n{}",
            seats.render()
        ));
    }
    let or_none = |price: &Option<String>| price.clone().unwrap_or_else(|| "none".into());
    for price in &diff.prices {
        text.push_str(&redact::shown(&format!(
            "price of {} ({}): {} -> {}",
            price.license,
            price.basis,
            or_none(&price.per_year.0),
            or_none(&price.per_year.1)
        )));
        text.push('\n');
    }
    for reason in &diff.not_compared {
        text.push_str(&redact::shown(&format!("not compared: {reason}")));
        text.push('\n');
    }
    text
}

fn summary(diff: &Diff) -> String {
    let (people, rights) = (&diff.people, &diff.rights);
    let title = redact::shown(&format!(
        "{} from snapshot {} ({}) to snapshot {} ({})",
        diff.connector, diff.from.snapshot, diff.from.as_of, diff.to.snapshot, diff.to.as_of
    ));
    format!(
        "{title}\naccounts: {} added, {} removed, {} made active, {} made inactive\n\
         sets of rights: {} given, {} taken; {} rights added to sets, {} removed\n",
        grouped(people.added),
        grouped(people.removed),
        grouped(people.activated),
        grouped(people.deactivated),
        grouped(rights.sets_given),
        grouped(rights.sets_taken),
        rights.rights_added.len(),
        rights.rights_removed.len()
    )
}

fn pool_table(diff: &Diff) -> Table {
    let number = |value: Option<i64>| value.map_or_else(|| "-".to_owned(), grouped);
    let pair = |before: String, after: String| {
        if before == after { before } else { format!("{before} -> {after}") }
    };
    let words = |(before, after): &(Option<String>, Option<String>)| {
        pair(before.clone().unwrap_or("-".into()), after.clone().unwrap_or("-".into()))
    };
    let mut table = Table::new(&["POOL", "CHANGE", "PURCHASED", "ASSIGNED", "STATUS", "ENDS"]);
    for license in &diff.licenses {
        table.row(vec![
            format!("{}/{}", license.family, license.key),
            license.change.to_string(),
            pair(number(license.purchased.0), number(license.purchased.1)),
            pair(number(license.assigned.0), number(license.assigned.1)),
            words(&license.status),
            words(&license.expires_at),
        ]);
    }
    table
}

fn seat_table(diff: &Diff) -> Table {
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
    table
}
