//! The store's care: copies made while a server works, and put back.

use std::fs;

use testkit::StoreProbe;

use crate::serve::{Served, host, long_down};

#[test]
fn a_copy_made_beside_a_working_server_restores_the_same_content() {
    let host = host("nothing");
    long_down(&host);
    let mut served = Served::ready(&host);
    served.wait_for("complete");
    let copy = host.path("copy.db");
    let file = copy.to_str().expect("a path");
    host.run(&["store", "backup", file]).ok().shows("copied");
    let beside: Vec<_> = fs::read_dir(host.path("")).expect("a folder").flatten().collect();
    let strays = beside.iter().filter(|one| one.file_name().to_string_lossy().starts_with('.'));
    assert_eq!(strays.count(), 0, "a copy is one file: {beside:?}");
    host.run(&["store", "backup", file]).code(2).one_error("exists", "not exist");
    host.run(&["store", "restore", file]).code(1).one_error("already running", "stop");
    served.stop();

    let (before, _) = host.json(&["runs", "list"]);
    host.run(&["connectors", "delete", "c", "--yes"]).ok();
    host.run(&["store", "restore", file]).ok().shows("is now the store");
    let (after, _) = host.json(&["runs", "list"]);
    assert_eq!(before, after);
    host.run(&["collect", "c"]).ok();
    host.run(&["store", "check"]).ok();
}

#[test]
fn a_damaged_copy_and_a_foreign_file_are_refused_and_change_nothing() {
    let host = host("nothing");
    host.run(&["collect", "c"]).ok();
    let copy = host.path("copy.db");
    let file = copy.to_str().expect("a path");
    host.run(&["store", "backup", file]).ok();
    let mut bytes = fs::read(&copy).expect("the copy");
    for at in (4_096..bytes.len()).step_by(512) {
        bytes[at] ^= 0xff;
    }
    fs::write(&copy, bytes).expect("damaged");
    host.run(&["store", "restore", file]).code(1).one_error("damaged", "nothing was changed");
    fs::write(&copy, "not a store").expect("a file");
    host.run(&["store", "restore", file]).code(1).one_error("damaged", "nothing was changed");
    StoreProbe::at(&host.path("other.db")).run("CREATE TABLE t(a)");
    let foreign = host.path("other.db");
    let foreign = foreign.to_str().expect("a path");
    host.run(&["store", "restore", foreign]).code(1).one_error("not a store", "store backup");
    host.run(&["collect", "c"]).ok();
}

#[test]
fn a_server_on_a_damaged_store_begins_no_run_and_says_what_to_do() {
    const PAGE: usize = 4_096;
    let host = host("nothing");
    long_down(&host);
    let file = host.home().join("inventory.db");
    // Not where the server looks at once: in the middle of a long value.
    let store = StoreProbe::at(&file);
    store.run("INSERT INTO meta VALUES('long', zeroblob(100000))");
    store.checkpoint();
    drop(store);
    let mut bytes = fs::read(&file).expect("the store");
    let page = bytes.len() - 5 * PAGE;
    bytes[page..page + 4].fill(0xff);
    fs::write(&file, bytes).expect("damaged");
    let ran = host.run(&["serve"]).code(1).one_error("damaged", "store restore");
    assert!(!ran.stderr.contains("began"), "{}", ran.stderr);
    host.run(&["store", "check"]).code(1).one_error("damaged", "store restore");
    let (runs, _) = host.json(&["runs", "list"]);
    assert_eq!(runs.as_array().map(Vec::len), Some(0), "{runs:#}");
}

/// What was written to a full disk is not there, and the exit code says so.
#[cfg(target_os = "linux")]
#[test]
fn output_that_is_lost_is_a_failure() {
    let host = host("nothing");
    let full = fs::File::options().write(true).open("/dev/full").expect("the full device");
    let ran = host.command(&["--json", "connectors", "list"]).stdout(full).status();
    assert_eq!(ran.expect("the host ends").code(), Some(1));
}

#[test]
fn a_store_of_a_newer_server_is_refused_politely_and_left_alone() {
    let host = host("nothing");
    StoreProbe::of(&host.home()).set_version(99);
    for command in [vec!["connectors", "list"], vec!["serve"], vec!["status"]] {
        host.run(&command).code(1).one_error("version 99", "newer endpoint server");
    }
}
