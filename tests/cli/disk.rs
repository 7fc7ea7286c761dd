//! A disk that fails: the n-th call that writes below the home goes wrong, for every n until a run
//! passes untouched. Whatever fails, the store is sound, what was published stays, what was said to be
//! done is done, and the next run makes up for it.
//!
//! By itself each story takes some of the n, other ones each time; `EVERY=1` takes all of them with
//! every fault, `SEED=` takes the same ones again.

use std::fs;
use std::path::{Path, PathBuf};

use salesforce_sim::SimulatedOrg;
use testkit::State;

use crate::dice::{Dice, number};
use crate::failing::{self, BROKEN, FULL, Fault, IGNORED, INTERRUPTED, READ_ONLY, RUN, SHORT};
use crate::host::{Host, NAME, Ran};

const FAULTS: [Fault; 5] = [FULL, BROKEN, INTERRUPTED, SHORT, READ_ONLY];
/// More calls than any of these commands makes.
const MOST_CALLS: u64 = 2_000;

/// A host at some point of its life; each trial begins there.
struct Start {
    host: Host,
    saved: PathBuf,
}

impl Start {
    fn at(host: Host) -> Start {
        let saved = host.path("saved");
        copy(&host.home(), &saved);
        Start { host, saved }
    }

    fn again(&self) {
        fs::remove_dir_all(self.host.home()).expect("the home goes");
        copy(&self.saved, &self.host.home());
    }

    /// Runs a command whose n-th call goes wrong; none if it made fewer calls.
    fn failing(&self, arguments: &[&str], input: &str, at: u64, fault: Fault) -> Option<Ran> {
        let notes = self.host.path("notes");
        let _ = fs::remove_file(&notes);
        let mut command = self.host.command(arguments);
        failing::watched(&mut command, self.saved.parent().expect("a folder"), &notes);
        failing::fails(&mut command, at, fault);
        let ran = Ran::of(&mut command, input);
        failing::notes(&notes).iter().any(|note| note.operation == "fault").then_some(ran)
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).expect("a copy")),
        }
    }
}

/// The trials of a story: which call goes wrong, and how. `trial` answers whether that call was made.
fn each(part: u64, mut trial: impl FnMut(u64, Fault) -> bool) {
    let every = number("EVERY").is_some();
    let mut dice = Dice::new();
    let stride = if every { 1 } else { part };
    let (first, mut kind) = (dice.below(stride) + 1, dice.below(5) as usize);
    let (mut at, mut trials) = (first, 0);
    loop {
        let kinds = if every { FAULTS.len() } else { 1 };
        let mut made = true;
        for _ in 0..kinds {
            kind = (kind + 1) % FAULTS.len();
            made &= trial(at, FAULTS[kind]);
            trials += 1;
        }
        if !made {
            break;
        }
        at += stride;
        assert!(at < MOST_CALLS, "it never passes untouched");
    }
    println!("{trials} trials over {at} calls");
    assert!(at > first, "the first call was never made: nothing was tried");
}

/// A command either did what it says or says what kept it from that.
#[track_caller]
fn honest(ran: &Ran, at: u64, fault: Fault) {
    if ran.code == 0 {
        return;
    }
    let said = ran.stderr.to_lowercase();
    let errors = said.lines().filter(|line| line.starts_with("error:")).count();
    let hints = said.lines().filter(|line| line.starts_with("hint:")).count();
    let named = fault.says.iter().any(|text| said.contains(text));
    assert!(
        ran.code == 1 && errors == 1 && hints == 1 && named,
        "call {at}, {fault:?}: code {}, {errors} errors, {hints} hints\n{}",
        ran.code,
        ran.stderr
    );
}

fn org() -> SimulatedOrg {
    SimulatedOrg::builder().users(20).logins_per_user(1).seed(4).start()
}

/// A host that has collected once, after which the org changed; and what a second run must find.
fn before_a_second_run(org: &SimulatedOrg) -> (Start, State, Vec<String>) {
    let host = Host::authorized(org);
    host.run(&RUN).ok();
    let before = State::of(&host.home()).expect("a sound store");
    org.mutate(|edit| edit.new_user("Sales Manager")).expect("a change");
    let start = Start::at(host);
    start.host.run(&RUN).ok();
    let after = State::of(&start.host.home()).expect("a sound store");
    let new = after.latest().1.to_vec();
    assert_ne!(new, before.latest().1, "the second run finds something new");
    (start, before, new)
}

/// What must hold after a run, however it ended.
fn stands(start: &Start, ran: &Ran, before: &State, new: &[String]) -> Result<(), String> {
    let after = State::of(&start.host.home())?;
    after.follows(before, new)?;
    if ran.code == 0 {
        let said: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
        after.has(said["run_id"].as_i64().expect("a run"))?;
    }
    Ok(())
}

