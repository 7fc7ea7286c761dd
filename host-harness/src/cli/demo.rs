//! `demo`: the steps of the connector guide, against a simulated org that lives inside this process.
//!
//! Each step is this same program started anew with what an administrator would type; it reaches the
//! org through a proxy URL and a CA file, as it would reach Salesforce through a company's proxy.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use salesforce_sim::{LicenseTruth, SimulatedOrg};
use serde_json::{Value, json};

use crate::app::App;
use crate::cli::{Outcome, Reporter, Table};
use crate::error::HostError;

const NAME: &str = "production";

/// Options of `demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Users of the simulated org
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(20..=10_000_000))]
    users: u64,
    /// The number all records of the simulated org are made from
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

/// Plays the story; the home folder is kept.
///
/// # Errors
/// When a step fails, or the report differs from what the org was filled with.
pub(crate) fn run(app: &App, out: Reporter, args: &Args) -> Result<Outcome, HostError> {
    let org = SimulatedOrg::builder()
        .users(args.users)
        .seed(args.seed)
        .my_domain("acme")
        .try_start()
        .map_err(|error| HostError::failed(plugin_host::error::chain(&error)))?;
    let stage = Stage::new(app, out, &org)?;
    stage.say(&format!(
        "A simulated Salesforce org with {} users runs inside this demo, filled from seed {}.\n\
         Its hosts are {} and {}; no Salesforce org is contacted.\n",
        args.users,
        args.seed,
        org.my_domain_host(),
        org.login_host()
    ));
    let report = play(&stage, &org)?;
    let (table, differences) = compare(&report, &org.truth().licenses);
    stage.say("\nWhat the org was filled with, and what the report says (report/filled):\n");
    stage.say(&table);
    let home = stage.home.display();
    if differences > 0 {
        return Err(HostError::failed(format_args!(
            "{differences} figures of the report differ from what the org was filled with"
        ))
        .with_hint(format_args!("the data lies in `{home}`")));
    }
    stage.say("Every figure of the report equals what the org was filled with.\n");
    stage.say(&format!(
        "The data lies in `{home}`. What to try next, without the org:\n  \
         {program} --home {home} report {NAME} --html report.html\n  \
         {program} --home {home} runs journal 1\n  \
         {program} --home {home} export {NAME} --format parquet --out inventory\n  \
         {program} --help\n\
         With your own org: see the quick start in README.md.",
        program = stage.program.display()
    ));
    if out.json {
        out.document(&json!({
            "simulated": true,
            "home": stage.home,
            "equals_the_seed": true,
            "report": report,
        }))?;
    }
    Ok(Outcome::DONE)
}

/// Plays the guide's steps; returns the report.
fn play(stage: &Stage<'_>, org: &SimulatedOrg) -> Result<Value, HostError> {
    stage.title("Properties of the endpoint server > Features > Salesforce Connector > Save");
    stage.run(&["features", "enable", "salesforce"])?;
    stage.title("Salesforce Connectors > New");
    let secret = stage.file("client-secret", org.client_secret())?;
    let created = stage.run(&[
        "connectors",
        "new",
        "salesforce",
        "--name",
        NAME,
        "--description",
        "the simulated org of the demo",
        "--domain",
        "acme",
        "--client-id",
        org.client_id(),
        "--client-secret-file",
        &secret.to_string_lossy(),
        "--schedule",
        "daily 02:30",
    ]);
    let _ = std::fs::remove_file(&secret);
    created?;
    stage.title("Authorize: the link");
    let link = stage.run(&["connectors", "authorize", NAME, "--print-url"])?;
    stage.title("A person opens it, logs in and presses Allow. The browser ends at");
    let address = org.approve(link.trim());
    let (page, _) = address.split_once("code=").unwrap_or((&address, ""));
    stage.say(&format!("{page}code=… (the Token: this whole address is pasted)\n"));
    stage.title("Authorize: the Token");
    let token = stage.file("token", &address)?;
    let pasted =
        stage.run(&["connectors", "authorize", NAME, "--token-file", &token.to_string_lossy()]);
    let _ = std::fs::remove_file(&token);
    pasted?;
    stage.title("Can everything be read?");
    stage.run(&["connectors", "check", NAME])?;
    stage.title("A collection, as the schedule would run it");
    stage.run(&["collect", NAME])?;
    stage.title("The licence position");
    stage.run(&["report", NAME])?;
    let document = stage.quietly(&["--json", "report", NAME])?;
    serde_json::from_str(&document).map_err(HostError::failed)
}

/// Where the steps are played.
struct Stage<'a> {
    app: &'a App,
    out: Reporter,
    program: PathBuf,
    home: PathBuf,
    proxy: String,
    ca_file: PathBuf,
}

