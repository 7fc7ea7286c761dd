//! Rows into versions: a run's records are stored so that only changes make new versions.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMillisecondType};
use arrow_array::{
    Array, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use connector_api::manifest::{DatasetSpec, FieldType};
use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, Statement, Transaction};

use crate::error::StoreError;
use crate::runs::Run;
use crate::schema;
use crate::store::{Store, write};

/// Writes the records of one run, on a connection of its own.
#[derive(Debug)]
pub struct RowWriter {
    connection: Connection,
    feature: String,
    run_id: i64,
    connector_id: i64,
    tables: HashMap<String, Table>,
}

/// What is prepared for a dataset.
#[derive(Debug)]
struct Table {
    /// The connector has no current rows of an earlier run: nothing to compare with.
    fresh: bool,
    seen: String,
    close: String,
    insert: String,
}

/// Parameters before the columns' values.
const FIXED: usize = 2;

impl RowWriter {
    /// A writer for that run.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub fn open(store: &Store, run: &Run, feature: &str) -> Result<RowWriter, StoreError> {
        let connection = schema::open_writable(&store.folder().store_file())?;
        connection.set_prepared_statement_cache_capacity(256);
        Ok(RowWriter {
            connection,
            feature: feature.into(),
            run_id: run.id,
            connector_id: run.connector_id,
            tables: HashMap::new(),
        })
    }

    /// Stores batches of one dataset and the checkpoint that covers them, in one transaction. The
    /// batches' columns must be those of the dataset's manifest, in type too; columns that are not
    /// in a batch are stored as null.
    ///
    /// # Errors
    /// When the store cannot be written; nothing of it is stored then.
    pub fn commit(
        &mut self,
        dataset: &DatasetSpec,
        batches: &[RecordBatch],
        checkpoint: Option<&str>,
    ) -> Result<(), StoreError> {
        let RowWriter { connection, feature, run_id, connector_id, tables } = self;
        write(connection, |transaction| {
            if !tables.contains_key(&dataset.name) {
                let name = schema::ensure_dataset(transaction, feature, dataset)?;
                let table = Table::new(transaction, &name, dataset, *connector_id, *run_id)?;
                tables.insert(dataset.name.clone(), table);
            }
            if let Some(table) = tables.get(&dataset.name) {
                for batch in batches {
                    table.store(transaction, dataset, batch, *run_id, *connector_id)?;
                }
            }
            if let Some(state) = checkpoint {
                transaction.execute(
                    "INSERT OR REPLACE INTO checkpoint(connector_id, dataset, run_id, published, state)
                     VALUES(?1, ?2, ?3, 0, ?4)",
                    (*connector_id, &dataset.name, *run_id, state),
                )?;
            }
            Ok(())
        })
        // A table made in a transaction that was rolled back must be made again.
        .inspect_err(|_| {
            tables.remove(&dataset.name);
        })
    }
}

