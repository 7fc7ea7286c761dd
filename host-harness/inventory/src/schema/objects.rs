//! Whether a store holds our objects and no others: a foreign trigger or view could rewrite what this
//! program reads and writes.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;

use super::datasets::{columns_of, quote, sql_type_of};
use super::migrations::{MIGRATIONS, version};
use crate::error::{StoreError, StoreErrorKind};

/// Objects by kind and name, each with its statement.
type Objects = BTreeMap<(String, String), String>;

/// Compares every table, index, trigger and view with those that this program makes.
///
/// # Errors
/// When there is another, when one is missing or differs, or the store cannot be read.
pub(crate) fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    // One view of the file: another process may add a dataset meanwhile.
    let connection = &connection.unchecked_transaction()?;
    let mut found = objects(connection)?;
    let refused = |what: &str, (kind, name): &(String, String)| {
        StoreError::new(
            StoreErrorKind::Unusable,
            format_args!(
                "`{}` is not a store as an endpoint server makes it: the {kind} `{name}` {what}",
                path.display()
            ),
        )
        .with_hint(
            "somebody else changed it: put a copy in its place with `store restore FILE`; nothing \
             was changed",
        )
    };
    for (object, statement) in expected(version(connection)?)? {
        match found.remove(&object) {
            None => return Err(refused("is missing", &object)),
            Some(other) if other != statement => return Err(refused("differs", &object)),
            Some(_) => {}
        }
    }
    for (table, keys) in dataset_tables(connection)? {
        let object = ("table".to_owned(), table.clone());
        match found.remove(&object) {
            None => return Err(refused("is missing", &object)),
            Some(other) if other != dataset_statement(connection, &table, &keys)? => {
                return Err(refused("differs", &object));
            }
            Some(_) => {}
        }
        for (ending, what) in
            [("by_from", "(_connector,_from)"), ("by_to", "(_connector,_to)WHERE_toISNOTNULL")]
        {
            let object = ("index".to_owned(), format!("{table}_{ending}"));
            let statement = format!("CREATEINDEX\"{}\"ON\"{table}\"{what}", object.1);
            if found.remove(&object).is_some_and(|other| other != statement) {
                return Err(refused("differs", &object));
            }
        }
    }
    match found.first_key_value() {
        None => Ok(()),
        Some((object, _)) => Err(refused("is not one of its own", object)),
    }
}

fn objects(connection: &Connection) -> rusqlite::Result<Objects> {
    connection
        .prepare("SELECT type, name, sql FROM sqlite_schema WHERE name NOT GLOB 'sqlite_*'")?
        .query_map([], |row| {
            let statement = row.get::<_, Option<String>>(2)?.unwrap_or_default();
            Ok(((row.get(0)?, row.get(1)?), without_space(&statement)))
        })?
        .collect()
}

/// The objects of a store of that version, without those of its datasets.
fn expected(version: i64) -> Result<Objects, StoreError> {
    let steps = usize::try_from(version).unwrap_or(0).min(MIGRATIONS.len());
    let model = Connection::open_in_memory()?;
    for step in &MIGRATIONS[..steps] {
        model.execute_batch(step)?;
    }
    Ok(objects(&model)?)
}