impl Stage<'_> {
    fn new<'a>(app: &'a App, out: Reporter, org: &SimulatedOrg) -> Result<Stage<'a>, HostError> {
        let home = match app.named_home() {
            Some(home) => home.to_owned(),
            None => tempfile::Builder::new()
                .prefix("endpoint-server-demo-")
                .tempdir()
                .map_err(HostError::failed)?
                .keep(),
        };
        if home.join("inventory.db").exists() {
            return Err(HostError::usage(format_args!(
                "the demo needs an empty home folder, `{}` is in use",
                home.display()
            ))
            .with_hint("leave `--home` out, or name a folder that does not exist yet"));
        }
        std::fs::create_dir_all(&home)
            .map_err(|error| HostError::io("make the folder", &home, &error))?;
        let ca_file = home.join("demo-ca.pem");
        org.write_ca(&ca_file).map_err(|error| HostError::io("write", &ca_file, &error))?;
        Ok(Stage {
            app,
            out,
            program: std::env::current_exe().map_err(HostError::failed)?,
            home,
            proxy: org.proxy_url(),
            ca_file,
        })
    }

    /// For the person: on standard output, or on standard error when that is one JSON document.
    fn say(&self, text: &str) {
        if self.out.json {
            self.out.note(text);
        } else {
            self.out.text(text);
        }
    }

    fn title(&self, text: &str) {
        self.say(&format!("\n== {text}"));
    }

    fn file(&self, name: &str, content: &str) -> Result<PathBuf, HostError> {
        let file = self.home.join(name);
        crate::safe_file::SafeFile::write(&file, content.as_bytes())?;
        Ok(file)
    }

    /// A step: shown as typed, with what it prints.
    fn run(&self, arguments: &[&str]) -> Result<String, HostError> {
        self.say(&format!("$ host-harness {}", typed(arguments)));
        let printed = self.quietly(arguments)?;
        self.say(&printed);
        Ok(printed)
    }

    /// Its standard output; what it says on standard error appears there.
    fn quietly(&self, arguments: &[&str]) -> Result<String, HostError> {
        let mut command = Command::new(&self.program);
        command.env("HTTPS_PROXY", &self.proxy).env("SSL_CERT_FILE", &self.ca_file);
        command.env_remove("NO_PROXY").env_remove("no_proxy");
        command.arg("--home").arg(&self.home);
        if let Some(plugins) = self.app.named_plugins() {
            command.arg("--plugins").arg(plugins);
        }
        let output = command
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| HostError::io("start", &self.program, &error))?;
        if !output.status.success() {
            return Err(HostError::failed(format_args!(
                "the step `{}` ended with {}",
                typed(arguments),
                output.status
            )));
        }
        String::from_utf8(output.stdout).map_err(HostError::failed)
    }
}

fn typed(arguments: &[&str]) -> String {
    let quoted = arguments.iter().map(|argument| match argument.contains(' ') {
        true => format!("\"{argument}\""),
        false => (*argument).to_owned(),
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// Each user licence's figures next to those of the seed, and how many differ.
fn compare(report: &Value, truth: &[LicenseTruth]) -> (String, usize) {
    let mut table = Table::new(&[
        "USER LICENCE",
        "PURCHASED",
        "ASSIGNED",
        "AVAILABLE",
        "ACTIVE",
        "INACTIVE",
        "NEVER",
        "MACHINE",
        "UNKNOWN",
    ])
    .right(&[1, 2, 3, 4, 5, 6, 7, 8]);
    let mut differences = 0;
    let licenses = report["licenses"].as_array().map(Vec::as_slice).unwrap_or_default();
    for filled in truth {
        let reported = licenses
            .iter()
            .find(|license| license["family"] == "user" && license["id"] == filled.id.as_str());
        let mut row = vec![filled.name.clone()];
        // A licence charged by logins is bought and used in logins.
        let purchased = filled.monthly_logins_entitlement.unwrap_or(filled.purchased);
        let used = filled.monthly_logins_used.unwrap_or(filled.used);
        for (figure, value) in [
            ("purchased", purchased),
            ("assigned", used),
            ("available", purchased - used),
            ("active", filled.active),
            ("inactive", filled.inactive),
            ("never", filled.never),
            ("machine_only", filled.machine_only),
            ("unknown", filled.unknown),
        ] {
            let said = reported.and_then(|license| license[figure].as_i64());
            differences += usize::from(said != Some(value));
            let said = said.map_or_else(|| "?".to_owned(), |said| said.to_string());
            row.push(format!("{said}/{value}"));
        }
        if filled.purchased != 0 || filled.assigned != 0 {
            table.row(row);
        }
    }
    (table.render(), differences)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_that_differs_is_counted() {
        let truth = LicenseTruth { id: "100".into(), purchased: 5, ..LicenseTruth::default() };
        let license = json!({
            "family": "user", "id": "100", "purchased": 5, "assigned": 0, "available": 5,
            "active": 0, "inactive": 0, "never": 0, "machine_only": 0, "unknown": 0,
        });
        let report = |license: &Value| json!({ "licenses": [license] });
        assert_eq!(compare(&report(&license), std::slice::from_ref(&truth)).1, 0);
        let mut wrong = license;
        wrong["active"] = json!(null);
        assert_eq!(compare(&report(&wrong), &[truth]).1, 1);
    }
}
