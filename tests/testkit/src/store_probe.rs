//! The store's file, read and changed without the product.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, Params, Row};

pub use rusqlite::types::Value;

/// Columns and rows of each table.
pub type Content = BTreeMap<String, (Vec<String>, Vec<Vec<Value>>)>;

/// A store, opened by its file.
#[derive(Debug)]
pub struct StoreProbe(Connection);

impl StoreProbe {
    /// Opens the store of a home folder.
    pub fn of(home: &Path) -> StoreProbe {
        StoreProbe::at(&home.join("inventory.db"))
    }

    /// Opens a database file; makes an empty one if there is none.
    pub fn at(file: &Path) -> StoreProbe {
        StoreProbe(Connection::open(file).expect("the store"))
    }

    /// Runs statements one after the other.
    pub fn run(&self, sql: &str) {
        self.0.execute_batch(sql).expect("statements that the store accepts");
    }

    /// Runs one statement; returns the number of changed rows.
    pub fn change(&self, sql: &str, params: impl Params) -> usize {
        self.0.execute(sql, params).expect("a statement that the store accepts")
    }

    /// The number that a statement finds.
    pub fn number(&self, sql: &str) -> i64 {
        self.0.query_row(sql, [], |row| row.get(0)).expect("a number")
    }

    /// The rows that a statement finds.
    pub fn rows(&self, sql: &str) -> Vec<Vec<Value>> {
        self.table(sql).1
    }

    /// The version of the store's shape.
    pub fn version(&self) -> i64 {
        self.number("PRAGMA user_version")
    }

    /// Makes the store one of another version, by its number only.
    pub fn set_version(&self, version: i64) {
        self.0.pragma_update(None, "user_version", version).expect("another version");
    }

    /// Brings the write-ahead log into the file.
    pub fn checkpoint(&self) {
        self.0.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a checkpoint");
    }

    /// Everything in the store, which must be sound.
    pub fn content(&self) -> Content {
        let found: String =
            self.0.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checked");
        assert_eq!(found, "ok");
        let tables =
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'sqlite_stat1'";
        let mut tables = self.0.prepare(tables).expect("tables");
        let tables = tables.query_map([], |row| row.get::<_, String>(0)).expect("tables");
        tables
            .map(|table| table.expect("a name"))
            .map(|table| (table.clone(), self.table(&format!("SELECT * FROM \"{table}\""))))
            .collect()
    }

    fn table(&self, sql: &str) -> (Vec<String>, Vec<Vec<Value>>) {
        let mut rows = self.0.prepare(sql).expect("a statement");
        let columns: Vec<String> = rows.column_names().map(str::to_owned).collect();
        let row = |row: &Row<'_>| (0..columns.len()).map(|at| row.get(at)).collect();
        let rows = rows.query_map([], row).expect("rows").collect::<Result<_, _>>().expect("rows");
        (columns, rows)
    }
}