fn dataset_tables(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    connection
        .prepare("SELECT table_name, key_columns FROM dataset")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// The statement of a dataset's table, from the columns that are noted of it.
fn dataset_statement(
    connection: &Connection,
    table: &str,
    keys: &str,
) -> Result<String, StoreError> {
    let keys: Vec<&str> = keys.split(',').collect();
    let noted = columns_of(connection, table)?;
    let order: Vec<String> = connection
        .prepare("SELECT name FROM pragma_table_info(?1) ORDER BY cid")?
        .query_map([table], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut columns = String::new();
    for name in order.iter().filter(|name| noted.contains(name)) {
        let kind = sql_type_of(connection, table, name)?;
        let null = if keys.contains(&name.as_str()) { "NOTNULL" } else { "" };
        columns.push_str(&format!(",{}{kind}{null}", quote(name)));
    }
    let key: String = keys.iter().map(|name| format!("{},", quote(name))).collect();
    Ok(without_space(&format!(
        "CREATETABLE{}(_connectorINTEGERNOTNULL,_fromINTEGERNOTNULL,_toINTEGER,_seenINTEGERNOTNULL\
         {columns},PRIMARYKEY(_connector,{key}_from))WITHOUTROWID",
        quote(table)
    )))
}

/// A statement without its white space, which dumps and alterations change.
fn without_space(statement: &str) -> String {
    statement.split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use connector_api::manifest::{DatasetSpec, FieldSpec, FieldType};
    use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

    use super::*;
    use crate::schema::{ensure_dataset, open_writable};

    fn spec(fields: &[(&str, FieldType)]) -> DatasetSpec {
        DatasetSpec {
            name: "thing".into(),
            title: "Things".into(),
            source: "Thing".into(),
            key: vec!["Id".into()],
            fields: fields
                .iter()
                .map(|(name, kind)| FieldSpec { name: (*name).into(), kind: *kind })
                .collect(),
            ..DatasetSpec::default()
        }
    }

    fn store(folder: &Path) -> (Connection, std::path::PathBuf) {
        let path = folder.join("inventory.db");
        let connection = open_writable(&path).unwrap();
        let (id, name) = (("Id", FieldType::Text), ("Owner's \"Name\"", FieldType::Text));
        ensure_dataset(&connection, "sample", &spec(&[id, name])).unwrap();
        let more = [id, name, ("At", FieldType::Timestamp), ("Share", FieldType::Double)];
        ensure_dataset(&connection, "sample", &spec(&more)).unwrap();
        connection
            .execute_batch(
                "CREATE INDEX \"d_thing_by_from\" ON \"d_thing\"(_connector, _from);
                 CREATE INDEX \"d_thing_by_to\" ON \"d_thing\"(_connector, _to)
                     WHERE _to IS NOT NULL; ANALYZE",
            )
            .unwrap();
        (connection, path)
    }

    #[test]
    fn a_store_of_ours_is_accepted_also_with_datasets_that_grew() {
        let folder = tempfile::tempdir().unwrap();
        let (connection, path) = store(folder.path());
        check(&connection, &path).unwrap();
    }

    #[test]
    fn a_dataset_that_another_process_adds_during_the_check_is_not_foreign() {
        let folder = tempfile::tempdir().unwrap();
        let (mut connection, path) = store(folder.path());
        let mut other = Some(open_writable(&path).unwrap());
        let added = Arc::new(AtomicBool::new(false));
        let noted = added.clone();
        let add = move |context: AuthContext<'_>| {
            if let AuthAction::Read { table_name: "dataset", .. } = context.action
                && let Some(other) = other.take()
            {
                let more = DatasetSpec { name: "more".into(), ..spec(&[("Id", FieldType::Text)]) };
                ensure_dataset(&other, "sample", &more).unwrap();
                noted.store(true, Ordering::Relaxed);
            }
            Authorization::Allow
        };
        connection.authorizer(Some(add)).unwrap();
        check(&connection, &path).unwrap();
        assert!(added.load(Ordering::Relaxed), "it was added while the check ran");
    }

    #[test]
    fn the_kept_stores_of_every_version_are_accepted() {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/stores");
        for version in 1..=MIGRATIONS.len() {
            let text = std::fs::read_to_string(kept.join(format!("{version}.sql"))).unwrap();
            let connection = Connection::open_in_memory().unwrap();
            connection.execute_batch(&text).unwrap();
            check(&connection, Path::new("kept")).unwrap();
        }
    }

    #[test]
    fn every_object_that_is_foreign_missing_or_different_is_refused_by_name() {
        let foreign = [
            (
                "CREATE TRIGGER t AFTER INSERT ON run BEGIN UPDATE connector SET domain = 'x'; END",
                "t",
            ),
            (
                "CREATE TRIGGER connector AFTER UPDATE ON secret BEGIN DELETE FROM run; END",
                "connector",
            ),
            ("CREATE TEMP TABLE x(a); CREATE VIEW v AS SELECT * FROM connector", "v"),
            ("CREATE TABLE more(a)", "more"),
            ("CREATE INDEX odd ON run(status)", "odd"),
            ("DROP INDEX run_by_connector", "run_by_connector"),
            (
                "DROP INDEX run_by_connector; CREATE INDEX run_by_connector ON run(id)",
                "run_by_connector",
            ),
            ("DROP TABLE plugin_state", "plugin_state"),
            ("ALTER TABLE feature ADD COLUMN more TEXT", "feature"),
            ("ALTER TABLE feature RENAME TO features", "feature"),
            ("ALTER TABLE d_thing ADD COLUMN more TEXT", "d_thing"),
            ("ALTER TABLE d_thing ADD COLUMN more TEXT AS (At) VIRTUAL", "d_thing"),
            ("DROP TABLE d_thing; CREATE VIEW d_thing AS SELECT 1 AS Id", "d_thing"),
            (
                "DROP INDEX d_thing_by_to; CREATE INDEX d_thing_by_to ON d_thing(At)",
                "d_thing_by_to",
            ),
            ("DELETE FROM dataset", "d_thing_by_from"),
            ("DELETE FROM dataset_column WHERE name = 'At'", "d_thing"),
            ("UPDATE dataset_column SET type = 'integer' WHERE name = 'Share'", "d_thing"),
            ("UPDATE dataset SET key_columns = 'At'", "d_thing"),
        ];
        for (change, name) in foreign {
            let folder = tempfile::tempdir().unwrap();
            let (connection, path) = store(folder.path());
            connection.execute_batch(change).unwrap();
            let error = check(&connection, &path).unwrap_err();
            assert_eq!(error.kind, StoreErrorKind::Unusable, "{change}");
            assert!(error.message.contains(&format!("`{name}`")), "{change}: {error}");
        }
    }
}
