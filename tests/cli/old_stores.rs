//! Stores as every version of the endpoint server made them, kept in `tests/fixtures/stores`: this one
//! brings them up to date, whichever command comes first, and loses nothing of them; a copy of a store
//! holds what the store holds.

use std::fs;
use std::path::{Path, PathBuf};

use testkit::{Content, StoreProbe, Value};

use crate::host::{Host, library};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/stores")
}

fn store(host: &Host) -> PathBuf {
    host.home().join("inventory.db")
}

fn content(store: &Path) -> Content {
    StoreProbe::at(store).content()
}

fn version(store: &Path) -> i64 {
    StoreProbe::at(store).version()
}

/// What of `before` is not in `after` as it was.
fn lost<'a>(before: &'a Content, after: &Content) -> Vec<&'a str> {
    let kept = |table: &str, (columns, rows): &(Vec<String>, Vec<Vec<Value>>)| {
        let Some((new_columns, new_rows)) = after.get(table) else { return false };
        let place = |column| new_columns.iter().position(|one| one == column);
        let Some(places) = columns.iter().map(place).collect::<Option<Vec<usize>>>() else {
            return false;
        };
        let old = |row: &Vec<Value>| places.iter().map(|at| row[*at].clone()).collect::<Vec<_>>();
        new_rows.iter().map(old).eq(rows.iter().cloned())
    };
    before
        .iter()
        .filter(|(table, held)| !kept(table, held))
        .map(|(table, _)| table.as_str())
        .collect()
}

/// A host with the connector the kept stores are about, and the store of that version.
fn host(version: i64) -> Host {
    let host = Host::new();
    host.add_plugin(&library("memory_connector"));
    fs::create_dir(host.home()).expect("a home");
    fs::copy(fixtures().join("key"), host.home().join("key")).expect("the key");
    restrict(&host.home().join("key"));
    make(version, &store(&host));
    host
}

fn restrict(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("restricted");
    }
    #[cfg(not(unix))]
    let _ = path;
}

fn make(version: i64, store: &Path) {
    let file = fixtures().join(format!("{version}.sql"));
    let text = fs::read_to_string(&file).unwrap_or_else(|error| {
        panic!("{}: {error}; write it with make.sh before the version is released", file.display())
    });
    StoreProbe::at(store).run(&text);
}

/// The version this program makes.
fn present() -> i64 {
    let host = Host::new();
    host.run(&["store", "check"]).ok();
    version(&store(&host))
}

#[test]
fn a_store_of_every_version_is_brought_up_to_date_by_whichever_command_and_keeps_what_it_holds() {
    let commands: [&[&str]; 6] = [
        &["store", "check"],
        &["status"],
        &["runs", "list"],
        &["connectors", "list"],
        &["report", "m"],
        &["diff", "m", "1", "2"],
    ];
    let present = present();
    for old in 1..=present {
        for command in commands {
            let host = host(old);
            let before = content(&store(&host));
            assert_eq!(version(&store(&host)), old);
            for (table, (_, rows)) in &before {
                assert!(!rows.is_empty(), "version {old} has no rows in `{table}`");
            }
            let ran = host.run(command);
            assert!(ran.code == 0 || command == ["status"] && ran.code == 4, "{ran:#?}");
            let after = content(&store(&host));
            assert_eq!(lost(&before, &after), [""; 0], "version {old}, {command:?}");
            assert_eq!(version(&store(&host)), present, "version {old}, {command:?}");
        }
    }
}

#[test]
fn a_store_of_every_version_is_worked_with_and_its_shape_is_that_of_a_new_one() {
    let shape = |host: &Host| {
        let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL
                   AND tbl_name NOT LIKE 'sqlite%' AND tbl_name NOT GLOB 'd_*' ORDER BY 1";
        StoreProbe::at(&store(host)).rows(sql)
    };
    let new = Host::new();
    new.run(&["store", "check"]).ok();
    for old in 1..=version(&store(&new)) {
        let host = host(old);
        let (reported, ran) = host.json(&["report", "m"]);
        ran.ok();
        assert_eq!(reported["snapshot"], 2, "{reported:#}");
        host.run(&["runs", "journal", "2"]).ok().shows("/person");
        // The grant it holds is still good, and the next run continues from the last.
        let (collected, ran) = host.json(&["collect", "m"]);
        ran.ok();
        assert_eq!(crate::host::dataset(&collected, "event")["mode"], "incremental");
        assert_eq!(shape(&host), shape(&new), "version {old}");
    }
}

#[test]
fn a_copy_of_a_store_of_every_version_restores_the_same_content() {
    let present = present();
    for old in 1..=present {
        let made = host(old);
        let before = content(&store(&made));
        // The file itself, as an older program copied it.
        let old_copy = made.path("old-copy.db");
        make(old, &old_copy);
        let new_copy = made.path("new-copy.db");
        made.run(&["store", "backup", new_copy.to_str().expect("a path")]).ok();
        let all = content(&store(&made));
        assert_eq!(content(&new_copy), all, "version {old}");
        for copy in [old_copy, new_copy] {
            let other = host(present);
            other.run(&["connectors", "delete", "m", "--yes"]).ok();
            other.run(&["store", "restore", copy.to_str().expect("a path")]).ok();
            other.run(&["store", "check"]).ok();
            let restored = content(&store(&other));
            assert_eq!(lost(&before, &restored), [""; 0], "version {old}");
            assert_eq!(restored, all, "version {old}");
            other.run(&["collect", "m"]).ok();
        }
    }
}

#[test]
fn a_value_a_row_and_a_table_that_are_lost_are_noticed_which_is_the_control() {
    let losses = [
        ("UPDATE run SET api_calls = 99 WHERE id = 1", "run"),
        ("DELETE FROM d_person WHERE Id = 'P00000001'", "d_person"),
        ("DROP TABLE journal", "journal"),
        ("ALTER TABLE feature DROP COLUMN changed_at", "feature"),
    ];
    for (loss, table) in losses {
        let host = host(1);
        let before = content(&store(&host));
        StoreProbe::at(&store(&host)).run(loss);
        assert_eq!(lost(&before, &content(&store(&host))), [table]);
    }
}
