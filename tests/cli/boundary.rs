//! Stories at the boundary itself, with the real libraries in this process: the life cycle, threads,
//! who owns a batch, and memory.

use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use connector_api::batch::ArrowBatch;
use connector_api::host_side::Instance;
use connector_api::message::CollectRequest;
use connector_api::{Error, ErrorKind};
use host_harness::cancel::Cancel;
use host_harness::home::Home;
use host_harness::plugin::Plugin;
use host_harness::secret_store::{KeyPlace, Vault};
use host_harness::services::{Context, Watcher};
use host_harness::store::Store;
use tempfile::TempDir;
use testkit::each_batch;

use crate::host::library;
use crate::null_host::{configured, loaded, request};

const MEMORY: (&str, &[(&str, &str)]) =
    ("memory_connector", &[("domain", "north"), ("people", "3000")]);
const CHAOS: (&str, &[(&str, &str)]) = ("chaos_plugin", &[("domain", "d"), ("client_id", "i")]);

/// The library alone in a folder.
fn load(package: &str) -> (Plugin, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = library(package);
    let name = PathBuf::from(file.file_name().expect("a name"));
    std::fs::copy(&file, folder.path().join(name)).expect("a copy");
    (loaded(folder.path()), folder)
}

fn everything() -> CollectRequest {
    CollectRequest::default()
}

fn rows(batch: ArrowBatch) -> Result<u64, Error> {
    batch.into_record_batch().map(|batch| batch.num_rows() as u64)
}

/// Collects everything; answers how many rows arrived.
fn collect(instance: &dyn Instance) -> Result<u64, Error> {
    let arrived = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&arrived);
    let counting = each_batch(move |batch| {
        *counter.lock().expect("a number") += rows(batch)?;
        Ok(())
    });
    let summary = instance.collect(&everything(), counting)?;
    let said: u64 = summary.datasets.iter().map(|dataset| dataset.rows).sum();
    let arrived = *arrived.lock().expect("a number");
    assert_eq!((summary.error.map(|error| error.message), said), (None, arrived));
    Ok(arrived)
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Error>, kind: ErrorKind, why: &str) {
    let error = result.expect_err(why);
    assert!(error.kind == kind && error.message.contains(why), "{:?}: {error}", error.kind);
}

#[test]
fn the_order_of_calls_is_held_also_while_it_collects() {
    let (plugin, _folder) = load(MEMORY.0);
    let instance = configured(&plugin, MEMORY.1);
    refused(collect(&*instance), ErrorKind::STATE, "while the feature is disabled");
    instance.enable().expect("enabled");
    instance.enable().expect("enabled twice");
    let (arrived, batches) = channel();
    let (go_on, may) = channel::<()>();
    std::thread::scope(|scope| {
        let collecting = scope.spawn(|| {
            let held = each_batch(move |batch| {
                arrived.send(rows(batch)?).expect("somebody counts");
                // Ends when the other side is dropped.
                let _ = may.recv();
                Ok(())
            });
            instance.collect(&everything(), held)
        });
        batches.recv().expect("a batch");
        let settings = request(MEMORY.1);
        refused(instance.configure(&settings), ErrorKind::STATE, "while it collects");
        refused(collect(&*instance), ErrorKind::STATE, "while it already collects");
        // Another instance of the same library is not concerned.
        let other = configured(&plugin, MEMORY.1);
        other.configure(&settings).expect("configured again");
        instance.disable().expect("disabled");
        drop(go_on);
        let summary = collecting.join().expect("no panic").expect("it collects to its end");
        assert_eq!(summary.datasets.len(), 3);
    });
    refused(collect(&*instance), ErrorKind::STATE, "while the feature is disabled");
    instance.configure(&request(MEMORY.1)).expect("configured again");
    instance.enable().expect("enabled again");
    assert_eq!(collect(&*instance).expect("it collects"), 3_013);
}

#[test]
fn an_instance_that_panicked_is_refused_and_a_new_one_works() {
    let (plugin, _folder) = load(CHAOS.0);
    for told in ["panic", "panic-number", "payload"] {
        let instance = configured(&plugin, &[CHAOS.1, &[("behaviour", told)]].concat());
        instance.enable().expect("enabled");
        refused(collect(&*instance), ErrorKind::PANIC, "panic in `collect` at ");
        let again = "refused: this instance panicked before";
        refused(collect(&*instance), ErrorKind::PANIC, again);
        refused(instance.configure(&request(CHAOS.1)), ErrorKind::PANIC, again);
        refused(instance.check(), ErrorKind::PANIC, again);
        refused(instance.disable(), ErrorKind::PANIC, again);
        drop(instance);
        let instance = configured(&plugin, CHAOS.1);
        instance.enable().expect("enabled");
        assert_eq!(collect(&*instance).expect("it collects"), 3, "after {told}");
    }
}

