//! The command line.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::{fs, io};

use clap::{Parser, ValueEnum};
use salesforce_sim::{Edition, OrgBuilder, Pkce, SimulatedOrg};

/// Kind of org, as typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum EditionArg {
    /// acme.my.salesforce.com
    Production,
    /// acme--NAME.sandbox.my.salesforce.com, with --sandbox-name
    Sandbox,
    /// acme-dev-ed.develop.my.salesforce.com
    Developer,
    /// acme-dev-ed.my.salesforce.com
    DeveloperUnpartitioned,
}

/// Runs a simulated Salesforce org on this machine, for any client that can use an HTTP
/// proxy and trust one more certificate authority.
///
/// The org answers to its real host names (ACME.my.salesforce.com, login.salesforce.com and
/// so on) inside the tunnels of an HTTP proxy, with certificates of an authority made at
/// start. Give a client the proxy and the authority's certificate and nothing else:
///
///   HTTPS_PROXY=http://127.0.0.1:PORT SSL_CERT_FILE=simulated-org-ca.pem your-client
///
/// Nothing leaves the machine: the proxy refuses every host that is not the org's.
#[derive(Debug, Parser)]
#[command(name = "salesforce-sim", version, verbatim_doc_comment)]
pub(crate) struct Args {
    /// How many rows `User` has
    #[arg(long, default_value_t = 200, value_name = "N")]
    users: u64,
    /// The number all records are made from: the same number, the same org
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Mean number of `LoginHistory` rows per user
    #[arg(long, default_value_t = 12, value_name = "N")]
    logins_per_user: u32,
    /// My Domain name of the org
    #[arg(long, default_value = "acme", value_name = "NAME")]
    my_domain: String,
    /// Kind of org; it decides the host names
    #[arg(long, value_enum, default_value = "production")]
    edition: EditionArg,
    /// Name of the sandbox, with --edition sandbox
    #[arg(long, default_value = "uat", value_name = "NAME")]
    sandbox_name: String,
    /// Port of the HTTP proxy on 127.0.0.1, or an address with a port; 0 takes a free one
    #[arg(long, default_value = "0", value_name = "PORT|ADDRESS", value_parser = address)]
    listen: SocketAddr,
    /// Port that answers TLS without a proxy, by server name; 0 takes a free one
    #[arg(long, default_value = "0", value_name = "PORT|ADDRESS", value_parser = address)]
    tls_listen: SocketAddr,
    /// User and password the proxy asks for
    #[arg(long, value_name = "USER:PASSWORD")]
    proxy_auth: Option<String>,
    /// Where the certificate of the org's authority is written (PEM)
    #[arg(long, default_value = "simulated-org-ca.pem", value_name = "FILE")]
    pub(crate) ca_out: PathBuf,
    /// Consumer key of the app; random if left out
    #[arg(long, value_name = "KEY")]
    client_id: Option<String>,
    /// Consumer secret of the app; random if left out
    #[arg(long, value_name = "SECRET")]
    client_secret: Option<String>,
    /// One more callback of the app
    #[arg(long, value_name = "URL")]
    redirect_uri: Vec<String>,
    /// User who authorizes the app; the administrator if left out
    #[arg(long, value_name = "USERNAME")]
    username: Option<String>,
    /// Password of every user; random if left out
    #[arg(long, value_name = "PASSWORD")]
    password: Option<String>,
    /// Largest page of a query answer
    #[arg(long, value_name = "ROWS")]
    page_size: Option<u64>,
    /// API calls the org may take in a day
    #[arg(long, value_name = "N")]
    daily_api_limit: Option<u64>,
    /// Each refresh returns a new refresh token; a replayed old one ends the grant
    #[arg(long)]
    rotate_refresh_tokens: bool,
    /// Refuse authorization requests without a code challenge
    #[arg(long)]
    require_pkce: bool,
    /// Switch "Require Secret" off, for the web server flow and for the refresh
    #[arg(long)]
    optional_secret: bool,
    /// One more scope the app is assigned
    #[arg(long, value_name = "NAME")]
    scope: Vec<String>,
    /// Certificate or public key (PEM) that verifies assertions the app signs
    #[arg(long, value_name = "FILE")]
    jwt_certificate: Option<PathBuf>,
    /// Pre-authorize the user who authorizes the app, as the JWT bearer flow needs it
    #[arg(long)]
    pub(crate) pre_authorized: bool,
    /// Enable the client credentials flow, run as the user who authorizes the app
    #[arg(long)]
    pub(crate) enable_client_credentials: bool,
    /// Allow the username-password flow
    #[arg(long)]
    enable_password_flow: bool,
    /// Refuse an object in bulk jobs; may be repeated
    #[arg(long, value_name = "OBJECT")]
    refuse_bulk: Vec<String>,
    /// API calls that others made today
    #[arg(long, default_value_t = 0, value_name = "N")]
    calls_of_others: u64,
    /// Hide an object, as a missing feature does; may be repeated
    #[arg(long, value_name = "OBJECT")]
    hide: Vec<String>,
    /// Take a permission such as PermissionsViewSetup away; may be repeated
    #[arg(long, value_name = "PERMISSION")]
    without: Vec<String>,
    /// Fault script, JSON: [{"when": {"object": "User", "nth": 3}, "then": "expire_session"}]
    #[arg(long, value_name = "FILE")]
    pub(crate) faults: Option<PathBuf>,
    /// Write every request to this file, one JSON object per line, secrets left out
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Write what is true of the org to this file (JSON), to compare a client's result with
    #[arg(long, value_name = "FILE")]
    pub(crate) truth_out: Option<PathBuf>,
    /// Write this file (JSON, as --json prints) once the org can be used
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Write the settings as shell variables (`. FILE` reads them)
    #[arg(long, value_name = "FILE")]
    pub(crate) env_out: Option<PathBuf>,
    /// Print one line of JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// End when standard input is closed, as well as on SIGINT and SIGTERM
    #[arg(long)]
    pub(crate) until_stdin_closes: bool,
}

