//! The database goes away, hangs, comes back: typed errors meanwhile, no restart needed after.
#![expect(clippy::unwrap_used, reason = "a test stops where the store fails")]

use std::sync::Arc;
use std::time::Duration;

use livecheck_store::testing::{PostgresCluster, TempFolder};
use livecheck_store::{
    ApiKey, ImageKey, KeyRecord, KeySelector, NewKey, Rate, SessionState, Store, StoreError,
    Timestamp, TokenHash, open,
};
use sqlx::ConnectOptions as _;

const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);
const END: Timestamp = Timestamp::from_millis(1_780_000_060_000);

async fn with_a_session(store: &dyn Store, uses: u32) -> (KeyRecord, TokenHash) {
    let (key, _) = store.create_key(NewKey::named("alice"), NOW).await.unwrap();
    let token = store.create_session(&key.id, uses, END).await.unwrap();
    (key, token.hash())
}

/// The error of every method, by name, all asked at once.
async fn ask_everything(
    store: &dyn Store,
    key: &KeyRecord,
    token: &TokenHash,
) -> Vec<(&'static str, Option<StoreError>)> {
    let id = &key.id;
    let nobody = KeySelector::Name("nobody".to_owned());
    let unknown = ApiKey::parse(&format!("lck_{}", "A".repeat(43))).unwrap();
    let hash = unknown.hash();
    let rate = Rate::new(1000.0, 1000).unwrap();
    let image = ImageKey::new([1; 32]).mac(b"an image");
    macro_rules! ask {
        ($($method:ident($($argument:expr),*)),* $(,)?) => {{
            let errors = tokio::join!($(async {
                store.$method($($argument),*).await.err()
            }),*);
            let ($($method),*) = errors;
            vec![$((stringify!($method), $method)),*]
        }};
    }
    let mut errors = ask!(
        ping(),
        find_key(&hash),
        list_keys(),
        revoke_key(&nobody, NOW),
        rotate_key(&nobody, None, NOW),
        touch_key(id, NOW),
        create_session(id, 3, END),
        peek_session(token, id, NOW),
        take_use(token, id, NOW),
        return_use(token, id),
        take_rate(id, rate, NOW),
        count_sessions(id, NOW, 10),
        take_session_rate(id, rate, NOW),
        purge_sessions(NOW),
        remember_image(id, &image, NOW, END),
        renew_image(id, &image, END),
        forget_image(id, &image, END),
        purge_images(NOW),
        image_key(),
    );
    // The answer of a database that works: there is no such key.
    for (_, error) in &mut errors {
        if matches!(error, Some(StoreError::KeyNotFound(_))) {
            *error = None;
        }
    }
    errors
}

