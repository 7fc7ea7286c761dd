//! A host under test: its own home, its own plugins folder, and the binary.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use salesforce_sim::SimulatedOrg;
use serde_json::Value;
use tempfile::TempDir;

/// The name stories give their connector.
pub(crate) const NAME: &str = "production";

pub(crate) struct Host {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

/// What one command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    command: String,
}

/// The file of a library that cargo built beside this test.
pub(crate) fn library(package: &str) -> PathBuf {
    let name = format!("{}{package}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let file = std::env::current_exe().expect("this test's path").with_file_name(name);
    assert!(file.is_file(), "{} was not built", file.display());
    file
}

/// A script's job in the background has Ctrl-C ignored, and so has what it starts; the hosts of these
/// tests are to hear it all the same.
fn hear_interrupts() {
    #[cfg(unix)]
    // SAFETY: the default action runs no code of this process.
    unsafe {
        libc::signal(libc::SIGINT, libc::SIG_DFL);
    }
}

impl Host {
    /// A host with the Salesforce plugin and no network settings.
    pub(crate) fn new() -> Host {
        let host = Host { folder: tempfile::tempdir().expect("a folder"), environment: Vec::new() };
        fs::create_dir(host.plugins()).expect("the plugins folder");
        host.add_plugin(&library("salesforce_plugin"));
        host
    }

    /// A host whose network leads to that org: a proxy and a CA file, as an operator would set them.
    pub(crate) fn behind(org: &SimulatedOrg) -> Host {
        let mut host = Host::new();
        let ca = host.path("ca.pem");
        org.write_ca(&ca).expect("the CA file");
        host.set("HTTPS_PROXY", &org.proxy_url());
        host.set("SSL_CERT_FILE", ca.to_str().expect("a readable path"));
        host
    }

    /// As [`Host::behind`], with the guide followed up to and including Authorize.
    pub(crate) fn authorized(org: &SimulatedOrg) -> Host {
        let host = Host::behind(org);
        host.run(&["features", "enable", "salesforce"]).ok();
        host.create(org).ok();
        host.authorize(org).ok();
        host
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.into(), value.into()));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    pub(crate) fn plugins(&self) -> PathBuf {
        self.path("plugins")
    }

    pub(crate) fn add_plugin(&self, file: &Path) {
        let name = file.file_name().expect("a file");
        fs::copy(file, self.plugins().join(name)).expect("the plugin is copied");
    }

    /// A second library, with the connector `good` that is ready to collect.
    pub(crate) fn add_good_one(&self) {
        self.add_plugin(&library("memory_connector"));
        self.run(&["features", "enable", "memory"]).ok();
        let new = ["connectors", "new", "memory", "--name", "good", "--domain", "north"];
        self.run(&[&new[..], &["--set", "people=9"]].concat()).ok();
        let authorize = ["connectors", "authorize", "good", "--token-file", "-"];
        self.run_with_input(&authorize, "mem-token").ok();
    }

    /// It still does, whatever happened beside it.
    #[track_caller]
    pub(crate) fn good_one_collects(&self, after: &str) {
        let (collected, ran) = self.json(&["collect", "good", "--full"]);
        ran.ok();
        assert_eq!(dataset(&collected, "person")["rows"], 9, "after {after}: {collected:#}");
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a file");
        path
    }

    /// `connectors new` with the org's domain, Client ID and Client Secret.
    pub(crate) fn create(&self, org: &SimulatedOrg) -> Ran {
        self.create_with(org.my_domain_host(), org.client_id(), org.client_secret())
    }

    pub(crate) fn create_with(&self, domain: &str, client_id: &str, client_secret: &str) -> Ran {
        let secret = self.write("client-secret", client_secret);
        self.run(&[
            "connectors",
            "new",
            "salesforce",
            "--name",
            NAME,
            "--description",
            "the production org",
            "--domain",
            domain,
            "--client-id",
            client_id,
            "--client-secret-file",
            secret.to_str().expect("a readable path"),
            "--schedule",
            "daily 02:30",
        ])
    }

    /// The link, the person who presses Allow, and the paste of the page's address.
    pub(crate) fn authorize(&self, org: &SimulatedOrg) -> Ran {
        let link = self.run(&["connectors", "authorize", NAME, "--print-url"]).ok().stdout;
        let pasted = org.approve(link.trim());
        self.run_with_input(&["connectors", "authorize", NAME, "--token-file", "-"], &pasted)
    }

    pub(crate) fn run<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Ran {
        self.run_with_input(arguments, "")
    }

    pub(crate) fn command<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        hear_interrupts();
        let mut command = Command::new(env!("CARGO_BIN_EXE_host-harness"));
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.arg("--home").arg(self.home()).arg("--plugins").arg(self.plugins()).args(arguments);
        command
    }

    /// Starts a command whose output nobody reads.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("the host starts")
    }

    pub(crate) fn run_with_input<A: AsRef<OsStr>>(&self, arguments: &[A], input: &str) -> Ran {
        Ran::of(&mut self.command(arguments), input)
    }

    /// A command with `--json`, and its one document.
    pub(crate) fn json(&self, arguments: &[&str]) -> (Value, Ran) {
        let ran = self.run(&[&["--json"], arguments].concat());
        let document = serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|error| panic!("not one JSON document ({error}): {ran:#?}"));
        (document, ran)
    }

    /// `collect` with `--json`, which must end with that exit code.
    pub(crate) fn collect(&self, code: i32) -> Value {
        let (document, ran) = self.json(&["collect", NAME]);
        ran.code(code);
        document
    }

    pub(crate) fn report(&self) -> Value {
        let (document, ran) = self.json(&["report", NAME]);
        ran.ok();
        document
    }
}

impl Ran {
    /// Runs a command to its end.
    pub(crate) fn of(command: &mut Command, input: &str) -> Ran {
        let shown = format!("{command:?}");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the host starts");
        // A command that reads no input may be gone already.
        let _ = child.stdin.take().expect("its input").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("the host ends");
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
            command: shown,
        }
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Ran {
        self.code(0)
    }

    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Standard output and error, as a person at a terminal sees them.
    pub(crate) fn shown(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    #[track_caller]
    pub(crate) fn shows(self, text: &str) -> Ran {
        assert!(
            self.shown().contains(text),
            "`{text}` is not shown by {}\n{}",
            self.command,
            self.shown()
        );
        self
    }

    /// Exactly one line that starts with `error:`, and one hint.
    #[track_caller]
    pub(crate) fn one_error(self, about: &str, hint: &str) -> Ran {
        let errors: Vec<&str> =
            self.stderr.lines().filter(|line| line.starts_with("error:")).collect();
        assert!(
            errors.len() == 1 && errors[0].contains(about),
            "expected one error about `{about}`: {self:#?}"
        );
        assert!(
            self.stderr.lines().any(|line| line.starts_with("hint:") && line.contains(hint)),
            "no hint with `{hint}`: {self:#?}"
        );
        self
    }
}

/// The entry of that dataset in what `collect` printed.
#[track_caller]
pub(crate) fn dataset<'a>(collected: &'a Value, name: &str) -> &'a Value {
    let datasets = collected["datasets"].as_array().expect("datasets");
    datasets
        .iter()
        .find(|dataset| dataset["dataset"] == name)
        .unwrap_or_else(|| panic!("no dataset `{name}` in {collected:#}"))
}
