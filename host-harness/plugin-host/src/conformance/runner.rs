//! Runs the checks, each in a process of its own, and tells how that process ended.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::checks::{CHECKS, STDOUT, symbols};
use super::subject::Subject;
use super::{Profile, Status, Unmet, Verdict, failed};
use crate::checked::Checked;
use crate::error::PluginError;
use crate::redact;
use crate::trust::Trust;
use crate::worker::{Limits, how_it_ended, program};

/// The check of the file, made before any code of it runs.
const SYMBOLS: &str = "symbols";
/// The check without which no other can be made.
pub const LOAD: &str = "load";
const POLL: Duration = Duration::from_millis(5);

/// What to check.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// The library.
    pub file: &'a Path,
    /// Settings, secrets and token; none for made-up ones.
    pub profile: Option<&'a Path>,
    /// Only these checks; none for all.
    pub only: &'a [String],
    /// Time limit of one check.
    pub within: Duration,
}

/// Runs the checks in their order, and hands each verdict over as it is there. Where the library
/// cannot be loaded, that verdict is the last one.
///
/// # Errors
/// When the profile cannot be used, a check is not known, or no process can be started.
pub fn run(
    options: &Options<'_>,
    mut each: impl FnMut(&Verdict),
) -> Result<Vec<Verdict>, PluginError> {
    let names: Vec<&str> =
        std::iter::once(SYMBOLS).chain(CHECKS.iter().map(|(name, _)| *name)).collect();
    if let Some(unknown) = options.only.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(PluginError::usage(format_args!("there is no check `{unknown}`"))
            .with_hint(format_args!("checks are {}", names.join(", "))));
    }
    if let Some(path) = options.profile {
        Profile::read(path)?.mask();
    }
    let wanted = |name: &str| {
        options.only.is_empty() || name == LOAD || options.only.iter().any(|only| only == name)
    };
    let mut verdicts = Vec::new();
    for name in names.into_iter().filter(|name| wanted(name)) {
        let mut verdict = match name {
            SYMBOLS => Verdict::new(SYMBOLS, symbols(options.file)),
            _ => in_own_process(name, options)?,
        };
        verdict.reason = verdict.reason.map(|reason| redact::shown(&reason));
        let refused = name == LOAD && verdict.status == Status::Failed;
        each(&verdict);
        verdicts.push(verdict);
        if refused {
            break;
        }
    }
    Ok(verdicts)
}

/// Runs one check in this process.
pub fn here(check: &str, file: &Path, profile: Option<&Path>) -> Result<Verdict, PluginError> {
    let profile = profile.map(Profile::read).transpose()?;
    let result = loaded(file, profile, check == "secrets").and_then(|subject| {
        match CHECKS.iter().find(|(name, _)| *name == check) {
            Some((_, check)) => check(&subject),
            None => failed("there is no such check"),
        }
    });
    let mut verdict = Verdict::new(check, result);
    verdict.reason = verdict.reason.map(|reason| redact::mask(&reason).into_owned());
    Ok(verdict)
}

fn loaded(file: &Path, profile: Option<Profile>, canaries: bool) -> Result<Subject, Unmet> {
    let plugin = Checked::new(file, |_, _| Ok(Trust::ByPolicy))
        .and_then(Checked::load)
        .or_else(|refusal| failed(refusal.reason()))?;
    let profile = profile.unwrap_or_else(|| Profile::made_up(&plugin.manifest));
    let profile =
        if canaries && profile.made_up { profile.with_canaries(&plugin.manifest) } else { profile };
    profile.mask();
    Ok(Subject { plugin, profile })
}

fn in_own_process(check: &str, options: &Options<'_>) -> Result<Verdict, PluginError> {
    let folder = tempfile::tempdir().map_err(PluginError::system)?;
    let file = |name: &str| folder.path().join(name);
    let create =
        |path: &PathBuf| File::create(path).map_err(|error| PluginError::io("write", path, error));
    let (verdict, stdout, stderr) = (file("verdict"), file("stdout"), file("stderr"));
    let mut command = Command::new(program().map_err(PluginError::system)?);
    command.args(["plugins", "check"]).arg(options.file);
    command.args(["--only", check]).arg("--verdict").arg(&verdict);
    if let Some(profile) = options.profile {
        command.arg("--settings").arg(profile);
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(create(&stdout)?)
        .stderr(create(&stderr)?)
        .spawn()
        .map_err(|error| PluginError::system(format_args!("no process can be started: {error}")))?;
    let ended = wait(&mut child, options.within);
    let text = std::fs::read_to_string(&verdict).unwrap_or_default();
    let printed = std::fs::read(&stdout).unwrap_or_default();
    Ok(match (ended, serde_json::from_str::<Verdict>(&text)) {
        (Some(_), Ok(verdict)) if check == STDOUT && !printed.is_empty() => {
            let beginning = String::from_utf8_lossy(&printed[..printed.len().min(40)]).into_owned();
            Verdict {
                status: Status::Failed,
                reason: Some(format!("it printed {} bytes: `{beginning}` …", printed.len())),
                ..verdict
            }
        }
        (Some(_), Ok(verdict)) => verdict,
        (Some(status), Err(_)) => {
            let words = std::fs::read(&stderr).unwrap_or_default();
            Verdict::new(check, failed(died(status, &String::from_utf8_lossy(&words))))
        }
        (None, _) => {
            let limit = options.within.as_secs();
            Verdict::new(check, failed(format_args!("it did not end within {limit} seconds")))
        }
    })
}

/// Waits for a process; one that takes too long is ended.
fn wait(child: &mut Child, within: Duration) -> Option<ExitStatus> {
    let began = Instant::now();
    while began.elapsed() < within {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::park_timeout(POLL);
    }
    // It may have ended in this moment.
    let _ = child.kill();
    let _ = child.wait();
    None
}

fn died(status: ExitStatus, words: &str) -> String {
    let how = match words.contains("overflowed its stack") {
        true => "overflowed its stack".to_owned(),
        false => how_it_ended(status, Limits::default()),
    };
    format!("the connector's process {how}")
}
