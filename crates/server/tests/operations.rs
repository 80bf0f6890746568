//! What operators see: probes, metrics, version, pages, headers, TLS, shutdown.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::flaky::flaky;
use common::{
    Answer, Running, Scripted, config, image_form, raw, send, start, start_on, start_unready,
    start_with, until,
};
use livecheck_engine::EngineError;
use livecheck_server::config::Exposure;
use livecheck_server::{ServerConfig, ServerError};
use livecheck_store::Store;

const ENDPOINTS: [&str; 7] = [
    "/healthz",
    "/readyz",
    "/metrics",
    "/version",
    "/openapi.json",
    "/docs/",
    "/demo/",
];

async fn memory() -> Arc<dyn Store> {
    livecheck_store::open("sqlite::memory:").await.unwrap()
}

#[tokio::test]
async fn every_endpoint_answers_without_a_key() {
    let server = start().await;
    for path in ENDPOINTS {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(
            answer
                .header("content-security-policy")
                .starts_with("default-src 'none'"),
            "{path}"
        );
        assert!(!answer.header("x-request-id").is_empty());
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
        // Only a server that speaks TLS itself may ask for it.
        assert!(!answer.headers.contains_key("strict-transport-security"));
        assert!(!answer.headers.contains_key("server"), "{path}");
    }
}

#[tokio::test]
async fn pages_run_no_foreign_and_no_inline_script() {
    let server = start().await;
    // The capture page compiles its face detector, WebAssembly of this server; nothing else.
    for (page, scripts) in [
        ("/docs/", "script-src 'self'"),
        ("/demo/", "script-src 'self' 'wasm-unsafe-eval'"),
    ] {
        let answer = server.get(page).await;
        let policy: Vec<_> = answer
            .header("content-security-policy")
            .split(';')
            .map(str::trim)
            .collect();
        for wanted in [
            "default-src 'none'",
            scripts,
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(&wanted), "{page}: {policy:?}");
        }
    }
}

#[tokio::test]
async fn the_documentation_page_has_all_it_links_to() {
    let server = start().await;
    let page = server.get("/docs/").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let names = page.text.split('"').filter(|text| {
        text.starts_with(|first: char| first.is_alphabetic())
            && [".css", ".js"].iter().any(|end| text.ends_with(end))
    });
    let names: Vec<_> = names.collect();
    assert_eq!(names.len(), 3, "{names:?}");
    for name in names {
        let file = server.get(&format!("/docs/{name}")).await;
        assert_eq!(file.status, 200, "{name}");
        assert!(file.text.len() > 100, "{name}");
    }
}

