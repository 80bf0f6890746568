//! For tests, here and in the crates above: temporary folders, a PostgreSQL server of one's own, and a store
//! that fails when it is told to.

#[cfg(unix)]
mod cluster;
mod folder;
mod hooked;
mod switch;

#[cfg(unix)]
pub use cluster::{POSTGRES_BIN, PostgresCluster, REQUIRE_POSTGRES};
pub use folder::TempFolder;
pub use hooked::{Hook, Hooked};
pub use switch::Switch;

/// Puts `count` sessions of the key into the database at `address` with one statement.
pub async fn add_sessions(
    address: &str,
    key: &crate::KeyId,
    count: u32,
    expires_at: crate::Timestamp,
) {
    let (count, end) = (i64::from(count), expires_at.as_millis());
    if address.starts_with("postgres") {
        use sqlx::Connection as _;
        let mut connection = sqlx::PgConnection::connect(address)
            .await
            .expect("the database answers");
        sqlx::query(
            "INSERT INTO livecheck_session (token_hash, key_id, uses_left, uses_total, expires_at) \
             SELECT sha256(($3::BIGINT || '/' || number)::BYTEA), $1, 3, 3, $3 \
             FROM generate_series(1, $2) AS number",
        )
        .bind(key.as_str())
        .bind(count)
        .bind(end)
        .execute(&mut connection)
        .await
        .expect("sessions can be added");
    } else {
        use sqlx::Connection as _;
        let mut connection = sqlx::SqliteConnection::connect(address)
            .await
            .expect("the database answers");
        sqlx::query(
            "WITH RECURSIVE numbers (number) AS \
             (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < $2) \
             INSERT INTO livecheck_session \
             (token_hash, key_id, uses_left, uses_total, expires_at) \
             SELECT randomblob(32), $1, 3, 3, $3 FROM numbers",
        )
        .bind(key.as_str())
        .bind(count)
        .bind(end)
        .execute(&mut connection)
        .await
        .expect("sessions can be added");
    }
}
