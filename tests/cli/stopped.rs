//! SIGTERM at random moments, to `collect` and to `serve`: they end soon, and what was read stays read.
//!
//! `TERMS=` asks for another number, `SEED=` for the same moments.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use salesforce_sim::SimulatedOrg;
use testkit::{State, StoreProbe};

use crate::dice::{Dice, number};
use crate::host::{Host, NAME};
use crate::serve::{Served, long_down};

const TERMS: u64 = 10;
const SOON: Duration = Duration::from_secs(10);
/// Records in one page of the platform.
const PAGE: u64 = 2_000;
/// Datasets that are read at the same time, each page by page.
const AT_ONCE: u64 = 3;

fn org() -> SimulatedOrg {
    SimulatedOrg::builder().users(5_000).logins_per_user(1).seed(4).start()
}

/// Records that the org handed out since an entry of its journal; a count is one, too.
fn handed_out(org: &SimulatedOrg, from: usize) -> u64 {
    org.journal()[from..]
        .iter()
        .filter(|entry| entry.path.contains("/query"))
        .map(|entry| entry.rows)
        .sum()
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).expect("a short time")
}

#[test]
fn a_run_asked_to_stop_ends_soon_and_the_next_one_goes_on() {
    let terms = number("TERMS").unwrap_or(TERMS);
    let mut dice = Dice::new();
    let org = org();
    let host = Host::authorized(&org);
    let run = ["collect", NAME, "--dataset=user"];
    let (from, whole) = (org.journal().len(), Instant::now());
    host.run(&run).ok();
    let (whole, all) = (whole.elapsed(), handed_out(&org, from));
    let (mut slowest, mut stopped, mut most) = (Duration::ZERO, 0, 0);
    for round in 0..terms {
        let from = org.journal().len();
        let mut child = host.start(&[&run[..], &["--full"]].concat());
        testkit::pass(child.id(), Duration::from_micros(dice.below(micros(whole))));
        let asked = Instant::now();
        let _ = kill_process(Pid::from_child(&child), Signal::TERM);
        let code = child.wait().expect("ended").code();
        slowest = slowest.max(asked.elapsed());
        // Before the command listens to the signal it ends at once, by the signal.
        assert!(matches!(code, None | Some(0 | 1)), "round {round}: {code:?}");
        let (runs, _) = host.json(&["runs", "list", NAME]);
        let paused = runs[0]["status"] == "paused";
        stopped += u64::from(paused);
        let (done, ran) = host.json(&["collect", NAME, "--dataset=user"]);
        ran.ok();
        assert_eq!(
            State::of(&host.home()).expect("a sound store").latest().1.len() as u64,
            org.truth().total_users
        );
        if paused {
            assert_eq!(done["run_id"], runs[0]["run_id"], "round {round}: the same run goes on");
            assert_eq!(
                done["datasets"][0]["rows"],
                org.truth().total_users,
                "round {round}: {done:#}"
            );
            let again = handed_out(&org, from).saturating_sub(all);
            most = most.max(again);
        }
    }
    println!(
        "{terms} signals to `collect`: slowest end {slowest:?}, {stopped} runs stopped, at most \
         {most} records read again"
    );
    assert!(slowest < SOON);
    assert!(terms < 10 || stopped > 0, "no run was stopped: nothing was tried");
    assert!(most / PAGE <= 1, "{most} records were read again");
}

#[test]
fn a_server_asked_to_stop_ends_soon_and_its_run_goes_on() {
    let terms = number("TERMS").unwrap_or(TERMS) / 2;
    let mut dice = Dice::new();
    let org = org();
    let host = Host::authorized(&org);
    std::fs::write(host.home().join("config.toml"), "jitter_minutes = 0\n").expect("config.toml");
    let from = org.journal().len();
    long_down(&host);
    let mut served = Served::ready(&host);
    let whole = Instant::now();
    served.wait_for("complete");
    let (whole, all) = (whole.elapsed(), handed_out(&org, from));
    served.stop();
    let (mut slowest, mut stopped, mut most) = (Duration::ZERO, 0, 0);
    for round in 0..terms {
        // As if nothing had been collected: every run reads everything.
        forget(&host);
        long_down(&host);
        let from = org.journal().len();
        let mut served = Served::ready(&host);
        testkit::pass(served.id(), Duration::from_micros(dice.below(micros(whole))));
        served.signal(Signal::TERM);
        let (code, took) = served.ended();
        assert_eq!(code, Some(0), "round {round}");
        slowest = slowest.max(took);
        let (runs, _) = host.json(&["runs", "list", NAME]);
        let paused = runs[0]["status"] == "paused";
        stopped += u64::from(paused);
        if !paused {
            continue;
        }
        let mut served = Served::ready(&host);
        served.wait_for("complete");
        served.stop();
        let (done, _) = host.json(&["runs", "list", NAME]);
        assert_eq!(done[0]["run_id"], runs[0]["run_id"], "round {round}: the same run goes on");
        most = most.max(handed_out(&org, from).saturating_sub(all));
    }
    println!(
        "{terms} signals to `serve`: slowest end {slowest:?}, {stopped} runs stopped, at most {most} \
         records read again"
    );
    assert!(slowest < SOON);
    assert!(terms < 10 || stopped > 0, "no run was stopped: nothing was tried");
    assert!(most / PAGE <= AT_ONCE, "{most} records were read again");
}

fn forget(host: &Host) {
    let store = StoreProbe::of(&host.home());
    store.run("DELETE FROM run; DELETE FROM checkpoint; DELETE FROM snapshot;");
}
