//! Collects two orgs of different size through the real binary and the real library, by pages and by
//! query jobs, and prints the host's peak memory, rows per second, processor time per row, and what
//! the next run costs when nothing changed.
//!
//! ```text
//! cargo bench -p host-harness --bench collect -- --small 10000 --large 1000000 --logins 5 --by jobs
//! ```
//!
//! Fails when a large run needs 64 MB more than the small one, when the next run sends more than 60
//! requests, or when a row is missing.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use salesforce_sim::SimulatedOrg;

#[allow(dead_code, reason = "each benchmark uses its part")]
mod prepared;
#[allow(dead_code, reason = "each benchmark uses its part")]
mod watch;

use watch::watch;

const MOST_GROWTH_MB: f64 = 64.0;
/// Requests of a run by changes when there are none.
const MOST_CALLS: u64 = 60;

struct Measured {
    users: u64,
    logins: u64,
    rows: u64,
    seconds: f64,
    cpu_seconds: f64,
    peak_mb: f64,
    next_calls: u64,
}

struct Options {
    small: u64,
    large: u64,
    /// Logins of a user who comes often, about half.
    logins: u32,
    /// How large datasets are read, with the setting that does it.
    ways: Vec<(&'static str, &'static str)>,
}

fn main() -> ExitCode {
    let options = options();
    let mut fine = true;
    for (way, setting) in &options.ways {
        let measured =
            [options.small, options.large].map(|users| measure(users, options.logins, setting));
        println!(
            "by {way}\n{:>10} {:>10} {:>10} {:>10} {:>12} {:>14} {:>20}",
            "users", "logins", "rows", "peak MB", "rows/s", "CPU us/row", "next run's requests"
        );
        for m in &measured {
            let rows = m.rows as f64;
            println!(
                "{:>10} {:>10} {:>10} {:>10.1} {:>12.0} {:>14.1} {:>20}",
                m.users,
                m.logins,
                m.rows,
                m.peak_mb,
                rows / m.seconds,
                m.cpu_seconds * 1e6 / rows,
                m.next_calls
            );
        }
        let growth = measured[1].peak_mb - measured[0].peak_mb;
        println!("the host's peak grew by {growth:.1} MB (at most {MOST_GROWTH_MB} MB)");
        fine &= growth <= MOST_GROWTH_MB && measured.iter().all(|m| m.next_calls <= MOST_CALLS);
    }
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn options() -> Options {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1))
    };
    let number = |name: &str, default: u64| {
        value(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let mut ways = vec![("pages", "bulk_rows=0"), ("jobs", "bulk_rows=20000")];
    if let Some(way) = value("--by") {
        ways.retain(|(name, _)| name == way);
        assert!(!ways.is_empty(), "--by pages or --by jobs");
    }
    Options {
        small: number("--small", 10_000),
        large: number("--large", 1_000_000),
        logins: u32::try_from(number("--logins", 1)).expect("a small number"),
        ways,
    }
}

/// One whole collection of all datasets, and a second one when nothing changed.
fn measure(users: u64, logins: u32, setting: &str) -> Measured {
    let org = SimulatedOrg::builder().users(users).logins_per_user(logins).seed(7).start();
    let home = tempfile::tempdir().expect("a folder");
    let plugins = prepared::folder_with("salesforce_plugin");
    let ca = home.path().join("ca.pem");
    org.write_ca(&ca).expect("the CA file");
    let host = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_host-harness"));
        command.env_clear().env("HTTPS_PROXY", org.proxy_url()).env("SSL_CERT_FILE", &ca);
        command
            .arg("--home")
            .arg(home.path().join("home"))
            .arg("--plugins")
            .arg(plugins.path())
            .args(arguments);
        command
    };
    let done = |arguments: &[&str]| {
        let output = host(arguments).output().expect("the host runs");
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("text")
    };
    let secret = home.path().join("secret");
    fs::write(&secret, org.client_secret()).expect("the secret's file");
    done(&["features", "enable", "salesforce"]);
    let secret_file = secret.to_str().expect("a path");
    done(&[
        "connectors",
        "new",
        "salesforce",
        "--name",
        "bench",
        "--domain",
        org.my_domain_host(),
        "--client-id",
        org.client_id(),
        "--client-secret-file",
        secret_file,
        "--set",
        setting,
        // The simulated org's allowance is that of a small one.
        "--set",
        "api_share_run_percent=80",
    ]);
    let url = done(&["connectors", "authorize", "bench", "--print-url"]);
    let token = home.path().join("token");
    fs::write(&token, org.approve(url.trim())).expect("the token's file");
    done(&["connectors", "authorize", "bench", "--token-file", token.to_str().expect("a path")]);

    let started = Instant::now();
    let mut child = host(&["--json", "-q", "collect", "bench"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the host runs");
    let (peak_mb, cpu_seconds) = watch(&mut child);
    let output = child.wait_with_output().expect("the host ends");
    let seconds = started.elapsed().as_secs_f64();
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(summary["status"], "complete", "{summary}");
    let rows: BTreeMap<String, u64> = summary["datasets"]
        .as_array()
        .expect("datasets")
        .iter()
        .map(|dataset| {
            (
                dataset["dataset"].as_str().expect("a name").to_owned(),
                dataset["rows"].as_u64().expect("rows"),
            )
        })
        .collect();
    assert_eq!(rows["user"], org.truth().total_users, "every user was collected");
    let next: serde_json::Value =
        serde_json::from_str(&done(&["--json", "-q", "collect", "bench"])).expect("JSON");
    assert_eq!(next["status"], "complete", "{next}");
    let next_calls = next["api_calls"].as_u64().expect("a number");
    Measured {
        users,
        logins: rows["login_history"],
        rows: rows.values().sum(),
        seconds,
        cpu_seconds,
        peak_mb,
        next_calls,
    }
}
