//! What operators run: keys over the admin API, certificates that change, who asks how often.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{Answer, Running, Scripted, config, image_form, send, start_with};
use livecheck_server::ServerConfig;
use livecheck_server::config::{Exposure, Listener};
use livecheck_store::{Clock, NewKey, Rate};
use serde_json::{Value, json};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn with_flags(flags: &[(&str, &str)]) -> ServerConfig {
    let flags = flags
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    ServerConfig::load(None, [], flags).unwrap()
}

async fn with_admin_api() -> Running {
    let config = with_flags(&[
        ("listen", "127.0.0.1:0"),
        ("admin-listen", "127.0.0.1:0"),
        ("admin-token", TOKEN),
        ("workers", "2"),
    ]);
    start_with(config, Scripted::default()).await
}

async fn ask(server: &Running, method: &str, path: &str, body: Value) -> Answer {
    let url = format!("http://{}{path}", server.admin.unwrap());
    let request = reqwest::Client::new()
        .request(method.parse().unwrap(), url)
        .header("authorization", format!("Bearer {TOKEN}"));
    send(if body.is_null() {
        request
    } else {
        request.json(&body)
    })
    .await
}

#[tokio::test]
async fn keys_are_made_changed_rotated_and_revoked_over_the_admin_api() {
    let server = with_admin_api().await;
    let made = ask(
        &server,
        "POST",
        "/keys",
        json!({"name": "shop", "rate": "10/s", "preset": "strict", "review_threshold": 0.8, "expires_in": "90d"}),
    )
    .await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.body["key"]["preset"], "strict");
    assert_eq!(made.body["key"]["rate"], "10/s, burst 10");
    assert!(made.body["key"]["expires"].is_string());
    let api_key = made.body["api_key"].as_str().unwrap();
    let check = async |key: &str| send(server.post_as(key).multipart(image_form(b"doubt"))).await;
    assert_eq!(check(api_key).await.body["result"]["review"], true);

    let changed = ask(
        &server,
        "PATCH",
        "/keys/shop",
        json!({"preset": null, "liveness_threshold": 0.82, "rate": null}),
    )
    .await;
    let key = &changed.body["keys"][0];
    assert_eq!(key["preset"], Value::Null);
    assert_eq!(key["rate"], Value::Null);
    assert_eq!(key["review_threshold"], 0.8, "what is left out stays");
    server.clock.advance(Duration::from_secs(5));
    check(api_key).await.assert_live();

    let rotated = ask(&server, "POST", "/keys/shop/rotate", json!({"grace": "1h"})).await;
    assert_eq!(rotated.status, 201, "{}", rotated.text);
    let successor = rotated.body["api_key"].as_str().unwrap();
    check(successor).await.assert_live();

    let list = ask(&server, "GET", "/keys", Value::Null).await;
    let names = list.body["keys"].as_array().unwrap();
    assert_eq!(names.iter().filter(|key| key["name"] == "shop").count(), 2);
    assert!(!list.text.contains(api_key) && !list.text.contains(successor));

    let revoked = ask(&server, "DELETE", "/keys/shop", Value::Null).await;
    assert_eq!(revoked.body["keys"].as_array().unwrap().len(), 2);
    server.clock.advance(Duration::from_secs(5));
    for key in [api_key, successor] {
        check(key).await.assert_error(401, "001");
    }
}

