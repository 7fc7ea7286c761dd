//! The command line: one file for each group of commands.

mod authorize;
mod check;
mod collect;
mod connectors;
#[cfg(feature = "demo")]
mod demo;
mod diff;
mod exemptions;
pub mod export;
mod features;
mod findings;
mod imports;
mod logging;
mod plugin_check;
mod plugins;
mod progress;
pub mod report;
mod reporter;
mod runs;
mod secret_input;
mod serve;
mod shell;
mod status;
mod store;
mod table;

use std::cell::OnceCell;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::app::deployment::{self, Deployment};
use crate::cancel::Cancel;
use crate::error::HostError;
use crate::home::Home;
use crate::plugin::Plugin;
use crate::plugin_dir::{self, Loading, Scan};
use crate::secret_store::Vault;
use crate::settings::{Config, Environment, Network};
use crate::store::{Connector, Store};
use crate::trust::TrustedKeys;

pub(crate) use reporter::Reporter;
pub(crate) use table::Table;

/// How a command ended; its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome(pub(crate) u8);

impl Outcome {
    /// Done.
    pub(crate) const DONE: Outcome = Outcome(0);
    /// Done, with findings or only partly.
    pub(crate) const FINDINGS: Outcome = Outcome(4);
    /// Done, but a connector library was refused.
    pub(crate) const REFUSED: Outcome = Outcome(6);
}

const AFTER_HELP: &str = "\
Exit codes:
  0 done   1 failed   2 wrong usage or settings   3 authorization needed
  4 done with findings, or partly   5 paused: the vendor's API allowance is used up
  6 a connector library was refused or is missing

Network settings: HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE of the environment, overridden by
proxy, no_proxy and ca_file in config.toml, overridden by the connector's own settings.

A first collection:
  host-harness features list
  host-harness features enable FEATURE
  host-harness connectors new FEATURE --name NAME --domain DOMAIN --client-id ID --client-secret-file FILE
  host-harness connectors authorize NAME
  host-harness connectors check NAME
  host-harness collect NAME
  host-harness report NAME";

#[derive(Debug, Parser)]
#[command(
    name = "host-harness",
    version,
    about = "The endpoint server: connects to cloud services and keeps an inventory of licences, users and their use",
    after_long_help = AFTER_HELP,
    propagate_version = true,
    max_term_width = 100
)]
struct Cli {
    /// Folder of this endpoint server: store, key, settings, plugins
    ///
    /// Otherwise ENDPOINT_SERVER_HOME, or the data folder of this account.
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    home: Option<PathBuf>,
    /// Look for connector libraries in this folder only
    ///
    /// Otherwise CONNECTOR_PLUGINS, `plugins` of config.toml, the `plugins` folder in the home
    /// folder and the one beside this program.
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    plugins: Option<PathBuf>,
    /// Print one JSON document on standard output, and nothing else there
    #[arg(long, global = true, help_heading = "Everywhere")]
    json: bool,
    /// Say more on standard error; repeat for more still
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Everywhere")]
    verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Everywhere")]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play the whole story against a simulated organization
    #[cfg(feature = "demo")]
    Demo(demo::Args),
    /// Connector libraries: list, check, install, verify
    #[command(subcommand)]
    Plugins(plugins::Command),
    /// Features of this endpoint server: list, show, enable, disable
    #[command(subcommand)]
    Features(features::Command),
    /// Connectors: create, change, authorize, check
    #[command(subcommand)]
    Connectors(connectors::Command),
    /// Run one collection of a connector now
    Collect(collect::Args),
    /// Collections so far: list, show, journal of requests
    #[command(subcommand)]
    Runs(runs::Command),
    /// Show the licence position of a connector
    Report(report::Args),
    /// Say what the rules found: seats not used, pools that run out, contracts that end
    Findings(findings::Args),
    /// Exempt accounts or pools from rules, with a reason, an owner and an end
    #[command(subcommand)]
    Exemptions(exemptions::Command),
    /// Add lists: prices, contracts, staff, who stands behind a use
    #[command(subcommand)]
    Imports(imports::Command),
    /// Compare two snapshots of a connector
    Diff(diff::Args),
    /// Write the collected inventory to files
    Export(export::Args),
    /// Run collections by their schedules, until stopped
    ///
    /// Changes by other commands are seen within seconds. A slot missed while the server was down
    /// is made up for by one run; a failed run is tried again after 5 minutes, then ever later, up
    /// to 6 hours; one that a person has to mend waits until settings or grant change. `status`
    /// says how everything stands. SIGTERM or Ctrl-C stops it within 10 seconds, a second one at
    /// once. Settings in config.toml: time_zone, parallel_runs, jitter_minutes, on_failure, metrics,
    /// retention_days.
    Serve(serve::Args),
    /// Show the server, its connectors with their next runs, and the store
    ///
    /// Exit code 4 when something needs attention.
    Status,
    /// The store: check, back up, restore
    #[command(subcommand)]
    Store(store::Command),
    /// Serve one operation of a connector library for the process that started this one
    #[command(hide = true)]
    Worker,
    /// Print the completions of a shell, or write the manual pages
    #[command(subcommand)]
    Shell(shell::Command),
}

