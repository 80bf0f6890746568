//! Sessions and keys: who may ask, how often, and which answers count.
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
use livecheck_store::testing::add_sessions;
use livecheck_store::{KeySelector, NewKey, Rate, Timestamp};

async fn check(server: &Running, key: &str, token: Option<&str>, image: &str) -> Answer {
    let mut request = server.post_as(key).multipart(image_form(image.as_bytes()));
    if let Some(token) = token {
        request = request.header("x-session-token", token);
    }
    send(request).await
}

#[tokio::test]
async fn only_a_live_key_opens_the_door() {
    let server = start().await;
    let no_key = reqwest::Client::new()
        .post(server.url("/liveness/"))
        .multipart(image_form(b"live"));
    send(no_key).await.assert_error(401, "001");
    for wrong in [
        "",
        "x",
        "lck_",
        "lck_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "'; drop table keys; --",
    ] {
        check(&server, wrong, None, "live")
            .await
            .assert_error(401, "001");
    }
    let twice = server
        .post()
        .header("x-api-key", &server.key)
        .multipart(image_form(b"live"));
    send(twice).await.assert_error(401, "001");
    let session = reqwest::Client::new().get(server.url("/session/"));
    send(session).await.assert_error(401, "001");
    server.check(b"live").await.assert_live();
}

#[tokio::test]
async fn a_revoked_key_stops_within_five_seconds() {
    let server = start().await;
    server.check(b"live").await.assert_live();
    let name = format!("plain {}", std::process::id());
    server
        .store
        .revoke_key(
            &KeySelector::from(name.as_str()),
            livecheck_store::Clock::now(&*server.clock),
        )
        .await
        .unwrap();
    server.clock.advance(Duration::from_secs(5));
    server.check(b"live").await.assert_error(401, "001");
}

