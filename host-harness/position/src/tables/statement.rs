//! Statements of connectors, and values in those of the engine.

use connector_api::position::PositionView;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::error::{Error, unusable};
use crate::source::{SnapshotSource, Value};

/// The earlier of two instants, as far as they are known.
pub(crate) fn earlier(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    [a, b].into_iter().flatten().min()
}

/// Reads the rows of a connector's statement, which must have the columns of its table.
pub(crate) fn read(
    source: &dyn SnapshotSource,
    view: &PositionView,
    row: &mut dyn FnMut(&[Value<'_>]) -> Result<(), Error>,
) -> Result<(), Error> {
    check_width(source, view)?;
    source.query(&view.sql, row).map_err(|error| of_statement(view, error))?;
    Ok(())
}

/// Checks that a connector's statement can be run and has the columns of its table.
pub(crate) fn check_width(source: &dyn SnapshotSource, view: &PositionView) -> Result<(), Error> {
    let sql = format!("SELECT * FROM ({}) LIMIT 0", view.sql);
    let columns = source.query(&sql, &mut |_| Ok(())).map_err(|error| of_statement(view, error))?;
    let wanted = view.table.columns();
    if columns.0 != wanted {
        return Err(unusable(view, &format_args!("it has {} columns, not {wanted}", columns.0)));
    }
    Ok(())
}

/// The error of a source as one of the connector's statement; any other error stays.
fn of_statement(view: &PositionView, error: Error) -> Error {
    match error {
        Error::Source(cause) => unusable(view, &cause),
        other => other,
    }
}

/// A value as a parameter of the engine's own tables.
pub(crate) fn bound(value: Value<'_>) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match value {
        Value::Null => ValueRef::Null,
        Value::Integer(number) => ValueRef::Integer(number),
        Value::Real(number) => ValueRef::Real(number),
        Value::Text(text) => ValueRef::Text(text.as_bytes()),
    })
}

/// A text as a literal of a statement.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
