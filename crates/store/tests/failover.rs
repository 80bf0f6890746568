//! The address of a PostgreSQL leads to another server than before, or to one that took no writes for a
//! while: connections that remember the old state are dropped at the first sign of it.
#![expect(clippy::unwrap_used, reason = "a test stops where the store fails")]

use std::sync::Arc;

use livecheck_store::testing::{PostgresCluster, Switch};
use livecheck_store::{
    KeyRecord, NewKey, SessionState, Store, StoreError, Timestamp, TokenHash, open,
};
use sqlx::{Connection as _, PgConnection};

const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);
const END: Timestamp = Timestamp::from_millis(1_780_000_060_000);
const USES: u32 = 1_000_000;

/// More than a pool has connections.
const CALLS: u32 = 20;

async fn with_a_session(store: &dyn Store) -> (KeyRecord, TokenHash) {
    let (key, _) = store.create_key(NewKey::named("alice"), NOW).await.unwrap();
    let token = store.create_session(&key.id, USES, END).await.unwrap();
    (key, token.hash())
}

/// Takes uses one after the other; how many were taken.
async fn take(store: &dyn Store, key: &KeyRecord, token: &TokenHash) -> u32 {
    let mut taken = 0;
    for _ in 0..CALLS {
        match store.take_use(token, &key.id, NOW).await {
            Ok(SessionState::Ready { .. }) => taken += 1,
            Err(StoreError::Unavailable(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    taken
}

async fn left(store: &dyn Store, key: &KeyRecord, token: &TokenHash) -> u32 {
    match store.peek_session(token, &key.id, NOW).await.unwrap() {
        SessionState::Ready { remaining } => remaining,
        other => panic!("{other:?}"),
    }
}

/// Opens as many connections as the pool has: all are held up by a lock, then let go.
async fn fill_pool(store: &Arc<dyn Store>, key: &KeyRecord, token: TokenHash, direct: &str) {
    let mut other = PgConnection::connect(direct).await.unwrap();
    sqlx::raw_sql("BEGIN READ WRITE; LOCK TABLE livecheck_session IN ACCESS EXCLUSIVE MODE")
        .execute(&mut other)
        .await
        .unwrap();
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let (store, id) = (Arc::clone(store), key.id.clone());
            tokio::spawn(async move { store.peek_session(&token, &id, NOW).await })
        })
        .collect();
    let mut held_up = 0_i64;
    // Fewer where one has waited so long that it is given up.
    while held_up < 10 && !waiting.iter().any(tokio::task::JoinHandle::is_finished) {
        held_up = sqlx::query_scalar(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = \
             (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .fetch_one(&mut other)
        .await
        .unwrap();
    }
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    for call in waiting {
        drop(call.await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_read_only_are_not_kept() {
    let Some(cluster) = PostgresCluster::start() else {
        return;
    };
    let direct = cluster.new_database();
    let (key, token) = with_a_session(&*open(&direct).await.unwrap()).await;
    // As services that run databases do when a disk is full, or while they move one: sessions that begin
    // meanwhile stay read-only for as long as they live.
    let mut operator = PgConnection::connect(&direct).await.unwrap();
    let name = direct.rsplit_once('/').unwrap().1;
    let change = |change: &str| {
        let change = sqlx::AssertSqlSafe(format!("ALTER DATABASE {name} {change}"));
        sqlx::raw_sql(change)
    };
    change("SET default_transaction_read_only = on")
        .execute(&mut operator)
        .await
        .unwrap();
    let store = open(&direct).await.unwrap();
    fill_pool(&store, &key, token, &direct).await;
    assert_eq!(take(&*store, &key, &token).await, 0);
    assert_eq!(left(&*store, &key, &token).await, USES);
    fill_pool(&store, &key, token, &direct).await;
    change("RESET default_transaction_read_only")
        .execute(&mut operator)
        .await
        .unwrap();
    // The first sign is a failure; no other connection of that time gets to fail.
    let taken = take(&*store, &key, &token).await;
    assert_eq!(taken, CALLS - 1);
    assert_eq!(left(&*store, &key, &token).await, USES - taken);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_takes_over() {
    let Some(mut primary) = PostgresCluster::start() else {
        return;
    };
    let direct = primary.new_database();
    let Some(standby) = primary.standby() else {
        return;
    };
    let switch = Switch::to(primary.port());
    let store = open(&switch.url(&direct)).await.unwrap();
    let (key, token) = with_a_session(&*store).await;
    let before = take(&*store, &key, &token).await;
    assert_eq!(before, CALLS);

    // What the primary acknowledged is on the standby before it is lost.
    let name = direct.rsplit_once('/').unwrap().1;
    let follower = format!("postgres://livecheck@127.0.0.1:{}/{name}", standby.port());
    let position = "SELECT pg_current_wal_lsn()::TEXT";
    let mut operator = PgConnection::connect(&direct).await.unwrap();
    let written: String = sqlx::query_scalar(position)
        .fetch_one(&mut operator)
        .await
        .unwrap();
    let mut reader = PgConnection::connect(&follower).await.unwrap();
    let mut there = false;
    while !there {
        there = sqlx::query_scalar("SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn")
            .bind(&written)
            .fetch_one(&mut reader)
            .await
            .unwrap();
    }

    // The address leads to the standby before that is promoted.
    switch.lead_to(standby.port());
    primary.kill();
    assert_eq!(take(&*store, &key, &token).await, 0);
    assert_eq!(left(&*store, &key, &token).await, USES - before);
    let pinged = store.ping().await;
    assert!(
        matches!(pinged, Err(StoreError::Unavailable(_))),
        "{pinged:?}"
    );
    standby.promote().await;
    store.ping().await.unwrap();
    assert_eq!(take(&*store, &key, &token).await, CALLS);
    assert_eq!(left(&*store, &key, &token).await, USES - before - CALLS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_stopped_is_left_at_once() {
    let Some(mut primary) = PostgresCluster::start() else {
        return;
    };
    let direct = primary.new_database();
    let Some(standby) = primary.standby() else {
        return;
    };
    let switch = Switch::to(primary.port());
    let store = open(&switch.url(&direct)).await.unwrap();
    let (key, token) = with_a_session(&*store).await;
    // Says 57P01 to every connection, once what was committed is on the standby.
    switch.lead_to(standby.port());
    primary.stop();
    standby.promote().await;
    assert_eq!(take(&*store, &key, &token).await, CALLS);
    assert_eq!(left(&*store, &key, &token).await, USES - CALLS);
}
