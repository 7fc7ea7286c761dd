//! Parquet with the column types of the manifest, in row groups of bounded size.

use std::io::Write;
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, StringBuilder,
    TimestampMillisecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use connector_api::manifest::{DatasetSpec, FieldType};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::row::{Cell, Row, RowWriter};
use crate::error::HostError;

/// Records handed to the encoder at a time.
const BATCH_ROWS: usize = 4_096;
/// A row group ends when its encoded columns take about this much memory.
const ROW_GROUP_BYTES: usize = 32 * 1024 * 1024;
/// The zone of every instant.
const UTC: &str = "+00:00";

/// Writes records in row groups.
pub(super) struct Writer<W: Write + Send> {
    /// None once finished.
    parquet: Option<ArrowWriter<W>>,
    schema: SchemaRef,
    columns: Vec<Column>,
    pending: usize,
}

impl<W: Write + Send> Writer<W> {
    pub(super) fn new(out: W, spec: &DatasetSpec) -> Result<Writer<W>, HostError> {
        let field = |field: &connector_api::manifest::FieldSpec| {
            Field::new(&field.name, data_type(field.kind), true)
        };
        let schema: SchemaRef =
            Arc::new(Schema::new(spec.fields.iter().map(field).collect::<Vec<_>>()));
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let parquet = ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties))
            .map_err(HostError::failed)?;
        let columns = spec.fields.iter().map(|field| Column::new(field.kind)).collect();
        Ok(Writer { parquet: Some(parquet), schema, columns, pending: 0 })
    }

    fn write_batch(&mut self) -> Result<(), HostError> {
        let Some(parquet) = &mut self.parquet else { return Ok(()) };
        if self.pending == 0 {
            return Ok(());
        }
        let columns: Vec<ArrayRef> = self.columns.iter_mut().map(Column::finish).collect();
        let batch =
            RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(HostError::failed)?;
        parquet.write(&batch).map_err(HostError::failed)?;
        if parquet.in_progress_size() >= ROW_GROUP_BYTES {
            parquet.flush().map_err(HostError::failed)?;
        }
        self.pending = 0;
        Ok(())
    }
}

impl<W: Write + Send> RowWriter for Writer<W> {
    fn write(&mut self, row: &Row<'_>) -> Result<(), HostError> {
        for (column, cell) in self.columns.iter_mut().zip(row.cells()) {
            column.push(cell?);
        }
        self.pending += 1;
        if self.pending == BATCH_ROWS { self.write_batch() } else { Ok(()) }
    }

    fn finish(&mut self) -> Result<(), HostError> {
        self.write_batch()?;
        if let Some(parquet) = self.parquet.take() {
            parquet.close().map_err(HostError::failed)?;
        }
        Ok(())
    }
}

fn data_type(kind: FieldType) -> DataType {
    match kind {
        FieldType::Text => DataType::Utf8,
        FieldType::Boolean => DataType::Boolean,
        FieldType::Integer => DataType::Int64,
        FieldType::Double => DataType::Float64,
        FieldType::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, Some(UTC.into())),
        FieldType::Date => DataType::Date32,
    }
}

/// A column under construction.
enum Column {
    Text(StringBuilder),
    Boolean(BooleanBuilder),
    Integer(Int64Builder),
    Double(Float64Builder),
    Timestamp(TimestampMillisecondBuilder),
    Date(Date32Builder),
}

impl Column {
    fn new(kind: FieldType) -> Column {
        match kind {
            FieldType::Text => Column::Text(StringBuilder::new()),
            FieldType::Boolean => Column::Boolean(BooleanBuilder::new()),
            FieldType::Integer => Column::Integer(Int64Builder::new()),
            FieldType::Double => Column::Double(Float64Builder::new()),
            FieldType::Timestamp => {
                Column::Timestamp(TimestampMillisecondBuilder::new().with_timezone(UTC))
            }
            FieldType::Date => Column::Date(Date32Builder::new()),
        }
    }

    /// Appends a cell; one of another type cannot come, because cells have their column's type.
    fn push(&mut self, cell: Cell<'_>) {
        match (self, cell) {
            (Column::Text(column), Cell::Text(text)) => column.append_value(text),
            (Column::Boolean(column), Cell::Boolean(value)) => column.append_value(value),
            (Column::Integer(column), Cell::Integer(number)) => column.append_value(number),
            (Column::Double(column), Cell::Double(number)) => column.append_value(number),
            (Column::Timestamp(column), Cell::Timestamp(ms)) => column.append_value(ms),
            (Column::Date(column), Cell::Date(days)) => column.append_value(days),
            (Column::Text(column), _) => column.append_null(),
            (Column::Boolean(column), _) => column.append_null(),
            (Column::Integer(column), _) => column.append_null(),
            (Column::Double(column), _) => column.append_null(),
            (Column::Timestamp(column), _) => column.append_null(),
            (Column::Date(column), _) => column.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Column::Text(column) => Arc::new(column.finish()),
            Column::Boolean(column) => Arc::new(column.finish()),
            Column::Integer(column) => Arc::new(column.finish()),
            Column::Double(column) => Arc::new(column.finish()),
            Column::Timestamp(column) => Arc::new(column.finish()),
            Column::Date(column) => Arc::new(column.finish()),
        }
    }
}
