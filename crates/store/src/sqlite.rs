//! SQLite: the embedded default. One file, one node (or several processes on one machine).
//!
//! Write-ahead log with `synchronous = FULL`: what was answered is on the disk, whether the process
//! is killed or the power goes. One connection writes, a few read next to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::error::DatabaseError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Row as _};

use crate::StoreError;
use crate::migrate::{MigrateError, pending};
use crate::sql::{Backend, Row, SqlStore, Statement, bind, purge_images, purge_sessions, run};

/// How long a write waits for another process's. Under the time one call may take.
const BUSY_TIMEOUT: Duration = Duration::from_secs(4);
/// How long to wait before the file is tried again while another process opens it.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// How long a call waits for its turn on a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(4);
/// Connections that read beside the one that writes.
const READERS: u32 = 4;

/// Brings the tables from version `i` to `i + 1`.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/sqlite/1.sql"),
    include_str!("../migrations/sqlite/2.sql"),
    include_str!("../migrations/sqlite/3.sql"),
    include_str!("../migrations/sqlite/4.sql"),
];

pub(crate) struct Sqlite {
    address: String,
    writer: SqlitePool,
    readers: SqlitePool,
    file: Option<OpenedFile>,
}

/// Which file was opened. When it is deleted or another one is put in its place, the open connections go
/// on with what nobody else can see, and what they count is lost with the process.
struct OpenedFile {
    path: PathBuf,
    id: Option<FileId>,
}

/// Device and number.
type FileId = (u64, u64);

impl OpenedFile {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            id: file_id(path),
        }
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.id.is_none() || file_id(&self.path) == self.id {
            return Ok(());
        }
        Err(StoreError::Unavailable(format!(
            "{} was deleted or replaced while it is in use: put it back, or start the service again",
            self.path.display()
        )))
    }
}

/// `None`: the system has none, or there is no such file.
fn file_id(path: &Path) -> Option<FileId> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let file = std::fs::metadata(path).ok()?;
        Some((file.dev(), file.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// Opens the file at `path`, making it when it is missing.
pub(crate) async fn open_file(path: &Path) -> Result<SqlStore<Sqlite>, StoreError> {
    create_private(path)?;
    let options = options()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let writer = pool(1).connect_lazy_with(options.clone());
    let address = format!("sqlite://{}", path.display());
    let migrated = migrate_when_free(&writer).await;
    migrated.map_err(|error| error.explain::<Sqlite>(&address))?;
    let readers = pool(READERS).connect_lazy_with(options);
    Ok(SqlStore::new(Sqlite {
        address,
        writer,
        readers,
        file: Some(OpenedFile::new(path)),
    }))
}

/// Opens a database that is gone with the process.
pub(crate) async fn open_memory() -> Result<SqlStore<Sqlite>, StoreError> {
    // Every connection would have its own database, so there is one and it is kept.
    let writer = pool(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options().in_memory(true));
    let address = "sqlite::memory:".to_owned();
    let migrated = migrate(&writer).await;
    migrated.map_err(|error| error.explain::<Sqlite>(&address))?;
    Ok(SqlStore::new(Sqlite {
        address,
        readers: writer.clone(),
        writer,
        file: None,
    }))
}

fn options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging()
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // Nothing can happen to a connection inside the process.
        .test_before_acquire(false)
}

/// Makes the file readable by its owner alone; SQLite gives its companions the same rights.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) => {
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            Err(StoreError::BadAddress(match folder {
                Some(folder) if !folder.exists() => {
                    format!(
                        "the folder {} doesn't exist: create it first",
                        folder.display()
                    )
                }
                _ => format!("{} can't be opened for writing: {error}", path.display()),
            }))
        }
    }
}

/// [`migrate`], tried again while another process has the file to itself.
///
/// SQLite answers the change to write-ahead logging with `SQLITE_BUSY` at once, whatever the busy
/// time-out says, because two connections that wait for each other there would wait for ever.
async fn migrate_when_free(writer: &SqlitePool) -> Result<(), MigrateError> {
    let started = tokio::time::Instant::now();
    loop {
        match migrate(writer).await {
            Err(MigrateError::Sql(error))
                if is_busy(&error) && started.elapsed() < BUSY_TIMEOUT =>
            {
                tokio::time::sleep(BUSY_PAUSE).await;
            }
            done => return done,
        }
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.and_then(|code| primary(&code)) == Some(5)
}

async fn migrate(writer: &SqlitePool) -> Result<(), MigrateError> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let row = sqlx::query("PRAGMA user_version")
        .fetch_one(&mut *transaction)
        .await?;
    let found: i64 = row.try_get(0)?;
    for &migration in pending(MIGRATIONS, found)? {
        sqlx::raw_sql(migration).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// The primary result code of an extended one.
fn primary(code: &str) -> Option<u32> {
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

#[async_trait]
impl Backend for Sqlite {
    const PURGE_SESSIONS: &'static str = purge_sessions!("");
    const PURGE_IMAGES: &'static str = purge_images!("");

    fn address(&self) -> &str {
        &self.address
    }

    async fn is_in_place(&self) -> Result<(), StoreError> {
        self.file.as_ref().map_or(Ok(()), OpenedFile::check)
    }

    fn is_outage(code: &str) -> bool {
        // https://www.sqlite.org/rescode.html: BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN
        matches!(primary(code), Some(5 | 6 | 8 | 10 | 13 | 14))
    }

    async fn read(&self, statement: Statement<'_>) -> Result<Vec<Row>, sqlx::Error> {
        run(&self.readers, &statement).await
    }

    async fn write(&self, statement: Statement<'_>) -> Result<Vec<Row>, sqlx::Error> {
        run(&self.writer, &statement).await
    }

    async fn execute(&self, statement: Statement<'_>) -> Result<u64, sqlx::Error> {
        let done = bind::<sqlx::Sqlite>(&statement)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected())
    }

    async fn administer(&self, statements: &[Statement<'_>]) -> Result<Vec<Row>, sqlx::Error> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let mut rows = Vec::new();
        for statement in statements {
            rows = run(&mut *transaction, statement).await?;
        }
        transaction.commit().await?;
        Ok(rows)
    }
}
