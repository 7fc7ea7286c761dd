//! `connectors authorize`: the link out, the Token in.

use std::path::PathBuf;

use super::{Outcome, Reporter, cancel_on_interrupt, secret_input};
use crate::app::App;
use crate::app::authorization::{AuthorizedView, Begun, LinkView, accept_host, begin, finish};
use crate::error::HostError;
use crate::redact;

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

pub(crate) fn run(app: &App, out: Reporter, args: &Args) -> Result<Outcome, HostError> {
    let (name, accept) = (args.name.as_str(), args.accept_org_change);
    let cancel = cancel_on_interrupt(out);
    if let Some(host) = &args.accept_host {
        return granted(out, &accept_host(app, name, host, &cancel)?);
    }
    let token = match &args.token_file {
        Some(file) => {
            app.ready(name)?;
            secret_input::from_file("the Token", file)?
        }
        None => match begin(app, name, accept, &cancel)? {
            Begun::Granted(view) => return granted(out, &view),
            Begun::Link(link) if args.print_url => return print_link(out, &link),
            Begun::Link(link) => {
                show_link(out, &link);
                if secret_input::is_interactive() {
                    secret_input::prompt("Token (not shown)")?
                        .ok_or_else(|| HostError::usage("no Token was entered"))?
                } else {
                    secret_input::from_stdin("the Token")?
                }
            }
        },
    };
    granted(out, &finish(app, name, token, accept, &cancel)?)
}

/// Prints the link and nothing else.
fn print_link(out: Reporter, link: &LinkView) -> Result<Outcome, HostError> {
    if out.json {
        out.document(link)?;
    } else {
        out.text(&redact::shown(&link.url));
        out.note(&redact::shown(&link.instructions));
    }
    Ok(Outcome::DONE)
}

/// Shows the link to whoever brings the Token next.
fn show_link(out: Reporter, link: &LinkView) {
    out.note(&redact::shown(&link.instructions));
    out.note("");
    if link.url.is_empty() {
        // Nothing to open: this grant is only brought.
    } else if out.json {
        out.problem(&redact::shown(&link.url));
    } else {
        out.text(&redact::shown(&link.url));
    }
}

fn granted(out: Reporter, view: &AuthorizedView) -> Result<Outcome, HostError> {
    let AuthorizedView { connector, grant, .. } = view;
    for warning in &grant.warnings {
        out.note(&redact::shown(&format!("warning: {warning}")));
    }
    if out.json {
        out.document(view)?;
        return Ok(Outcome::DONE);
    }
    let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".into());
    out.text(&redact::shown(&format!(
        "connector `{connector}` is authorized: user {}, organization {}, reads from {}, scopes {}",
        known(&grant.username),
        known(&grant.organization_id),
        known(&grant.instance_url),
        if grant.scopes.is_empty() { "unknown".to_owned() } else { grant.scopes.join(" ") },
    )));
    out.note(&redact::shown(&format!(
        "next: `connectors check \"{connector}\"`, then `collect \"{connector}\"`"
    )));
    Ok(Outcome::DONE)
}
