//! Small tables whose rows are kept: every cell of every row, in describe order.

use crate::schema::{Kind, Object, Schema};
use crate::value::Value;

/// One kept row.
pub(crate) type StoredRow = Box<[Value<'static>]>;

/// Fills the rows of one object by field name.
#[derive(Debug)]
pub(crate) struct StoredTable {
    object: &'static Object,
    rows: Vec<StoredRow>,
}

impl StoredTable {
    pub(crate) fn new(object: &str) -> Self {
        let schema = Schema::get();
        Self { object: &schema.objects[schema.index(object)], rows: Vec::new() }
    }

    /// Number of the next row.
    pub(crate) fn next(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Starts a row: check boxes are off and everything else is empty.
    pub(crate) fn row(&mut self) -> RowBuilder<'_> {
        let cells = self.object.fields.iter().map(|field| match field.kind {
            Kind::Bool => Value::Bool(false),
            _ => Value::Null,
        });
        self.rows.push(cells.collect());
        let last = self.rows.len() - 1;
        RowBuilder { object: self.object, cells: &mut self.rows[last] }
    }

    pub(crate) fn finish(self) -> Vec<StoredRow> {
        self.rows
    }
}

/// Sets cells of one row.
#[derive(Debug)]
pub(crate) struct RowBuilder<'t> {
    object: &'static Object,
    cells: &'t mut StoredRow,
}

impl RowBuilder<'_> {
    /// Sets the field of this name; a name the describe lacks is a mistake in this crate.
    pub(crate) fn set(self, field: &str, value: Value<'static>) -> Self {
        let at = self.object.field(field).expect("the describe has the field");
        self.cells[at] = value;
        self
    }

    /// Sets a text.
    pub(crate) fn text(self, field: &str, text: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        self.set(field, Value::Text(text.into()))
    }

    /// Sets a whole number.
    pub(crate) fn int(self, field: &str, number: i64) -> Self {
        self.set(field, Value::Int(number))
    }

    /// Ticks a check box.
    pub(crate) fn on(self, field: &str) -> Self {
        self.set(field, Value::Bool(true))
    }

    /// Ticks every check box the predicate accepts.
    pub(crate) fn on_where(self, accept: impl Fn(&str) -> bool) -> Self {
        for (at, field) in self.object.fields.iter().enumerate() {
            if field.kind == Kind::Bool && accept(&field.name) {
                self.cells[at] = Value::Bool(true);
            }
        }
        self
    }

    /// Sets those of the system fields that the object has.
    pub(crate) fn stamp(self, created: i64, modified: i64, by: crate::id::Id) -> Self {
        let stamps = [
            ("CreatedDate", Value::Instant(created)),
            ("CreatedById", Value::Id(by)),
            ("LastModifiedDate", Value::Instant(modified)),
            ("LastModifiedById", Value::Id(by)),
            ("SystemModstamp", Value::Instant(modified)),
        ];
        for (field, value) in stamps {
            if let Some(at) = self.object.field(field) {
                self.cells[at] = value;
            }
        }
        self
    }
}