/// Runs the command line of this process.
pub fn main(environment: Environment) -> ExitCode {
    crate::process::keep_memory_private();
    crate::process::share_memory_among_threads();
    std::panic::set_hook(Box::new(|info| {
        // The location only: a panic's message could hold anything.
        let place = info.location().map_or_else(String::new, |place| format!(" at {place}"));
        Reporter::new(false, false).problem(&format!("error: this program has a fault{place}"));
    }));
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().collect();
    ExitCode::from(run(environment, &arguments))
}

/// Runs a command line; answers its exit code.
pub fn run(environment: Environment, arguments: &[std::ffi::OsString]) -> u8 {
    let cli = match parse(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, arguments),
    };
    if let Command::Worker = cli.command {
        // It has neither home nor settings, and a logger of its own.
        return crate::worker::run();
    }
    logging::install(cli.verbose, cli.quiet, cli.log_format());
    let reporter = Reporter::new(cli.json, cli.quiet);
    let result = App::new(&cli, environment, reporter).and_then(|app| {
        let outcome = dispatch(&app, &cli.command);
        drop(app);
        outcome
    });
    match result {
        Ok(Outcome(0)) => u8::from(Reporter::lost_output()),
        Ok(outcome) => outcome.0,
        Err(error) => {
            reporter.error(&error);
            error.kind.exit_code()
        }
    }
}

impl Cli {
    /// How a server's log looks; none for other commands.
    fn log_format(&self) -> Option<serve::LogFormat> {
        match &self.command {
            Command::Serve(args) => Some(args.log_format),
            _ => None,
        }
    }
}

fn parse(arguments: &[std::ffi::OsString]) -> Result<Cli, clap::Error> {
    let mut matches = Cli::command().try_get_matches_from(arguments)?;
    Cli::from_arg_matches_mut(&mut matches)
}

fn usage(error: &clap::Error, arguments: &[std::ffi::OsString]) -> u8 {
    use clap::error::ErrorKind as Clap;
    let json = arguments.iter().any(|argument| argument == "--json");
    let reporter = Reporter::new(json, false);
    match error.kind() {
        Clap::DisplayHelp | Clap::DisplayVersion => {
            reporter.text(&error.render().to_string());
            0
        }
        _ => {
            let rendered = error.render().to_string();
            reporter.problem(rendered.trim_end());
            if json {
                let message = rendered.lines().next().unwrap_or_default();
                let message = message.strip_prefix("error: ").unwrap_or(message);
                reporter.json_error(&HostError::usage(message).with_hint("see `--help`"));
            }
            2
        }
    }
}

