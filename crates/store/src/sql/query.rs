//! Statements with their values, and the rows of their answers.

use sqlx::query::Query;
use sqlx::{ColumnIndex, Database, Decode, Encode, Executor, IntoArguments, Row as _, Type};
use sqlx::{TypeInfo as _, ValueRef as _};

use crate::{
    clock::Timestamp,
    error::StoreError,
    key::{KeyId, Threshold},
    replay::ImageMac,
    secret::{KeyHash, TokenHash},
};

/// A statement and its values, `$1` first.
pub(crate) struct Statement<'v> {
    pub(crate) sql: &'static str,
    pub(crate) values: Vec<Value<'v>>,
}

#[derive(Clone, Copy)]
pub(crate) enum Value<'v> {
    Int(Option<i64>),
    Text(Option<&'v str>),
    Bytes(&'v [u8]),
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(yes: bool) -> Self {
        i64::from(yes).into()
    }
}

impl From<Option<Threshold>> for Value<'_> {
    fn from(threshold: Option<Threshold>) -> Self {
        threshold.map(Threshold::to_stored).into()
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(moment: Timestamp) -> Self {
        moment.as_millis().into()
    }
}

impl From<Option<Timestamp>> for Value<'_> {
    fn from(moment: Option<Timestamp>) -> Self {
        moment.map(Timestamp::as_millis).into()
    }
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(text: &'v str) -> Self {
        Self::Text(Some(text))
    }
}

impl<'v> From<Option<&'v str>> for Value<'v> {
    fn from(text: Option<&'v str>) -> Self {
        Self::Text(text)
    }
}

impl<'v> From<&'v KeyId> for Value<'v> {
    fn from(id: &'v KeyId) -> Self {
        Self::Text(Some(id.as_str()))
    }
}

impl<'v> From<&'v KeyHash> for Value<'v> {
    fn from(hash: &'v KeyHash) -> Self {
        Self::Bytes(hash.as_bytes())
    }
}

impl<'v> From<&'v TokenHash> for Value<'v> {
    fn from(hash: &'v TokenHash) -> Self {
        Self::Bytes(hash.as_bytes())
    }
}

impl<'v> From<&'v ImageMac> for Value<'v> {
    fn from(mac: &'v ImageMac) -> Self {
        Self::Bytes(mac.as_bytes())
    }
}

impl<'v> From<&'v [u8]> for Value<'v> {
    fn from(bytes: &'v [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

/// `statement!(SQL, value, …)`
macro_rules! statement {
    ($sql:expr $(, $value:expr)* $(,)?) => {
        Statement { sql: $sql, values: vec![$(Value::from($value)),*] }
    };
}

pub(super) use statement;

/// One row of an answer.
pub(crate) struct Row(Vec<Cell>);

enum Cell {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// Runs one statement to its end. (Not only to its first row: SQLite commits, and tells whether that
/// worked, at the end.)
pub(crate) async fn run<'e, DB, E>(
    executor: E,
    statement: &Statement<'_>,
) -> Result<Vec<Row>, sqlx::Error>
where
    DB: Database,
    E: Executor<'e, Database = DB>,
    DB::Arguments: IntoArguments<DB>,
    for<'q> Option<i64>: Encode<'q, DB> + Type<DB>,
    for<'q> i64: Decode<'q, DB> + Type<DB>,
    for<'q> Option<String>: Encode<'q, DB> + Type<DB>,
    for<'q> String: Decode<'q, DB> + Type<DB>,
    for<'q> Vec<u8>: Encode<'q, DB> + Decode<'q, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    let cell = |row: &DB::Row, index: usize| {
        let value = row.try_get_raw(index)?;
        if value.is_null() {
            return Ok(Cell::Null);
        }
        match value.type_info().name() {
            "INTEGER" | "INT8" => row.try_get(index).map(Cell::Int),
            "TEXT" => row.try_get(index).map(Cell::Text),
            "BLOB" | "BYTEA" => row.try_get(index).map(Cell::Bytes),
            other => Err(sqlx::Error::TypeNotFound {
                type_name: other.to_owned(),
            }),
        }
    };
    let rows = bind(statement).fetch_all(executor).await?;
    rows.iter()
        .map(|row| (0..row.len()).map(|index| cell(row, index)).collect())
        .map(|cells: Result<_, _>| cells.map(Row))
        .collect()
}

/// A statement with its values.
pub(crate) fn bind<DB>(statement: &Statement<'_>) -> Query<'static, DB, DB::Arguments>
where
    DB: Database,
    DB::Arguments: IntoArguments<DB>,
    for<'q> Option<i64>: Encode<'q, DB> + Type<DB>,
    for<'q> Option<String>: Encode<'q, DB> + Type<DB>,
    for<'q> Vec<u8>: Encode<'q, DB> + Type<DB>,
{
    let mut query = sqlx::query(statement.sql);
    for value in &statement.values {
        query = match *value {
            Value::Int(number) => query.bind(number),
            Value::Text(text) => query.bind(text.map(str::to_owned)),
            Value::Bytes(bytes) => query.bind(bytes.to_vec()),
        };
    }
    query
}

impl Row {
    pub(crate) fn int(&self, index: usize) -> Result<i64, StoreError> {
        self.maybe_int(index)?
            .ok_or_else(|| unexpected_column(index))
    }

    pub(super) fn maybe_int(&self, index: usize) -> Result<Option<i64>, StoreError> {
        match self.0.get(index) {
            Some(Cell::Int(number)) => Ok(Some(*number)),
            Some(Cell::Null) => Ok(None),
            _ => Err(unexpected_column(index)),
        }
    }

    pub(super) fn count(&self, index: usize) -> Result<u32, StoreError> {
        u32::try_from(self.int(index)?).map_err(|_| unexpected_column(index))
    }

    pub(super) fn moment(&self, index: usize) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.maybe_int(index)?.map(Timestamp::from_millis))
    }

    pub(super) fn maybe_text(&self, index: usize) -> Result<Option<String>, StoreError> {
        match self.0.get(index) {
            Some(Cell::Text(text)) => Ok(Some(text.clone())),
            Some(Cell::Null) => Ok(None),
            _ => Err(unexpected_column(index)),
        }
    }

    pub(super) fn text(&self, index: usize) -> Result<String, StoreError> {
        self.maybe_text(index)?
            .ok_or_else(|| unexpected_column(index))
    }

    pub(super) fn bytes(&self, index: usize) -> Result<&[u8], StoreError> {
        match self.0.get(index) {
            Some(Cell::Bytes(bytes)) => Ok(bytes),
            _ => Err(unexpected_column(index)),
        }
    }
}

pub(super) fn unexpected_column(index: usize) -> StoreError {
    StoreError::Failed(format!(
        "column {index} of an answer isn't of the expected kind: was the database changed by hand?"
    ))
}

pub(super) fn only(rows: Vec<Row>) -> Result<Row, StoreError> {
    rows.into_iter()
        .next()
        .ok_or_else(|| StoreError::Failed("a response that can't be empty was".to_owned()))
}
