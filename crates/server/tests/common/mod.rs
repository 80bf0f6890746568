//! A real server on a free port, with a judge whose verdicts the test scripts.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "each test file uses its own part of these helpers"
)]

pub mod flaky;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use livecheck_engine::{
    BBox, Check, ContentBox, Details, EngineConfig, EngineError, Face, Finding, ImageInfo,
    LimitExceeded, Located, ModelInfo, Photo, Quality, Rejection, Runtime, Severity, Thresholds,
    Timings, Verdict,
};
use livecheck_server::config::Exposure;
use livecheck_server::{Judge, Server, ServerConfig, ServerError};
use livecheck_store::{Clock, NewKey, Store, TestClock, Timestamp};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub const MODELS: &[ModelInfo] = &[ModelInfo {
    name: "scripted",
    sha256: "00",
}];

/// The words that can be judged.
const SCRIPTS: [&str; 14] = [
    "live", "heavy", "order", "huge", "doubt", "spoof", "gate", "small", "far", "two", "mask",
    "broken", "panic", "quote",
];

/// Bytes of the pixels of a photo that says `huge`.
pub const HUGE: usize = 12 * 1024 * 1024;

/// Judges by the first word of the "image".
pub struct Scripted {
    pub config: EngineConfig,
    pub gate: Gate,
    pub decoded: AtomicUsize,
    /// The number of the last photo that said `order`.
    pub order: AtomicUsize,
    pub judged: AtomicUsize,
    pub self_test: fn(&Gate) -> Result<(), EngineError>,
}

impl Default for Scripted {
    fn default() -> Self {
        Self {
            config: EngineConfig::default(),
            gate: Gate::default(),
            decoded: AtomicUsize::new(0),
            order: AtomicUsize::new(0),
            judged: AtomicUsize::new(0),
            self_test: |_| Ok(()),
        }
    }
}

/// Closed at first; who waits goes on once it is open.
#[derive(Default)]
pub struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
    waiting: AtomicUsize,
}

impl Gate {
    pub fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.changed.notify_all();
    }

    pub fn pass(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut open = self.open.lock().unwrap();
        while !*open {
            open = self.changed.wait(open).unwrap();
        }
        drop(open);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }
}

impl Judge for Scripted {
    fn inspect(&self, file: &[u8]) -> Result<ImageInfo, Rejection> {
        self.locate(file, &self.config.thresholds).map(|_| image())
    }

    fn locate(&self, file: &[u8], _: &Thresholds) -> Result<Located, Rejection> {
        let number = self.decoded.fetch_add(1, Ordering::SeqCst) + 1;
        match word(file) {
            "heavy" => {
                std::thread::sleep(Duration::from_millis(100));
                Ok(photo(file))
            }
            "order" => {
                self.order.store(number, Ordering::SeqCst);
                Ok(photo(file))
            }
            "unreadable" => Err(Rejection::UnreadableImage("this is no image".to_owned())),
            "pixels" => Err(Rejection::TooLarge(LimitExceeded::Pixels {
                width: 10_000,
                height: 10_000,
                limit: 64_000_000,
            })),
            "decode-panic" => panic!("scripted"),
            "decode-quote" => panic!("no photo: {:?}", String::from_utf8_lossy(file)),
            "decode-gate" => {
                self.gate.pass();
                Ok(photo(file))
            }
            word if SCRIPTS.contains(&word) => Ok(photo(file)),
            _ => Err(Rejection::UnreadableImage("no script for it".to_owned())),
        }
    }

    fn judge(&self, located: &Located, thresholds: &Thresholds) -> Result<Verdict, Rejection> {
        self.judged.fetch_add(1, Ordering::SeqCst);
        match word(&located.photo.rgb) {
            "live" | "heavy" | "order" | "huge" => Ok(verdict(0.98, thresholds)),
            "doubt" => Ok(verdict(0.85, thresholds)),
            "spoof" => Ok(verdict(0.02, thresholds)),
            "gate" => {
                self.gate.pass();
                Ok(verdict(0.98, thresholds))
            }
            "small" => Err(Rejection::ImageTooSmall {
                width: 200,
                height: 319,
                min_side: 320,
            }),
            "far" => Err(Rejection::FaceTooSmall {
                width: 95,
                min_side: 96,
            }),
            "two" => Err(Rejection::FaceCount {
                scores: vec![0.98, 0.91],
                threshold: 0.75,
                best_below: None,
            }),
            "mask" => Err(Rejection::FaceMask {
                score: 0.99,
                threshold: 0.5,
            }),
            "broken" => Err(Rejection::Internal("scripted".to_owned())),
            "panic" => panic!("scripted"),
            "quote" => panic!("no face: {:?}", String::from_utf8_lossy(&located.photo.rgb)),
            other => panic!("no script for {other:?}"),
        }
    }