#[tokio::test]
async fn mistakes_over_the_admin_api_are_named() {
    let server = with_admin_api().await;
    for (method, path, body, status, says) in [
        ("POST", "/keys", json!({}), 400, "name is missing"),
        ("POST", "/keys", json!({"name": ""}), 400, "name"),
        (
            "POST",
            "/keys",
            json!({"name": "a", "x": 1}),
            400,
            "unknown field",
        ),
        (
            "POST",
            "/keys",
            json!({"name": "a", "rate": "fast"}),
            400,
            "10/s",
        ),
        (
            "POST",
            "/keys",
            json!({"name": "a", "burst": 3}),
            400,
            "burst",
        ),
        (
            "POST",
            "/keys",
            json!({"name": "a", "preset": "hard"}),
            400,
            "strict",
        ),
        (
            "POST",
            "/keys",
            json!({"name": "a", "mask_threshold": 2.0}),
            400,
            "0 to 1",
        ),
        (
            "POST",
            "/keys",
            json!({"name": "a", "replay": "no"}),
            400,
            "flag",
        ),
        (
            "POST",
            "/keys",
            json!({"name": "a", "liveness_threshold": 0.5, "review_threshold": 0.5}),
            400,
            "below",
        ),
        (
            "PATCH",
            "/keys/nobody",
            json!({"preset": null}),
            404,
            "nobody",
        ),
        (
            "PATCH",
            "/keys/nobody",
            json!({"name": "a"}),
            400,
            "can't be changed",
        ),
        ("DELETE", "/keys/nobody", Value::Null, 404, "nobody"),
        ("POST", "/keys/nobody/rotate", json!({}), 404, "nobody"),
    ] {
        let answer = ask(&server, method, path, body.clone()).await;
        answer.assert_error(status, "004");
        assert!(answer.detail().contains(says), "{body}: {}", answer.text);
    }
    let twice = json!({"name": "twice"});
    assert_eq!(
        ask(&server, "POST", "/keys", twice.clone()).await.status,
        201
    );
    ask(&server, "POST", "/keys", twice)
        .await
        .assert_error(409, "004");
}

#[tokio::test]
async fn the_admin_api_needs_its_token_and_its_listener() {
    let server = with_admin_api().await;
    let client = reqwest::Client::new();
    for address in [server.address, server.admin.unwrap()] {
        let url = format!("http://{address}/keys");
        for header in ["", "Bearer", "Bearer wrong", TOKEN, &server.key] {
            let answer = send(client.get(&url).header("authorization", header)).await;
            if address == server.address {
                answer.assert_error(404, "004");
            } else {
                answer.assert_error(401, "001");
            }
        }
    }
    // Guesses are slowed down; the address of the tests has 20 free ones.
    let url = format!("http://{}/keys", server.admin.unwrap());
    let mut slowed = false;
    for _ in 0..30 {
        let answer = send(client.get(&url).header("authorization", "Bearer wrong")).await;
        slowed |= answer.status == 429;
    }
    assert!(slowed);
    let error = ServerConfig::load(None, [], [("admin-token".to_owned(), TOKEN.to_owned())]);
    assert!(error.unwrap_err().to_string().contains("admin_listen"));
    let short = [("admin-token".to_owned(), "short and secret".to_owned())];
    let error = ServerConfig::load(None, [], short).unwrap_err().to_string();
    assert!(error.contains("32") && !error.contains("short"), "{error}");

    let mut without = config();
    without.network.admin_listen = Some("127.0.0.1:0".parse().unwrap());
    without.endpoints.metrics = Exposure::Admin;
    let server = start_with(without, Scripted::default()).await;
    let url = format!("http://{}/keys", server.admin.unwrap());
    send(client.get(url)).await.assert_error(404, "004");
}

#[tokio::test]
async fn metrics_and_version_are_public_only_when_told_so() {
    let default = with_flags(&[("listen", "127.0.0.1:0"), ("workers", "2")]);
    let server = start_with(default.clone(), Scripted::default()).await;
    for path in ["/metrics", "/version"] {
        server.get(path).await.assert_error(404, "004");
        assert!(default.served().contains(&(path, None)));
    }
    for path in [
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/docs/",
        "/demo/",
        "/",
    ] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    assert!(!server.get("/").await.text.contains("metrics"));
    let told = with_flags(&[
        ("listen", "127.0.0.1:0"),
        ("metrics", "public"),
        ("version", "public"),
    ]);
    let server = start_with(told.clone(), Scripted::default()).await;
    for path in ["/metrics", "/version"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
        assert!(told.served().contains(&(path, Some(Listener::Public))));
    }
}

