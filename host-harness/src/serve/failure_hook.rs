//! A program of the operator's that is called when a run fails.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::app::collection::outcome::Outcome;
use crate::cancel::Cancel;
use crate::error::HostError;

/// Time limit of the hook.
const LIMIT: Duration = Duration::from_secs(60);

/// The program and its arguments.
#[derive(Clone, Debug)]
pub struct FailureHook(Vec<String>);

impl FailureHook {
    /// A hook that starts that program with those arguments.
    pub fn new(command: Vec<String>) -> FailureHook {
        FailureHook(command)
    }

    /// Starts the program, in a thread of its own, with what happened as one JSON document on its
    /// standard input: the run as `collect --json` prints it, or `connector` and `error` if none
    /// began. Its environment is empty but for `PATH`.
    pub fn call(&self, connector: &str, result: &Result<Outcome, HostError>) {
        let document = match result {
            Ok(outcome) => serde_json::to_string(outcome).unwrap_or_default(),
            Err(error) => json!({
                "connector": connector,
                "status": "failed",
                "error": { "kind": error.kind.as_str(), "message": error.message, "hint": error.hint },
            })
            .to_string(),
        };
        let command = self.0.clone();
        let thread = std::thread::Builder::new().name("on_failure".into());
        if let Err(error) = thread.spawn(move || run(&command, &document)) {
            log::error!("`on_failure`: no thread for it: {error}");
        }
    }
}

fn run(command: &[String], document: &str) {
    let Some((program, arguments)) = command.split_first() else { return };
    let mut child = Command::new(program);
    child.args(arguments).env_clear().stdin(Stdio::piped()).stdout(Stdio::null());
    child.stderr(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        child.env("PATH", path);
    }
    let mut child = match child.spawn() {
        Ok(child) => child,
        Err(error) => {
            log::error!("`on_failure`: `{program}` cannot be started: {error}");
            return;
        }
    };
    if let Some(mut input) = child.stdin.take()
        && let Err(error) = input.write_all(document.as_bytes())
    {
        log::debug!("`on_failure`: `{program}` did not read what happened: {error}");
    }
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return,
            Ok(Some(status)) => {
                return log::error!("`on_failure`: `{program}` ended with {status}");
            }
            Ok(None) if began.elapsed() < LIMIT => {
                Cancel::default().sleep(Duration::from_millis(100));
            }
            Ok(None) => {
                log::error!("`on_failure`: `{program}` took too long and was ended");
                if let Err(error) = child.kill() {
                    log::debug!("`on_failure`: {error}");
                }
                let _ = child.wait();
                return;
            }
            Err(error) => return log::error!("`on_failure`: `{program}`: {error}"),
        }
    }
}
