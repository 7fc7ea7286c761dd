//! `findings`: what the rules found, and why somebody was found or not.

use super::rule_table::rule_table;
use super::{Outcome, Reporter, Table};
use crate::app::App;
use crate::app::findings::{self, FindingsView};
use crate::error::HostError;
use crate::redact;
use position::grouped;
use position::listing::{Explanation, Listing};
use position::rules::RuleResult;

/// Options of `findings`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    /// The connector's name
    #[arg(required = true)]
    name: Option<String>,
    /// Only this rule, with its findings one by one; may be repeated
    #[arg(long = "rule", value_name = "RULE")]
    rules: Vec<String>,
    /// Most findings about people to list
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000)]
    limit: usize,
    /// Of this snapshot (the number of its run), or the last one of a day, instead of the last
    #[arg(long, value_name = "SNAPSHOT|DATE")]
    as_of: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say for every rule why a person was found, or why not
    Explain {
        /// The connector's name
        name: String,
        /// The user name, or the vendor's id of the account
        user: String,
        /// Of this snapshot, or the last one of a day, instead of the last
        #[arg(long, value_name = "SNAPSHOT|DATE")]
        as_of: Option<String>,
    },
}

/// Runs `findings`.
pub(crate) fn run(app: &App, out: Reporter, args: &Args) -> Result<Outcome, HostError> {
    if let Some(Command::Explain { name, user, as_of }) = &args.command {
        let explanation = findings::explain(app, name, user, as_of.as_deref())?;
        out.print(&explanation, explanation_text)?;
        return Ok(Outcome::DONE);
    }
    let name = args.name.as_deref().unwrap_or_default();
    let view = findings::list(app, name, &args.rules, args.limit, args.as_of.as_deref())?;
    out.print(&view, |view| text(view, !args.rules.is_empty()))?;
    Ok(if view.found() { Outcome::FINDINGS } else { Outcome::DONE })
}

fn text(view: &FindingsView, in_detail: bool) -> String {
    let mut text = rule_table(&view.rules);
    if in_detail {
        for rule in &view.rules {
            push_rule(&mut text, rule);
        }
        push_people(&mut text, &view.findings);
    }
    push_pools(&mut text, &view.findings);
    if !in_detail {
        text.push_str("\nWho: `findings NAME --rule RULE`; why: `findings explain NAME USER`\n");
    }
    text
}

fn push_rule(text: &mut String, rule: &RuleResult) {
    let mut line = |line: String| {
        text.push_str(&redact::shown(&line));
        text.push('\n');
    };
    line(String::new());
    line(format!("{} {}: {}", rule.id, rule.title, rule.predicate));
    for caution in &rule.cautions {
        line(format!("caution: {caution}"));
    }
    line(format!("data used: {}", rule.sources_by_object()));
    if let Some(seen) = &rule.coverage {
        let from = seen.from.as_deref().unwrap_or("no use at all");
        line(format!("uses seen: from {from} to {}", seen.to));
    }
}

fn push_people(text: &mut String, listing: &Listing) {
    let mut table = Table::new(&["RULE", "USER NAME", "NAME", "LICENCE", "BECAUSE", "EXEMPT"]);
    for finding in &listing.seats {
        let because: Vec<String> = finding
            .values
            .iter()
            .map(|value| {
                format!("{} {}", value.name, value.value.as_deref().unwrap_or("unknown or none"))
            })
            .collect();
        table.row(vec![
            finding.rule.to_string(),
            finding.username.clone().unwrap_or_else(|| finding.person_id.clone()),
            finding.name.clone().unwrap_or_default(),
            finding.license.clone(),
            because.join("; "),
            finding.exempt.clone().unwrap_or_default(),
        ]);
    }
    if !table.is_empty() {
        text.push_str(&format!("\n{}", table.render()));
    }
    if listing.left_out > 0 {
        let left_out = grouped(listing.left_out);
        text.push_str(&format!("{left_out} more are left out; see --limit\n"));
    }
}

fn push_pools(text: &mut String, listing: &Listing) {
    let mut table = Table::new(&["RULE", "POOL", "WHAT", "EXEMPT"]);
    for (id, finding) in &listing.pools {
        table.row(vec![
            id.to_string(),
            format!("{}/{}", finding.family, finding.key),
            finding.message.clone(),
            finding.exempt.clone().unwrap_or_default(),
        ]);
    }
    if !table.is_empty() {
        text.push_str(&format!("\n{}", table.render()));
    }
}

fn explanation_text(explanation: &Explanation) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        text.push_str(&redact::shown(&line));
        text.push('\n');
    };
    line(format!(
        "{} ({})",
        explanation.username.as_deref().unwrap_or("user name not shown"),
        explanation.person_id
    ));
    if let Some(first) = explanation.rules.first() {
        for value in &first.values {
            let shown = value.value.as_deref().unwrap_or("unknown or none");
            line(format!("  {}: {shown}", value.name));
        }
    }
    for rule in &explanation.rules {
        line(format!(
            "{} {} ({}): {}",
            rule.rule,
            rule.title,
            rule.key.as_deref().unwrap_or("-"),
            rule.outcome
        ));
        if let Some(reason) = &rule.reason {
            line(format!("  {reason}"));
        }
        for (words, holds) in &rule.conditions {
            let mark = match holds {
                Some(true) => "yes",
                Some(false) => "no ",
                None => "?  ",
            };
            line(format!("  {mark} {words}"));
        }
        for evidence in &rule.evidence {
            line(format!("      {evidence}"));
        }
    }
    if explanation.rules.is_empty() {
        line("no seat that a rule looks at".into());
    }
    text
}