impl Args {
    /// The org these arguments describe.
    pub(crate) fn builder(&self) -> io::Result<OrgBuilder> {
        let edition = match self.edition {
            EditionArg::Production => Edition::Production,
            EditionArg::Sandbox => Edition::Sandbox { name: self.sandbox_name.clone() },
            EditionArg::Developer => Edition::Developer,
            EditionArg::DeveloperUnpartitioned => Edition::DeveloperUnpartitioned,
        };
        let mut builder = SimulatedOrg::builder()
            .users(self.users)
            .seed(self.seed)
            .logins_per_user(self.logins_per_user)
            .my_domain(&self.my_domain)
            .edition(edition)
            .listen(self.listen)
            .tls_listen(self.tls_listen)
            .policy(|policy| {
                policy.page_size = self.page_size;
                policy.daily_api_limit = self.daily_api_limit.unwrap_or(policy.daily_api_limit);
                policy.bulk.refused_objects.extend(self.refuse_bulk.iter().cloned());
                policy.budget.used_by_others = self.calls_of_others;
                policy.rotate_refresh_tokens = self.rotate_refresh_tokens;
                policy.password_flow = self.enable_password_flow;
                policy.require_secret_for_web_server_flow = !self.optional_secret;
                policy.require_secret_for_refresh_token_flow = !self.optional_secret;
                policy.scopes.extend(self.scope.iter().cloned());
                if self.require_pkce {
                    policy.pkce = Pkce::Required;
                }
            });
        builder = self.client_id.iter().fold(builder, |builder, id| builder.client_id(id));
        builder = self
            .client_secret
            .iter()
            .fold(builder, |builder, secret| builder.client_secret(secret));
        builder =
            self.username.iter().fold(builder, |builder, username| builder.username(username));
        builder =
            self.password.iter().fold(builder, |builder, password| builder.password(password));
        builder = self.redirect_uri.iter().fold(builder, |builder, uri| builder.redirect_uri(uri));
        builder = self.hide.iter().fold(builder, |builder, object| builder.hide_object(object));
        builder = self
            .without
            .iter()
            .fold(builder, |builder, permission| builder.without_permission(permission));
        builder = self.journal.iter().fold(builder, |builder, path| builder.journal_file(path));
        if let Some(path) = &self.jwt_certificate {
            builder = builder.app_certificate(&fs::read_to_string(path)?);
        }
        if let Some(pair) = &self.proxy_auth {
            let (user, password) = pair.split_once(':').ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "`--proxy-auth` must look like USER:PASSWORD",
                )
            })?;
            builder = builder.proxy_auth(user, password);
        }
        Ok(builder)
    }
}

/// A port of the loopback interface, or an address with a port.
fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse::<u16>() {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    text.parse()
        .map_err(|_| "expected a port such as 8080 or an address such as 127.0.0.1:8080".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
        assert_eq!(address("8080"), Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))));
        assert!(address("localhost").is_err());
    }
}
