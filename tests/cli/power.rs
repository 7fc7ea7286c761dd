//! Power cuts: what the host wrote to its store, and when it asked for it to be on disk, is recorded;
//! from that the states are made that a disk may be in after a cut. Each must open and hold whatever
//! was said to be done before the cut.
//!
//! `IMAGES=` asks for another number of cuts, `SEED=` for the same ones.

use std::fs;
use std::path::Path;

use host_harness::store::{Folder, Store};
use salesforce_sim::SimulatedOrg;
use testkit::State;

use crate::dice::{Dice, number};
use crate::disk_image::Disk;
use crate::failing::{self, Note, RUN};
use crate::host::{Host, NAME, Ran};

const IMAGES: u64 = 1_200;
/// Number of images, evenly spread, that the program also continues with.
const GONE_ON_WITH: u64 = 12;

/// What a command said when it had ended.
enum Said {
    Authorized,
    Published(i64, Vec<String>),
}

/// A life of a store: the files it began with, every call, and what was said after how many of them.
struct Recording {
    org: SimulatedOrg,
    host: Host,
    disk: Disk,
    notes: Vec<Note>,
    said: Vec<(usize, Said)>,
}

fn record() -> Recording {
    let org = SimulatedOrg::builder().users(20).logins_per_user(1).seed(4).start();
    let host = Host::behind(&org);
    host.run(&["features", "enable", "salesforce"]).ok();
    host.create(&org).ok();
    let link = host.run(&["connectors", "authorize", NAME, "--print-url"]).ok().stdout;
    let disk = Disk::holding(&host.home(), "inventory.db");
    let file = host.path("notes");
    let watched = |arguments: &[&str], input: &str| {
        let mut command = host.command(arguments);
        failing::watched(&mut command, &host.home(), &file);
        Ran::of(&mut command, input).ok()
    };
    let mut said = Vec::new();
    let paste = ["connectors", "authorize", NAME, "--token-file", "-"];
    watched(&paste, &org.approve(link.trim()));
    said.push((failing::notes(&file).len(), Said::Authorized));
    for _ in 0..3 {
        let ran = watched(&RUN, "");
        let calls = failing::notes(&file).len();
        let document: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
        let run = document["run_id"].as_i64().expect("a run");
        // In a copy: looking would bring the log into the file, unrecorded.
        let copy = host.path("copy");
        Disk::holding(&host.home(), "inventory.db").write(&copy);
        let rows = State::of(&copy).expect("a sound store").snapshots[&run].clone();
        fs::remove_dir_all(&copy).expect("the copy goes");
        said.push((calls, Said::Published(run, rows)));
        org.mutate(|edit| edit.new_user("Sales Manager")).expect("a change");
        watched(&["connectors", "edit", NAME, "--description", "changed"], "");
    }
    let notes = failing::notes(&file);
    let mut whole = disk.clone();
    notes.iter().for_each(|note| whole.apply(note));
    whole.undisturbed().equals(&host.home());
    Recording { org, host, disk, notes, said }
}

impl Recording {
    /// What a cut after this many calls broke, on one of the disks it may leave.
    fn broken(
        &self,
        notes: &[Note],
        cut: usize,
        dice: &mut Dice,
        home: &Path,
    ) -> Result<(), String> {
        let mut disk = self.disk.clone();
        notes[..cut].iter().for_each(|note| disk.apply(note));
        let _ = fs::remove_dir_all(home);
        disk.after_a_cut(dice).write(home);
        fs::copy(self.host.home().join("key"), home.join("key")).expect("the key");

        let store = Store::open(&Folder::new(home)).map_err(|error| error.to_string())?;
        store.quick_check().map_err(|error| error.to_string())?;
        let connector = store.connectors().named(NAME).map_err(|error| error.to_string())?;
        drop(store);
        let state = State::of(home)?;
        for (_, said) in self.said.iter().filter(|(calls, _)| *calls <= cut) {
            match said {
                Said::Authorized if !connector.is_authorized() => {
                    return Err("the grant is gone".into());
                }
                Said::Authorized => {}
                Said::Published(run, rows) => {
                    state.has(*run)?;
                    if state.snapshots[run] != *rows {
                        return Err(format!("the records of run {run} changed"));
                    }
                }
            }
        }
        // What was published and not yet said is whole, too.
        for (_, said) in &self.said {
            if let Said::Published(run, rows) = said
                && state.snapshots.get(run).is_some_and(|found| found != rows)
            {
                return Err(format!("run {run} is published by half"));
            }
        }
        Ok(())
    }
}

#[test]
fn after_a_power_cut_at_any_moment_what_was_said_is_there_and_nothing_is_damaged() {
    let images = number("IMAGES").unwrap_or(IMAGES);
    let mut dice = Dice::new();
    let recording = record();
    let home = recording.host.path("image");
    for image in 0..images {
        let cut = dice.below(recording.notes.len() as u64 + 1) as usize;
        if let Err(error) = recording.broken(&recording.notes, cut, &mut dice, &home) {
            panic!("image {image}, cut after call {cut}: {error}");
        }
        if image % (images / GONE_ON_WITH).max(1) == 0 {
            go_on(&recording, &home);
        }
    }
    println!("{images} images of {} calls", recording.notes.len());
}

/// The program continues with an image.
fn go_on(recording: &Recording, home: &Path) {
    let own = recording.host.home();
    let aside = recording.host.path("aside");
    fs::rename(&own, &aside).expect("set aside");
    fs::rename(home, &own).expect("put in its place");
    recording.host.run(&["store", "check"]).ok();
    if recording.host.run(&RUN).code == 3 {
        recording.host.authorize(&recording.org).ok();
        recording.host.run(&RUN).ok();
    }
    fs::remove_dir_all(&own).expect("it goes");
    fs::rename(&aside, &own).expect("put back");
}

/// Positive control: had the host not asked for anything to be on disk, cuts would lose what it said.
#[test]
fn without_the_syncs_power_cuts_lose_what_was_said() {
    let mut dice = Dice::new();
    let recording = record();
    let home = recording.host.path("image");
    let careless: Vec<Note> = recording
        .notes
        .iter()
        .map(|note| match note.operation.as_str() {
            "sync" => Note { operation: "nothing".into(), ..note.clone() },
            _ => note.clone(),
        })
        .collect();
    let mut broken = 0;
    for _ in 0..100 {
        let cut = dice.below(careless.len() as u64 + 1) as usize;
        broken += u64::from(recording.broken(&careless, cut, &mut dice, &home).is_err());
    }
    println!("{broken} of 100 images broken without syncs");
    assert!(broken > 50, "only {broken} of 100 images are broken without syncs");
}