fn dispatch(app: &App, command: &Command) -> Result<Outcome, HostError> {
    match command {
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::run(app, args),
        Command::Plugins(command) => plugins::run(app, command),
        Command::Features(command) => features::run(app, command),
        Command::Connectors(command) => connectors::run(app, command),
        Command::Collect(args) => collect::run(app, args),
        Command::Runs(command) => runs::run(app, command),
        Command::Report(args) => report::run(app, args),
        Command::Findings(args) => findings::run(app, args),
        Command::Exemptions(command) => exemptions::run(app, command),
        Command::Imports(command) => imports::run(app, command),
        Command::Diff(args) => diff::run(app, args),
        Command::Export(args) => export::run(app, args),
        Command::Serve(args) => serve::run(app, args),
        Command::Status => status::run(app),
        // Begun before anything of this process was set up.
        Command::Worker => Ok(Outcome::DONE),
        Command::Store(command) => store::run(app, command),
        Command::Shell(command) => shell::run(app, command),
    }
}

/// What every command may use; opened when first needed.
pub(crate) struct App {
    pub(crate) home: Home,
    pub(crate) reporter: Reporter,
    pub(crate) config: Config,
    environment: Environment,
    #[cfg_attr(not(feature = "demo"), expect(dead_code, reason = "the demo asks for it"))]
    home_was_named: bool,
    plugins: Option<PathBuf>,
    scan: OnceCell<Scan>,
    store: OnceCell<Arc<Store>>,
    deployment: OnceCell<Deployment>,
}

impl App {
    fn new(cli: &Cli, environment: Environment, reporter: Reporter) -> Result<App, HostError> {
        let home = match cli.home.as_ref().or(environment.home.as_ref()) {
            Some(path) => Home::new(std::path::absolute(path).map_err(HostError::failed)?),
            None => Home::platform_default()?,
        };
        let config = Config::read(&home)?;
        Ok(App {
            home,
            reporter,
            config,
            home_was_named: cli.home.is_some() || environment.home.is_some(),
            environment,
            plugins: cli.plugins.clone(),
            scan: OnceCell::new(),
            store: OnceCell::new(),
            deployment: OnceCell::new(),
        })
    }

    /// The connector libraries of this endpoint server.
    pub(crate) fn scan(&self) -> Result<&Scan, HostError> {
        if let Some(scan) = self.scan.get() {
            return Ok(scan);
        }
        let scan = plugin_dir::scan(&self.plugin_folders()?, &self.trusted_keys()?, Loading::Here);
        Ok(self.scan.get_or_init(|| scan))
    }

    /// The folders connector libraries are looked for in.
    pub(crate) fn plugin_folders(&self) -> Result<Vec<plugin_dir::Folder>, HostError> {
        plugin_dir::folders(
            self.plugins.as_deref(),
            self.environment.plugins.as_deref(),
            self.config.plugins.as_deref(),
            &self.home,
            self.config.plugins_policy,
        )
    }

    /// Keys whose signatures on libraries count.
    pub(crate) fn trusted_keys(&self) -> Result<TrustedKeys, HostError> {
        TrustedKeys::read(&self.config.trusted_keys)
    }

    /// The home folder, if one was named rather than the platform's.
    #[cfg(feature = "demo")]
    pub(crate) fn named_home(&self) -> Option<&std::path::Path> {
        self.home_was_named.then(|| self.home.path())
    }

    /// The plugins folder named on the command line.
    #[cfg(feature = "demo")]
    pub(crate) fn named_plugins(&self) -> Option<&std::path::Path> {
        self.plugins.as_deref()
    }

    /// Where `plugins install` puts a library.
    pub(crate) fn install_folder(&self) -> PathBuf {
        self.plugins.clone().unwrap_or_else(|| self.home.plugins())
    }

