//! Rows as an Arrow table.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float32Array, RecordBatch, StringArray};
use arrow_pyarrow::{IntoPyArrow, Table};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use livecheck_engine::{FileName, Row};
use pyo3::{exceptions::PyRuntimeError, prelude::*};

/// Rows of one batch: a table of any number of photos stays below Arrow's 2 GB per column of text.
const BATCH: usize = 1 << 16;

/// A table that grows by rows.
pub(crate) struct Rows {
    schema: SchemaRef,
    pending: Vec<Row>,
    batches: Vec<RecordBatch>,
}

impl Rows {
    pub(crate) fn new() -> Self {
        // In the order of `columns`.
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
            pending: Vec::new(),
            batches: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, row: Row) -> PyResult<()> {
        self.pending.push(row);
        if self.pending.len() == BATCH {
            self.close_batch()?;
        }
        Ok(())
    }

    /// The rows as a `pyarrow.Table`.
    pub(crate) fn finish(mut self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        if !self.pending.is_empty() {
            self.close_batch()?;
        }
        Table::try_new(self.batches, self.schema)
            .map_err(internal)?
            .into_pyarrow(py)
    }

    fn close_batch(&mut self) -> PyResult<()> {
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns(&self.pending));
        self.batches.push(batch.map_err(internal)?);
        self.pending.clear();
        Ok(())
    }
}

fn internal(error: ArrowError) -> PyErr {
    PyRuntimeError::new_err(format!("the table cannot be made: {error}"))
}

fn columns(rows: &[Row]) -> Vec<ArrayRef> {
    fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
        Arc::new(StringArray::from_iter(values))
    }
    fn name(row: &Row) -> Option<&FileName> {
        row.name.as_ref()
    }
    let rows = || rows.iter();
    let successes = rows().map(|row| Some(row.success));
    vec![
        texts(rows().map(|row| Some(name(row)?.file.as_str()))),
        texts(rows().map(|row| name(row)?.file_hex.as_deref())),
        Arc::new(BooleanArray::from_iter(successes)),
        Arc::new(rows().map(|row| row.liveness).collect::<BooleanArray>()),
        Arc::new(rows().map(|row| row.score).collect::<Float32Array>()),
        texts(rows().map(|row| row.error_code)),
        texts(rows().map(|row| row.error_message)),
        texts(rows().map(|row| row.error_detail.as_deref())),
    ]
}