impl Table {
    fn new(
        transaction: &Transaction<'_>,
        name: &str,
        dataset: &DatasetSpec,
        connector_id: i64,
        run_id: i64,
    ) -> Result<Table, StoreError> {
        let table = schema::quote(name);
        let columns: Vec<(String, usize)> = dataset
            .fields
            .iter()
            .zip(FIXED + 1..)
            .map(|(field, parameter)| (schema::quote(&field.name), parameter))
            .collect();
        let is_key = |position: usize| dataset.key.contains(&dataset.fields[position].name);
        let mut keys = String::new();
        let mut same = String::new();
        for (position, (column, parameter)) in columns.iter().enumerate() {
            if is_key(position) {
                keys.push_str(&format!(" AND {column} = ?{parameter}"));
            } else {
                same.push_str(&format!(" AND {column} IS ?{parameter}"));
            }
        }
        let names: String = columns.iter().map(|(column, _)| format!(", {column}")).collect();
        let values: String = columns.iter().map(|(_, at)| format!(", ?{at}")).collect();
        let fresh: bool = transaction.query_row(
            &format!(
                "SELECT NOT EXISTS(SELECT 1 FROM {table}
                 WHERE _connector = ?1 AND _to IS NULL AND _from < ?2)"
            ),
            (connector_id, run_id),
            |row| row.get(0),
        )?;
        Ok(Table {
            fresh,
            seen: format!(
                "UPDATE {table} SET _seen = ?1
                 WHERE _connector = ?2{keys} AND _to IS NULL{same}"
            ),
            close: format!(
                "UPDATE {table} SET _to = ?1
                 WHERE _connector = ?2{keys} AND _to IS NULL AND _from < ?1"
            ),
            insert: format!(
                "INSERT OR REPLACE INTO {table}(_from, _connector, _to, _seen{names})
                 VALUES(?1, ?2, NULL, ?1{values})"
            ),
        })
    }

    fn store(
        &self,
        transaction: &Transaction<'_>,
        dataset: &DatasetSpec,
        batch: &RecordBatch,
        run_id: i64,
        connector_id: i64,
    ) -> Result<(), StoreError> {
        let columns = dataset
            .fields
            .iter()
            .map(|field| Column::of(batch, &field.name, field.kind))
            .collect::<Result<Vec<_>, _>>()?;
        let keys: Vec<bool> =
            dataset.fields.iter().map(|field| dataset.key.contains(&field.name)).collect();
        let mut seen = transaction.prepare_cached(&self.seen)?;
        let mut close = transaction.prepare_cached(&self.close)?;
        let mut insert = transaction.prepare_cached(&self.insert)?;
        for row in 0..batch.num_rows() {
            let bind = |statement: &mut Statement<'_>, keys_only: bool| -> rusqlite::Result<()> {
                statement.raw_bind_parameter(1, run_id)?;
                statement.raw_bind_parameter(2, connector_id)?;
                for (position, column) in columns.iter().enumerate() {
                    if !keys_only || keys[position] {
                        statement
                            .raw_bind_parameter(FIXED + 1 + position, Cell(column.value(row)))?;
                    }
                }
                Ok(())
            };
            if !self.fresh {
                bind(&mut seen, false)?;
                if seen.raw_execute()? > 0 {
                    continue;
                }
                bind(&mut close, true)?;
                close.raw_execute()?;
            }
            bind(&mut insert, false)?;
            insert.raw_execute()?;
        }
        Ok(())
    }
}

/// One column of a batch, typed.
enum Column<'a> {
    Absent,
    Text(&'a StringArray),
    Boolean(&'a BooleanArray),
    Integer(&'a Int64Array),
    Double(&'a Float64Array),
    Timestamp(&'a TimestampMillisecondArray),
    Date(&'a Date32Array),
}

impl<'a> Column<'a> {
    fn of(batch: &'a RecordBatch, name: &str, kind: FieldType) -> Result<Column<'a>, StoreError> {
        let Some(array) = batch.column_by_name(name) else { return Ok(Column::Absent) };
        let typed = match kind {
            FieldType::Text => array.as_string_opt().map(Column::Text),
            FieldType::Boolean => array.as_boolean_opt().map(Column::Boolean),
            FieldType::Integer => array.as_primitive_opt::<Int64Type>().map(Column::Integer),
            FieldType::Double => array.as_primitive_opt::<Float64Type>().map(Column::Double),
            FieldType::Timestamp => {
                array.as_primitive_opt::<TimestampMillisecondType>().map(Column::Timestamp)
            }
            FieldType::Date => array.as_primitive_opt::<Date32Type>().map(Column::Date),
        };
        typed.ok_or_else(|| {
            StoreError::system(format_args!(
                "column `{name}` arrived as {}, not as its declared type",
                array.data_type()
            ))
        })
    }

    fn value(&self, row: usize) -> ValueRef<'a> {
        match self {
            Column::Absent => ValueRef::Null,
            Column::Text(array) if array.is_valid(row) => {
                ValueRef::Text(array.value(row).as_bytes())
            }
            Column::Boolean(array) if array.is_valid(row) => {
                ValueRef::Integer(array.value(row).into())
            }
            Column::Integer(array) if array.is_valid(row) => ValueRef::Integer(array.value(row)),
            Column::Double(array) if array.is_valid(row) => ValueRef::Real(array.value(row)),
            Column::Timestamp(array) if array.is_valid(row) => ValueRef::Integer(array.value(row)),
            Column::Date(array) if array.is_valid(row) => {
                ValueRef::Integer(array.value(row).into())
            }
            _ => ValueRef::Null,
        }
    }
}

/// A value bound without copying it.
struct Cell<'a>(ValueRef<'a>);

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            // SQLite stores what is not a number as null; said here, not left to it.
            ValueRef::Real(value) if value.is_nan() => ToSqlOutput::Owned(Value::Null),
            value => ToSqlOutput::Borrowed(value),
        })
    }
}
