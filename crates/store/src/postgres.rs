//! PostgreSQL: one database for any number of nodes.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Row as _};

use crate::StoreError;
use crate::migrate::{MigrateError, pending};
use crate::sql::{Backend, Row, SqlStore, Statement, bind, purge_images, purge_sessions, run};

/// Most connections a node holds.
const CONNECTIONS: u32 = 10;
/// How long a call waits for a connection while the database is away or all are in use.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the server may work on one statement, or let it wait for a lock; then it gives up by
/// itself, so that a call that was given up here doesn't live on there.
const STATEMENT_TIMEOUT: &str = "SET statement_timeout = '4s'";
/// The same while tables are made, where nodes that start together wait for one another.
const MIGRATION_TIMEOUT: &str = "SET LOCAL statement_timeout = '60s'";
/// Held while tables or keys are changed. The number is only for this: "livechk" in ASCII.
const ADMIN_LOCK: &str = "SELECT pg_advisory_xact_lock(30515254712821867)";

/// Brings the tables from version `i` to `i + 1`.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/postgres/1.sql"),
    include_str!("../migrations/postgres/2.sql"),
    include_str!("../migrations/postgres/3.sql"),
    include_str!("../migrations/postgres/4.sql"),
];

pub(crate) struct Postgres {
    address: String,
    pool: PgPool,
}

/// Connects to the database at `url` and brings its tables up to date.
pub(crate) async fn open(url: &str) -> Result<SqlStore<Postgres>, StoreError> {
    known_parameters(url)?;
    // The parser's errors name what is wrong with the address, not what it says.
    let options: PgConnectOptions = url.parse().map_err(|error: sqlx::Error| match error {
        sqlx::Error::Configuration(source) => StoreError::BadAddress(source.to_string()),
        _ => StoreError::BadAddress("it isn't a PostgreSQL address".to_owned()),
    })?;
    let host = options.get_socket().map_or_else(
        || format!("{}:{}", options.get_host(), options.get_port()),
        |socket| socket.display().to_string(),
    );
    // Nothing behind the host: what stands there may be part of a mistyped password.
    let address = format!("postgres://{host}");
    let options = options.disable_statement_logging();
    // Not through the pool, which tries again and again without saying why.
    let connection = tokio::time::timeout(ACQUIRE_TIMEOUT, options.connect()).await;
    let migrated = match connection.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
        Ok(mut connection) => migrate(&mut connection).await,
        Err(error) => Err(error.into()),
    };
    migrated.map_err(|error| error.explain::<Postgres>(&address))?;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute(STATEMENT_TIMEOUT).await?;
                Ok(())
            })
        })
        .connect_lazy_with(options);
    Ok(SqlStore::new(Postgres { address, pool }))
}

/// The parameters that an address may have. The driver would log the value of any other.
const PARAMETERS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

fn known_parameters(url: &str) -> Result<(), StoreError> {
    let Some((_, query)) = url.split_once('?') else {
        return Ok(());
    };
    let known = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        PARAMETERS.contains(&name) || name.starts_with("options[") || pair.is_empty()
    };
    let query = query.split('#').next().unwrap_or_default();
    if query.split('&').all(|pair| known(&pair)) {
        return Ok(());
    }
    Err(StoreError::BadAddress(
        "it has an unknown parameter after ?; known are sslmode, sslrootcert, sslcert, sslkey, host, hostaddr, port, dbname, user, password, application_name, options and statement-cache-capacity".to_owned(),
    ))
}

async fn migrate(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let mut transaction = connection.begin().await?;
    transaction.execute(MIGRATION_TIMEOUT).await?;
    transaction.execute(ADMIN_LOCK).await?;
    let found = found_version(&mut transaction).await?;
    for &migration in pending(MIGRATIONS, found)? {
        sqlx::raw_sql(migration).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// The version of the tables; 0: there are none.
async fn found_version(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    let row = connection
        .fetch_one("SELECT to_regclass('livecheck_schema') IS NOT NULL")
        .await?;
    if !row.try_get::<bool, _>(0)? {
        return Ok(0);
    }
    connection
        .fetch_one("SELECT version FROM livecheck_schema")
        .await?
        .try_get(0)
}

#[async_trait]
impl Backend for Postgres {
    const PURGE_SESSIONS: &'static str = purge_sessions!(" FOR UPDATE SKIP LOCKED");
    const PURGE_IMAGES: &'static str = purge_images!(" FOR UPDATE SKIP LOCKED");

    fn address(&self) -> &str {
        &self.address
    }

    fn is_outage(code: &str) -> bool {
        // https://www.postgresql.org/docs/current/errcodes-appendix.html: connection, log-in,
        // resources, operator, a standby that takes no writes, a lock or a deadlock, no database.
        const CLASSES: [&str; 4] = ["08", "28", "53", "57"];
        const CODES: [&str; 5] = ["25006", "40001", "40P01", "55P03", "3D000"];
        CLASSES.iter().any(|class| code.starts_with(class)) || CODES.contains(&code)
    }

    async fn read(&self, statement: Statement<'_>) -> Result<Vec<Row>, sqlx::Error> {
        run(&self.pool, &statement).await
    }

    async fn write(&self, statement: Statement<'_>) -> Result<Vec<Row>, sqlx::Error> {
        run(&self.pool, &statement).await
    }

    async fn execute(&self, statement: Statement<'_>) -> Result<u64, sqlx::Error> {
        let done = bind::<sqlx::Postgres>(&statement)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected())
    }

    async fn administer(&self, statements: &[Statement<'_>]) -> Result<Vec<Row>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        transaction.execute(ADMIN_LOCK).await?;
        let mut rows = Vec::new();
        for statement in statements {
            rows = run(&mut *transaction, statement).await?;
        }
        transaction.commit().await?;
        Ok(rows)
    }
}