#[tokio::test]
async fn every_endpoint_can_be_switched_off() {
    let mut config = config();
    let on = &mut config.endpoints;
    for exposure in [
        &mut on.healthz,
        &mut on.metrics,
        &mut on.version,
        &mut on.openapi,
        &mut on.docs,
        &mut on.demo,
    ] {
        *exposure = Exposure::Off;
    }
    let server = start_with(config, Scripted::default()).await;
    for path in [
        "/healthz",
        "/metrics",
        "/version",
        "/openapi.json",
        "/docs/",
        "/docs",
        "/demo/",
        "/demo/index.html",
    ] {
        server.get(path).await.assert_error(404, "004");
    }
    assert_eq!(server.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn the_admin_listener_takes_the_operations_endpoints() {
    let mut config = config();
    config.network.admin_listen = Some("127.0.0.1:0".parse().unwrap());
    config.endpoints.metrics = Exposure::Admin;
    config.endpoints.version = Exposure::Admin;
    let server = start_with(config, Scripted::default()).await;
    let admin = server.admin.unwrap();
    for path in ["/healthz", "/readyz", "/metrics", "/version"] {
        server.get(path).await.assert_error(404, "004");
        let there = reqwest::get(format!("http://{admin}{path}")).await.unwrap();
        assert_eq!(there.status(), 200, "{path}");
    }
    assert_eq!(server.get("/docs/").await.status, 200);
    let api = reqwest::Client::new().post(format!("http://{admin}/liveness/"));
    send(api).await.assert_error(404, "004");
}

#[tokio::test]
async fn readiness_waits_for_the_self_test() {
    let judge = Scripted {
        self_test: |gate| {
            gate.pass();
            Ok(())
        },
        ..Scripted::default()
    };
    let server = start_unready(config(), judge, memory().await).await;
    let starting = server.get("/readyz").await;
    assert_eq!(
        (starting.status, starting.body["status"].as_str().unwrap()),
        (503, "starting")
    );
    assert_eq!(server.get("/healthz").await.status, 200);
    server.check(b"live").await.assert_error(503, "005");
    server.judge.gate.open();
    server.until_ready().await;
    server.check(b"live").await.assert_live();
}

#[tokio::test]
async fn a_failed_self_test_ends_the_server() {
    let judge = Scripted {
        self_test: |_| Err(EngineError::SelfTest("scripted".to_owned())),
        ..Scripted::default()
    };
    let server = start_unready(config(), judge, memory().await).await;
    assert!(matches!(
        server.stopped().await,
        Err(ServerError::SelfTest(_))
    ));
}

/// The status of the answer and the state that it names.
async fn readiness(server: &Running) -> (u16, String) {
    let answer = server.get("/readyz").await;
    let state = answer.body["status"].as_str().unwrap().to_owned();
    (answer.status, state)
}

#[tokio::test]
async fn threads_that_get_nowhere_end_readiness_until_they_do() {
    let mut config = config();
    config.times.judge_timeout = Duration::from_millis(100);
    let server = start_with(config, Scripted::default()).await;
    for _ in 0..2 {
        // Given up by then, but the thread is still at it.
        server.check(b"gate").await.assert_error(503, "005");
    }
    until(async || readiness(&server).await == (503, "judging stalled".to_owned())).await;
    assert_eq!(server.get("/healthz").await.status, 200);
    server.judge.gate.open();
    until(async || readiness(&server).await == (200, "ok".to_owned())).await;
}

#[tokio::test]
async fn a_store_that_is_away_is_005_and_comes_back_without_a_restart() {
    let store = Arc::new(flaky(memory().await));
    let server = start_on(
        config(),
        Scripted::default(),
        Arc::clone(&store) as Arc<dyn Store>,
    )
    .await;
    let token = server.session(&server.session_key).await;
    store.set_away(true);
    let not_ready = server.get("/readyz").await;
    assert_eq!(
        (not_ready.status, not_ready.body["status"].as_str().unwrap()),
        (503, "store unavailable")
    );
    assert_eq!(server.get("/healthz").await.status, 200);
    let refused = server.check(b"live").await;
    refused.assert_error(503, "005");
    assert_eq!(refused.header("retry-after"), "3");
    assert!(
        server
            .get("/metrics")
            .await
            .text
            .contains("livecheck_store_errors_total")
    );

    store.set_away(false);
    server.until_ready().await;
    server.check(b"live").await.assert_live();
    let with_session = server
        .post_as(&server.session_key)
        .header("x-session-token", token)
        .multipart(image_form(b"live"));
    send(with_session).await.assert_live();
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let server = start().await;
    server.check(b"live").await;
    server.check(b"spoof").await;
    server.check(b"two").await;
    server.check(b"panic").await;
    // A place in the pool is given back just after its answer.
    until(async || {
        let metrics = server.get("/metrics").await.text;
        metrics.contains("livecheck_pool_tickets 0")
    })
    .await;
    let metrics = server.get("/metrics").await;
    assert!(
        metrics
            .header("content-type")
            .starts_with("application/openmetrics-text")
    );
    for line in [
        "livecheck_verdicts_total{live=\"true\"} 1",
        "livecheck_verdicts_total{live=\"false\"} 1",
        "livecheck_rejections_total{code=\"051\"} 1",
        "livecheck_http_requests_total{route=\"/liveness/\",status=\"200\",code=\"\"} 2",
        "livecheck_http_requests_total{route=\"/liveness/\",status=\"422\",code=\"051\"} 1",
        "livecheck_panics_total 1",
        "livecheck_queue_depth 0",
        "livecheck_store_errors_total 0",
        "livecheck_model_info{name=\"scripted\",sha256=\"00\"} 1",
        "livecheck_build_info{version=",
        "livecheck_stage_duration_seconds_count{stage=\"upload\"} 4",
    ] {
        assert!(metrics.text.contains(line), "{line} in\n{}", metrics.text);
    }
}

/// Two readings of a sum tell the score of the photo between them.
#[tokio::test]
async fn metrics_tell_nobody_the_score_of_a_photo() {
    let mut config = config();
    config.network.admin_listen = Some("127.0.0.1:0".parse().unwrap());
    let server = start_with(config.clone(), Scripted::default()).await;
    server.check(b"live").await.assert_live();
    let public = server.get("/metrics").await.text;
    assert!(!public.contains("livecheck_score"), "{public}");
    assert!(public.ends_with("# EOF\n"), "{public}");

    // Those who may see them see buckets alone.
    config.endpoints.metrics = Exposure::Admin;
    let admin = start_with(config.clone(), Scripted::default()).await;
    config.endpoints.score_histogram = Exposure::Public;
    config.endpoints.metrics = Exposure::Public;
    let told = start_with(config, Scripted::default()).await;
    for (server, url) in [
        (&admin, format!("http://{}/metrics", admin.admin.unwrap())),
        (&told, told.url("/metrics")),
    ] {
        server.check(b"live").await.assert_live();
        let text = reqwest::get(url).await.unwrap().text().await.unwrap();
        assert!(
            text.contains("livecheck_score_bucket{le=\"+Inf\"} 1"),
            "{text}"
        );
        for hidden in ["livecheck_score_sum", "livecheck_score_count"] {
            assert!(!text.contains(hidden), "{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}

/// The names that dashboards and alerts ask for exist.
#[tokio::test]
async fn dashboards_and_alerts_ask_for_metrics_that_exist() {
    let mut config = config();
    config.endpoints.score_histogram = Exposure::Public;
    let server = start_with(config, Scripted::default()).await;
    server.check(b"live").await;
    server.check(b"two").await;
    let metrics = server.get("/metrics").await.text;
    let deploy = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    for file in ["grafana/livecheck.json", "prometheus/alerts.yml"] {
        let text = std::fs::read_to_string(deploy.join(file)).unwrap();
        let mut asked = 0;
        for (at, _) in text.match_indices("livecheck_") {
            let rest = &text[at..];
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let name = &rest[..end.unwrap_or(rest.len())];
            let is_sample = |line: &str| {
                line.strip_prefix(name)
                    .is_some_and(|after| after.starts_with(['{', ' ']))
            };
            assert!(metrics.lines().any(is_sample), "{file} asks for {name}");
            asked += 1;
        }
        assert!(asked > 0, "{file} asks for nothing");
    }
}

#[tokio::test]
async fn unknown_paths_do_not_multiply_metrics() {
    let server = start().await;
    for number in 0..20 {
        server
            .get(&format!("/nothing/{number}"))
            .await
            .assert_error(404, "004");
    }
    let metrics = server.get("/metrics").await.text;
    assert!(
        metrics.contains("route=\"unmatched\",status=\"404\",code=\"004\"} 20"),
        "{metrics}"
    );
    assert!(!metrics.contains("/nothing"));
}

#[tokio::test]
async fn version_shows_models_thresholds_and_limits() {
    let server = start().await;
    let version = server.get("/version").await.body;
    assert_eq!(version["models"][0]["sha256"], "00");
    assert_eq!(version["runtime"]["name"], "embedded");
    assert_eq!(version["limits"]["min_face_side"], 96);
    assert!((version["thresholds"]["liveness"].as_f64().unwrap() - 0.9).abs() < 1e-6);
    assert!(version["preset"].is_null() && version["calibration"].is_null());
    let presets = version["presets"].as_array().unwrap();
    let names: Vec<_> = presets.iter().map(|one| one["preset"].as_str()).collect();
    assert_eq!(
        names,
        [Some("convenience"), Some("balanced"), Some("strict")]
    );
    for preset in presets {
        let measured = preset["measured"].as_array().unwrap();
        assert!(!measured.is_empty(), "{preset}");
        for figures in measured {
            assert!(figures["bpcer"]["of"].as_u64() > Some(0), "{figures}");
        }
    }
}

#[tokio::test]
async fn wrong_methods_and_paths_have_the_envelope() {
    let server = start().await;
    let client = reqwest::Client::new();
    for (method, path, allow) in [
        ("GET", "/liveness/", "POST"),
        ("PUT", "/liveness", "POST"),
        ("DELETE", "/session/", "GET,HEAD"),
        ("POST", "/healthz", "GET,HEAD"),
        ("OPTIONS", "/liveness/", "POST"),
    ] {
        let answer = send(client.request(method.parse().unwrap(), server.url(path))).await;
        answer.assert_error(405, "004");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
    for path in [
        "/liveness/x",
        "/sessions",
        "/docs/nothing.js",
        "/demo/nothing.js",
        "/demo/..%2f..%2fCargo.toml",
    ] {
        server.get(path).await.assert_error(404, "004");
    }
}

#[tokio::test]
async fn the_root_links_to_what_is_switched_on() {
    let mut config = config();
    config.endpoints.metrics = Exposure::Off;
    let server = start_with(config, Scripted::default()).await;
    let answer = reqwest::get(server.url("/")).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    let page = answer.text().await.unwrap();
    assert!(!page.contains("metrics"), "{page}");
    let links: Vec<&str> = page
        .split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(links.len(), 6, "{page}");
    for link in links {
        let status = reqwest::get(server.url(&format!("/{link}")))
            .await
            .unwrap()
            .status();
        assert_eq!(status, 200, "{link}");
    }
}

#[tokio::test]
async fn request_ids_are_taken_only_when_sane() {
    let server = start().await;
    let ask = |id: &str| {
        let value = reqwest::header::HeaderValue::from_bytes(id.as_bytes()).unwrap();
        send(
            reqwest::Client::new()
                .get(server.url("/healthz"))
                .header("x-request-id", value),
        )
    };
    for sane in ["a", "Az09._-", &"x".repeat(64)] {
        assert_eq!(ask(sane).await.header("x-request-id"), sane);
    }
    for other in ["", "a b", "a\"b", "ü", &"x".repeat(65)] {
        let given = ask(other).await;
        assert_ne!(given.header("x-request-id"), other);
        assert_eq!(given.header("x-request-id").len(), 32);
    }
}

#[tokio::test]
async fn a_key_or_token_in_the_place_of_a_request_id_is_not_repeated() {
    let admin_token = "an-admin-token-of-thirty-two-letters";
    let flags = [
        ("listen", "127.0.0.1:0"),
        ("admin-listen", "127.0.0.1:0"),
        ("admin-token", admin_token),
    ];
    let flags = flags.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = ServerConfig::load(None, [], flags).unwrap();
    let server = start_with(config, Scripted::default()).await;
    let ask = async |id: &str| {
        let request = reqwest::Client::new().get(server.url("/healthz"));
        let answer = send(request.header("x-request-id", id)).await;
        answer.header("x-request-id").to_owned()
    };
    let session = server.session(&server.key).await;
    let part = &server.key[..20];
    for secret in [
        &*server.key,
        part,
        &format!("id-{}", server.key),
        &session,
        admin_token,
    ] {
        let given = ask(secret).await;
        assert_ne!(given, secret);
        assert_eq!(given.len(), 32);
    }
    // What proxies and clients use as ids stays: hexadecimal digits, UUIDs, ULIDs.
    for id in [
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "0F0E0D0C0B0A09080706050403020100",
        "9b2f6a6e-7f0b-4e59-8f4b-6f7a0b9d2c11",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    ] {
        assert_eq!(ask(id).await, id);
    }
}

#[tokio::test]
async fn cors_is_off_by_default_and_a_setting() {
    let server = start().await;
    let origin = "https://kyc.example";
    let ask = |url: String| reqwest::Client::new().get(url).header("origin", origin);
    assert!(
        !send(ask(server.url("/healthz")))
            .await
            .headers
            .contains_key("access-control-allow-origin")
    );

    let flags = [("cors-origins".to_owned(), origin.to_owned())];
    let mut config = livecheck_server::ServerConfig::load(None, [], flags).unwrap();
    config.network.listen = "127.0.0.1:0".parse().unwrap();
    let server = start_with(config, Scripted::default()).await;
    let allowed = send(ask(server.url("/healthz"))).await;
    assert_eq!(allowed.header("access-control-allow-origin"), origin);
    // Keys travel in a header that no browser sends on its own.
    let credentials = "access-control-allow-credentials";
    assert!(!allowed.headers.contains_key(credentials));
    let other = reqwest::Client::new()
        .get(server.url("/healthz"))
        .header("origin", "https://evil.example");
    assert!(
        !send(other)
            .await
            .headers
            .contains_key("access-control-allow-origin")
    );
    let preflight = reqwest::Client::new()
        .request(reqwest::Method::OPTIONS, server.url("/liveness/"))
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "x-api-key");
    let answer = send(preflight).await;
    assert_eq!(answer.status, 204);
    assert!(
        answer
            .header("access-control-allow-headers")
            .contains("x-api-key")
    );
}

#[tokio::test]
async fn pages_load_nothing_from_elsewhere() {
    let server = start().await;
    for page in ["/docs/", "/demo/"] {
        let html = server.get(page).await;
        assert!(html.header("content-type").starts_with("text/html"));
        for (at, _) in html.text.match_indices("=\"") {
            let value = html.text[at + 2..].split('"').next().unwrap();
            let loads = html.text[..at].ends_with("src") || html.text[..at].ends_with("href");
            assert!(!loads || !value.contains("//"), "{page} loads {value}");
            if loads && !value.starts_with(['#', 'd']) && !value.is_empty() {
                let asset = server
                    .get(&format!("{page}{}", value.trim_start_matches("./")))
                    .await;
                assert_eq!(asset.status, 200, "{page} needs {value}");
            }
        }
    }
}

#[tokio::test]
async fn http2_works_with_prior_knowledge() {
    let server = start().await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    for _ in 0..3 {
        let request = client
            .post(server.url("/liveness/"))
            .header("x-api-key", &server.key)
            .multipart(image_form(b"live"));
        let response = request.send().await.unwrap();
        assert_eq!(response.version(), reqwest::Version::HTTP_2);
        Answer::of(response).await.assert_live();
    }
}

#[tokio::test]
async fn tls_works_with_a_certificate_and_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut config = config();
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    config.network.tls_cert = write("cert.pem", made.cert.pem());
    config.network.tls_key = write("key.pem", made.signing_key.serialize_pem());
    config.network.admin_listen = Some("127.0.0.1:0".parse().unwrap());
    let server = start_with(config, Scripted::default()).await;

    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let stream = tokio::net::TcpStream::connect(server.address)
        .await
        .unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, stream).await.unwrap();
    let request = "POST /liveness/ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    let _ = tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(answer.contains("\"001\""));
    assert!(answer.contains("strict-transport-security: max-age=31536000"));
    // Plain HTTP on the TLS port gets nothing.
    let mut plain = tokio::net::TcpStream::connect(server.address)
        .await
        .unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut plain, b"GET /healthz HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut plain, &mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
}

#[tokio::test]
async fn a_wrong_certificate_is_told_at_the_start() {
    let mut config = config();
    config.network.tls_cert = Some("/nowhere/cert.pem".into());
    config.network.tls_key = Some("/nowhere/key.pem".into());
    let judge = Arc::new(Scripted::default());
    let clock = Arc::new(livecheck_store::SystemClock::new());
    let error = livecheck_server::Server::bind(config, judge, memory().await, clock)
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("/nowhere/cert.pem"), "{error}");
}

#[tokio::test]
async fn shutdown_finishes_what_is_under_way() {
    let mut server = start().await;
    let running = tokio::spawn(server.post().multipart(image_form(b"gate")).send());
    until(async || server.judge.gate.waiting() == 1).await;
    server.begin_stop();
    // No new connection is served any more.
    until(async || {
        tokio::net::TcpStream::connect(server.address)
            .await
            .is_err()
    })
    .await;
    server.judge.gate.open();
    let answer = running.await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    Answer::of(answer).await.assert_live();
    server.stopped().await.unwrap();
}

#[tokio::test]
async fn while_draining_readyz_says_so_and_requests_are_served() {
    let mut config = config();
    config.times.drain_delay = Duration::from_secs(3600);
    let mut server = start_with(config, Scripted::default()).await;
    server.begin_stop();
    until(async || server.get("/readyz").await.status == 503).await;
    assert_eq!(server.get("/readyz").await.body["status"], "draining");
    server.check(b"live").await.assert_live();
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let mut config = config();
    config.times.shutdown_timeout = Duration::from_millis(100);
    let mut server = start_with(config, Scripted::default()).await;
    let running = tokio::spawn(server.post().multipart(image_form(b"gate")).send());
    until(async || server.judge.gate.waiting() == 1).await;
    let gate = Arc::clone(&server.judge);
    server.begin_stop();
    server.stopped().await.unwrap();
    assert!(running.await.unwrap().is_err());
    gate.gate.open();
}

#[tokio::test]
async fn head_requests_have_no_body() {
    let server = start().await;
    let answer = raw(
        server.address,
        b"HEAD /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200"));
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}
