//! The review band, and thresholds of a key's own.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Answer, Running, Scripted, config, image_form, send, start, start_on, start_with};
use livecheck_store::testing::PostgresCluster;
use livecheck_store::{Clock, KeyChange, KeyThresholds, NewKey, Store, Threshold};

const BAND: &str = r#"{"success":true,"result":{"liveness":false,"score":0.85,"review":true}}"#;
const NO: &str = r#"{"success":true,"result":{"liveness":false,"score":0.85}}"#;
const YES: &str = r#"{"success":true,"result":{"liveness":true,"score":0.85}}"#;

fn threshold(value: f32) -> Option<Threshold> {
    Some(Threshold::new(value).unwrap())
}

async fn key(server: &Running, name: &str, thresholds: KeyThresholds) -> String {
    let new = NewKey {
        thresholds,
        ..NewKey::named(name)
    };
    let made = server.store.create_key(new, server.clock.now()).await;
    made.unwrap().1.reveal().to_owned()
}

async fn check(server: &Running, key: &str, image: &str) -> Answer {
    send(server.post_as(key).multipart(image_form(image.as_bytes()))).await
}

#[tokio::test]
async fn a_score_in_the_band_is_for_review() {
    let mut judge = Scripted::default();
    judge.config.thresholds.review = Some(0.85);
    let server = start_with(config(), judge).await;
    assert_eq!(server.check(b"doubt").await.text, BAND);
    for image in ["live", "spoof", "two"] {
        let answer = server.check(image.as_bytes()).await;
        assert!(!answer.text.contains("review"), "{}", answer.text);
    }
    let version = server.get("/version").await.body;
    assert_eq!(
        version["thresholds"],
        serde_json::json!({"face": 0.75, "liveness": 0.9, "mask": 0.5, "review": 0.85})
    );
    let metrics = server.get("/metrics").await.text;
    assert!(metrics.contains("livecheck_reviews_total 1\n"), "{metrics}");
    assert!(metrics.contains("livecheck_verdicts_total{live=\"false\"} 2\n"));
}

async fn keys_have_thresholds_of_their_own(store: Arc<dyn Store>) {
    let server = start_on(config(), Scripted::default(), store).await;
    let preset = |name: &str| KeyThresholds {
        preset: Some(name.to_owned()),
        ..KeyThresholds::default()
    };
    for (name, thresholds, expected) in [
        ("default", KeyThresholds::default(), NO),
        ("lenient", preset("convenience"), YES),
        ("strict", preset("strict"), NO),
        ("unknown preset", preset("of a newer release"), NO),
        (
            "band",
            KeyThresholds {
                review: threshold(0.8),
                ..preset("strict")
            },
            BAND,
        ),
        (
            "own threshold first",
            KeyThresholds {
                liveness: threshold(0.85),
                review: threshold(0.8),
                ..preset("strict")
            },
            YES,
        ),
    ] {
        let key = key(&server, name, thresholds).await;
        assert_eq!(check(&server, &key, "doubt").await.text, expected, "{name}");
    }
    let own = KeyThresholds {
        face: threshold(0.6),
        mask: threshold(0.7),
        review: threshold(0.8),
        ..preset("strict")
    };
    let key = key(&server, "shown in the details", own).await;
    let request = server.post_as(&key).query(&[("details", "true")]);
    let answer = send(request.multipart(image_form(b"live"))).await;
    assert_eq!(
        answer.body["result"]["details"]["thresholds"],
        serde_json::json!({"face": 0.6, "liveness": 0.95, "mask": 0.7, "review": 0.8})
    );
    // A change is in force once the look-up is forgotten, which takes less than 5 seconds.
    let change = KeyChange {
        preset: Some(Some("convenience".to_owned())),
        ..KeyChange::default()
    };
    let name = "shown in the details";
    server
        .store
        .change_key(&name.into(), &change)
        .await
        .unwrap();
    server.clock.advance(Duration::from_secs(5));
    assert_eq!(check(&server, &key, "doubt").await.text, YES);
}

#[tokio::test]
async fn keys_have_thresholds_of_their_own_on_sqlite() {
    let store = livecheck_store::open("sqlite::memory:").await.unwrap();
    keys_have_thresholds_of_their_own(store).await;
}

#[tokio::test]
async fn keys_have_thresholds_of_their_own_on_postgres() {
    let Some(cluster) = PostgresCluster::start() else {
        return;
    };
    let store = livecheck_store::open(&cluster.new_database())
        .await
        .unwrap();
    keys_have_thresholds_of_their_own(store).await;
}

#[tokio::test]
async fn a_change_is_not_in_force_for_other_keys() {
    let server = start().await;
    let lenient = KeyThresholds {
        liveness: threshold(0.01),
        ..KeyThresholds::default()
    };
    let lenient = key(&server, "lenient", lenient).await;
    check(&server, &lenient, "spoof").await.assert_live();
    let other = check(&server, &server.key, "spoof").await;
    assert_eq!(other.body["result"]["liveness"], false);
}
