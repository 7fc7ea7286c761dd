//! A connector in a process of its own: whatever it does costs one run, and the reason is clear.

use std::fs;
use std::time::{Duration, Instant};

use salesforce_sim::SimulatedOrg;

use crate::host::{Host, NAME, library};
use crate::serve::{Served, host, long_down};

/// After a hostile run the next good one starts within this time.
const SOON: Duration = Duration::from_secs(5);

/// What a library does, and what the failed run says.
const HOSTILE: [(&str, &str); 25] = [
    ("panic", "panic in `collect`"),
    ("abort-now", "aborted (signal 6)"),
    ("exit-0", "exit code 0"),
    ("exit-77", "exit code 77"),
    ("segfault", "segmentation fault"),
    ("overflow", "overflowed its stack"),
    ("memory", "256 MiB of memory"),
    ("spin", "gave no sign for 2 seconds"),
    ("park", "gave no sign for 2 seconds"),
    ("ignore-signals", "gave no sign for 2 seconds"),
    ("double-free", "signal 6"),
    ("kill-self", "killed (signal 9)"),
    ("close-all", "the connector's process"),
    ("garbage", "no message"),
    ("half-a-frame", "the connector's process"),
    ("huge-frame", "no message"),
    ("odd-message", "no message"),
    ("odd-batch", "the connector's process"),
    ("write-a-file", "tried to write a file"),
    ("grandchild", "exit code 0"),
    ("false-length", ""),
    ("large-state", ""),
    ("types", "type"),
    ("columns", "column"),
    ("payload", "panic"),
];

/// What a library does that does not spoil its run.
const ODD: [&str; 3] = ["noise", "stray-thread", "elsewhere"];

fn configured() -> Host {
    let host = host("nothing");
    let config = "silence_seconds = 2\nworker_memory_mib = 256\n";
    fs::write(host.home().join("config.toml"), config).expect("config.toml");
    host
}

fn behave(host: &Host, behaviour: &str) {
    host.run(&["connectors", "edit", "c", "--set", &format!("behaviour={behaviour}")]).ok();
}

#[test]
fn each_of_twenty_five_hostile_connectors_costs_one_run_with_a_clear_reason() {
    let host = configured();
    let mut wrong = Vec::new();
    for (behaviour, reason) in HOSTILE {
        behave(&host, behaviour);
        let (collected, ran) = host.json(&["collect", "c", "--isolate"]);
        assert_eq!(collected["status"], "failed", "{behaviour}: {collected:#} {ran:#?}");
        let message = collected["error"]["message"].as_str().expect("a reason");
        if !message.contains(reason) || ran.code != 1 {
            wrong.push(format!("{behaviour}: {message} ({})", ran.code));
        }

        behave(&host, "nothing");
        let began = Instant::now();
        let (collected, ran) = host.json(&["collect", "c", "--isolate"]);
        ran.ok();
        assert_eq!(collected["status"], "complete", "after {behaviour}");
        assert_eq!(collected["datasets"][0]["rows"], 3);
        assert!(began.elapsed() < SOON, "after {behaviour} it took {:?}", began.elapsed());
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_connector_that_is_only_odd_still_completes_its_run() {
    let host = configured();
    for behaviour in ODD {
        behave(&host, behaviour);
        let (collected, ran) = host.json(&["collect", "c", "--isolate"]);
        assert_eq!(collected["status"], "complete", "{behaviour}: {collected:#} {ran:#?}");
        assert!(!ran.shown().contains('\u{1b}'), "{behaviour}: control characters are shown");
    }
}

#[test]
fn the_real_connector_reads_the_same_in_a_process_of_its_own() {
    let org = SimulatedOrg::builder().users(120).seed(11).my_domain("acme").start();
    let host = Host::authorized(&org);
    let (isolated, ran) = host.json(&["collect", NAME, "--full", "--isolate"]);
    ran.ok();
    assert_eq!(isolated["status"], "complete", "{isolated:#}");
    let (inside, _) = host.json(&["collect", NAME, "--full"]);
    assert_eq!(isolated["datasets"], inside["datasets"]);
    assert!(org.violations().is_empty(), "{:?}", org.violations());
    let (journal, _) = host.json(&["runs", "journal", &isolated["run_id"].to_string()]);
    assert!(journal.to_string().contains("\"GET\""), "its requests are noted: {journal:#}");
}

#[test]
fn without_isolation_the_same_exit_ends_the_host_which_is_the_control() {
    let host = configured();
    behave(&host, "exit-77");
    host.run(&["collect", "c"]).code(77);
}

#[test]
fn three_crashes_in_a_row_hold_the_library_back_visibly_and_the_server_stays_up() {
    let host = configured();
    behave(&host, "segfault");
    for name in ["d", "e"] {
        host.run(&[
            "connectors",
            "new",
            "chaos",
            "--name",
            name,
            "--domain",
            name,
            "--client-id",
            "i",
            "--schedule",
            "daily 02:30",
            "--set",
            "behaviour=segfault",
        ])
        .ok();
    }
    long_down(&host);
    let mut served = Served::ready(&host);
    for _ in 0..3 {
        served.wait_for("segmentation fault");
        served.wait_for("runs next");
    }
    let (status, ran) = host.json(&["status"]);
    ran.code(4);
    assert_eq!(status["plugins_held_back"][0]["feature"], "chaos", "{status:#}");
    for job in status["connectors"].as_array().expect("connectors") {
        assert_eq!(job["standing"], "held", "{job}");
        assert!(job["reason"].as_str().expect("a reason").contains("segmentation fault"), "{job}");
    }
    host.run(&["plugins", "list"]).shows("held back");
    served.stop();
}

#[test]
fn a_library_that_crashes_while_it_is_asked_what_it_is_does_not_end_the_server() {
    let host = configured();
    let name = library("chaos_plugin");
    let file = host.plugins().join(name.file_name().expect("a name"));
    let mut bytes = fs::read(&file).expect("the library");
    let mark = b"chaos-mode:nothing ";
    let places: Vec<usize> = bytes
        .windows(mark.len())
        .enumerate()
        .filter(|(_, window)| window == mark)
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty(), "the library has no place for its mode");
    for at in places {
        bytes[at + 11..at + 19].copy_from_slice(b"describe");
    }
    fs::remove_file(&file).expect("removed");
    fs::write(&file, bytes).expect("the changed library");
    let mut served = Served::start(&host, &[]);
    served.wait_for("told to panic in describe");
    served.wait_for("the server is ready");
    let (status, _) = host.json(&["status"]);
    assert_eq!(status["connectors"][0]["standing"], "held", "{status:#}");
    served.stop();
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_has_no_environment_no_key_and_ends_with_its_host() {
    let mut host = host("park");
    host.set("HTTPS_PROXY", "http://user:canary@proxy.example");
    long_down(&host);
    let mut served = Served::ready(&host);
    let worker = served.worker();
    let command = || fs::read_to_string(format!("/proc/{worker}/cmdline")).expect("its arguments");
    assert!(command().ends_with("\0worker\0"), "{}", command());
    assert_eq!(command().matches('\0').count(), 2, "it has no other arguments: {}", command());
    let environ = |pid: u32| fs::read_to_string(format!("/proc/{pid}/environ")).unwrap_or_default();
    assert!(!environ(worker).contains("canary"));
    served.signal(rustix::process::Signal::KILL);
    served.ended();
    assert!(testkit::has_ended(worker, Duration::from_secs(20)), "the worker outlives its host");
}
