//! The command line: one file for each group of commands.

mod authorize;
mod check;
mod collect;
mod connectors;
#[cfg(feature = "demo")]
mod demo;
mod diff;
mod exemptions;
mod export;
mod features;
mod findings;
mod imports;
mod interrupt;
mod logging;
mod outcome;
mod plugin_check;
mod plugins;
mod progress;
mod report;
mod reporter;
mod rule_table;
mod runs;
mod secret_input;
mod serve;
mod shell;
mod status;
mod store;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::app::{App, Options};
use crate::error::HostError;
use crate::settings::Environment;

pub(crate) use interrupt::cancel_on_interrupt;
pub(crate) use outcome::Outcome;
pub(crate) use reporter::Reporter;
pub(crate) use table::Table;

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
    /// folder and the one next to this program.
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    plugins: Option<PathBuf>,
    /// Print one JSON document on standard output, and nothing else there
    #[arg(long, global = true, help_heading = "Everywhere")]
    json: bool,
    /// Let tables be wider than the terminal
    #[arg(long, global = true, help_heading = "Everywhere")]
    wide: bool,
    /// Show more on standard error; repeat for still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Everywhere")]
    verbose: u8,
    /// Show only errors
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
    /// Show what the rules found: seats not used, pools that run out, contracts that end
    Findings(findings::Args),
    /// Exempt accounts or pools from rules, with a reason, an owner and an end
    #[command(subcommand)]
    Exemptions(exemptions::Command),
    /// Add lists: prices, contracts, staff, which uses are a person's or a machine's
    #[command(subcommand)]
    Imports(imports::Command),
    /// Compare two snapshots of a connector
    Diff(diff::Args),
    /// Write the collected inventory to files
    Export(export::Args),
    /// Run collections by their schedules, until stopped
    ///
    /// Changes by other commands take effect within seconds. Slots missed while the server was down
    /// are made up for by one run. A failed run is retried after 5 minutes, then at growing intervals
    /// of up to 6 hours; one without a grant or with wrong settings waits until these change. `status`
    /// shows the schedule. SIGTERM or Ctrl-C stops the server within 10 seconds, a second one at
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

/// Runs a command line; returns its exit code.
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
    if cli.wide {
        table::allow_wide();
    }
    let reporter = Reporter::new(cli.json, cli.quiet);
    let result =
        App::open(cli.options(environment)).and_then(|app| dispatch(app, reporter, &cli.command));
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
    fn options(&self, environment: Environment) -> Options {
        Options {
            home: self.home.clone(),
            plugins: self.plugins.clone(),
            environment,
            isolate: match &self.command {
                Command::Serve(args) => !args.in_process,
                Command::Collect(args) => args.isolate,
                _ => false,
            },
        }
    }

    /// The format of a server's log; `None` for other commands.
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

fn dispatch(app: App, out: Reporter, command: &Command) -> Result<Outcome, HostError> {
    match command {
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::run(&app, out, args),
        Command::Plugins(command) => plugins::run(&app, out, command),
        Command::Features(command) => features::run(&app, out, command),
        Command::Connectors(command) => connectors::run(&app, out, command),
        Command::Collect(args) => collect::run(&app, out, args),
        Command::Runs(command) => runs::run(&app, out, command),
        Command::Report(args) => report::run(&app, out, args),
        Command::Findings(args) => findings::run(&app, out, args),
        Command::Exemptions(command) => exemptions::run(&app, out, command),
        Command::Imports(command) => imports::run(&app, out, command),
        Command::Diff(args) => diff::run(&app, out, args),
        Command::Export(args) => export::run(&app, out, args),
        Command::Serve(_) => serve::run(app, out),
        Command::Status => status::run(&app, out),
        // Begun before anything of this process was set up.
        Command::Worker => Ok(Outcome::DONE),
        Command::Store(command) => store::run(&app, out, command),
        Command::Shell(command) => shell::run(out, command, Cli::command()),
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
