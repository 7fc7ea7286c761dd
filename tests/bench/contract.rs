//! What the contract between host and connector costs.
//!
//! 1. **Loading.** Twenty fresh processes each load the Salesforce library as the host does – look at
//!    the folder, read the file into sealed memory and hash it, check it before it runs, `dlopen`,
//!    compare the contract's types, ask what it is – then make an instance, configure and enable it.
//!    The median is to be at most 20 ms of processor time, so that a busy machine does not fail it; the
//!    time by the clock is printed beside it. The start of the process itself is not in it.
//! 2. **Handing over.** A run of a connector whose records cost next to nothing collects a million
//!    people into the store, through the real program, with what it prepares for reports at the end;
//!    that is the whole. Its own records, as it made
//!    them, are handed over once more in this process by the code that hands them over in the run:
//!    export through the C Data Interface, the guarded call, import, and the validation of every
//!    offset and text. That part is to be at most 2 % of the processor time of the whole. (Against a
//!    connector with a network its share would be smaller still.)
//!
//! As a cross-check the real library collects into a sink that takes the batches over and into one that
//! drops them unseen; the difference is import and validation alone.
//!
//! ```text
//! cargo bench -p host-harness --bench contract -- --rows 1000000
//! ```
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use connector_api::Error;
use connector_api::batch::ArrowBatch;
use connector_api::ffi::host::over_the_boundary;
use connector_api::message::CollectRequest;

#[path = "../cli/null_host.rs"]
mod null_host;
#[allow(dead_code, reason = "each benchmark uses its part")]
mod prepared;
#[allow(dead_code, reason = "each benchmark uses its part")]
mod watch;

use null_host::{configured, loaded};
use prepared::folder_with;
use testkit::each_batch;
use watch::watch;

const PROCESSES: usize = 20;
const MOST_LOADING: Duration = Duration::from_millis(20);
const MOST_SHARE: f64 = 0.02;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1))
    };
    if let Some(folder) = value("--load") {
        load_once(Path::new(folder));
        return ExitCode::SUCCESS;
    }
    let rows = value("--rows").map_or(1_000_000, |text| text.parse().expect("a number"));
    let quick = loading();
    let cheap = handing_over(rows);
    if quick && cheap { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// In a fresh process: loads the library of that folder, and prints three times in microseconds.
fn load_once(folder: &Path) {
    let began = Instant::now();
    let mut known = Duration::ZERO;
    let processor = on_processor(|| {
        let plugin = loaded(folder);
        known = began.elapsed();
        let instance = configured(&plugin, &[("domain", "acme"), ("client_id", "id")]);
        instance.enable().expect("enabled");
        // It goes with the process.
        std::mem::forget(instance);
    });
    let times = [processor, began.elapsed(), known];
    println!("{}", times.map(|time| time.as_micros().to_string()).join(" "));
}

fn loading() -> bool {
    let folder = folder_with("salesforce_plugin");
    let times: Vec<Vec<u64>> = (0..PROCESSES)
        .map(|_| {
            let mut fresh = Command::new(std::env::current_exe().expect("this program"));
            let output = fresh.arg("--load").arg(folder.path()).output().expect("a fresh process");
            let text = String::from_utf8(output.stdout).expect("text");
            text.split_whitespace().map(|number| number.parse().expect("a time")).collect()
        })
        .collect();
    let [processor, clock, known] = [0, 1, 2].map(|which| {
        let mut times: Vec<u64> = times.iter().map(|times| times[which]).collect();
        times.sort_unstable();
        Duration::from_micros(times[PROCESSES / 2])
    });
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "load, handshake, enable: {:.1} ms of processor time (at most {:.0} ms), {:.1} ms by the clock, of which {:.1} ms until the library is loaded; medians of {PROCESSES} processes",
        ms(processor),
        ms(MOST_LOADING),
        ms(clock),
        ms(known)
    );
    processor <= MOST_LOADING
}