#[tokio::test]
async fn answers_are_counted_by_the_name_of_the_key_up_to_a_bound() {
    let server = start_with(config(), Scripted::default()).await;
    let name = format!("plain {}", std::process::id());
    server.check(b"live").await.assert_live();
    server.check(b"two").await.assert_error(422, "051");
    let metrics = server.get("/metrics").await.text;
    for line in [
        format!("livecheck_key_requests_total{{key=\"{name}\"}} 2\n"),
        format!("livecheck_key_refusals_total{{key=\"{name}\",status=\"422\",code=\"051\"}} 1\n"),
    ] {
        assert!(metrics.contains(&line), "{line} in\n{metrics}");
    }
    assert!(metrics.contains("livecheck_upload_memory_bytes 0\n"));
    assert!(metrics.contains("livecheck_resident_memory_bytes "));
    for number in 0..120 {
        let new = NewKey::named(format!("key {number}"));
        let made = server.store.create_key(new, server.clock.now()).await;
        let key = made.unwrap().1;
        let request = server.post_as(key.reveal()).multipart(image_form(b"live"));
        send(request).await.assert_live();
    }
    let metrics = server.get("/metrics").await.text;
    let series = metrics.matches("livecheck_key_requests_total{").count();
    assert_eq!(series, 101, "100 names and the rest");
    assert!(metrics.contains("livecheck_key_requests_total{key=\"(other)\"} 21\n"));
}

#[tokio::test]
async fn rate_limits_are_told_as_the_draft_writes_them() {
    let server = start_with(config(), Scripted::default()).await;
    let new = NewKey {
        rate: Some(Rate::new(0.5, 2).unwrap()),
        ..NewKey::named("limited")
    };
    let made = server.store.create_key(new, server.clock.now()).await;
    let key = made.unwrap().1;
    let check = async || send(server.post_as(key.reveal()).multipart(image_form(b"live"))).await;
    for (status, remaining, limit) in [
        (200, "1", "\"key\";r=1;t=2"),
        (200, "0", "\"key\";r=0;t=2"),
        (429, "0", "\"key\";r=0;t=2"),
    ] {
        let answer = check().await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert_eq!(answer.header("ratelimit-policy"), "\"key\";q=2;w=4");
        assert_eq!(answer.header("ratelimit"), limit);
        assert_eq!(answer.header("ratelimit-limit"), "2");
        assert_eq!(answer.header("ratelimit-remaining"), remaining);
    }
}

/// Writes a new pair; the certificate is the only one that a client then trusts.
fn write_pair(folder: &Path) -> rustls::RootCertStore {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    roots
}

async fn connects(server: &Running, roots: &rustls::RootCertStore) -> bool {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let stream = tokio::net::TcpStream::connect(server.address).await;
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    connector.connect(name, stream.unwrap()).await.is_ok()
}

#[tokio::test]
async fn a_certificate_that_changes_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let first = write_pair(folder.path());
    let mut config = config();
    config.network.tls_cert = Some(folder.path().join("cert.pem"));
    config.network.tls_key = Some(folder.path().join("key.pem"));
    config.network.admin_listen = Some("127.0.0.1:0".parse().unwrap());
    let server = start_with(config, Scripted::default()).await;
    assert!(connects(&server, &first).await);

    // A certificate without its key changes nothing yet.
    let old_key = std::fs::read(folder.path().join("key.pem")).unwrap();
    let second = write_pair(folder.path());
    let new_key = std::fs::read(folder.path().join("key.pem")).unwrap();
    std::fs::write(folder.path().join("key.pem"), old_key).unwrap();
    server.clock.advance(Duration::from_secs(1));
    assert!(connects(&server, &first).await);
    assert!(!connects(&server, &second).await);

    std::fs::write(folder.path().join("key.pem"), new_key).unwrap();
    server.clock.advance(Duration::from_secs(1));
    assert!(connects(&server, &second).await);
    assert!(!connects(&server, &first).await);

    // Nor do files that are gone.
    std::fs::remove_file(folder.path().join("cert.pem")).unwrap();
    server.clock.advance(Duration::from_secs(1));
    assert!(connects(&server, &second).await);
}
