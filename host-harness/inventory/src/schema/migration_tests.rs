//! A migration cut off at any moment: the store is the former one or the new one, never between.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rusqlite::Connection;

use super::*;

/// A store about to be made, and copies of its files from every few steps of the work on it: what a
/// process killed at that moment would leave.
fn copies(folder: &Path, work: impl FnOnce(&Connection)) -> Vec<PathBuf> {
    let path = folder.join("inventory.db");
    let mut connection = Connection::open(&path).unwrap();
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    let made: Arc<Mutex<Vec<PathBuf>>> = Arc::default();
    let (folder, noted) = (folder.to_owned(), Arc::clone(&made));
    let copy = move || {
        let mut noted = noted.lock().unwrap();
        let place = folder.join(format!("killed-{}", noted.len()));
        std::fs::create_dir(&place).unwrap();
        for name in ["inventory.db", "inventory.db-wal"] {
            if folder.join(name).exists() {
                std::fs::copy(folder.join(name), place.join(name)).unwrap();
            }
        }
        noted.push(place.join("inventory.db"));
        false
    };
    connection.progress_handler(10, Some(copy)).unwrap();
    work(&connection);
    connection.progress_handler(0, None::<fn() -> bool>).unwrap();
    let made = made.lock().unwrap().clone();
    assert!(made.len() > 30, "only {} moments", made.len());
    made
}

#[test]
fn a_migration_killed_at_any_moment_leaves_a_store_that_opens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("inventory.db");
    for copy in copies(folder.path(), |connection| migrate(connection, &path).unwrap()) {
        let store = open_writable(&copy).unwrap_or_else(|error| panic!("{copy:?}: {error}"));
        assert_eq!(version(&store).unwrap(), MIGRATIONS.len() as i64);
        let found: String = store.query_row("PRAGMA quick_check", [], |row| row.get(0)).unwrap();
        assert_eq!(found, "ok");
    }
}

#[test]
fn without_its_transaction_some_moment_leaves_a_store_that_does_not_open_which_is_the_control() {
    let folder = tempfile::tempdir().unwrap();
    let copies = copies(folder.path(), |connection| {
        connection.execute_batch(MIGRATIONS[0]).unwrap();
    });
    assert!(copies.iter().any(|copy| open_writable(copy).is_err()));
}
