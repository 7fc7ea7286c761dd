//! Reports on and compares snapshots of 1,000,000 users and 5,000,000 logins, filled into the store
//! directly, and prints seconds, processor time, rows and peak memory of each command.
//!
//! ```text
//! cargo bench -p host-harness --bench position -- --users 1000000
//! ```
//!
//! Fails when a report or a comparison takes more than 2 seconds of processor time, or when its peak
//! memory is 64 MB above that of an estate a hundredth the size.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use arrow_array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use connector_api::manifest::Manifest;
use connector_api::message::{CollectMode, DatasetSummary};
use host_harness::app::collection::settle;
use host_harness::home::Home;
use host_harness::store::{RowWriter, Run, RunEnd, RunStatus, Store};

#[allow(dead_code, reason = "each benchmark uses its part")]
mod prepared;
#[allow(dead_code, reason = "each benchmark uses its part")]
mod watch;

use watch::watch;

const DAY_MS: i64 = 86_400_000;
const MOST_SECONDS: f64 = 2.0;
const MOST_GROWTH_MB: f64 = 64.0;
const LOGINS_PER_USER: u64 = 5;
const BATCH: u64 = 8_192;

struct Measured {
    what: &'static str,
    users: u64,
    rows: u64,
    seconds: f64,
    cpu_seconds: f64,
    peak_mb: f64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|argument| argument == "--users");
    let users: u64 = at
        .and_then(|at| arguments.get(at + 1))
        .map_or(1_000_000, |text| text.parse().expect("a number"));
    let mut measured = measure(users / 100);
    measured.extend(measure(users));
    println!(
        "{:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "", "users", "rows", "seconds", "CPU s", "peak MB"
    );
    for m in &measured {
        println!(
            "{:>10} {:>10} {:>10} {:>10.2} {:>10.2} {:>10.1}",
            m.what, m.users, m.rows, m.seconds, m.cpu_seconds, m.peak_mb
        );
    }
    let mut failed = false;
    for what in ["report", "findings", "diff"] {
        let mut of = measured.iter().filter(|m| m.what == what);
        let (Some(small), Some(large)) = (of.next(), of.next()) else { continue };
        let growth = large.peak_mb - small.peak_mb;
        failed |= large.cpu_seconds > MOST_SECONDS && what != "findings";
        failed |= growth > MOST_GROWTH_MB;
        println!(
            "{what}: {:.2} s of {MOST_SECONDS} s, peak grew by {growth:.1} MB",
            large.cpu_seconds
        );
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn measure(users: u64) -> Vec<Measured> {
    let folder = tempfile::tempdir().expect("a folder");
    let plugins = prepared::folder_with("salesforce_plugin");
    let home = Home::new(folder.path().join("home"));
    let (store, manifest, connector) = prepared::store(&home, plugins.path());
    let now = host_harness::time::now().timestamp_millis();
    let started = Instant::now();
    let estate = Estate { users, now, manifest: &manifest };
    let rows = publish(&store, connector, &estate, false);
    let filled = started.elapsed().as_secs_f64();
    let settled = settle(&store, connector);
    publish(&store, connector, &estate, true);
    let again = settle(&store, connector);
    println!(
        "{users} users: filled in {filled:.1} s; prepared after the first run in {settled:.1} s, after the second in {again:.1} s"
    );
    let commands: [(&str, &[&str]); 3] = [
        ("report", &["report", "bench"]),
        ("findings", &["findings", "bench", "--limit", "0"]),
        ("diff", &["diff", "bench", "1", "2"]),
    ];
    let measured = commands.map(|(what, arguments)| {
        let started = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_host-harness"))
            .env_clear()
            .arg("--home")
            .arg(home.path())
            .arg("--plugins")
            .arg(plugins.path())
            .args(["--json", "-q"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the host runs");
        let mut out = child.stdout.take().expect("its output");
        let reader = thread::spawn(move || {
            let mut text = String::new();
            std::io::Read::read_to_string(&mut out, &mut text).expect("text");
            text
        });
        let (peak_mb, cpu_seconds) = watch(&mut child);
        let seconds = started.elapsed().as_secs_f64();
        let document: serde_json::Value =
            serde_json::from_str(&reader.join().expect("the output")).expect("JSON");
        check(what, &document, users);
        Measured { what, users, rows, seconds, cpu_seconds, peak_mb }
    });
    measured.into()
}

/// The figures are those the estate was filled with.
fn check(what: &str, document: &serde_json::Value, users: u64) {
    match what {
        "report" => {
            let license = &document["licenses"][0];
            let closed = users / 100;
            assert_eq!(license["holders"], users - closed, "{license:#}");
            assert_eq!(license["active"], users / 2, "{license:#}");
        }
        "diff" => {
            assert_eq!(document["people"]["deactivated"], users / 100);
            assert_eq!(document["seats"][0]["net_active"], -((users / 100) as i64));
        }
        _ => {}
    }
}

fn settle(store: &Store, connector: i64) -> f64 {
    let started = Instant::now();
    settle::settle(store, connector, &Default::default(), 730).expect("it is prepared");
    started.elapsed().as_secs_f64()
}

struct Estate<'a> {
    users: u64,
    now: i64,
    manifest: &'a Manifest,
}

/// One run: everything, or the hundredth of the users that were made inactive since.
fn publish(store: &Store, connector: i64, estate: &Estate<'_>, changes: bool) -> u64 {
    let vault = prepared::vault(store);
    let run = store.runs().begin(vault.journal_key(), connector, CollectMode::Full).expect("a run");
    let mut writer = RowWriter::open(store, &run, &estate.manifest.id).expect("a writer");
    let mut rows = 0;
    let mut done = Vec::new();
    let mut write =
        |name: &str, number: u64, columns: &dyn Fn(u64, u64) -> Vec<(&'static str, ArrayRef)>| {
            let spec = estate.manifest.dataset(name).expect("a dataset");
            let mut from = 0;
            while from < number {
                let to = (from + BATCH).min(number);
                let batch = RecordBatch::try_from_iter(columns(from, to)).expect("a batch");
                writer.commit(spec, &[batch], None).expect("rows are stored");
                from = to;
            }
            rows += number;
            done.push(summary(name, number));
        };
    let users = if changes { estate.users / 100 } else { estate.users };
    write("user", users, &|from, to| user_columns(estate, from, to, changes));
    if !changes {
        write("organization", 1, &|_, _| {
            vec![
                ("Id", text(0, 1, |_| "00D000000000001".into())),
                ("Name", text(0, 1, |_| "Bench".into())),
                ("IsSandbox", Arc::new(BooleanArray::from(vec![false])) as ArrayRef),
            ]
        });
        write("user_license", 1, &|_, _| {
            let used = estate.users as i64;
            vec![
                ("Id", text(0, 1, |_| "100".into())),
                ("LicenseDefinitionKey", text(0, 1, |_| "SFDC".into())),
                ("MasterLabel", text(0, 1, |_| "Full".into())),
                ("Status", text(0, 1, |_| "Active".into())),
                ("TotalLicenses", Arc::new(Int64Array::from(vec![used])) as ArrayRef),
                ("UsedLicenses", Arc::new(Int64Array::from(vec![used])) as ArrayRef),
            ]
        });
        write("profile", 1, &|_, _| {
            vec![
                ("Id", text(0, 1, |_| "00e".into())),
                ("UserLicenseId", text(0, 1, |_| "100".into())),
                ("UserLicense.LicenseDefinitionKey", text(0, 1, |_| "SFDC".into())),
            ]
        });
        let logins = estate.users * LOGINS_PER_USER;
        write("login_history", logins, &|from, to| login_columns(estate, from, to));
    }
    drop(writer);
    end(store, &run, estate.manifest, done);
    rows
}

fn end(store: &Store, run: &Run, manifest: &Manifest, done: Vec<DatasetSummary>) {
    let end = RunEnd {
        status: RunStatus::Complete,
        api_calls: 0,
        error: None,
        changes_only: done.iter().map(|dataset| dataset.dataset.clone()).collect(),
        datasets: done,
    };
    store.runs().publish(run, manifest, &end).expect("it is published");
}

fn summary(name: &str, rows: u64) -> DatasetSummary {
    let summary = serde_json::json!({
        "dataset": name, "status": "complete", "rows": rows, "expected": rows,
    });
    serde_json::from_value(summary).expect("a summary")
}

fn text(from: u64, to: u64, value: impl Fn(u64) -> String) -> ArrayRef {
    Arc::new((from..to).map(|at| Some(value(at))).collect::<StringArray>())
}

fn instant(from: u64, to: u64, value: impl Fn(u64) -> i64) -> ArrayRef {
    let values = (from..to).map(value);
    Arc::new(TimestampMillisecondArray::from_iter_values(values).with_timezone("+00:00"))
}

fn user_id(user: u64) -> String {
    format!("005{user:012}")
}

/// Every second user logs in; the first hundredth of all is made inactive between the runs, all of
/// them idle ones.
fn user_columns(
    estate: &Estate<'_>,
    from: u64,
    to: u64,
    changes: bool,
) -> Vec<(&'static str, ArrayRef)> {
    // The changed users are the odd, idle ones.
    let user = move |at: u64| if changes { at * 2 + 1 } else { at };
    let now = estate.now;
    let active: BooleanArray = (from..to).map(|_| Some(!changes)).collect();
    vec![
        ("Id", text(from, to, |at| user_id(user(at)))),
        ("Username", text(from, to, |at| format!("user{}@bench.example", user(at)))),
        ("Name", text(from, to, |at| format!("User {}", user(at)))),
        ("Email", text(from, to, |at| format!("user{}@bench.example", user(at)))),
        ("IsActive", Arc::new(active) as ArrayRef),
        ("UserType", text(from, to, |_| "Standard".into())),
        ("ProfileId", text(from, to, |_| "00e".into())),
        ("CreatedDate", instant(from, to, |_| now - 400 * DAY_MS)),
        ("LastLoginDate", instant(from, to, |at| last_login(now, user(at)))),
    ]
}

fn last_login(now: i64, user: u64) -> i64 {
    let days = if user.is_multiple_of(2) { 1 } else { 120 };
    now - days * DAY_MS - (user % 1_000) as i64 * 1_000
}

fn login_columns(estate: &Estate<'_>, from: u64, to: u64) -> Vec<(&'static str, ArrayRef)> {
    let user = |at: u64| at % estate.users;
    let turn = |at: u64| (at / estate.users) as i64;
    vec![
        ("Id", text(from, to, |at| format!("0Ya{at:012}"))),
        ("UserId", text(from, to, |at| user_id(user(at)))),
        (
            "LoginTime",
            instant(from, to, |at| last_login(estate.now, user(at)) - turn(at) * 9 * DAY_MS),
        ),
        ("LoginType", text(from, to, |_| "Application".into())),
        ("Status", text(from, to, |_| "Success".into())),
        ("Application", text(from, to, |_| "Browser".into())),
    ]
}
