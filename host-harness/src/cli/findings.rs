//! `findings`: what the rules found, and why somebody was found or not.

use serde::Serialize;

use crate::app::App;
use crate::cli::report::find_snapshot;
use crate::cli::{Outcome, Reporter, Table};
use crate::error::HostError;
use crate::findings::list::{self, Explanation, Listing};
use crate::findings::{RuleResult, rule};
use crate::money::WhatIf;
use crate::position::{base, grouped};
use crate::redact;
use crate::time::rfc3339;

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
    /// At most so many findings about people
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

#[derive(Serialize)]
struct Document<'a> {
    connector: &'a str,
    snapshot: i64,
    as_of: String,
    rules: Vec<&'a RuleResult>,
    findings: &'a Listing,
}

/// Runs `findings`.
pub(crate) fn run(app: &App, out: Reporter, args: &Args) -> Result<Outcome, HostError> {
    if let Some(Command::Explain { name, user, as_of }) = &args.command {
        return explain(app, out, name, user, as_of.as_deref());
    }
    for id in &args.rules {
        rule(id).ok_or_else(|| {
            HostError::usage(format_args!("there is no rule `{id}`"))
                .with_hint("rules are R01 to R22")
        })?;
    }
    let name = args.name.as_deref().unwrap_or_default();
    let (store, snapshot) = find_snapshot(app, name, args.as_of.as_deref())?;
    let inputs = base::inputs(&store, &snapshot, &app.config().rules, WhatIf::default())?;
    let source = store.snapshot_connection(&snapshot)?;
    let analysis = base::analyse(&store, &source, &snapshot, &inputs)?;
    let listing = list::list(&analysis, &source, &args.rules, args.limit)?;
    let asked = |id: &str| {
        args.rules.is_empty() || args.rules.iter().any(|wanted| wanted.eq_ignore_ascii_case(id))
    };
    let rules: Vec<&RuleResult> =
        analysis.position.rules.iter().filter(|rule| asked(rule.id)).collect();
    let found = rules.iter().any(|rule| rule.findings > 0);
    if out.json {
        out.document(&Document {
            connector: &snapshot.connector_name,
            snapshot: snapshot.id,
            as_of: rfc3339(snapshot.as_of),
            rules,
            findings: &listing,
        })?;
    } else {
        out.text(&render(&rules, &listing, !args.rules.is_empty()));
    }
    Ok(if found { Outcome::FINDINGS } else { Outcome::DONE })
}

/// The rules with their counts.
pub(super) fn rule_table(rules: &[&RuleResult]) -> String {
    let mut table = Table::new(&[
        "RULE",
        "WHAT",
        "STATUS",
        "FOUND",
        "EXEMPT",
        "CONFIDENCE",
        "A YEAR COSTS",
        "REMARK",
    ])
    .right(&[3, 4]);
    for rule in rules {
        let confidence = match rule.confidence {
            crate::findings::Confidence::High => "high",
            crate::findings::Confidence::Medium => "medium",
            crate::findings::Confidence::Low => "low",
        };
        let mut cost = rule.saving_per_year.to_string();
        if rule.unpriced > 0 {
            let plus = if cost.is_empty() { "" } else { " + " };
            cost.push_str(&format!("{plus}{} seats, unpriced", grouped(rule.unpriced)));
        }
        let looked = ["found", "none"].contains(&rule.status);
        let labels: Vec<&str> =
            rule.permissions.iter().map(|permission| permission.label.as_str()).collect();
        let mut remark = rule.reason.clone().unwrap_or_default();
        if !labels.is_empty() {
            remark.push_str(&format!("; freed by: {}", labels.join(" or ")));
        }
        if rule.weak > 0 {
            remark.push_str(&format!("{} on weak evidence", grouped(rule.weak)));
        }
        table.row(vec![
            rule.id.to_owned(),
            rule.title.to_owned(),
            rule.status.to_owned(),
            if looked { grouped(rule.findings) } else { "?".into() },
            if looked { grouped(rule.exempt) } else { "?".into() },
            confidence.to_owned(),
            cost,
            remark,
        ]);
    }
    table.render()
}

fn render(rules: &[&RuleResult], listing: &Listing, in_detail: bool) -> String {
    let mut text = rule_table(rules);
    if in_detail {
        for rule in rules {
            text.push_str(&redact::shown(&format!(
                "\n{} {}: {}",
                rule.id, rule.title, rule.predicate
            )));
            text.push('\n');
            for caution in &rule.cautions {
                text.push_str(&redact::shown(&format!("caution: {caution}")));
                text.push('\n');
            }
            text.push_str(&redact::shown(&format!("rests on: {}", rule.sources_by_object())));
            text.push('\n');
            if let Some(seen) = &rule.coverage {
                let from = seen.from.as_deref().unwrap_or("no use at all");
                text.push_str(&format!("uses seen: from {from} to {}\n", seen.to));
            }
        }
        let mut table = Table::new(&["RULE", "USER NAME", "NAME", "LICENCE", "BECAUSE", "EXEMPT"]);
        for finding in &listing.seats {
            let because: Vec<String> = finding
                .values
                .iter()
                .map(|value| {
                    format!(
                        "{} {}",
                        value.name,
                        value.value.as_deref().unwrap_or("unknown or none")
                    )
                })
                .collect();
            table.row(vec![
                finding.rule.to_owned(),
                finding.username.clone().unwrap_or_else(|| finding.person_id.clone()),
                finding.name.clone().unwrap_or_default(),
                finding.license.clone(),
                because.join("; "),
                finding.exempt.clone().unwrap_or_default(),
            ]);
        }
        if !table.is_empty() {
            text.push('\n');
            text.push_str(&table.render());
        }
        if listing.left_out > 0 {
            text.push_str(&format!(
                "{} more are left out; see --limit\n",
                grouped(listing.left_out)
            ));
        }
    }
    if !listing.pools.is_empty() {
        let mut table = Table::new(&["RULE", "POOL", "WHAT", "EXEMPT"]);
        for (id, finding) in &listing.pools {
            table.row(vec![
                (*id).to_owned(),
                format!("{}/{}", finding.family, finding.key),
                finding.message.clone(),
                finding.exempt.clone().unwrap_or_default(),
            ]);
        }
        text.push('\n');
        text.push_str(&table.render());
    }
    if !in_detail {
        text.push_str("\nWho: `findings NAME --rule RULE`; why: `findings explain NAME USER`\n");
    }
    text
}

fn explain(
    app: &App,
    out: Reporter,
    name: &str,
    user: &str,
    as_of: Option<&str>,
) -> Result<Outcome, HostError> {
    let (store, snapshot) = find_snapshot(app, name, as_of)?;
    let inputs = base::inputs(&store, &snapshot, &app.config().rules, WhatIf::default())?;
    let source = store.snapshot_connection(&snapshot)?;
    let analysis = base::analyse(&store, &source, &snapshot, &inputs)?;
    let explanation = list::explain(&analysis, &source, user)?;
    if out.json {
        out.document(&explanation)?;
    } else {
        out.text(&render_explanation(&explanation));
    }
    Ok(Outcome::DONE)
}

fn render_explanation(explanation: &Explanation) -> String {
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
        line(
            format!(
                "\n{} {} ({}): {}",
                rule.rule,
                rule.title,
                rule.key.as_deref().unwrap_or("-"),
                rule.outcome
            )
            .trim_start_matches('\n')
            .to_owned(),
        );
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
