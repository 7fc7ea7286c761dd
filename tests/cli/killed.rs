//! SIGKILL at any instant of a run, in the middle of a write, too: nothing that was published is lost,
//! nothing is published by half, and the next run goes on.
//!
//! `KILLS=` asks for another number, `SEED=` for the same moments.

use std::process::Stdio;
use std::time::{Duration, Instant};

use salesforce_sim::SimulatedOrg;
use testkit::State;

use crate::dice::{Dice, number};
use crate::failing;
use crate::host::{Host, NAME};

const KILLS: u64 = 60;
/// Every so many kills a run is let through.
const LET_THROUGH: u64 = 10;
const RUN: [&str; 6] = [
    "collect",
    NAME,
    "--full",
    "--dataset=organization",
    "--dataset=user",
    "--dataset=user_license",
];

/// The org's users in one of two shapes, so that each run finds other records than the one before.
fn shape(org: &SimulatedOrg, ids: &[String], odd: bool) {
    let (title, stamp) = match odd {
        true => ("Odd", "2026-05-01T00:00:00Z"),
        false => ("Even", "2026-05-02T00:00:00Z"),
    };
    let fields = [
        ("Department", title.into()),
        ("SystemModstamp", stamp.into()),
        ("LastModifiedDate", stamp.into()),
    ];
    org.mutate(|edit| ids.iter().try_for_each(|id| edit.set("User", id, &fields)))
        .expect("a change");
}

/// Whether the last thing the host did to its store was no completed write.
fn inside_a_write(notes: &[failing::Note]) -> bool {
    let in_store = |note: &&failing::Note| {
        note.path
            .file_name()
            .is_some_and(|name| name == "inventory.db-wal" || name == "inventory.db")
    };
    notes.iter().rfind(in_store).is_some_and(|note| note.operation != "sync")
}

#[test]
fn a_run_killed_at_any_instant_loses_nothing_and_publishes_nothing_by_half() {
    let kills = number("KILLS").unwrap_or(KILLS);
    let mut dice = Dice::new();
    let org = SimulatedOrg::builder().users(60).logins_per_user(1).seed(4).start();
    let host = Host::authorized(&org);
    let file = host.path("notes");
    let begin = |arguments: &[&str], kill_at: Option<u64>| {
        let _ = std::fs::remove_file(&file);
        let mut command = host.command(arguments);
        failing::watched(&mut command, &host.home(), &file);
        if let Some(at) = kill_at {
            failing::fails(&mut command, at, failing::KILLED);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("the host starts")
    };

    host.run(&RUN).ok();
    let first = State::of(&host.home()).expect("a sound store");
    let ids: Vec<String> =
        first.latest().1.iter().filter_map(|row| user_id(row)).take(40).collect();
    assert_eq!(ids.len(), 40);
    let shapes = [false, true].map(|odd| {
        shape(&org, &ids, odd);
        host.run(&RUN).ok();
        State::of(&host.home()).expect("a sound store").latest().1.to_vec()
    });
    assert_ne!(shapes[0], shapes[1], "runs find other records each time");
    let whole = Instant::now();
    begin(&RUN, None).wait().expect("ended");
    let (whole, calls) = (whole.elapsed(), failing::notes(&file).len() as u64);

    let mut before = State::of(&host.home()).expect("a sound store");
    let (mut killed, mut inside, mut running, mut at_random, mut random_inside) = (0, 0, 0, 0, 0);
    for round in 0..kills {
        let odd = round % 2 == 0;
        shape(&org, &ids, odd);
        let (here, isolated) = (RUN, [&RUN[..], &["--isolate"]].concat());
        let arguments = if round % 4 < 2 { &here[..] } else { &isolated };
        let told = if odd { 1 } else { 0 };
        let in_a_call = round % 4 == 1 || round % 4 == 2;
        let mut child = begin(arguments, in_a_call.then(|| dice.below(calls) + 1));
        if !in_a_call {
            let moment = dice.below(u64::try_from(whole.as_micros()).expect("a short run"));
            testkit::pass(child.id(), Duration::from_micros(moment));
            child.kill().expect("killed");
        }
        let alive = child.wait().expect("ended").code().is_some();
        let was_inside = !alive && inside_a_write(&failing::notes(&file));
        killed += u64::from(!alive);
        inside += u64::from(was_inside);
        at_random += u64::from(!alive && !in_a_call);
        random_inside += u64::from(was_inside && !in_a_call);

        let after =
            State::of(&host.home()).unwrap_or_else(|error| panic!("round {round}: {error}"));
        after
            .follows(&before, &shapes[told])
            .unwrap_or_else(|error| panic!("round {round}: {error}"));
        running += u64::from(after.runs.values().any(|status| status == "running"));
        before = after;
        if round % LET_THROUGH == LET_THROUGH - 1 {
            host.run(&RUN).ok();
            before = State::of(&host.home()).expect("a sound store");
            assert_eq!(before.latest().1, shapes[told], "round {round}");
            let left = before.runs.values().filter(|status| *status == "running").count();
            assert_eq!(left, 0, "round {round}: no run is left as running");
        }
    }
    println!(
        "{killed} of {kills} runs killed, {running} during the run, {inside} inside a write \
         ({random_inside} of the {at_random} killed at a random time)"
    );
    assert!(inside * 10 >= killed * 3, "only {inside} of {killed} kills came inside a write");
}

/// The id in a record of `user`, as [`State`] shows records.
fn user_id(row: &str) -> Option<String> {
    let values = row.strip_prefix("d_user: ")?;
    values.split('\'').find(|value| value.len() == 18 && value.starts_with("005")).map(Into::into)
}