fn handing_over(rows: u64) -> bool {
    let folder = folder_with("memory_connector");
    let whole = whole_run(folder.path(), rows);

    let plugin = loaded(folder.path());
    let people = rows.to_string();
    let settings = [("domain", "north"), ("people", people.as_str()), ("events", "0")];
    let least = |each: fn(ArrowBatch) -> Result<(), Error>| {
        let once = |_| {
            let instance = configured(&plugin, &settings);
            instance.enable().expect("enabled");
            on_processor(|| {
                instance.collect(&person(), each_batch(each)).expect("it collects");
            })
        };
        (0..3).map(once).min().expect("three times")
    };
    let taken_over = least(|batch| batch.into_record_batch().map(drop));
    let unseen = least(|batch| {
        drop(batch);
        Ok(())
    });

    let batches = some_batches(&plugin);
    let mut sink = over_the_boundary(each_batch(|batch| batch.into_record_batch().map(drop)));
    let handed = on_processor(|| {
        let mut left = rows;
        for batch in batches.iter().cycle() {
            if left == 0 {
                return;
            }
            let length = left.min(batch.num_rows() as u64);
            left -= length;
            let part = batch.slice(0, usize::try_from(length).expect("a small number"));
            let batch = ArrowBatch::from_record_batch(part).expect("exported");
            sink.batch("person", batch).expect("taken over");
        }
    });

    let per_row = |time: Duration| time.as_secs_f64() * 1e6 / rows as f64;
    let share = handed.as_secs_f64() / whole.as_secs_f64();
    println!(
        "a run of {rows} rows: {:.2} us of processor time per row; handing them over: {:.3} us, {:.2} % (at most {:.0} %)",
        per_row(whole),
        per_row(handed),
        share * 100.0,
        MOST_SHARE * 100.0
    );
    println!(
        "cross-check, the library into no store: {:.3} us per row taken over, {:.3} us unseen",
        per_row(taken_over),
        per_row(unseen)
    );
    share <= MOST_SHARE
}

fn person() -> CollectRequest {
    CollectRequest { datasets: vec!["person".into()], ..CollectRequest::default() }
}

/// Ten batches as the connector makes them.
fn some_batches(plugin: &host_harness::plugin::Plugin) -> Vec<RecordBatch> {
    let batches = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&batches);
    let instance = configured(plugin, &[("domain", "north"), ("people", "20000")]);
    instance.enable().expect("enabled");
    let keeping = each_batch(move |batch| {
        keep.lock().expect("a list").push(batch.into_record_batch()?);
        Ok(())
    });
    instance.collect(&person(), keeping).expect("it collects");
    std::mem::take(&mut *batches.lock().expect("a list"))
}

/// Processor time of a collection by the real program, from its start to its end.
fn whole_run(plugins: &Path, people: u64) -> Duration {
    let home = tempfile::tempdir().expect("a folder");
    let host = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_host-harness"));
        command.env_clear().arg("--home").arg(home.path().join("home"));
        command.arg("--plugins").arg(plugins).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    };
    let done = |arguments: &[&str]| {
        assert!(host(arguments).status().expect("the host runs").success(), "{arguments:?}");
    };
    let token: PathBuf = home.path().join("token");
    fs::write(&token, "mem-token").expect("a file");
    done(&["features", "enable", "memory"]);
    let people = format!("people={people}");
    let new = ["connectors", "new", "memory", "--name", "m", "--domain", "north"];
    done(&[&new[..], &["--set", &people, "--set", "events=0"]].concat());
    done(&["connectors", "authorize", "m", "--token-file", token.to_str().expect("a path")]);
    let mut child = host(&["collect", "m"]).stderr(Stdio::null()).spawn().expect("the host runs");
    let (_, seconds) = watch(&mut child);
    assert!(child.wait().expect("a status").success(), "the collection");
    Duration::from_secs_f64(seconds)
}

/// Processor time of this process while it works.
fn on_processor(work: impl FnOnce()) -> Duration {
    unsafe extern "C" {
        fn clock() -> std::ffi::c_long;
    }
    // SAFETY: a function of the C library without arguments; POSIX has it count microseconds.
    let so_far = || Duration::from_micros(unsafe { clock() }.unsigned_abs());
    let before = so_far();
    work();
    so_far() - before
}
