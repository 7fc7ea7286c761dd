//! `salesforce-sim` as a process.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

#[test]
fn the_program_says_what_it_started_and_ends_with_its_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let faults = path("faults.json");
    std::fs::write(
        &faults,
        r#"[{"when": {"path_prefix": "/services/data"}, "then": "html_page"}]"#,
    )
    .expect("written");
    let mut program = Command::new(env!("CARGO_BIN_EXE_salesforce-sim"))
        .args(["--users", "20", "--json", "--until-stdin-closes", "--my-domain", "globex"])
        .arg("--ca-out")
        .arg(path("ca.pem"))
        .arg("--truth-out")
        .arg(path("truth.json"))
        .arg("--env-out")
        .arg(path("env.sh"))
        .arg("--faults")
        .arg(&faults)
        .arg("--journal")
        .arg(path("journal.jsonl"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut line = String::new();
    BufReader::new(program.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    let ready: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(ready["my_domain_host"], "globex.my.salesforce.com");
    assert!(ready["refresh_token"].as_str().is_some_and(|token| token.starts_with("5Aep")));
    let ca = std::fs::read(path("ca.pem")).expect("a certificate");
    let client = reqwest::blocking::Client::builder()
        .proxy(reqwest::Proxy::all(ready["proxy_url"].as_str().expect("a URL")).expect("a proxy"))
        .tls_certs_only([reqwest::Certificate::from_pem(&ca).expect("a certificate")]);
    // Another story may have been the first to choose the TLS provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = client.build().expect("a client");
    let get =
        || client.get("https://globex.my.salesforce.com/services/data").send().expect("an answer");
    assert!(get().text().expect("a body").starts_with("<!DOCTYPE html>"));
    assert!(get().text().expect("a body").starts_with('['));
    let truth: Value =
        serde_json::from_slice(&std::fs::read(path("truth.json")).expect("a file")).expect("JSON");
    assert_eq!(truth["users"]["count"], truth["total_users"]);
    let environment = std::fs::read_to_string(path("env.sh")).expect("a file");
    assert!(environment.contains("export HTTPS_PROXY='http://127.0.0.1:"));
    drop(program.stdin.take());
    assert!(program.wait().expect("ended").success());
    let journal = std::fs::read_to_string(path("journal.jsonl")).expect("a journal");
    assert_eq!(journal.lines().count(), 2);
}

#[test]
fn a_certificate_that_is_none_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = folder.path().join("certificate.pem");
    std::fs::write(&certificate, "nonsense").expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_salesforce-sim"))
        .arg("--ca-out")
        .arg(folder.path().join("ca.pem"))
        .arg("--jwt-certificate")
        .arg(&certificate)
        .output()
        .expect("ended");
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("the app's certificate is neither"), "{text}");
}

#[test]
fn a_fault_script_with_a_typing_error_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let faults = folder.path().join("faults.json");
    std::fs::write(&faults, r#"[{"then": "html_pgae"}]"#).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_salesforce-sim"))
        .arg("--ca-out")
        .arg(folder.path().join("ca.pem"))
        .arg("--faults")
        .arg(&faults)
        .output()
        .expect("ended");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("html_pgae"));
}
