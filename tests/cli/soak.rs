//! A month of a server that runs connectors each day, in as little time as the runs need: its clock is
//! set, and set on by a day when all of them have run. What it has of the machine stays what it was.
//!
//! `RUNS=` asks for more runs in that month: 2,000 of them are 67 connectors.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use crate::dice::number;
use crate::host::{Host, library};
use crate::serve::{Served, page};

const DAYS: u64 = 30;
/// Days after which everything that is made once and kept is there.
const SETTLED: u64 = 10;
const RUNS: u64 = 120;
/// 2026-01-01, 12:00.
const BEGIN: u64 = 1_767_268_800;
const DAY: u64 = 86_400;
/// A run's thread may be on its way out, which takes a moment.
const MOMENT: Duration = Duration::from_secs(5);
/// Connections to the store that one run has at once. SQLite keeps the descriptor of one that is
/// closed while others are open, and takes it for the next.
const CONNECTIONS: u64 = 3;
/// What the allocator keeps of such a connection for the next one.
const KEPT_BYTES: u64 = 128 * 1024;

#[derive(Clone, Copy, Debug)]
struct Figures {
    memory: u64,
    files: u64,
    threads: u64,
}

impl Figures {
    /// As the server itself says.
    fn read(address: &str) -> Figures {
        let metrics = page(address, "/metrics");
        let number = |name: &str| -> u64 {
            let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().expect("a number")
        };
        Figures {
            memory: number("process_resident_memory_bytes"),
            files: number("process_open_fds"),
            threads: number("process_threads"),
        }
    }

    /// The first of the three that is above `most`.
    fn above(self, most: Figures) -> Option<&'static str> {
        let each = [
            ("threads", self.threads, most.threads),
            ("files", self.files, most.files),
            ("memory", self.memory, most.memory),
        ];
        each.into_iter().find(|(_, now, most)| now > most).map(|(what, ..)| what)
    }
}

/// A month to be served.
struct Month {
    runs: u64,
    parallel_runs: u64,
    arguments: &'static [&'static str],
    /// What the connector keeps of each run.
    leak: &'static str,
}

impl Month {
    /// What grew in it.
    fn serve(&self) -> Option<&'static str> {
        let connectors = self.runs.div_ceil(DAYS);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("clock");
        let clock = File::create(&path).expect("a clock");
        let set = |day: u64| {
            clock.write_all_at(&(BEGIN + DAY * day).to_ne_bytes(), 0).expect("it is set");
        };
        set(0);
        let host = self.host(connectors, path.to_str().expect("a path"));
        let mut served = Served::start(&host, self.arguments);
        let line = served.wait_for("http://");
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        let address = address.expect("an address");
        served.wait_for("the server is ready");
        let mut most = Figures::read(address);
        for day in 1..=DAYS {
            set(day);
            for _ in 0..connectors {
                served.wait_for(" complete in ");
                served.wait_for("runs next");
            }
            if day == SETTLED {
                let now = Figures::read(address);
                println!("after {} runs {now:?}", day * connectors);
                // More runs may overlap in the days that follow than did so far.
                let connections = (self.parallel_runs - 1) * CONNECTIONS;
                most.memory = now.memory + now.memory / 50 + connections * KEPT_BYTES;
                most.files = now.files + connections;
            }
        }
        let until = Instant::now() + MOMENT;
        let mut last = Figures::read(address);
        while last.above(most).is_some() && Instant::now() < until {
            testkit::pass(served.id(), Duration::from_millis(50));
            last = Figures::read(address);
        }
        println!("after {} runs {last:?}", DAYS * connectors);
        served.stop();
        last.above(most)
    }

    /// A home whose connectors run daily, by that clock.
    fn host(&self, connectors: u64, clock: &str) -> Host {
        let mut host = Host::new();
        host.set("LD_PRELOAD", library("set_clock").to_str().expect("a path"));
        host.set("SET_CLOCK", clock);
        host.set("CHAOS", self.leak);
        host.add_plugin(&library("chaos_plugin"));
        host.run(&["features", "enable", "chaos"]).ok();
        for connector in 0..connectors {
            let name = format!("c{connector}");
            let new = ["connectors", "new", "chaos", "--name", &name, "--schedule", "daily 02:30"];
            host.run(&[&new[..], &["--domain", "d", "--client-id", "i"]].concat()).ok();
        }
        let config = format!(
            "time_zone = 'UTC'\nretention_days = 3\nmetrics = '127.0.0.1:0'\nparallel_runs = {}\n",
            self.parallel_runs
        );
        host.write("home/config.toml", &config);
        host
    }
}

#[test]
fn a_month_of_daily_runs_leaves_nothing_behind_in_the_server() {
    let runs = number("RUNS").unwrap_or(RUNS);
    for (parallel_runs, arguments) in [(4, &[][..]), (1, &["--in-process"])] {
        println!("{runs} runs, {parallel_runs} at once {arguments:?}");
        let month = Month { runs, parallel_runs, arguments, leak: "" };
        assert_eq!(month.serve(), None);
    }
}

#[test]
fn what_a_connector_leaves_behind_in_the_server_is_seen_which_is_the_control() {
    let leaks = [("leak-thread", "threads"), ("leak-file", "files"), ("leak-memory", "memory")];
    for (leak, grown) in leaks {
        let month = Month { runs: DAYS, parallel_runs: 1, arguments: &["--in-process"], leak };
        assert_eq!(month.serve(), Some(grown), "{leak}");
    }
}
