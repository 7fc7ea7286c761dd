//! `salesforce-sim`: a simulated Salesforce org for people and for any client.

mod args;
mod report;

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::sync::mpsc::{Sender, channel};
use std::{fs, thread};

use clap::Parser;
use salesforce_sim::{Fault, SimulatedOrg};

use crate::args::Args;
use crate::report::Report;

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The command line's own message; the program has no other reporter.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn std::error::Error>> {
    let (stop, stopped) = channel();
    let on_signal = stop.clone();
    ctrlc::set_handler(move || {
        // The receiver is gone only when the program is about to end anyway.
        let _ = on_signal.send(());
    })?;
    let org = start(args)?;
    let report = Report::of(&org);
    org.write_ca(&args.ca_out)?;
    if let Some(path) = &args.truth_out {
        fs::write(path, report::truth(&org)?)?;
    }
    if let Some(path) = &args.env_out {
        fs::write(path, report.environment(&args.ca_out))?;
    }
    let text = if args.json { report.json(&args.ca_out)? } else { report.text(&args.ca_out) };
    print(&text)?;
    if let Some(path) = &args.ready_file {
        fs::write(path, report.json(&args.ca_out)?)?;
    }
    if args.until_stdin_closes {
        thread::spawn(move || wait_for_stdin(&stop));
    }
    stopped.recv()?;
    Ok(())
}

fn start(args: &Args) -> Result<SimulatedOrg, Box<dyn std::error::Error>> {
    let org = args.builder()?.try_start()?;
    if let Some(path) = &args.faults {
        org.faults().set(Fault::read_script(path)?);
    }
    if args.pre_authorized {
        let username = org.username().to_owned();
        org.set_policy(|policy| {
            policy.pre_authorized.insert(username);
        });
    }
    if args.enable_client_credentials {
        let run_as = org.username().to_owned();
        org.set_policy(|policy| {
            policy.client_credentials_flow = true;
            policy.run_as = Some(run_as);
        });
    }
    Ok(org)
}

#[expect(clippy::print_stdout, reason = "standard output is where a program says what it started")]
fn print(text: &str) -> io::Result<()> {
    print!("{text}");
    io::stdout().flush()
}

fn wait_for_stdin(stop: &Sender<()>) {
    let mut piece = [0_u8; 256];
    while io::stdin().read(&mut piece).is_ok_and(|count| count > 0) {}
    let _ = stop.send(());
}