    fn findings(
        &self,
        _located: &Located,
        _judged: Result<&Verdict, &Rejection>,
    ) -> Result<Vec<Finding>, Rejection> {
        Ok(vec![Finding {
            check: Check::Dark,
            value: 0.125,
            limit: 0.25,
            severity: Severity::Warning,
            hint: "Turn on a lamp.",
        }])
    }

    fn self_test(&self) -> Result<(), EngineError> {
        (self.self_test)(&self.gate)
    }

    fn models(&self) -> &'static [ModelInfo] {
        MODELS
    }

    fn config(&self) -> EngineConfig {
        self.config
    }
}

fn word(file: &[u8]) -> &str {
    let end = file.iter().position(|byte| *byte == b' ');
    std::str::from_utf8(&file[..end.unwrap_or(file.len())]).unwrap_or("binary")
}

fn photo(file: &[u8]) -> Located {
    let mut rgb = file[..file.len().min(64)].to_vec();
    if word(file) == "huge" {
        rgb.push(b' ');
        rgb.resize(HUGE, 0);
    }
    Located {
        photo: Photo::new(640, 640, rgb, "jpeg"),
        faces: Vec::new(),
        timings: Timings {
            decode_ms: 1.0,
            ..Timings::default()
        },
    }
}

fn image() -> ImageInfo {
    ImageInfo {
        width: 640,
        height: 640,
        content: ContentBox {
            x0: 0,
            y0: 0,
            x1: 640,
            y1: 640,
        },
        rotated: 0,
        format: "jpeg",
    }
}

pub fn verdict(score: f32, thresholds: &Thresholds) -> Verdict {
    Verdict {
        live: thresholds.is_live(score),
        score,
        logit: f64::from(score / (1.0 - score)).ln(),
        details: Details {
            face: Face {
                bbox: BBox {
                    x0: 100.0,
                    y0: 100.0,
                    x1: 300.0,
                    y1: 350.0,
                },
                landmarks: [[150.0, 180.0]; 5],
                score: 0.97,
            },
            mask_score: 0.01,
            attack_score: 0.01,
            image: image(),
            quality: Quality {
                face_share: 0.3,
                brightness: 0.5,
                contrast: 0.2,
                sharpness: 100.0,
            },
            thresholds: *thresholds,
            models: MODELS,
            runtime: Runtime::embedded().info(),
            timings: Timings::default(),
            findings: None,
        },
    }
}

/// A running server.
pub struct Running {
    pub address: SocketAddr,
    pub admin: Option<SocketAddr>,
    pub judge: Arc<Scripted>,
    pub store: Arc<dyn Store>,
    pub clock: Arc<TestClock>,
    /// An API key without sessions.
    pub key: String,
    /// An API key that requires a session.
    pub session_key: String,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), ServerError>>,
}

/// Defaults, on a free local port, with two threads, and room for tests that ask for many things at
/// once.
pub fn config() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.network.listen = "127.0.0.1:0".parse().unwrap();
    config.pool.workers = 2;
    config.pool.queue = 50;
    config.network.max_connections_per_address = 0;
    config.endpoints.metrics = Exposure::Public;
    config.endpoints.version = Exposure::Public;
    config
}

pub async fn start() -> Running {
    start_with(config(), Scripted::default()).await
}

pub async fn start_with(config: ServerConfig, judge: Scripted) -> Running {
    let store = livecheck_store::open("sqlite::memory:").await.unwrap();
    start_on(config, judge, store).await
}

pub async fn start_on(config: ServerConfig, judge: Scripted, store: Arc<dyn Store>) -> Running {
    let running = start_unready(config, judge, store).await;
    running.until_ready().await;
    running
}

/// Without waiting until it is ready.
pub async fn start_unready(
    config: ServerConfig,
    judge: Scripted,
    store: Arc<dyn Store>,
) -> Running {
    let clock = Arc::new(TestClock::at(Timestamp::from_millis(1_700_000_000_000)));
    let now = clock.now();
    let name = |kind: &str| format!("{kind} {}", std::process::id());
    let (_, key) = store
        .create_key(NewKey::named(name("plain")), now)
        .await
        .unwrap();
    let (_, session_key) = store
        .create_key(
            NewKey {
                require_session: true,
                ..NewKey::named(name("sessions"))
            },
            now,
        )
        .await
        .unwrap();
    let judge = Arc::new(judge);
    let server = Server::bind(
        config,
        Arc::clone(&judge) as Arc<dyn Judge>,
        Arc::clone(&store),
        Arc::clone(&clock) as Arc<dyn Clock>,
    )
    .await
    .unwrap();
    let address = server.address().unwrap();
    let admin = server.admin_address().unwrap();
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    Running {
        address,
        admin,
        judge,
        store,
        clock,
        key: key.reveal().to_owned(),
        session_key: session_key.reveal().to_owned(),
        stop: Some(stop),
        task,
    }
}

