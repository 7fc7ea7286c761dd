//! `exemptions`: findings that somebody decided not to act on, until a day.

use chrono::NaiveDate;

use crate::app::App;
use crate::cli::report::{find_connector, pick_snapshot};
use crate::cli::{Outcome, Reporter, Table};
use crate::error::HostError;
use crate::findings::{Exemption, list, rule};
use crate::time;

/// Commands of `exemptions`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Exempt an account or a pool from a rule, or from all
    Add {
        /// The connector's name
        name: String,
        /// The user name or id of an account, or a pool as FAMILY/KEY
        subject: String,
        /// The rule; all rules if left out
        #[arg(long, value_name = "RULE")]
        rule: Option<String>,
        /// Why
        #[arg(long)]
        reason: String,
        /// Who answers for it
        #[arg(long)]
        owner: String,
        /// The last day it holds
        #[arg(long, value_name = "DATE")]
        until: NaiveDate,
    },
    /// List the exemptions of a connector
    List {
        /// The connector's name
        name: String,
    },
    /// End an exemption
    Remove {
        /// The connector's name
        name: String,
        /// Its number
        id: i64,
    },
}

/// Runs `exemptions`.
pub(crate) fn run(app: &App, out: Reporter, command: &Command) -> Result<Outcome, HostError> {
    match command {
        Command::Add { name, subject, rule: id, reason, owner, until } => {
            let (reader, connector) = find_connector(app, name)?;
            let rule = match id {
                Some(id) => rule(id).map(|rule| rule.id.to_owned()).ok_or_else(|| {
                    HostError::usage(format_args!("there is no rule `{id}`"))
                        .with_hint("rules are R01 to R22")
                })?,
                None => String::new(),
            };
            if *until < time::now().date_naive() {
                return Err(HostError::usage(format_args!("`{until}` is over")));
            }
            if reason.trim().is_empty() || owner.trim().is_empty() {
                return Err(HostError::usage("an exemption needs a reason and an owner"));
            }
            let snapshot = pick_snapshot(&reader, &connector, None)?;
            let source = reader.snapshot_connection(&snapshot)?;
            let found = list::find_person(&snapshot.manifest, &source, subject);
            let (subject, subject_name) = match (found, subject.split_once('/')) {
                (Ok((id, username)), _) => (id.clone(), username.unwrap_or(id)),
                (Err(_), Some(_)) => (subject.clone(), subject.clone()),
                (Err(error), None) => return Err(error),
            };
            let exemption = Exemption {
                id: 0,
                rule,
                subject,
                subject_name,
                reason: reason.clone(),
                owner: owner.clone(),
                expires_on: *until,
            };
            let id = app.store()?.add_exemption(connector.id, &exemption)?;
            let exemption = Exemption { id, ..exemption };
            if out.json {
                out.document(&exemption)?;
            } else {
                out.note(&format!("exemption {id} holds until {until}"));
            }
        }
        Command::List { name } => {
            let (reader, connector) = find_connector(app, name)?;
            let exemptions = reader.exemptions(connector.id)?;
            if out.json {
                out.document(&exemptions)?;
            } else {
                out.text(&table(&exemptions));
            }
        }
        Command::Remove { name, id } => {
            let (_, connector) = find_connector(app, name)?;
            if !app.store()?.remove_exemption(connector.id, *id)? {
                return Err(HostError::usage(format_args!("there is no exemption {id}"))
                    .with_hint("`exemptions list` shows all"));
            }
            if out.json {
                out.document(&serde_json::json!({ "removed": id }))?;
            } else {
                out.note(&format!("exemption {id} is ended"));
            }
        }
    }
    Ok(Outcome::DONE)
}

fn table(exemptions: &[Exemption]) -> String {
    let today = time::now().date_naive();
    let mut table =
        Table::new(&["ID", "RULE", "SUBJECT", "REASON", "OWNER", "UNTIL", "STATE"]).right(&[0]);
    for exemption in exemptions {
        table.row(vec![
            exemption.id.to_string(),
            if exemption.rule.is_empty() { "all".into() } else { exemption.rule.clone() },
            exemption.subject_name.clone(),
            exemption.reason.clone(),
            exemption.owner.clone(),
            exemption.expires_on.to_string(),
            if exemption.expires_on < today { "run out" } else { "holds" }.into(),
        ]);
    }
    if table.is_empty() { "no exemptions\n".into() } else { table.render() }
}
