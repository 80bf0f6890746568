//! PostgreSQL: one database for any number of nodes.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgSslMode};
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

/// Errors of a connection that led to the wrong server, or soon will: it takes no writes (a standby, or a
/// primary that was stepped down), or it is shutting down, has crashed, or is starting.
const LEADS_ELSEWHERE: [&str; 4] = ["25006", "57P01", "57P02", "57P03"];

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
    outdated: Outdated,
}

/// Connections opened before this moment are not used again: one of them turned out to lead to a server
/// that takes no writes, or that is going away.
#[derive(Clone, Default)]
struct Outdated(Arc<Mutex<Option<Instant>>>);

impl Outdated {
    fn set(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn holds(&self, age: Duration) -> bool {
        let before = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        before.is_some_and(|before| age >= before.elapsed())
    }
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
    let outdated = Outdated::default();
    let is_outdated = outdated.clone();
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .before_acquire(move |_, connection| {
            let usable = !is_outdated.holds(connection.age);
            Box::pin(async move { Ok(usable) })
        })
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute(STATEMENT_TIMEOUT).await?;
                Ok(())
            })
        })
        .connect_lazy_with(options);
    Ok(SqlStore::new(Postgres {
        address,
        pool,
        outdated,
    }))
}

pub(crate) fn unchecked_certificate(url: &str) -> Option<String> {
    let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let options: PgConnectOptions = is_postgres.then(|| url.parse().ok()).flatten()?;
    let host = options.get_host();
    let here = host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback());
    let mode = match options.get_ssl_mode() {
        PgSslMode::VerifyFull => return None,
        PgSslMode::VerifyCa => {
            "verify-ca, which takes the certificate of any server of that authority"
        }
        PgSslMode::Require => "require, which takes any certificate",
        PgSslMode::Prefer | PgSslMode::Allow => {
            "prefer, which goes without encryption where it must"
        }
        PgSslMode::Disable => "disable, which goes without encryption",
    };
    if here || options.get_socket().is_some() {
        return None;
    }
    Some(format!(
        "sslmode of the PostgreSQL at {host} is {mode}: whoever is on the way can read hashes of keys and answer in its place; add ?sslmode=verify-full to the address, and &sslrootcert=FILE for an authority of your own"
    ))
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
        let mut connection = self.pool.acquire().await?;
        let done = run(&mut *connection, &statement).await;
        self.settle(connection, done)
    }

    async fn write(&self, statement: Statement<'_>) -> Result<Vec<Row>, sqlx::Error> {
        self.read(statement).await
    }

    async fn execute(&self, statement: Statement<'_>) -> Result<u64, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let done = bind::<sqlx::Postgres>(&statement)
            .execute(&mut *connection)
            .await;
        Ok(self.settle(connection, done)?.rows_affected())
    }

    async fn administer(&self, statements: &[Statement<'_>]) -> Result<Vec<Row>, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let done = transact(&mut connection, statements).await;
        self.settle(connection, done)
    }
}

async fn transact(
    connection: &mut PgConnection,
    statements: &[Statement<'_>],
) -> Result<Vec<Row>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    transaction.execute(ADMIN_LOCK).await?;
    let mut rows = Vec::new();
    for statement in statements {
        rows = run(&mut *transaction, statement).await?;
    }
    transaction.commit().await?;
    Ok(rows)
}

impl Postgres {
    /// Gives a connection back, or closes it, and all that were opened before, when what it did shows
    /// that there may be another server by now behind the same address.
    fn settle<T>(
        &self,
        mut connection: PoolConnection<sqlx::Postgres>,
        done: Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let code = done.as_ref().err().and_then(|error| {
            let error = error.as_database_error()?;
            error.code().map(std::borrow::Cow::into_owned)
        });
        if code.is_some_and(|code| LEADS_ELSEWHERE.contains(&code.as_str())) {
            self.outdated.set();
            connection.close_on_drop();
        }
        done
    }
}