fn assert_unavailable(answers: Vec<(&'static str, Option<StoreError>)>) {
    for (method, error) in answers {
        assert!(
            matches!(error, Some(StoreError::Unavailable(_))),
            "{method}: {error:?}"
        );
    }
}

/// Asks everything until all of it works, as it must before long: a busy machine may need a moment.
async fn assert_works(store: &dyn Store, key: &KeyRecord, token: &TokenHash) {
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers = ask_everything(store, key, token).await;
        if answers.iter().all(|(_, error)| error.is_none()) {
            return;
        }
    }
    panic!("still failing: {answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_stopped_is_used_again() {
    let Some(mut cluster) = PostgresCluster::start() else {
        return;
    };
    let store = open(&cluster.new_database()).await.unwrap();
    let (key, token) = with_a_session(&*store, 9).await;
    assert_works(&*store, &key, &token).await;
    cluster.stop();
    assert_unavailable(ask_everything(&*store, &key, &token).await);
    cluster.start_again();
    assert_works(&*store, &key, &token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_given_up_and_used_again() {
    let Some(cluster) = PostgresCluster::start() else {
        return;
    };
    let store = open(&cluster.new_database()).await.unwrap();
    let (key, token) = with_a_session(&*store, 9).await;
    cluster.freeze();
    // More calls than there are connections.
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let (store, id) = (Arc::clone(&store), key.id.clone());
            tokio::spawn(async move { store.peek_session(&token, &id, NOW).await })
        })
        .collect();
    for call in calls {
        let answer = call.await.unwrap();
        assert!(
            matches!(answer, Err(StoreError::Unavailable(_))),
            "{answer:?}"
        );
    }
    cluster.thaw();
    assert_works(&*store, &key, &token).await;
}

/// What a failover to a standby looks like to a connection that stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_is_not_available() {
    let Some(cluster) = PostgresCluster::start() else {
        return;
    };
    let address = cluster.new_database();
    let store = open(&address).await.unwrap();
    let (key, token) = with_a_session(&*store, 1_000_000).await;
    let options: sqlx::postgres::PgConnectOptions = address.parse().unwrap();
    let mut operator = options.connect().await.unwrap();
    for (setting, available) in [("on", false), ("off", true)] {
        let reload = match setting {
            "on" => "ALTER SYSTEM SET default_transaction_read_only = on",
            _ => "ALTER SYSTEM SET default_transaction_read_only = off",
        };
        // The operator's own session is read-only by then, too.
        let writable = "SET default_transaction_read_only = off";
        for statement in [writable, reload, "SELECT pg_reload_conf()"] {
            sqlx::query(statement).execute(&mut operator).await.unwrap();
        }
        // A connection hears of it in its own time.
        loop {
            let answers = [
                store.ping().await.err(),
                store.take_use(&token, &key.id, NOW).await.err(),
            ];
            let refused = answers.iter().flatten().all(|error| {
                matches!(error, StoreError::Unavailable(text) if text.contains("read-only"))
            });
            assert!(refused, "{answers:?}");
            if answers.iter().all(|error| error.is_none() == available) {
                break;
            }
        }
        // Reading goes on.
        store.peek_session(&token, &key.id, NOW).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_use_is_lost_when_the_server_is_killed() {
    const USES: u32 = 1_000_000;
    let Some(mut cluster) = PostgresCluster::start() else {
        return;
    };
    let store = open(&cluster.new_database()).await.unwrap();
    let (key, token) = with_a_session(&*store, USES).await;
    let mut acknowledged = 0;
    let mut in_flight = 0;
    for round in 0..3 {
        let (enough, had_enough) = tokio::sync::oneshot::channel();
        let (node, id) = (Arc::clone(&store), key.id.clone());
        let counting = tokio::spawn(async move {
            let (mut count, mut enough) = (0, Some(enough));
            while let Ok(SessionState::Ready { .. }) = node.take_use(&token, &id, NOW).await {
                count += 1;
                if count >= 50 + 37 * round {
                    enough.take().map(|enough| enough.send(()));
                }
            }
            count
        });
        had_enough.await.unwrap();
        cluster.kill();
        acknowledged += counting.await.unwrap();
        in_flight += 1;
        cluster.start_again();
        let state = store.peek_session(&token, &key.id, NOW).await.unwrap();
        let SessionState::Ready { remaining } = state else {
            panic!("{state:?} after {acknowledged} uses");
        };
        let counted = USES - remaining;
        assert!(
            (acknowledged..=acknowledged + in_flight).contains(&counted),
            "{acknowledged} uses were acknowledged, {counted} are in the database"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_deleted_or_replaced_is_noticed() {
    let folder = TempFolder::new();
    let path = folder.path().join("store.db");
    let store = open(path.to_str().unwrap()).await.unwrap();
    store.ping().await.unwrap();
    let aside = folder.path().join("aside.db");
    std::fs::rename(&path, &aside).unwrap();
    for _ in 0..2 {
        let answer = store.ping().await;
        let Err(StoreError::Unavailable(text)) = answer else {
            panic!("{answer:?}");
        };
        assert!(text.contains("deleted or replaced"), "{text}");
        // Next, another file in its place.
        std::fs::write(&path, "").unwrap();
    }
    std::fs::rename(&aside, &path).unwrap();
    store.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_file_is_waited_for_then_reported_then_used_again() {
    let folder = TempFolder::new();
    let path = folder.path().join("store.db");
    let store = open(path.to_str().unwrap()).await.unwrap();
    let (key, token) = with_a_session(&*store, 9).await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut other = options.connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    let taken = store.take_use(&token, &key.id, NOW).await;
    assert!(
        matches!(taken, Err(StoreError::Unavailable(_))),
        "{taken:?}"
    );
    // Reading goes on next to a writer.
    let seen = store.peek_session(&token, &key.id, NOW).await.unwrap();
    assert_eq!(seen, SessionState::Ready { remaining: 9 });

    let waiting = {
        let (store, id) = (Arc::clone(&store), key.id.clone());
        tokio::spawn(async move { store.take_use(&token, &id, NOW).await })
    };
    tokio::time::sleep(Duration::from_millis(200)).await;
    sqlx::query("COMMIT").execute(&mut other).await.unwrap();
    assert_eq!(
        waiting.await.unwrap().unwrap(),
        SessionState::Ready { remaining: 8 }
    );
    assert_works(&*store, &key, &token).await;
}
