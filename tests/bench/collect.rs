//! Collects two orgs of different size through the real binary and the real library, and prints the
//! host's peak memory, rows per second and processor time per row.
//!
//! ```text
//! cargo bench -p host-harness --bench collect -- --small 10000 --large 1000000
//! ```
//!
//! Fails when the large run needs 64 MB more than the small one, or when a row is missing.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use salesforce_sim::SimulatedOrg;

mod watch;

use watch::watch;

const MOST_GROWTH_MB: f64 = 64.0;

struct Measured {
    users: u64,
    rows: u64,
    seconds: f64,
    cpu_seconds: f64,
    peak_mb: f64,
}

fn main() -> ExitCode {
    let sizes = sizes();
    let measured: Vec<Measured> = sizes.iter().map(|users| measure(*users)).collect();
    println!(
        "{:>10} {:>10} {:>10} {:>12} {:>14}",
        "users", "rows", "peak MB", "rows/s", "CPU us/row"
    );
    for m in &measured {
        let rows = m.rows as f64;
        println!(
            "{:>10} {:>10} {:>10.1} {:>12.0} {:>14.1}",
            m.users,
            m.rows,
            m.peak_mb,
            rows / m.seconds,
            m.cpu_seconds * 1e6 / rows
        );
    }
    let growth = measured[1].peak_mb - measured[0].peak_mb;
    println!(
        "the host's peak grew by {growth:.1} MB from {} to {} users (at most {MOST_GROWTH_MB} MB)",
        sizes[0], sizes[1]
    );
    if growth > MOST_GROWTH_MB { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn sizes() -> [u64; 2] {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str, default: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1))
            .map_or(default, |text| text.parse().expect("a number"))
    };
    [value("--small", 10_000), value("--large", 1_000_000)]
}

/// One whole collection. All datasets are read; each user has one login on average, so that `user`,
/// `user_login` and `login_history` are of the same order.
fn measure(users: u64) -> Measured {
    let org = SimulatedOrg::builder().users(users).logins_per_user(1).seed(7).start();
    let home = tempfile::tempdir().expect("a folder");
    let plugins = tempfile::tempdir().expect("a folder");
    let library = std::env::current_exe().expect("this program").with_file_name(format!(
        "{}salesforce_plugin{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    ));
    fs::copy(&library, plugins.path().join(library.file_name().expect("a name")))
        .expect("the plugin is built beside this program");
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
    Measured { users, rows: rows.values().sum(), seconds, cpu_seconds, peak_mb }
}
