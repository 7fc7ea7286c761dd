//! `plugins check`: whether a connector library keeps to the contract.

use std::path::PathBuf;
use std::time::Duration;

use super::{Outcome, Reporter};
use crate::app::plugins;
use crate::conformance::{self, Status, Verdict};
use crate::error::HostError;

/// Options of `plugins check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The library, e.g. libexample_plugin.so
    file: PathBuf,
    /// Settings to check it with, a TOML file: [settings], [secrets], and token = "…" for what a
    /// person would paste to authorize
    ///
    /// Without it settings are made up, nothing leaves this computer, and what needs a grant is not
    /// checked.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Only this check; may be repeated
    #[arg(long, value_name = "CHECK")]
    only: Vec<String>,
    /// Seconds one check may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    within: u64,
    /// Make the one check in this process, and write its verdict to this file
    #[arg(long, value_name = "FILE", hide = true)]
    verdict: Option<PathBuf>,
}

pub(crate) fn run(out: Reporter, args: &Args) -> Result<Outcome, HostError> {
    if let (Some(path), [check]) = (&args.verdict, args.only.as_slice()) {
        let verdict = conformance::here(check, &args.file, args.settings.as_deref())?;
        let text = serde_json::to_string(&verdict).map_err(HostError::failed)?;
        std::fs::write(path, text).map_err(|error| HostError::io("write", path, &error))?;
        return Ok(Outcome::DONE);
    }
    let options = conformance::Options {
        file: &args.file,
        profile: args.settings.as_deref(),
        only: &args.only,
        within: Duration::from_secs(args.within),
    };
    let checked = plugins::check(&options, |verdict| {
        if !out.json {
            out.text(&line(verdict));
        }
    })?;
    if out.json {
        out.document(&checked)?;
    } else {
        let tried = |verdict: &&Verdict| verdict.status != Status::NotApplicable;
        let tried = checked.checks.iter().filter(tried).count();
        out.note(&format!("{} of {tried} checks failed", checked.failed()));
    }
    Ok(if checked.is_refused() {
        Outcome::REFUSED
    } else if checked.ok {
        Outcome::DONE
    } else {
        Outcome::FINDINGS
    })
}

fn line(verdict: &Verdict) -> String {
    let reason = verdict.reason.as_deref().unwrap_or_default();
    match verdict.status {
        Status::Ok => format!("{}: ok", verdict.check),
        Status::Failed => format!("{}: failed: {reason}", verdict.check),
        Status::NotApplicable => format!("{}: not applicable: {reason}", verdict.check),
    }
}
