//! The tables of datasets: made and extended as connectors declare them.

use connector_api::manifest::{DatasetSpec, FieldType};
use rusqlite::{Connection, OptionalExtension};

use crate::error::StoreError;

/// A name as SQLite reads it verbatim.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn type_word(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Text => "text",
        FieldType::Boolean => "boolean",
        FieldType::Integer => "integer",
        FieldType::Double => "double",
        FieldType::Timestamp => "timestamp",
        FieldType::Date => "date",
    }
}

fn sql_type(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Text => "TEXT",
        FieldType::Double => "REAL",
        FieldType::Boolean | FieldType::Integer | FieldType::Timestamp | FieldType::Date => {
            "INTEGER"
        }
    }
}

/// The table that holds a dataset of a feature; `None` if nothing of it was ever stored.
pub(crate) fn dataset_table(
    connection: &Connection,
    feature: &str,
    dataset: &str,
) -> rusqlite::Result<Option<String>> {
    connection
        .query_row(
            "SELECT table_name FROM dataset WHERE feature = ?1 AND name = ?2",
            [feature, dataset],
            |row| row.get(0),
        )
        .optional()
}

/// The tables of all datasets, or of one feature's.
pub(crate) fn dataset_tables(
    connection: &Connection,
    feature: &str,
) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT table_name FROM dataset WHERE feature = ?1 ORDER BY name")?
        .query_map([feature], |row| row.get(0))?
        .collect()
}

/// The columns of a dataset's table that hold fields.
pub(crate) fn columns_of(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT name FROM dataset_column WHERE table_name = ?1")?
        .query_map([table], |row| row.get(0))?
        .collect()
}

/// The SQL type of a dataset's column; empty if no such type is known.
pub(super) fn sql_type_of(
    connection: &Connection,
    table: &str,
    column: &str,
) -> rusqlite::Result<&'static str> {
    let word: String = connection.query_row(
        "SELECT type FROM dataset_column WHERE table_name = ?1 AND name = ?2",
        [table, column],
        |row| row.get(0),
    )?;
    Ok(match word.as_str() {
        "text" => "TEXT",
        "double" => "REAL",
        "boolean" | "integer" | "timestamp" | "date" => "INTEGER",
        _ => "",
    })
}

/// Makes the table of a dataset, or adds the columns it does not have yet; returns its name.
///
/// The table is `d_<dataset>`, or `d_<feature>__<dataset>` where another feature uses that name
/// already. To be called inside a write transaction.
pub(crate) fn ensure_dataset(
    connection: &Connection,
    feature: &str,
    dataset: &DatasetSpec,
) -> Result<String, StoreError> {
    let keys = dataset.key.join(",");
    let known: Option<(String, String)> = connection
        .query_row(
            "SELECT table_name, key_columns FROM dataset WHERE feature = ?1 AND name = ?2",
            [feature, &dataset.name],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((table, known_keys)) = known else {
        return create_dataset(connection, feature, dataset, &keys);
    };
    if known_keys != keys {
        return Err(StoreError::system(format_args!(
            "dataset `{}` is stored with the key `{known_keys}`, the connector now has `{keys}`",
            dataset.name
        ))
        .with_hint("use the connector version that wrote it, or a new home folder"));
    }
    for field in &dataset.fields {
        let stored: Option<String> = connection
            .query_row(
                "SELECT type FROM dataset_column WHERE table_name = ?1 AND name = ?2",
                [&table, &field.name],
                |row| row.get(0),
            )
            .optional()?;
        match stored {
            Some(word) if word == type_word(field.kind) => {}
            Some(word) => {
                return Err(StoreError::system(format_args!(
                    "column `{}` of dataset `{}` is stored as {word}, the connector now has {}",
                    field.name,
                    dataset.name,
                    type_word(field.kind)
                ))
                .with_hint("use the connector version that wrote it, or a new home folder"));
            }
            None => {
                connection.execute_batch(&format!(
                    "ALTER TABLE {} ADD COLUMN {} {}",
                    quote(&table),
                    quote(&field.name),
                    sql_type(field.kind)
                ))?;
                remember_column(connection, &table, &field.name, field.kind)?;
            }
        }
    }
    Ok(table)
}

fn create_dataset(
    connection: &Connection,
    feature: &str,
    dataset: &DatasetSpec,
    keys: &str,
) -> Result<String, StoreError> {
    let mut table = format!("d_{}", dataset.name);
    let taken: bool = connection.query_row(
        "SELECT EXISTS(SELECT 1 FROM dataset WHERE table_name = ?1)",
        [&table],
        |row| row.get(0),
    )?;
    if taken {
        table = format!("d_{feature}__{}", dataset.name);
    }
    let columns: String = dataset
        .fields
        .iter()
        .map(|field| {
            let null = if dataset.key.contains(&field.name) { " NOT NULL" } else { "" };
            format!(", {} {}{null}", quote(&field.name), sql_type(field.kind))
        })
        .collect();
    let key: String = dataset.key.iter().map(|name| format!("{}, ", quote(name))).collect();
    // Clustered by its key: the rows of one connector lie together, whatever else is stored.
    connection.execute_batch(&format!(
        "CREATE TABLE {}(
            _connector INTEGER NOT NULL,
            _from INTEGER NOT NULL,
            _to INTEGER,
            _seen INTEGER NOT NULL{columns},
            PRIMARY KEY(_connector, {key}_from)
        ) WITHOUT ROWID",
        quote(&table)
    ))?;
    connection.execute(
        "INSERT INTO dataset(feature, name, table_name, key_columns) VALUES(?1, ?2, ?3, ?4)",
        [feature, &dataset.name, &table, keys],
    )?;
    for field in &dataset.fields {
        remember_column(connection, &table, &field.name, field.kind)?;
    }
    Ok(table)
}

fn remember_column(
    connection: &Connection,
    table: &str,
    name: &str,
    kind: FieldType,
) -> rusqlite::Result<()> {
    connection
        .execute(
            "INSERT INTO dataset_column(table_name, name, type) VALUES(?1, ?2, ?3)",
            [table, name, type_word(kind)],
        )
        .map(drop)
}