#[test]
fn a_run_on_a_failing_disk_loses_nothing_and_claims_nothing() {
    let org = org();
    let (start, before, new) = before_a_second_run(&org);
    each(3, |at, fault| {
        start.again();
        let Some(ran) = start.failing(&RUN, "", at, fault) else { return false };
        honest(&ran, at, fault);
        let told = |error: String| panic!("call {at}, {fault:?}: {error}\n{ran:#?}");
        stands(&start, &ran, &before, &new).unwrap_or_else(told);
        // The disk is well again.
        start.host.run(&RUN).ok();
        let healed = State::of(&start.host.home()).expect("a sound store");
        assert_eq!(healed.latest().1, new, "call {at}, {fault:?}");
        assert!(!healed.runs.values().any(|status| status == "running"), "call {at}, {fault:?}");
        true
    });
}

/// Positive control: an error that the host does not hear of breaks what the story above holds.
#[test]
fn a_write_that_is_ignored_is_noticed() {
    let org = org();
    let (start, before, new) = before_a_second_run(&org);
    let mut noticed = Vec::new();
    for at in (1..MOST_CALLS).step_by(3) {
        start.again();
        let Some(ran) = start.failing(&RUN, "", at, IGNORED) else { break };
        noticed.extend(stands(&start, &ran, &before, &new).err());
        if noticed.len() == 3 {
            return;
        }
    }
    panic!("only {noticed:?}");
}

#[test]
fn a_connector_made_on_a_failing_disk_is_there_or_not() {
    let org = org();
    let host = Host::behind(&org);
    host.run(&["features", "enable", "salesforce"]).ok();
    let secret = host.write("client-secret", org.client_secret());
    let secret = secret.to_str().expect("a path").to_owned();
    let start = Start::at(host);
    let domain = org.my_domain_host();
    let new = [
        "connectors",
        "new",
        "salesforce",
        "--name",
        NAME,
        "--domain",
        domain,
        "--client-id",
        org.client_id(),
        "--client-secret-file",
        &secret,
    ];
    each(1, |at, fault| {
        start.again();
        let Some(ran) = start.failing(&new, "", at, fault) else { return false };
        honest(&ran, at, fault);
        let (list, _) = start.host.json(&["connectors", "list"]);
        let there = list.as_array().expect("a list").len() == 1;
        assert!(there || ran.code != 0, "call {at}, {fault:?}: {ran:#?}");
        if !there {
            start.host.run(&new).ok();
        }
        start.host.authorize(&org).ok();
        true
    });
}

#[test]
fn a_grant_on_a_failing_disk_is_kept_or_asked_for_again() {
    let org = org();
    let host = Host::behind(&org);
    host.run(&["features", "enable", "salesforce"]).ok();
    host.create(&org).ok();
    let link = host.run(&["connectors", "authorize", NAME, "--print-url"]).ok().stdout;
    let start = Start::at(host);
    let paste = ["connectors", "authorize", NAME, "--token-file", "-"];
    each(1, |at, fault| {
        start.again();
        let pasted = org.approve(link.trim());
        let Some(ran) = start.failing(&paste, &pasted, at, fault) else { return false };
        honest(&ran, at, fault);
        if ran.code != 0 {
            start.host.authorize(&org).ok();
        }
        start.host.run(&["connectors", "check", NAME]).ok();
        true
    });
}

#[test]
fn a_key_changed_on_a_failing_disk_opens_everything_the_old_one_or_the_new() {
    let org = org();
    let start = Start::at(Host::authorized(&org));
    each(2, |at, fault| {
        start.again();
        let ran = start.failing(&["connectors", "rotate-key"], "", at, fault);
        let Some(ran) = ran else { return false };
        honest(&ran, at, fault);
        org.expire_sessions();
        start.host.run(&["connectors", "check", NAME]).ok();
        true
    });
}

#[test]
fn a_copy_made_on_a_failing_disk_is_whole_or_not_there() {
    let org = org();
    let host = Host::authorized(&org);
    host.run(&RUN).ok();
    let whole = State::of(&host.home()).expect("a sound store");
    let start = Start::at(host);
    let folder = start.host.path("copies");
    let copy = folder.join("inventory.db");
    let backup = ["store", "backup", copy.to_str().expect("a path")];
    each(4, |at, fault| {
        start.again();
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).expect("a folder");
        let Some(ran) = start.failing(&backup, "", at, fault) else { return false };
        honest(&ran, at, fault);
        let left = fs::read_dir(&folder).expect("a folder").count();
        let full = fault.sticky && fault.what == READ_ONLY.what;
        assert!(left == usize::from(ran.code == 0) || full, "call {at}, {fault:?}: {ran:#?}");
        if copy.exists() {
            assert_eq!(State::of(&folder).as_ref(), Ok(&whole), "call {at}, {fault:?}");
        }
        true
    });
}
