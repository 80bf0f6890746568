//! Who gets in: nothing is judged without a key, and guessing keys or tokens is slow.
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
use livecheck_server::ServerConfig;
use livecheck_server::config::Exposure;
use livecheck_store::Store;
use serde_json::Value;

/// Paths beside those of the OpenAPI document, and other spellings of the one that judges.
const MORE_PATHS: [&str; 14] = [
    "/",
    "/liveness",
    "/session",
    "/docs",
    "/docs/",
    "/docs/index.html",
    "/demo",
    "/demo/",
    "/demo/index.html",
    "/openapi.json",
    "//liveness/",
    "/liveness//",
    "/demo/..%2fliveness/",
    "/LIVENESS/",
];

#[tokio::test]
async fn no_endpoint_judges_without_a_key() {
    let mut config = config();
    config.network.admin_listen = Some("127.0.0.1:0".parse().unwrap());
    config.access.failed_key_rate = 0.0;
    let on = &mut config.endpoints;
    for everywhere in [
        &mut on.healthz,
        &mut on.readyz,
        &mut on.metrics,
        &mut on.version,
    ] {
        *everywhere = Exposure::Public;
    }
    let server = start_unready_with_admin(config).await;
    let document: Value = serde_json::from_str(&livecheck_server::openapi::document()).unwrap();
    let declared = document["paths"].as_object().unwrap();
    let paths = declared.keys().map(String::as_str).chain(MORE_PATHS);
    let client = reqwest::Client::new();
    let mut asked = 0;
    for path in paths {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"] {
            for address in [server.address, server.admin.unwrap()] {
                // Without a key, with a wrong one, and with the right one where it does not belong.
                for (header, value) in [
                    ("x-nothing", ""),
                    (
                        "x-api-key",
                        "lck_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                    ),
                    ("authorization", &*format!("Bearer {}", server.key)),
                    ("cookie", &*format!("x-api-key={}", server.key)),
                    ("api-key", &server.key),
                ] {
                    let url = format!(
                        "http://{address}{path}?x-api-key={0}&api_key={0}",
                        server.key
                    );
                    let request = client
                        .request(method.parse().unwrap(), url)
                        .header(header, value)
                        .multipart(image_form(b"live"));
                    let answer = request.send().await.unwrap();
                    let expected = method == "POST"
                        && address == server.address
                        && ["/liveness", "/liveness/"].contains(&path);
                    assert_eq!(
                        answer.status() == 401,
                        expected || is_session(method, address == server.address, path),
                        "{method} {path} {header}"
                    );
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 1000, "{asked}");
    let counts = [&server.judge.decoded, &server.judge.judged];
    assert_eq!(counts.map(|count| count.load(Ordering::SeqCst)), [0, 0]);
    server.check(b"live").await.assert_live();
}

fn is_session(method: &str, public: bool, path: &str) -> bool {
    ["GET", "HEAD"].contains(&method) && public && ["/session", "/session/"].contains(&path)
}

/// The probes are public here, so readiness is asked for at the API's address.
async fn start_unready_with_admin(config: ServerConfig) -> Running {
    let store = livecheck_store::open("sqlite::memory:").await.unwrap();
    let server = common::start_unready(config, Scripted::default(), store).await;
    common::until(async || server.get("/readyz").await.status == 200).await;
    server
}

/// Behind a proxy at the tests' own address.
fn proxied() -> ServerConfig {
    let flags = [
        ("trusted-proxies", "127.0.0.0/8"),
        ("failed-key-rate", "1"),
        ("failed-key-burst", "5"),
        ("failed-token-rate", "1"),
        ("failed-token-burst", "5"),
        ("listen", "127.0.0.1:0"),
        ("workers", "2"),
        ("metrics", "public"),
    ];
    let flags = flags.map(|(name, value)| (name.to_owned(), value.to_owned()));
    ServerConfig::load(None, [], flags).unwrap()
}

/// A wrong key of the right form, each with a beginning of its own.
fn guess(number: usize) -> String {
    format!("lck_{number:04}{number:038}A")
}

async fn try_key(server: &Running, from: &str, key: &str) -> Answer {
    let request = server.post_as(key).header("x-forwarded-for", from);
    send(request.multipart(image_form(b"live"))).await
}

#[track_caller]
fn assert_slowed(answer: &Answer, seconds: &str) {
    answer.assert_error(429, "005");
    assert_eq!(answer.header("retry-after"), seconds);
}

#[tokio::test]
async fn wrong_keys_from_one_address_are_slowed() {
    let server = start_with(proxied(), Scripted::default()).await;
    for number in 0..5 {
        let key = if number % 2 == 0 {
            guess(number)
        } else {
            "nonsense".to_owned()
        };
        try_key(&server, "1.1.1.1", &key)
            .await
            .assert_error(401, "001");
    }
    let session = async |key: &str| {
        let request = reqwest::Client::new()
            .get(server.url("/session/"))
            .header("x-forwarded-for", "1.1.1.1")
            .header("x-api-key", key);
        send(request).await
    };
    for key in [guess(1), guess(6), "nonsense".to_owned()] {
        assert_slowed(&try_key(&server, "1.1.1.1", &key).await, "1");
        assert_slowed(&session(&key).await, "1");
    }
    assert_eq!(server.judge.decoded.load(Ordering::SeqCst), 0);
    // A right key is served, there and elsewhere, and none at all is told so.
    try_key(&server, "1.1.1.1", &server.key).await.assert_live();
    assert_eq!(session(&server.session_key).await.status, 200);
    try_key(&server, "1.1.1.2", &server.key).await.assert_live();
    let without = reqwest::Client::new()
        .post(server.url("/liveness/"))
        .header("x-forwarded-for", "1.1.1.1");
    send(without).await.assert_error(401, "001");
    // One more guess a second, not two.
    server.clock.advance(Duration::from_secs(1));
    try_key(&server, "1.1.1.1", &guess(7))
        .await
        .assert_error(401, "001");
    assert_slowed(&try_key(&server, "1.1.1.1", &guess(8)).await, "1");
    let metrics = server.get("/metrics").await.text;
    for line in [
        "livecheck_auth_failures_total{kind=\"key\"} 6",
        "livecheck_auth_failures_total{kind=\"slowed\"} 7",
        "livecheck_auth_failures_total{kind=\"token\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
}

#[tokio::test]
async fn guesses_at_one_key_from_many_addresses_lock_nobody_out() {
    let server = start_with(proxied(), Scripted::default()).await;
    // The list of keys shows the first 8 characters; the rest is guessed.
    let nearly = |number: usize| format!("{}{number:038}A", &server.key[..8]);
    for number in 0..20 {
        let from = format!("1.1.1.{number}");
        try_key(&server, &from, &nearly(number))
            .await
            .assert_error(401, "001");
    }
    try_key(&server, "1.1.2.2", &server.key).await.assert_live();
    for number in 20..30 {
        try_key(&server, "1.1.2.2", &nearly(number)).await;
    }
    assert_slowed(&try_key(&server, "1.1.2.2", &nearly(30)).await, "1");
    try_key(&server, "1.1.2.2", &server.key).await.assert_live();
}

#[tokio::test]
async fn only_a_trusted_proxy_says_where_a_request_comes_from() {
    let mut untrusting = proxied();
    untrusting.network.trusted_proxies = Default::default();
    let server = start_with(untrusting, Scripted::default()).await;
    for number in 0..5 {
        let from = format!("1.1.1.{number}");
        try_key(&server, &from, &guess(number))
            .await
            .assert_error(401, "001");
    }
    assert_slowed(&try_key(&server, "1.1.1.9", &guess(9)).await, "1");

    // The client's own words before the proxy's change nothing either.
    let server = start_with(proxied(), Scripted::default()).await;
    for number in 0..5 {
        let from = format!("1.1.1.{number}, 2.2.2.2");
        try_key(&server, &from, &guess(number))
            .await
            .assert_error(401, "001");
    }
    assert_slowed(&try_key(&server, "1.1.1.9, 2.2.2.2", &guess(9)).await, "1");
}

#[tokio::test]
async fn wrong_tokens_are_slowed_where_they_come_from() {
    let server = start_with(proxied(), Scripted::default()).await;
    let good = server.session(&server.session_key).await;
    let try_token = async |from: &str, key: &str, token: &str| {
        let request = server
            .post_as(key)
            .header("x-forwarded-for", from)
            .header("x-session-token", token);
        send(request.multipart(image_form(b"live"))).await
    };
    for number in 0..5 {
        let token = if number % 2 == 0 {
            format!("{number:032}")
        } else {
            "x".to_owned()
        };
        try_token("1.1.1.1", &server.session_key, &token)
            .await
            .assert_error(401, "061");
    }
    let wrong = "A".repeat(32);
    assert_slowed(
        &try_token("1.1.1.1", &server.session_key, &wrong).await,
        "1",
    );
    // Right tokens are served; other addresses and other keys are not meant.
    for from in ["1.1.1.1", "1.1.1.2"] {
        try_token(from, &server.session_key, &good)
            .await
            .assert_live();
    }
    for (from, key) in [("1.1.1.2", &server.session_key), ("1.1.1.1", &server.key)] {
        try_token(from, key, &wrong).await.assert_error(401, "061");
    }
    server.clock.advance(Duration::from_secs(1));
    try_token("1.1.1.1", &server.session_key, &wrong)
        .await
        .assert_error(401, "061");
}

#[tokio::test]
async fn by_default_twenty_wrong_keys_pass_and_the_next_is_slowed() {
    let server = common::start().await;
    for number in 0..20 {
        let answer = try_key(&server, "", &guess(number)).await;
        answer.assert_error(401, "001");
    }
    assert_slowed(&try_key(&server, "", &guess(20)).await, "1");
}

/// A guess that is almost right does the same work as one that is all wrong: the whole text is
/// hashed, and the hash is looked up. So their times differ by nothing that depends on the secret.
#[tokio::test]
async fn close_and_far_guesses_do_the_same_work() {
    let store = Arc::new(flaky(
        livecheck_store::open("sqlite::memory:").await.unwrap(),
    ));
    let shared = Arc::clone(&store) as Arc<dyn Store>;
    let server = start_on(config(), Scripted::default(), shared).await;
    let token = server.session(&server.session_key).await;
    let changed = |secret: &str, at: usize| {
        let mut text = secret.to_owned().into_bytes();
        text[at] = if text[at] == b'B' { b'C' } else { b'B' };
        String::from_utf8(text).unwrap()
    };
    let last = server.key.len() - 2;
    for close_or_far in [
        changed(&server.key, last),
        changed(&server.key, 8),
        guess(1),
    ] {
        store.looked_up();
        let answer = server.post_as(&close_or_far).multipart(image_form(b"live"));
        send(answer).await.assert_error(401, "001");
        assert_eq!(store.looked_up(), ["find_key"], "{close_or_far}");
    }
    server.clock.advance(Duration::from_secs(60));
    for close_or_far in [changed(&token, 31), changed(&token, 0), "A".repeat(32)] {
        server.clock.advance(Duration::from_secs(60));
        store.looked_up();
        let request = server
            .post_as(&server.session_key)
            .header("x-session-token", &close_or_far);
        send(request.multipart(image_form(b"live")))
            .await
            .assert_error(401, "061");
        assert_eq!(
            store.looked_up(),
            ["find_key", "peek_session"],
            "{close_or_far}"
        );
    }
}

/// The plain client of an address of this machine.
fn client_at(address: &str) -> reqwest::Client {
    let client = reqwest::Client::builder().local_address(Some(address.parse().unwrap()));
    client.build().unwrap()
}

/// A photo from an address of this machine.
async fn check_from(client: &reqwest::Client, server: &Running, key: &str, token: &str) -> Answer {
    let request = client
        .post(server.url("/liveness/"))
        .header("x-api-key", key)
        .header("x-session-token", token);
    send(request.multipart(image_form(b"live"))).await
}

/// The clock stands still: no failure is forgiven. A hundred failures a second are what comes in the
/// time of a few honest requests.
#[tokio::test]
async fn an_honest_client_at_a_new_address_loses_nothing_to_guesses() {
    let mut config = config();
    config.access.session_uses = 1000;
    let server = start_with(config, Scripted::default()).await;
    let key = server.session_key.clone();
    let attackers: Vec<_> = (2..10)
        .map(|n| client_at(&format!("127.0.0.{n}")))
        .collect();
    let honest = client_at("127.0.0.20");
    let mut answers = std::collections::BTreeMap::new();
    let mut token = None;
    for number in 0..200 {
        let guesses = attackers.iter().enumerate().map(|(attacker, client)| {
            // The key's first characters are known, and the key itself to one bad user.
            let nearly = format!("{}{attacker}{number:037}A", &key[..8]);
            let wrong = format!("{attacker}{number:031}");
            let (client, server, key) = (client, &server, &key);
            async move {
                let by_key = check_from(client, server, &nearly, &wrong).await;
                let by_token = check_from(client, server, key, &wrong).await;
                assert!([401, 429].contains(&by_key.status), "{}", by_key.text);
                assert!([401, 429].contains(&by_token.status), "{}", by_token.text);
            }
        });
        futures_util::future::join_all(guesses).await;
        if token.is_none() {
            let session = honest
                .get(server.url("/session/"))
                .header("x-api-key", &key);
            token = send(session).await.body["session_token"]
                .as_str()
                .map(str::to_owned);
        }
        let sent = token.as_deref().unwrap_or("none");
        let answer = check_from(&honest, &server, &key, sent).await;
        *answers.entry(answer.status).or_insert(0) += 1;
    }
    assert_eq!(answers, [(200, 200)].into());
}
