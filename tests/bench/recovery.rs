//! Starts the server on what a crash in the middle of a run left: 1,000,000 published records, and a
//! write-ahead log of 64 MB that nobody brought into the store. Prints the time until it is ready.
//!
//! ```text
//! cargo bench -p host-harness --bench recovery -- --users 1000000
//! ```
//!
//! Fails when that takes more than 2 seconds of processor time, or when the cut-off run is not taken
//! back.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use connector_api::manifest::Manifest;
use connector_api::message::{CollectMode, DatasetSummary};
use host_harness::home::Home;
use host_harness::store::{RowWriter, RunEnd, RunStatus, Store};
use testkit::StoreProbe;

#[allow(dead_code, reason = "each benchmark uses its part")]
mod prepared;
#[allow(dead_code, reason = "each benchmark uses its part")]
mod watch;

const MOST_SECONDS: f64 = 2.0;
const LOG_BYTES: u64 = 64 << 20;
const BATCH: u64 = 8_192;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|argument| argument == "--users");
    let users: u64 = at
        .and_then(|at| arguments.get(at + 1))
        .map_or(1_000_000, |text| text.parse().expect("a number"));
    let folder = tempfile::tempdir().expect("a folder");
    let plugins = prepared::folder_with("salesforce_plugin");
    let crashed = Home::new(folder.path().join("crashed"));
    let left = crash(&Home::new(folder.path().join("home")), &crashed, plugins.path(), users);
    println!(
        "{users} users in {} MB, a log of {} MB with {} rows of the run that was cut off",
        left.store_bytes >> 20,
        left.log_bytes >> 20,
        left.rows
    );

    let started = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_host-harness"))
        .env_clear()
        .arg("--home")
        .arg(crashed.path())
        .arg("--plugins")
        .arg(plugins.path())
        .arg("serve")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let log = BufReader::new(child.stderr.take().expect("its log"));
    let ready = log.lines().map_while(Result::ok).any(|line| line.contains("the server is ready"));
    let seconds = started.elapsed().as_secs_f64();
    let cpu_seconds = watch::cpu_seconds(&child);
    child.kill().expect("ended");
    child.wait().expect("ended");
    println!(
        "ready after {seconds:.2} s, {cpu_seconds:.2} s of processor time, of {MOST_SECONDS} s"
    );

    let store = Store::open(crashed.inventory()).expect("the store opens");
    let runs = store.runs().list(None, 10).expect("runs");
    let taken_back = runs.len() == 2 && runs[0].status == RunStatus::Failed;
    let probe = StoreProbe::at(&crashed.store_file());
    let rows = probe.number("SELECT count(*) FROM d_user WHERE _from = 1");
    let stray = probe.number("SELECT count(*) FROM d_user WHERE _from = 2");
    println!("the cut-off run is taken back: {taken_back}; {rows} rows published, {stray} stray");
    let well = ready
        && cpu_seconds <= MOST_SECONDS
        && taken_back
        && rows.try_into() == Ok(users)
        && stray == 0;
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Left {
    store_bytes: u64,
    log_bytes: u64,
    rows: u64,
}

/// Fills a store, and copies its files as they are in the middle of a run.
fn crash(home: &Home, crashed: &Home, plugins: &Path, users: u64) -> Left {
    let (store, manifest, connector) = prepared::store(home, plugins);
    let other = StoreProbe::at(&home.store_file());
    let vault = prepared::vault(&store);

    let run = store.runs().begin(vault.journal_key(), connector, CollectMode::Full).expect("a run");
    let mut writer = RowWriter::open(&store, &run, &manifest.id).expect("a writer");
    for from in (0..users).step_by(BATCH as usize) {
        write(&mut writer, &manifest, from, (from + BATCH).min(users), true);
    }
    drop(writer);
    let summary = serde_json::json!({
        "dataset": "user", "status": "complete", "rows": users, "expected": users,
    });
    let summary: DatasetSummary = serde_json::from_value(summary).expect("a summary");
    let end = RunEnd {
        status: RunStatus::Complete,
        api_calls: 0,
        error: None,
        changes_only: Vec::new(),
        datasets: vec![summary],
    };
    store.runs().publish(&run, &manifest, &end).expect("it is published");
    other.checkpoint();

    // Somebody reads meanwhile, so the log cannot be brought into the store.
    other.run("BEGIN; SELECT count(*) FROM run");
    let run = store.runs().begin(vault.journal_key(), connector, CollectMode::Full).expect("a run");
    let mut writer = RowWriter::open(&store, &run, &manifest.id).expect("a writer");
    let log = home.store_file().with_extension("db-wal");
    let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let mut rows = 0;
    while size(&log) < LOG_BYTES {
        write(&mut writer, &manifest, rows, rows + BATCH, false);
        rows += BATCH;
    }
    fs::create_dir(crashed.path()).expect("a folder");
    for file in [home.store_file(), log.clone(), home.path().join("key")] {
        fs::copy(&file, crashed.path().join(file.file_name().expect("a name"))).expect("a copy");
    }
    Left { store_bytes: size(&home.store_file()), log_bytes: size(&log), rows }
}

fn write(writer: &mut RowWriter, manifest: &Manifest, from: u64, to: u64, active: bool) {
    let text = |value: &dyn Fn(u64) -> String| -> ArrayRef {
        Arc::new((from..to).map(|at| Some(value(at))).collect::<StringArray>())
    };
    let active: BooleanArray = (from..to).map(|_| Some(active)).collect();
    let columns = [
        ("Id", text(&|at| format!("005{at:012}"))),
        ("Username", text(&|at| format!("user{at}@bench.example"))),
        ("Name", text(&|at| format!("User {at}"))),
        ("ProfileId", text(&|_| "00e000000000001".into())),
        ("IsActive", Arc::new(active) as ArrayRef),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let spec = manifest.dataset("user").expect("a dataset");
    writer.commit(spec, &[batch], Some("{}")).expect("rows are stored");
}
