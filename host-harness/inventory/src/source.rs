//! The records of one snapshot, as plain rows.
//!
//! A reader shows each dataset of the manifest as a view of that name, and in addition what the store
//! keeps across snapshots. Statements of connectors run on it, so it can do nothing but read views.

use std::collections::BTreeMap;

use connector_api::manifest::DatasetSpec;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection};

use crate::daily;
use crate::error::StoreError;
use crate::schema::{self, quote};
use crate::sightings::{self, Sighting};
use crate::snapshots::{Published, SnapshotInfo};

/// The view of the daily sums of uses, if they reach up to the snapshot.
const DAILY: &str = "_use_day";
/// The view with the instant from which on the daily sums are without a hole.
const COVERED: &str = "_use_covered";
/// The view of what snapshots saw of accounts, and when.
const SIGHTINGS: &str = "_sighting";

/// One value of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// No value.
    Null,
    /// A whole number; a boolean is 0 or 1, an instant milliseconds and a date days since 1970.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// A text.
    Text(&'a str),
}

impl Value<'_> {
    /// The word for the type, in messages.
    pub fn type_name(self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Integer(_) => "integer",
            Value::Real(_) => "real",
            Value::Text(_) => "text",
        }
    }
}

/// The records of a dataset that were added, changed or removed between two snapshots.
#[derive(Clone, Copy, Debug)]
pub struct Changed<'a> {
    /// The dataset.
    pub dataset: &'a str,
    /// The number of the earlier snapshot.
    pub after: i64,
    /// The number of the later one.
    pub until: i64,
}

/// The uses of one account on one day, in one way.
#[derive(Clone, Copy, Debug)]
pub struct DayRow<'a> {
    /// The account.
    pub person_id: &'a str,
    /// Days since 1970.
    pub day: i64,
    /// Method, detail and application.
    pub way: [&'a str; 3],
    /// Whether the uses succeeded.
    pub succeeded: bool,
    /// The first of them, in milliseconds.
    pub first_at: i64,
    /// The last of them, in milliseconds.
    pub last_at: i64,
    /// Their number.
    pub events: i64,
}

/// A statement that cannot be run on a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// The database does not accept it.
    #[error("{0}")]
    Refused(#[from] rusqlite::Error),
    /// It could change something.
    #[error("it does more than read")]
    NotReading,
    /// A value is neither a number nor text in UTF-8.
    #[error("column {} holds a value that is neither a number nor a text", .0 + 1)]
    NotPlain(usize),
}

impl From<StatementError> for StoreError {
    fn from(error: StatementError) -> StoreError {
        match error {
            StatementError::Refused(error) => error.into(),
            other => StoreError::system("a statement cannot be used").because(other),
        }
    }
}

/// Reads one snapshot on a connection of its own.
#[derive(Debug)]
pub struct SnapshotReader {
    connection: Connection,
    keys: BTreeMap<String, Vec<String>>,
}

impl Published<'_> {
    /// A reader of a snapshot. Each dataset has exactly the manifest's columns in their order; a
    /// column the store does not have is null, a dataset it does not have is empty. With `only` one
    /// dataset shows nothing but the records that changed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn reader(
        &self,
        snapshot: &SnapshotInfo,
        only: Option<Changed<'_>>,
    ) -> Result<SnapshotReader, StoreError> {
        let connection = self.restricted_connection(snapshot, only)?;
        let datasets = snapshot.manifest.datasets.iter();
        let keys = datasets.map(|dataset| (dataset.name.clone(), dataset.key.clone())).collect();
        Ok(SnapshotReader { connection, keys })
    }

    fn restricted_connection(
        &self,
        snapshot: &SnapshotInfo,
        only: Option<Changed<'_>>,
    ) -> Result<Connection, StoreError> {
        let mut connection = schema::open_read_only(&self.0.folder().store_file())?;
        for dataset in &snapshot.manifest.datasets {
            let only = only.filter(|only| only.dataset == dataset.name);
            connection.execute_batch(&dataset_view(&connection, snapshot, dataset, only)?)?;
        }
        let connector = snapshot.connector_id;
        if let Some(from) = daily::covered_from(&connection, connector, snapshot.id)? {
            connection.execute_batch(&format!(
                "CREATE TEMP VIEW {DAILY} AS
                     SELECT person_id, day, method, detail, application, succeeded, first_at, last_at, events
                     FROM main.use_day CROSS JOIN main.use_way ON no = way_no
                     WHERE connector_id = {connector};
                 CREATE TEMP VIEW {COVERED} AS SELECT {from} AS covered_from",
            ))?;
        }
        connection.execute_batch(&sightings::view_sql(SIGHTINGS, snapshot))?;
        connection.pragma_update(None, "query_only", true)?;
        connection.authorizer(Some(only_reading))?;
        Ok(connection)
    }
}