impl Running {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(reqwest::get(self.url(path)).await.unwrap()).await
    }

    pub async fn until_ready(&self) {
        let app = reqwest::Client::new();
        let base = self.admin.unwrap_or(self.address);
        until(async || {
            app.get(format!("http://{base}/readyz"))
                .send()
                .await
                .is_ok_and(|answer| answer.status() == 200)
        })
        .await;
    }

    /// A POST with the plain key.
    pub fn post(&self) -> reqwest::RequestBuilder {
        self.post_as(&self.key)
    }

    pub fn post_as(&self, key: &str) -> reqwest::RequestBuilder {
        reqwest::Client::new()
            .post(self.url("/liveness/"))
            .header("x-api-key", key)
    }

    /// Sends an image as multipart with the plain key.
    pub async fn check(&self, image: &[u8]) -> Answer {
        send(self.post().multipart(image_form(image))).await
    }

    /// Opens a session of the key.
    pub async fn session(&self, key: &str) -> String {
        let answer = reqwest::Client::new()
            .get(self.url("/session/"))
            .header("x-api-key", key)
            .send()
            .await
            .unwrap();
        let answer = Answer::of(answer).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["session_token"].as_str().unwrap().to_owned()
    }

    /// Tells the server to stop, without waiting.
    pub fn begin_stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// Waits until it has stopped.
    pub async fn stopped(self) -> Result<(), ServerError> {
        self.task.await.unwrap()
    }
}

pub fn image_form(image: &[u8]) -> reqwest::multipart::Form {
    let part = reqwest::multipart::Part::bytes(image.to_vec())
        .file_name("selfie.jpg")
        .mime_str("image/jpeg")
        .unwrap();
    reqwest::multipart::Form::new().part("image", part)
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    /// `Null` when it is not JSON.
    pub body: Value,
}

impl Answer {
    pub async fn of(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.unwrap();
        Self {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("no header {name} in {self:?}"))
            .to_str()
            .unwrap()
    }

    /// The error code; empty on success.
    pub fn code(&self) -> &str {
        self.body["error_code"].as_str().unwrap_or_default()
    }

    pub fn detail(&self) -> &str {
        self.body["error_detail"].as_str().unwrap_or_default()
    }

    /// Asserts the whole envelope of a failure.
    #[track_caller]
    pub fn assert_error(&self, status: u16, code: &str) -> &Self {
        assert_eq!((self.status, self.code()), (status, code), "{}", self.text);
        assert_eq!(self.header("content-type"), "application/json");
        assert!(!self.header("x-request-id").is_empty());
        let known = livecheck_contract::ErrorCode::ALL
            .into_iter()
            .find(|known| known.code() == code)
            .unwrap();
        assert_eq!(self.body["success"], false);
        assert_eq!(self.body["error_message"], known.message());
        assert!(!self.detail().is_empty());
        assert_eq!(self.body.as_object().unwrap().len(), 4, "{}", self.text);
        self
    }

    #[track_caller]
    pub fn assert_live(&self) -> &Self {
        assert_eq!(self.status, 200, "{}", self.text);
        assert_eq!(self.body["result"]["liveness"], true);
        self
    }
}

pub async fn send(request: reqwest::RequestBuilder) -> Answer {
    Answer::of(request.send().await.unwrap()).await
}

/// Waits for a condition; the test's own time limit is the only one.
pub async fn until(mut condition: impl AsyncFnMut() -> bool) {
    while !condition().await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Sends raw bytes and reads until the server closes.
pub async fn raw(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    read_all(&mut stream).await
}

pub async fn read_all(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Standard base64 with padding, for bodies; independent of the decoder under test.
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0_usize, |g, b| g << 8 | usize::from(*b)) << (8 * (3 - chunk.len()));
        for position in 0..4 {
            if position <= chunk.len() {
                text.push(char::from(ALPHABET[group >> (18 - 6 * position) & 63]));
            } else {
                text.push('=');
            }
        }
    }
    text
}
