//! `exemptions`: findings that somebody decided not to act on, until a day.

use chrono::NaiveDate;

use super::{Outcome, Reporter, Table};
use crate::app::App;
use crate::app::exemptions::{self, NewExemption};
use crate::error::HostError;
use crate::time;
use position::rules::{Exemption, RuleId};

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
        Command::Add { name, subject, rule, reason, owner, until } => {
            let new = NewExemption {
                subject: subject.clone(),
                rule: rule.clone(),
                reason: reason.clone(),
                owner: owner.clone(),
                until: *until,
            };
            let exemption = exemptions::add(app, name, &new)?;
            if out.json {
                out.document(&exemption)?;
            } else {
                out.note(&format!("exemption {} holds until {until}", exemption.id));
            }
        }
        Command::List { name } => {
            out.print(&exemptions::list(app, name)?, |exemptions| table(exemptions))?;
        }
        Command::Remove { name, id } => {
            let removed = exemptions::remove(app, name, *id)?;
            if out.json {
                out.document(&removed)?;
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
            exemption.rule.map_or("all", RuleId::as_str).to_owned(),
            exemption.subject_name.clone(),
            exemption.reason.clone(),
            exemption.owner.clone(),
            exemption.expires_on.to_string(),
            if exemption.expires_on < today { "run out" } else { "holds" }.into(),
        ]);
    }
    if table.is_empty() { "no exemptions\n".into() } else { table.render() }
}
