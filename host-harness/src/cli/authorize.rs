//! `connectors authorize`: the link out, the Token in.

use std::path::PathBuf;

use connector_api::message::GrantSummary;
use serde_json::json;

use super::{App, Outcome, secret_input};
use crate::app::authorization::{Begun, accept_host, begin, finish};
use crate::error::HostError;
use crate::redact;
use crate::store::Connector;

/// Options of `connectors authorize`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The connector's name
    name: String,
    /// Print the link and nothing else; the Token is brought later with --token-file
    #[arg(long, conflicts_with = "token_file")]
    print_url: bool,
    /// Read the Token from this file, `-` for standard input
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Keep a grant that opens another organization than before
    #[arg(long)]
    accept_org_change: bool,
    /// Read from this host from now on, which the vendor offered instead of the present one
    #[arg(long, value_name = "HOST", conflicts_with_all = ["print_url", "token_file", "accept_org_change"])]
    accept_host: Option<String>,
}

pub(crate) fn run(app: &App, args: &Args) -> Result<Outcome, HostError> {
    let (connector, plugin) = app.ready(&args.name)?;
    let deployment = app.deployment()?;
    let cancel = app.cancel_on_interrupt();
    if let Some(host) = &args.accept_host {
        let grant = accept_host(deployment, plugin, &connector, host, &cancel)?;
        return granted(app, &connector, &grant);
    }
    let accept = args.accept_org_change;
    let token = match &args.token_file {
        Some(file) => secret_input::from_file("the Token", file)?,
        None => {
            let (url, instructions) = match begin(deployment, plugin, &connector, accept, &cancel)?
            {
                Begun::Link { url, instructions } => (url, instructions),
                Begun::Granted(grant) => return granted(app, &connector, &grant),
            };
            if args.print_url {
                return link(app, &connector, &url, &instructions);
            }
            app.reporter.note(&redact::shown(&instructions));
            app.reporter.note("");
            if url.is_empty() {
                // Nothing to open: this grant is only brought.
            } else if app.reporter.json {
                app.reporter.problem(&redact::shown(&url));
            } else {
                app.reporter.text(&redact::shown(&url));
            }
            if secret_input::is_interactive() {
                secret_input::prompt("Token (not shown)")?
                    .ok_or_else(|| HostError::usage("no Token was entered"))?
            } else {
                secret_input::from_stdin("the Token")?
            }
        }
    };
    let grant = finish(deployment, plugin, &connector, token, accept, &cancel)?;
    granted(app, &connector, &grant)
}

fn link(
    app: &App,
    connector: &Connector,
    url: &str,
    instructions: &str,
) -> Result<Outcome, HostError> {
    if app.reporter.json {
        app.reporter.document(&json!({
            "connector": connector.name, "url": url, "instructions": instructions,
        }))?;
    } else {
        app.reporter.text(&redact::shown(url));
        app.reporter.note(&redact::shown(instructions));
    }
    Ok(Outcome::DONE)
}

fn granted(app: &App, connector: &Connector, grant: &GrantSummary) -> Result<Outcome, HostError> {
    for warning in &grant.warnings {
        app.reporter.note(&redact::shown(&format!("warning: {warning}")));
    }
    if app.reporter.json {
        app.reporter.document(&json!({
            "connector": connector.name, "authorized": true, "grant": grant,
        }))?;
        return Ok(Outcome::DONE);
    }
    let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".into());
    app.reporter.text(&redact::shown(&format!(
        "connector `{}` is authorized: user {}, organization {}, reads from {}, scopes {}",
        connector.name,
        known(&grant.username),
        known(&grant.organization_id),
        known(&grant.instance_url),
        if grant.scopes.is_empty() { "unknown".to_owned() } else { grant.scopes.join(" ") },
    )));
    app.reporter.note(&redact::shown(&format!(
        "next: `connectors check \"{0}\"`, then `collect \"{0}\"`",
        connector.name
    )));
    Ok(Outcome::DONE)
}
