//! A file that comes again: flagged in the details or refused, as key and settings say.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::flaky::flaky;
use common::{Answer, Running, Scripted, config, image_form, send, start_on, start_with};
use livecheck_store::testing::PostgresCluster;
use livecheck_store::{Clock as _, NewKey, ReplayPolicy, Store};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn started(replay: ReplayPolicy) -> Running {
    let mut config = config();
    config.access.replay = replay;
    start_with(config, Scripted::default()).await
}

async fn key(server: &Running, name: &str, replay: ReplayPolicy) -> String {
    let new = NewKey {
        replay: Some(replay),
        ..NewKey::named(name)
    };
    let made = server.store.create_key(new, server.clock.now()).await;
    made.unwrap().1.reveal().to_owned()
}

async fn check(server: &Running, key: &str, image: &str) -> Answer {
    let request = server.post_as(key).query(&[("details", "true")]);
    send(request.multipart(image_form(image.as_bytes()))).await
}

fn replayed(answer: &Answer) -> &serde_json::Value {
    answer.assert_live();
    &answer.body["result"]["details"]["replayed"]
}

#[tokio::test]
async fn by_default_nothing_is_remembered() {
    let server = started(ReplayPolicy::default()).await;
    for _ in 0..2 {
        let answer = check(&server, &server.key, "live").await;
        assert!(replayed(&answer).is_null(), "{}", answer.text);
    }
}

#[tokio::test]
async fn flag_says_so_in_the_details_alone() {
    let server = started(ReplayPolicy::Flag).await;
    let once = check(&server, &server.key, "live 1").await;
    assert_eq!(replayed(&once), false);
    let again = check(&server, &server.key, "live 1").await;
    assert_eq!(replayed(&again), true);
    assert_eq!(
        replayed(&check(&server, &server.key, "live 2").await),
        false
    );
    // Without details the answer is the contract's.
    let plain = server.check(b"live 1").await;
    plain.assert_live();
    assert_eq!(plain.body["result"].as_object().unwrap().len(), 2);
    let metrics = server.get("/metrics").await.text;
    assert!(
        metrics.contains("livecheck_replays_total{outcome=\"flagged\"} 2"),
        "{metrics}"
    );
}

#[tokio::test]
async fn refuse_judges_a_file_once_a_window() {
    let server = started(ReplayPolicy::Refuse).await;
    for (image, code) in [
        ("live", ""),
        ("two", "051"),
        ("mask", "052"),
        ("small", "007"),
    ] {
        let first = check(&server, &server.key, image).await;
        assert_eq!(first.code(), code, "{image}");
        let again = check(&server, &server.key, image).await;
        again.assert_error(400, "002");
        assert!(
            again.detail().contains("take a new photo"),
            "{}",
            again.text
        );
    }
    assert_eq!(server.judge.judged.load(Ordering::SeqCst), 4);
    // To the millisecond, from when it was judged.
    server.clock.advance(DAY - Duration::from_millis(1));
    check(&server, &server.key, "live")
        .await
        .assert_error(400, "002");
    server.clock.advance(Duration::from_millis(1));
    check(&server, &server.key, "live").await.assert_live();
    check(&server, &server.key, "live")
        .await
        .assert_error(400, "002");
}

#[tokio::test]
async fn flagging_prolongs_the_window() {
    let server = started(ReplayPolicy::Flag).await;
    check(&server, &server.key, "live").await;
    for _ in 0..3 {
        server.clock.advance(DAY - Duration::from_millis(1));
        assert_eq!(replayed(&check(&server, &server.key, "live").await), true);
    }
    server.clock.advance(DAY);
    assert_eq!(replayed(&check(&server, &server.key, "live").await), false);
}

#[tokio::test]
async fn the_window_is_a_setting() {
    let mut config = config();
    config.access.replay = ReplayPolicy::Refuse;
    config.access.replay_window = Duration::from_secs(60);
    let server = start_with(config, Scripted::default()).await;
    check(&server, &server.key, "live").await.assert_live();
    server.clock.advance(Duration::from_secs(59));
    check(&server, &server.key, "live")
        .await
        .assert_error(400, "002");
    server.clock.advance(Duration::from_secs(1));
    check(&server, &server.key, "live").await.assert_live();
}

#[tokio::test]
async fn a_key_s_own_policy_goes_first_and_keys_know_nothing_of_one_another() {
    let server = started(ReplayPolicy::Refuse).await;
    let off = key(&server, "off", ReplayPolicy::Off).await;
    let flag = key(&server, "flag", ReplayPolicy::Flag).await;
    check(&server, &server.key, "live").await.assert_live();
    for _ in 0..2 {
        check(&server, &off, "live").await.assert_live();
    }
    for expected in [false, true] {
        assert_eq!(replayed(&check(&server, &flag, "live").await), expected);
    }
    check(&server, &server.key, "live")
        .await
        .assert_error(400, "002");
}