impl SnapshotReader {
    /// The names of a statement's columns.
    ///
    /// # Errors
    /// When the statement cannot be used.
    pub fn columns(&self, sql: &str) -> Result<Vec<String>, StatementError> {
        let statement = self.prepare(sql)?;
        Ok(statement.column_names().map(str::to_owned).collect())
    }

    /// Runs a statement with these parameters and passes on its rows one after the other.
    ///
    /// # Errors
    /// Those of `row`, and when the statement cannot be used.
    pub fn query<E: From<StatementError>>(
        &self,
        sql: &str,
        parameters: &[Value<'_>],
        mut row: impl FnMut(&[Value<'_>]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut statement = self.prepare(sql)?;
        let columns = statement.column_count();
        let parameters = rusqlite::params_from_iter(parameters);
        let mut rows = statement.query(parameters).map_err(StatementError::from)?;
        while let Some(found) = rows.next().map_err(StatementError::from)? {
            let mut values = Vec::with_capacity(columns);
            for column in 0..columns {
                let value = found.get_ref(column).map_err(StatementError::from)?;
                values.push(plain(value).ok_or(StatementError::NotPlain(column))?);
            }
            row(&values)?;
        }
        Ok(())
    }

    /// Passes on the records of a dataset in the order of its key, with these columns.
    ///
    /// # Errors
    /// Those of `row`, and when the manifest has no such dataset or column.
    pub fn dataset<E: From<StatementError>>(
        &self,
        name: &str,
        columns: &[&str],
        row: impl FnMut(&[Value<'_>]) -> Result<(), E>,
    ) -> Result<(), E> {
        let quoted: Vec<String> = columns.iter().map(|column| quote(column)).collect();
        let columns = if quoted.is_empty() { "NULL".to_owned() } else { quoted.join(", ") };
        let key: Vec<String> =
            self.keys.get(name).into_iter().flatten().map(|column| quote(column)).collect();
        let order =
            if key.is_empty() { String::new() } else { format!(" ORDER BY {}", key.join(", ")) };
        self.query(&format!("SELECT {columns} FROM {}{order}", quote(name)), &[], row)
    }

    /// The instant (milliseconds) from which on the daily sums of uses have no gap; `None` if they do
    /// not reach up to this snapshot.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn days_covered_from(&self) -> Result<Option<i64>, StatementError> {
        let kept = format!("SELECT 1 FROM sqlite_temp_schema WHERE name = '{COVERED}'");
        if !self.connection.prepare(&kept)?.exists([])? {
            return Ok(None);
        }
        let mut covered = None;
        self.query::<StatementError>(&format!("SELECT covered_from FROM {COVERED}"), &[], |row| {
            if let Value::Integer(from) = row[0] {
                covered = Some(from);
            }
            Ok(())
        })?;
        Ok(covered)
    }

    /// Passes on the daily sums of uses, by account and day.
    ///
    /// # Errors
    /// Those of `each`, and when the store cannot be read.
    pub fn days<E: From<StatementError>>(
        &self,
        mut each: impl FnMut(DayRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = format!(
            "SELECT person_id, day, method, detail, application, succeeded, first_at, last_at, events
             FROM {DAILY} ORDER BY person_id, day"
        );
        self.query(&sql, &[], |row| match row {
            [
                Value::Text(person_id),
                Value::Integer(day),
                Value::Text(method),
                Value::Text(detail),
                Value::Text(application),
                Value::Integer(succeeded),
                Value::Integer(first_at),
                Value::Integer(last_at),
                Value::Integer(events),
            ] => each(DayRow {
                person_id,
                day: *day,
                way: [method, detail, application],
                succeeded: *succeeded != 0,
                first_at: *first_at,
                last_at: *last_at,
                events: *events,
            }),
            _ => Err(StatementError::NotPlain(0).into()),
        })
    }

    /// Passes on what snapshots up to this one showed of accounts, with the instant in milliseconds.
    ///
    /// # Errors
    /// Those of `each`, and when the store cannot be read.
    pub fn sightings<E: From<StatementError>>(
        &self,
        mut each: impl FnMut(Sighting, &str, i64) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = format!("SELECT kind, person_id, at FROM {SIGHTINGS}");
        self.query(&sql, &[], |row| match row {
            [Value::Text(kind), Value::Text(person), Value::Integer(at)] => {
                let activated = *kind == Sighting::Activated.as_str();
                let kind = if activated { Sighting::Activated } else { Sighting::Frozen };
                each(kind, person, *at)
            }
            _ => Err(StatementError::NotPlain(0).into()),
        })
    }

    fn prepare(&self, sql: &str) -> Result<CachedStatement<'_>, StatementError> {
        let statement = self.connection.prepare_cached(sql)?;
        if statement.readonly() { Ok(statement) } else { Err(StatementError::NotReading) }
    }
}

fn plain(value: ValueRef<'_>) -> Option<Value<'_>> {
    Some(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(std::str::from_utf8(text).ok()?),
        ValueRef::Blob(_) => return None,
    })
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

/// The statement that makes the view of a dataset.
fn dataset_view(
    connection: &Connection,
    snapshot: &SnapshotInfo,
    dataset: &DatasetSpec,
    only: Option<Changed<'_>>,
) -> Result<String, StoreError> {
    let table = schema::dataset_table(connection, &snapshot.manifest.id, &dataset.name)?
        .unwrap_or_default();
    let stored = schema::columns_of(connection, &table)?;
    let columns: Vec<String> = dataset
        .fields
        .iter()
        .map(|field| {
            let name = quote(&field.name);
            // Column names are compared as SQLite does, without regard to ASCII case.
            if stored.iter().any(|column| column.eq_ignore_ascii_case(&field.name)) {
                format!("{name} AS {name}")
            } else {
                format!("NULL AS {name}")
            }
        })
        .collect();
    let changed = only.map_or_else(String::new, |only| {
        let keys: Vec<String> = dataset.key.iter().map(|key| quote(key)).collect();
        changed_keys(&table, &keys.join(", "), snapshot.connector_id, only)
    });
    let source = if stored.is_empty() {
        "WHERE 0".to_owned()
    } else {
        format!(
            "FROM main.{} WHERE _connector = {} AND _from <= {id} AND (_to IS NULL OR _to > {id}){changed}",
            quote(&table),
            snapshot.connector_id,
            id = snapshot.id
        )
    };
    let columns = if columns.is_empty() { "NULL".to_owned() } else { columns.join(", ") };
    Ok(format!("CREATE TEMP VIEW {} AS SELECT {columns} {source}", quote(&dataset.name)))
}

/// A condition on a dataset's table: the keys of records that changed between two snapshots.
fn changed_keys(table: &str, keys: &str, connector: i64, only: Changed<'_>) -> String {
    let table = quote(table);
    let Changed { after, until, .. } = only;
    format!(
        " AND ({keys}) IN (SELECT {keys} FROM main.{table}
              WHERE _connector = {connector} AND _from > {after} AND _from <= {until}
              UNION SELECT {keys} FROM main.{table}
              WHERE _connector = {connector} AND _to > {after} AND _to <= {until})"
    )
}

fn only_reading(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select | AuthAction::Recursive | AuthAction::Transaction { .. } => {
            Authorization::Allow
        }
        // The views, and the tables only through them.
        AuthAction::Read { .. }
            if context.database_name == Some("temp") || context.accessor.is_some() =>
        {
            Authorization::Allow
        }
        AuthAction::Function { function_name } if function_name != "load_extension" => {
            Authorization::Allow
        }
        _ => Authorization::Deny,
    }
}