#[tokio::test]
async fn a_token_may_be_sent_under_its_other_name() {
    let server = start().await;
    let token = server.session(&server.session_key).await;
    let ask = |headers: &[(&'static str, &str)]| {
        let request = server.post_as(&server.session_key);
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        send(request.multipart(image_form(b"live")))
    };
    ask(&[("x-session-key", &token)]).await.assert_live();
    ask(&[("x-session-key", &token), ("x-session-token", &token)])
        .await
        .assert_live();
    ask(&[("x-session-key", &token), ("x-session-token", "")])
        .await
        .assert_live();
    ask(&[("x-session-key", &token)])
        .await
        .assert_error(429, "062");
    let other = server.session(&server.session_key).await;
    ask(&[("x-session-key", &other), ("x-session-token", &token)])
        .await
        .assert_error(401, "061");
    let wrong = ask(&[("x-session-key", "x")]).await;
    wrong.assert_error(401, "061");
    assert!(
        wrong.detail().contains("in the header x-session-key"),
        "{}",
        wrong.detail()
    );
}

#[tokio::test]
async fn a_key_that_needs_sessions_gets_061_without_a_good_one() {
    let server = start().await;
    let (key, other) = (&server.session_key, &server.key);
    check(&server, key, None, "live")
        .await
        .assert_error(401, "061");
    for wrong in [
        "",
        "x",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        check(&server, key, Some(wrong), "live")
            .await
            .assert_error(401, "061");
    }
    let foreign = server.session(other).await;
    check(&server, key, Some(&foreign), "live")
        .await
        .assert_error(401, "061");
    let own = server.session(key).await;
    assert_eq!(own.len(), 32);
    check(&server, key, Some(&own), "live").await.assert_live();
}

#[tokio::test]
async fn a_session_is_good_for_three_checks() {
    let server = start().await;
    let token = server.session(&server.session_key).await;
    for _ in 0..3 {
        check(&server, &server.session_key, Some(&token), "live")
            .await
            .assert_live();
    }
    let fourth = check(&server, &server.session_key, Some(&token), "live").await;
    fourth.assert_error(429, "062");
    assert!(fourth.detail().contains("all 3 checks"));
}

#[tokio::test]
async fn a_session_lives_three_hours_to_the_millisecond() {
    let server = start().await;
    let token = server.session(&server.session_key).await;
    server
        .clock
        .advance(Duration::from_secs(3 * 3600) - Duration::from_millis(1));
    check(&server, &server.session_key, Some(&token), "live")
        .await
        .assert_live();
    server.clock.advance(Duration::from_millis(1));
    check(&server, &server.session_key, Some(&token), "live")
        .await
        .assert_error(401, "061");
}

/// However the clock steps, a token lives at most its window and the step, and gives three checks.
#[tokio::test]
async fn a_clock_that_steps_gives_no_check_away() {
    use livecheck_store::Clock as _;
    let server = start().await;
    let (hour, key) = (Duration::from_secs(3600), &server.session_key);
    let start = server.clock.now();
    // Opened by a clock five hours ahead, used after it was set right.
    server.clock.step_to(start.plus(5 * hour));
    let token = server.session(key).await;
    let end = start.plus(8 * hour);
    server.clock.step_to(end);
    check(&server, key, Some(&token), "live")
        .await
        .assert_error(401, "061");
    server.clock.step_to(end.minus(Duration::from_millis(1)));
    check(&server, key, Some(&token), "live")
        .await
        .assert_live();
    // To and fro across its end.
    let mut judged = 1;
    for hours in [0, 9, 1, 20, 0, 7, 8, 2, 0] {
        server.clock.step_to(start.plus(hours * hour));
        let answer = check(&server, key, Some(&token), "live").await;
        match answer.code() {
            "" => judged += 1,
            "061" => assert!(hours >= 8, "{hours}"),
            _ => assert_eq!((answer.code(), judged), ("062", 3)),
        }
    }
    assert_eq!(judged, 3);
}

#[tokio::test]
async fn a_key_without_sessions_may_use_one_and_it_counts() {
    let server = start().await;
    let token = server.session(&server.key).await;
    for _ in 0..3 {
        check(&server, &server.key, Some(&token), "live")
            .await
            .assert_live();
    }
    check(&server, &server.key, Some(&token), "live")
        .await
        .assert_error(429, "062");
    check(&server, &server.key, Some("unknown"), "live")
        .await
        .assert_error(401, "061");
    check(&server, &server.key, None, "live")
        .await
        .assert_live();
}

#[tokio::test]
async fn judged_images_count_and_others_do_not() {
    let server = start().await;
    let key = &server.session_key;
    let token = server.session(key).await;
    for free in ["unreadable", "pixels", "broken", "panic", "decode-panic"] {
        let answer = check(&server, key, Some(&token), free).await;
        assert!(["002", "003", "005"].contains(&answer.code()), "{free}");
    }
    send(
        server
            .post_as(key)
            .header("x-session-token", &token)
            .body("x"),
    )
    .await
    .assert_error(415, "004");
    for (counted, code) in [("small", "007"), ("two", "051"), ("mask", "052")] {
        check(&server, key, Some(&token), counted)
            .await
            .assert_error(422, code);
    }
    check(&server, key, Some(&token), "live")
        .await
        .assert_error(429, "062");
}

#[tokio::test]
async fn the_session_is_checked_before_the_body() {
    let server = start().await;
    let token = server.session(&server.session_key).await;
    for _ in 0..3 {
        check(&server, &server.session_key, Some(&token), "live")
            .await
            .assert_live();
    }
    for (token, status, code) in [("unknown", 401, "061"), (token.as_str(), 429, "062")] {
        let nonsense = server
            .post_as(&server.session_key)
            .header("x-session-token", token)
            .header("content-type", "text/plain")
            .body("x");
        send(nonsense).await.assert_error(status, code);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_parallel_checks_exactly_three_are_judged() {
    let server = Arc::new(start().await);
    let token = Arc::new(server.session(&server.session_key).await);
    let checks: Vec<_> = (0..50)
        .map(|_| {
            let (server, token) = (Arc::clone(&server), Arc::clone(&token));
            tokio::spawn(
                async move { check(&server, &server.session_key, Some(&token), "live").await },
            )
        })
        .collect();
    let mut judged = 0;
    for task in checks {
        let answer = task.await.unwrap();
        if answer.status == 200 {
            judged += 1;
        } else {
            answer.assert_error(429, "062");
        }
    }
    assert_eq!(judged, 3);
    assert_eq!(
        server
            .judge
            .judged
            .load(std::sync::atomic::Ordering::SeqCst),
        3
    );
}

#[tokio::test]
async fn uses_and_lifetime_are_settings() {
    let mut config = config();
    config.access.session_uses = 1;
    config.access.session_lifetime = Duration::from_secs(1);
    let server = start_with(config, Scripted::default()).await;
    let token = server.session(&server.session_key).await;
    check(&server, &server.session_key, Some(&token), "live")
        .await
        .assert_live();
    check(&server, &server.session_key, Some(&token), "live")
        .await
        .assert_error(429, "062");
    let late = server.session(&server.session_key).await;
    server.clock.advance(Duration::from_secs(1));
    check(&server, &server.session_key, Some(&late), "live")
        .await
        .assert_error(401, "061");
}

#[tokio::test]
async fn the_rate_limit_turns_away_and_says_when_to_come_back() {
    let server = start().await;
    let now = livecheck_store::Clock::now(&*server.clock);
    let (_, key) = server
        .store
        .create_key(
            NewKey {
                rate: Some(Rate::new(0.5, 2).unwrap()),
                ..NewKey::named("limited")
            },
            now,
        )
        .await
        .unwrap();
    let first = check(&server, key.reveal(), None, "live").await;
    first.assert_live();
    assert_eq!(first.header("ratelimit-limit"), "2");
    assert_eq!(first.header("ratelimit-remaining"), "1");
    check(&server, key.reveal(), None, "two")
        .await
        .assert_error(422, "051");
    let refused = check(&server, key.reveal(), None, "live").await;
    refused.assert_error(429, "005");
    assert_eq!(refused.header("retry-after"), "2");
    server.clock.advance(Duration::from_secs(2));
    check(&server, key.reveal(), None, "live")
        .await
        .assert_live();
    // Other keys have no limit.
    let plain = server.check(b"live").await;
    plain.assert_live();
    assert!(!plain.headers.contains_key("ratelimit-limit"));
}

async fn open_session(server: &Running, key: &str) -> Answer {
    let request = reqwest::Client::new().get(server.url("/session/"));
    send(request.header("x-api-key", key)).await
}

#[tokio::test]
async fn a_key_has_so_many_open_sessions_and_no_more() {
    let mut config = config();
    config.access.max_open_sessions = 3;
    let server = start_with(config, Scripted::default()).await;
    for _ in 0..3 {
        assert_eq!(open_session(&server, &server.key).await.status, 200);
    }
    let refused = open_session(&server, &server.key).await;
    refused.assert_error(429, "005");
    assert!(
        refused.detail().contains("3 open sessions"),
        "{}",
        refused.detail()
    );
    assert!(!refused.header("retry-after").is_empty());
    // Another key's are its own, and those that ended count no more.
    assert_eq!(open_session(&server, &server.session_key).await.status, 200);
    server.clock.advance(Duration::from_secs(3 * 3600));
    assert_eq!(open_session(&server, &server.key).await.status, 200);
}

#[tokio::test]
async fn sessions_have_a_rate_without_any_setting() {
    let server = start().await;
    let mut opened = 0;
    let refused = loop {
        let answer = open_session(&server, &server.key).await;
        if answer.status != 200 {
            break answer;
        }
        opened += 1;
        assert!(opened <= 200, "the clock stands still");
    };
    assert_eq!(opened, 200);
    refused.assert_error(429, "005");
    assert!(
        refused.detail().contains("20 sessions a second"),
        "{}",
        refused.detail()
    );
    // It is no limit of checks, nor of another key's sessions.
    check(&server, &server.key, None, "live")
        .await
        .assert_live();
    assert_eq!(open_session(&server, &server.session_key).await.status, 200);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(open_session(&server, &server.key).await.status, 200);
}

#[tokio::test]
async fn ended_sessions_are_purged_while_others_are_opened() {
    let folder = livecheck_store::testing::TempFolder::new();
    let address = format!("sqlite://{}", folder.path().join("store.db").display());
    let store = livecheck_store::open(&address).await.unwrap();
    let (key, _) = store
        .create_key(NewKey::named("old"), Timestamp::from_millis(0))
        .await
        .unwrap();
    add_sessions(&address, &key.id, 5500, Timestamp::from_millis(1)).await;
    let server = start_on(config(), Scripted::default(), Arc::clone(&store)).await;
    let left = async || {
        let all = store.count_sessions(&key.id, Timestamp::from_millis(0), 10_000);
        all.await.unwrap()
    };
    let mut sessions = 0;
    while left().await > 0 {
        assert_eq!(open_session(&server, &server.key).await.status, 200);
        sessions += 1;
        // Below the rate: its clock stands still otherwise.
        server.clock.advance(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(sessions > 0);
}