    /// The store. Runs whose process is gone are taken back when it is first opened.
    pub(crate) fn store(&self) -> Result<&Arc<Store>, HostError> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let store = Arc::new(Store::open(&self.home)?);
        deployment::recover_runs(&store, None)?;
        Ok(self.store.get_or_init(|| store))
    }

    /// The store with its key and network settings.
    pub(crate) fn deployment(&self) -> Result<&Deployment, HostError> {
        if let Some(deployment) = self.deployment.get() {
            return Ok(deployment);
        }
        let store = Arc::clone(self.store()?);
        let vault = Arc::new(Vault::open(&store, &self.environment.key)?);
        let network: Network =
            self.environment.network.clone().overridden_by(self.config.network());
        Ok(self.deployment.get_or_init(|| Deployment { store, vault, network }))
    }

    /// Seals everything with another key; answers the file that holds it.
    pub(crate) fn change_key(
        &self,
        new_key: Option<&std::path::Path>,
    ) -> Result<PathBuf, HostError> {
        Vault::change_key(self.store()?, &self.environment.key, new_key)
    }

    /// A connector with the library of its feature, which must be enabled.
    pub(crate) fn ready(&self, name: &str) -> Result<(Connector, &Plugin), HostError> {
        let connector = self.store()?.connector(name)?;
        let plugin = self.enabled(&connector.feature)?;
        Ok((connector, plugin))
    }

    /// The library of a feature, which must be enabled.
    pub(crate) fn enabled(&self, feature: &str) -> Result<&Plugin, HostError> {
        let plugin = self.scan()?.plugin(feature)?;
        if !self.store()?.feature_enabled(feature)? {
            return Err(HostError::usage(format_args!("the feature `{feature}` is disabled"))
                .with_hint(format_args!("run `features enable {feature}`")));
        }
        Ok(plugin)
    }

    /// A request to stop that Ctrl-C sets; a second Ctrl-C ends the process at once.
    pub(crate) fn cancel_on_interrupt(&self) -> Cancel {
        let cancel = Cancel::default();
        let reporter = self.reporter;
        let asked = cancel.clone();
        let handler = crate::process::on_request_to_stop(move || {
            if asked.is_set() {
                std::process::exit(130);
            }
            reporter.note("stopping; press Ctrl-C again to stop at once");
            asked.set();
        });
        if let Err(error) = handler {
            log::warn!("a request to stop ends this process at once: {error}");
        }
        cancel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Cli, clap::Error> {
        let arguments: Vec<_> = std::iter::once("host-harness")
            .chain(line.split_whitespace())
            .map(std::ffi::OsString::from)
            .collect();
        parse(&arguments)
    }

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_of_the_design_is_understood() {
        for line in [
            "plugins list",
            "plugins install libx.so",
            "plugins verify",
            "features list",
            "features show sample",
            "features enable sample",
            "features disable sample",
            "connectors new sample --name N --domain D --client-id ID --description T \
             --client-secret-file F --schedule daily --set a=b --set c=d",
            "connectors list",
            "connectors show N",
            "connectors edit N --domain D",
            "connectors delete N",
            "connectors authorize N --print-url",
            "connectors authorize N --token-file -",
            "connectors check N",
            "connectors deauthorize N",
            "connectors permission-set N --out DIR",
            "connectors rotate-key",
            "collect N --full --dataset a --dataset b",
            "runs list",
            "runs list N",
            "runs show 3",
            "runs journal 3",
            "report N --as-of 3",
            "report N --as-of 2026-03-01 --html F --what-if W",
            "report --all",
            "findings N --rule R01",
            "findings explain N U",
            "exemptions add N U --reason r --owner o --until 2026-12-31",
            "imports add N prices F",
            "diff N 1 2026-03-01",
            "serve",
            "serve --log-format json",
            "status",
            "store check",
            "store backup F",
            "store restore F",
            "shell completions bash",
            "shell manual DIR",
            "--home H --plugins P --json -v features list",
            "features list --json -q --home H",
        ] {
            parsed(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    #[test]
    fn wrong_usage_is_refused() {
        for line in [
            "",
            "collect",
            "runs show three",
            "connectors new sample",
            "connectors new sample --name N --client-secret canary",
            "connectors authorize N --print-url --token-file F",
            "connectors new sample --name N --set novalue",
            "features list -v -q",
        ] {
            let error = parsed(line).map(drop).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