#[test]
fn eight_instances_of_two_libraries_collect_at_once() {
    let plugins = [(load(MEMORY.0), MEMORY.1, 3_013), (load(CHAOS.0), CHAOS.1, 3)];
    std::thread::scope(|scope| {
        for number in 0..8 {
            let ((plugin, _), settings, expected) = &plugins[number % 2];
            scope.spawn(move || {
                let instance = configured(plugin, settings);
                instance.enable().expect("enabled");
                for _ in 0..3 {
                    assert_eq!(collect(&*instance).expect("it collects"), *expected);
                }
                instance.disable().expect("disabled");
            });
        }
    });
}

#[test]
fn batches_outlive_the_connector_and_its_thread() {
    let (plugin, folder) = load(MEMORY.0);
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeper = Arc::clone(&kept);
    std::thread::spawn(move || {
        let instance = configured(&plugin, MEMORY.1);
        instance.enable().expect("enabled");
        let keeping = each_batch(move |batch| {
            keeper.lock().expect("a list").push(batch);
            Ok(())
        });
        instance.collect(&everything(), keeping).expect("it collects");
    })
    .join()
    .expect("no panic");
    drop(folder);
    let kept = std::mem::take(&mut *kept.lock().expect("a list"));
    let ids: Vec<String> = kept
        .into_iter()
        .map(|batch| batch.into_record_batch().expect("a sound batch"))
        .filter_map(|batch| batch.column_by_name("Id").cloned())
        .flat_map(|ids| {
            ids.as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(
        (ids.len(), ids[0].as_str(), ids[2_999].as_str()),
        (3_000, "P00000000", "P00002999")
    );
}

/// Panics at the first sign of progress.
struct Fragile;

impl Watcher for Fragile {
    fn progress(&self, dataset: &str, _: u64, _: Option<u64>) {
        panic!("the host cannot show `{dataset}`");
    }
}

#[test]
fn a_panic_of_the_host_below_a_connector_does_not_cross_the_boundary() {
    let (plugin, folder) = load(CHAOS.0);
    let home = Home::new(folder.path().join("home"));
    home.ensure().expect("a home");
    let store = Arc::new(Store::open(home.inventory()).expect("a store"));
    let vault = Vault::open(&store, &KeyPlace::default()).expect("a vault");
    let mut context = Context::new(store, Arc::new(vault), 0, Cancel::default());
    context.watcher = Arc::new(Fragile);
    let instance = plugin.instance(Arc::new(context)).expect("an instance");
    instance.configure(&request(CHAOS.1)).expect("configured");
    instance.enable().expect("enabled");
    assert_eq!(collect(&*instance).expect("progress is no reason to fail"), 3);
    let summary = instance.collect(&everything(), each_batch(|_| panic!("the sink is broken")));
    refused(summary, ErrorKind::PANIC, "the sink is broken");
}

/// Number of instances that live and die; and what may be left of them.
const LIVES: u64 = 1_000;
const MOST_LEFT_KB: u64 = 4_096;

/// In a process of its own, since other stories use memory too: see below.
#[cfg(target_os = "linux")]
fn lives(package: &str, settings: &[(&str, &str)]) {
    let (plugin, _folder) = load(package);
    let life = || {
        let instance = configured(&plugin, settings);
        instance.enable().expect("enabled");
        collect(&*instance).expect("it collects");
        instance.disable().expect("disabled");
    };
    let resident_kb = || -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").expect("its status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory");
        line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("a number")
    };
    for _ in 0..LIVES / 10 {
        life();
    }
    let before = resident_kb();
    for _ in 0..LIVES {
        life();
    }
    println!("LEFT_KB={}", resident_kb().saturating_sub(before));
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_instances_leave_no_memory_behind() {
    const SELF: &str = "boundary::a_thousand_instances_leave_no_memory_behind";
    let memory = [("domain", "north"), ("people", "20")];
    match std::env::var("LIVES_OF").as_deref() {
        Ok("memory_connector") => return lives("memory_connector", &memory),
        Ok(package) => return lives(package, CHAOS.1),
        Err(_) => {}
    }
    let left = |package: &str, chaos: &str| -> u64 {
        let mut alone = Command::new(std::env::current_exe().expect("this program"));
        alone.args(["--exact", SELF, "--nocapture", "--test-threads=1"]);
        let output = alone.env("LIVES_OF", package).env("CHAOS", chaos).output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let (_, rest) = text.split_once("LEFT_KB=").unwrap_or_else(|| panic!("{output:?}"));
        rest.lines().next().and_then(|kb| kb.trim().parse().ok()).expect("a number")
    };
    for package in ["memory_connector", "chaos_plugin"] {
        let left = left(package, "nothing");
        assert!(left < MOST_LEFT_KB, "{package}: {left} KiB");
    }
    let leaked = left("chaos_plugin", "leak-memory");
    assert!(leaked > MOST_LEFT_KB, "the control: {leaked} KiB of {LIVES} times 100,000 bytes");
}
