//! Rows as an Arrow table.

use std::sync::Arc;

use arrow_array::{
    RecordBatch,
    builder::{BooleanBuilder, Float32Builder, StringBuilder},
};
use arrow_pyarrow::{IntoPyArrow, Table};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use livecheck_contract::Row;
use pyo3::{exceptions::PyRuntimeError, prelude::*};

/// Rows of one batch: a table of any number of photos stays below Arrow's 2 GB per column of text.
const BATCH: usize = 1 << 16;

/// A table that grows by rows. A row goes into the columns at once: thousands of small strings that
/// stay between the large buffers of photos that go would leave holes all over the memory.
pub(crate) struct Rows {
    schema: SchemaRef,
    columns: Columns,
    batches: Vec<RecordBatch>,
}

/// The columns of the batch that grows.
#[derive(Default)]
struct Columns {
    rows: usize,
    file: StringBuilder,
    file_hex: StringBuilder,
    success: BooleanBuilder,
    liveness: BooleanBuilder,
    score: Float32Builder,
    error_code: StringBuilder,
    error_message: StringBuilder,
    error_detail: StringBuilder,
}

impl Rows {
    pub(crate) fn new() -> Self {
        // In the order of `Columns`.
        let types = [
            (DataType::Utf8, true),
            (DataType::Utf8, true),
            (DataType::Boolean, false),
            (DataType::Boolean, true),
            (DataType::Float32, true),
            (DataType::Utf8, true),
            (DataType::Utf8, true),
            (DataType::Utf8, true),
        ];
        let fields = Row::COLUMNS
            .into_iter()
            .zip(types)
            .map(|(name, (kind, nullable))| Field::new(name, kind, nullable));
        Self {
            schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
            columns: Columns::default(),
            batches: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, row: &Row) -> PyResult<()> {
        self.columns.push(row);
        if self.columns.rows == BATCH {
            self.close_batch()?;
        }
        Ok(())
    }

    /// The rows as a `pyarrow.Table`.
    pub(crate) fn finish(mut self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        if self.columns.rows > 0 {
            self.close_batch()?;
        }
        Table::try_new(self.batches, self.schema)
            .map_err(internal)?
            .into_pyarrow(py)
    }

    fn close_batch(&mut self) -> PyResult<()> {
        let batch = self.columns.take(&self.schema).map_err(internal)?;
        self.batches.push(batch);
        Ok(())
    }
}

fn internal(error: ArrowError) -> PyErr {
    PyRuntimeError::new_err(format!("the table cannot be made: {error}"))
}

impl Columns {
    fn push(&mut self, row: &Row) {
        let name = row.name.as_ref();
        self.file.append_option(name.map(|name| &name.file));
        self.file_hex
            .append_option(name.and_then(|name| name.file_hex.as_ref()));
        self.success.append_value(row.success);
        self.liveness.append_option(row.liveness);
        self.score.append_option(row.score);
        self.error_code.append_option(row.error_code);
        self.error_message.append_option(row.error_message);
        self.error_detail.append_option(row.error_detail.as_ref());
        self.rows += 1;
    }

    /// What is there, and begins anew.
    fn take(&mut self, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
        self.rows = 0;
        RecordBatch::try_new(
            Arc::clone(schema),
            vec![
                Arc::new(self.file.finish()),
                Arc::new(self.file_hex.finish()),
                Arc::new(self.success.finish()),
                Arc::new(self.liveness.finish()),
                Arc::new(self.score.finish()),
                Arc::new(self.error_code.finish()),
                Arc::new(self.error_message.finish()),
                Arc::new(self.error_detail.finish()),
            ],
        )
    }
}