#[tokio::test]
async fn what_was_not_judged_is_not_remembered() {
    let server = started(ReplayPolicy::Refuse).await;
    for (image, status, code) in [
        ("unreadable", 400, "002"),
        ("broken", 500, "005"),
        ("panic", 500, "005"),
        ("decode-panic", 500, "005"),
    ] {
        let judged = server.judge.decoded.load(Ordering::SeqCst);
        for _ in 0..2 {
            let answer = check(&server, &server.key, image).await;
            answer.assert_error(status, code);
            assert!(!answer.detail().contains("take a new photo"), "{image}");
        }
        assert_eq!(server.judge.decoded.load(Ordering::SeqCst), judged + 2);
    }
}

#[tokio::test]
async fn a_refused_file_costs_no_use_and_a_used_up_session_remembers_none() {
    let mut config = config();
    config.access.replay = ReplayPolicy::Refuse;
    config.access.session_uses = 2;
    let server = start_with(config, Scripted::default()).await;
    let token = server.session(&server.session_key).await;
    let with_token = async |image: &str| {
        let request = server
            .post_as(&server.session_key)
            .header("x-session-token", &token);
        send(request.multipart(image_form(image.as_bytes()))).await
    };
    with_token("live 1").await.assert_live();
    with_token("live 1").await.assert_error(400, "002");
    with_token("live 2").await.assert_live();
    with_token("live 3").await.assert_error(429, "062");
    let fresh = server.session(&server.session_key).await;
    let request = server
        .post_as(&server.session_key)
        .header("x-session-token", &fresh);
    send(request.multipart(image_form(b"live 3")))
        .await
        .assert_live();
}

#[tokio::test]
async fn a_store_that_is_away_judges_nothing() {
    let store = Arc::new(flaky(
        livecheck_store::open("sqlite::memory:").await.unwrap(),
    ));
    let mut config = config();
    config.access.replay = ReplayPolicy::Refuse;
    let server = start_on(
        config,
        Scripted::default(),
        Arc::clone(&store) as Arc<dyn Store>,
    )
    .await;
    check(&server, &server.key, "live 1").await.assert_live();
    store.set_away(true);
    // The key is in the cache, the image's memory is not to be had.
    check(&server, &server.key, "live 2")
        .await
        .assert_error(503, "005");
    assert_eq!(server.judge.judged.load(Ordering::SeqCst), 1);
    store.set_away(false);
    check(&server, &server.key, "live 2").await.assert_live();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_uploads_at_once_on_two_nodes_one_is_judged() {
    let Some(cluster) = PostgresCluster::start() else {
        return;
    };
    let address = cluster.new_database();
    let mut nodes = Vec::new();
    let mut shared = None;
    for _ in 0..2 {
        let mut config = config();
        config.access.replay = ReplayPolicy::Refuse;
        let store = livecheck_store::open(&address).await.unwrap();
        if shared.is_none() {
            let now = livecheck_store::SystemClock::new().now();
            let (_, key) = store
                .create_key(NewKey::named("both nodes"), now)
                .await
                .unwrap();
            shared = Some(key.reveal().to_owned());
        } else {
            // Each node makes two keys of fixed names for itself.
            for key in store.list_keys().await.unwrap() {
                if key.name != "both nodes" {
                    let which = livecheck_store::KeySelector::Id(key.id);
                    store.revoke_key(&which, key.created_at).await.unwrap();
                }
            }
        }
        nodes.push(Arc::new(start_on(config, Scripted::default(), store).await));
    }
    let key = shared.unwrap();
    let uploads: Vec<_> = (0..20)
        .map(|number| {
            let (node, key) = (Arc::clone(&nodes[number % 2]), key.clone());
            tokio::spawn(async move { check(&node, &key, "live").await })
        })
        .collect();
    let mut judged = 0;
    for upload in uploads {
        let answer = upload.await.unwrap();
        if answer.status == 200 {
            judged += 1;
        } else {
            answer.assert_error(400, "002");
        }
    }
    assert_eq!(judged, 1);
    for node in &nodes {
        check(node, &key, "live").await.assert_error(400, "002");
    }
}

#[tokio::test]
async fn another_secret_knows_no_image_again() {
    let folder = tempfile::tempdir().unwrap();
    let address = folder.path().join("store.db");
    let secret = folder.path().join("secret");
    let mut key = None;
    for (digit, first_of_this_secret) in [('a', true), ('a', false), ('b', true)] {
        std::fs::write(&secret, format!("{}\n", digit.to_string().repeat(64))).unwrap();
        let mut config = config();
        config.access.replay = ReplayPolicy::Refuse;
        config.access.image_key_file = Some(secret.clone());
        let store = livecheck_store::open(address.to_str().unwrap())
            .await
            .unwrap();
        for old in store.list_keys().await.unwrap() {
            if old.name != "stays" {
                let which = livecheck_store::KeySelector::Id(old.id);
                store.revoke_key(&which, old.created_at).await.ok();
            }
        }
        let server = start_on(config, Scripted::default(), store).await;
        if key.is_none() {
            key = Some(self::key(&server, "stays", ReplayPolicy::Refuse).await);
        }
        let answer = check(&server, key.as_ref().unwrap(), "live").await;
        assert_eq!(
            answer.status == 200,
            first_of_this_secret,
            "{}",
            answer.text
        );
    }
}
