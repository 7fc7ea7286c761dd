//! A server that runs and runs: after the first round of runs its memory, descriptors and threads stay
//! what they are.
//!
//! Each connector runs at every minute, the fastest schedule there is. `RUNS=` asks for more runs: 2,000
//! of them are 30 days of daily runs of 67 connectors, in about an hour.

use std::fs;

use crate::dice::number;
use crate::host::{Host, library};
use crate::serve::{Served, long_down};

const CONNECTORS: u64 = 30;
const RUNS: u64 = 60;
/// Growth that is allowed: two in a hundred, and this much for caches that fill late.
const ALLOWED_KB: u64 = 2_048;

#[derive(Debug, PartialEq)]
struct Figures {
    memory_kb: u64,
    threads: u64,
    /// None where this account may not look.
    descriptors: Option<usize>,
}

fn figures(process: u32) -> Figures {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("its status");
    let number = |key: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(key)).expect("a line");
        line.split_whitespace().nth(1).expect("a value").parse().expect("a number")
    };
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).ok().map(Iterator::count);
    Figures { memory_kb: number("VmRSS:"), threads: number("Threads:"), descriptors }
}

/// A host with connectors that run each minute, and first at once.
fn host() -> Host {
    let host = Host::new();
    host.add_plugin(&library("chaos_plugin"));
    host.run(&["features", "enable", "chaos"]).ok();
    for number in 0..CONNECTORS {
        let name = format!("c{number}");
        host.run(&[
            "connectors",
            "new",
            "chaos",
            "--name",
            &name,
            "--domain",
            "d",
            "--client-id",
            "i",
            "--schedule",
            "* * * * *",
            "--set",
            "behaviour=nothing",
        ])
        .ok();
    }
    long_down(&host);
    host
}

/// Waits until every connector has run once more.
fn round(served: &mut Served) -> Figures {
    for _ in 0..CONNECTORS {
        served.wait_for("runs next");
    }
    // The last run's thread may be on its way out.
    let one = figures(served.id());
    std::thread::park_timeout(std::time::Duration::from_millis(200));
    let other = figures(served.id());
    if one.threads < other.threads { one } else { other }
}

#[test]
fn a_server_grows_neither_in_memory_nor_in_descriptors_nor_in_threads() {
    let rounds = (number("RUNS").unwrap_or(RUNS) / CONNECTORS).max(2);
    let host = host();
    fs::write(host.home().join("config.toml"), "jitter_minutes = 0\n").expect("config.toml");
    let mut served = Served::ready(&host);
    let first = round(&mut served);
    let mut last = figures(served.id());
    for _ in 1..rounds {
        last = round(&mut served);
    }
    println!(
        "{} runs: after the first {CONNECTORS} {first:?}, at the end {last:?}",
        rounds * CONNECTORS
    );
    served.stop();
    assert!(
        last.memory_kb <= first.memory_kb * 102 / 100 + ALLOWED_KB,
        "{first:?} became {last:?}"
    );
    assert_eq!((last.threads, last.descriptors), (first.threads, first.descriptors));
}
