//! The table of settings, and the structs that hold their values.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use livecheck_engine::{
    ExecutionProvider, FindingLimits, Limits, Preset, RuntimeChoice, Thresholds,
};
use livecheck_store::ReplayPolicy;

use super::value::{
    Allowed, AuditFailure, Exposure, ForwardedHeader, HexKey, LogFormat, Networks, Origins, Secret,
    Sha256Hex, Share, Switch, Token, Value, any, range,
};

/// One setting, for the documents and the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Name in the TOML file, for example `min_face_side`.
    pub name: &'static str,
    /// Name in the environment, for example `LIVECHECK_MIN_FACE_SIDE`.
    pub env: String,
    /// Name on the command line without the dashes, for example `min-face-side`.
    pub flag: String,
    /// The concern it belongs to, for example `engine`.
    pub group: &'static str,
    /// The default as text; empty when there is none.
    pub default: String,
    /// The allowed values in words.
    pub allowed: String,
    /// What it does.
    pub help: String,
}

/// Declares the settings structs, their defaults and the table, from one list.
macro_rules! settings {
    ($(
        $(#[doc = $group_doc:literal])+
        $group:ident: $Group:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $Type:ty = $default:expr, $allowed:expr;
            )+
        }
    )+) => {
        $(
            $(#[doc = $group_doc])+
            #[derive(Debug, Clone, PartialEq)]
            pub struct $Group {
                $(
                    $(#[doc = $doc])+
                    pub $field: $Type,
                )+
            }

            impl Default for $Group {
                fn default() -> Self {
                    Self { $($field: $default,)+ }
                }
            }
        )+

        /// All settings of the server.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct ServerConfig {
            $(
                $(#[doc = $group_doc])+
                pub $group: $Group,
            )+
        }

        impl ServerConfig {
            /// Sets one setting from text; `Err` holds the allowed values in words.
            pub(super) fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
                $($(
                    if name == stringify!($field) {
                        let allowed: Allowed<$Type> = $allowed;
                        match <$Type as Value>::parse(text) {
                            Some(value) if allowed.holds(&value) => {
                                self.$group.$field = value;
                                return Ok(());
                            }
                            _ => return Err(allowed.words),
                        }
                    }
                )+)+
                Err("no such setting".to_owned())
            }

            /// Name and value of every setting in force, secrets left out.
            #[must_use]
            pub fn in_force(&self) -> Vec<(&'static str, String)> {
                vec![$($((stringify!($field), self.$group.$field.show()),)+)+]
            }
        }

        /// Every setting that this build has.
        #[must_use]
        pub fn settings() -> Vec<Setting> {
            let mut settings = vec![$($({
                let default: $Type = $default;
                let allowed: Allowed<$Type> = $allowed;
                Setting {
                    name: stringify!($field),
                    env: format!("{ENV_PREFIX}{}", stringify!($field).to_uppercase()),
                    flag: stringify!($field).replace('_', "-"),
                    group: stringify!($group),
                    default: default.show(),
                    allowed: allowed.words,
                    help: [$($doc),+].map(str::trim).join(" "),
                }
            },)+)+];
            settings.retain(|setting| cfg!(feature = "otlp") || setting.name != OTLP_SETTING);
            settings
        }
    };
}

/// The setting that only builds with the feature `otlp` have.
pub(super) const OTLP_SETTING: &str = "otlp_endpoint";

/// What the environment variables of the settings start with.
pub const ENV_PREFIX: &str = "LIVECHECK_";

/// Settings whose values are never repeated. Each can stand in a file of its own: see `*_file`.
pub const SECRETS: [&str; 3] = ["admin_token", "database", "image_key"];

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const LONGEST: Duration = seconds(24 * 3600);
/// Connections beyond `max_connections` on each listener, for health checks while all are taken.
pub const RESERVED_CONNECTIONS: usize = 32;

const BRIEFEST: Duration = Duration::from_millis(1);

settings! {
    /// Where the server listens.
    network: NetworkConfig {
        /// Address and port of the API.
        listen: SocketAddr = SocketAddr::from(([0, 0, 0, 0], 8080)), any("an address and a port, such as 0.0.0.0:8080");
        /// Address and port of a second listener for the operations endpoints.
        admin_listen: Option<SocketAddr> = None, any("an address and a port, such as 127.0.0.1:9090, or nothing");
        /// Token for the admin API that manages keys on the admin listener, at least 32
        /// characters; without it that API is off.
        admin_token: Option<Token> = None, any("32 to 256 visible characters, or nothing");
        /// File that holds the value of `admin_token`.
        admin_token_file: Option<PathBuf> = None, any("a path, or nothing");
        /// Whether the network protects the admin listener: only then may it listen on an
        /// address that other machines reach without `admin_token`.
        admin_open: Switch = Switch::Off, Switch::allowed();
        /// Certificate chain in PEM; with `tls_key` the API uses TLS. Reloaded when the file changes.
        tls_cert: Option<PathBuf> = None, any("a path, or nothing");
        /// Private key for `tls_cert`, in PEM.
        tls_key: Option<PathBuf> = None, any("a path, or nothing");
        /// Web origins whose pages may call the API, separated by commas, or `*`.
        cors_origins: Origins = Origins::default(), any("*, or origins such as https://kyc.example, separated by commas, or nothing");
        /// Trusted proxies, as networks or addresses: the client address that they report is believed.
        trusted_proxies: Networks = Networks::default(), any("networks such as 10.0.0.0/8 or addresses, separated by commas, or nothing");
        /// Header in which a trusted proxy reports the client's address.
        forwarded_header: ForwardedHeader = ForwardedHeader::XForwardedFor, any("x-forwarded-for or forwarded");
        /// Maximum number of connections; for a further one the connection that has
        /// been idle longest is closed. If all have requests in progress, the further
        /// one gets 503, except for health checks.
        max_connections: usize = 1024, range(1, 1_000_000);
        /// Maximum number of connections from one client address (IPv6: per /64
        /// network, and four times as many per /48), not counting trusted proxies;
        /// further ones are treated as with `max_connections`; 0: no limit.
        max_connections_per_address: usize = 64, range(0, 1_000_000);
        /// Maximum bytes of responses not yet read by clients, over all connections of
        /// a listener; beyond it the connection whose client has read nothing for
        /// longest is closed.
        answer_memory: usize = 32 * 1024 * 1024, range(1024 * 1024, 1 << 40);
        /// Maximum bytes of a request's header section.
        max_header_bytes: usize = 16 * 1024, range(8 * 1024, 1024 * 1024);
    }
    /// How long things may take. Durations are seconds, or a number with ms, s, m or h.
    times: TimesConfig {
        /// Maximum time from a request's first byte to the end of its headers.
        header_timeout: Duration = seconds(10), range(BRIEFEST, LONGEST);
        /// Maximum pause while a body is received, and the period over which `min_upload_rate` is measured.
        body_idle_timeout: Duration = seconds(10), range(BRIEFEST, LONGEST);
        /// Minimum bytes per second at which a body must arrive.
        min_upload_rate: u32 = 1024, range(0, 1_000_000_000);
        /// Maximum time to receive a body.
        upload_timeout: Duration = seconds(120), range(BRIEFEST, LONGEST);
        /// Maximum time from a complete request to its response: waiting, decoding and judging.
        judge_timeout: Duration = seconds(20), range(BRIEFEST, LONGEST);
        /// How long a connection stays open without a request (HTTP/2 pings don't
        /// count); should be longer than the load balancer's.
        keep_alive_timeout: Duration = seconds(75), range(BRIEFEST, LONGEST);
        /// How long a client may leave a response unread; then its connection is
        /// closed, or its HTTP/2 stream reset.
        write_timeout: Duration = seconds(20), range(BRIEFEST, LONGEST);
        /// How long the server keeps serving after the signal to stop, with /readyz at
        /// 503, so that load balancers notice.
        drain_delay: Duration = Duration::ZERO, range(Duration::ZERO, LONGEST);
        /// Maximum time for requests in progress to finish when the server stops.
        shutdown_timeout: Duration = seconds(30), range(BRIEFEST, LONGEST);
    }
    /// The threads that judge, and what may wait for them.
    pool: PoolConfig {
        /// Threads that decode and judge; 0: one per core.
        workers: usize = 0, range(0, 1024);
        /// Maximum time a request waits for its turn, estimated on arrival from the
        /// requests of its API key ahead, their recent time per photo and the key's share
        /// of the threads; if the estimate is longer, the response is 503 at once.
        queue_wait: Duration = seconds(1), range(Duration::ZERO, LONGEST);
        /// Requests of one API key that may wait per thread, however short the wait;
        /// further ones get 503 at once. Those of all keys together: twice as many.
        queue: usize = 64, range(0, 10_000);
        /// Maximum memory in bytes for waiting images, over all requests: a quarter for
        /// bodies being received, the rest for decoded photos; an API key gets at most as
        /// much of each as it leaves free for others.
        upload_memory: usize = 512 * 1024 * 1024, range(16 * 1024 * 1024, 1 << 40);
    }
    /// Keys and sessions.
    access: AccessConfig {
        /// Database of keys and sessions.
        database: Secret = Secret::from("livecheck.db"), any("a file path, sqlite::memory: or postgres://user:password@host/database");
        /// File that holds the value of `database` and takes precedence over it: for
        /// addresses with a password. Not the SQLite file.
        database_file: Option<PathBuf> = None, any("a path, or nothing");
        /// Liveness checks per session token.
        session_uses: u32 = 3, range(1, 1_000_000);
        /// How long a session token is valid.
        session_lifetime: Duration = seconds(3 * 3600), range(BRIEFEST, seconds(366 * 24 * 3600));
        /// Maximum number of open sessions per key; further ones are rejected with 005
        /// and HTTP 429 until some have ended; 0: no limit.
        max_open_sessions: u32 = 20_000, range(0, 10_000_000);
        /// Sessions per second that a key may open; 0: no limit.
        session_rate: f64 = 20.0, range(0.0, 1e6);
        /// Sessions that `session_rate` allows at once.
        session_burst: u32 = 200, range(1, 1_000_000);
        /// Requests per second and key, for keys without their own rate; 0: no limit.
        rate_limit: f64 = 0.0, range(0.0, 1e6);
        /// Requests per key that `rate_limit` allows at once.
        rate_burst: u32 = 10, range(1, 1_000_000);
        /// Wrong API keys per second that a client address may send before further
        /// wrong ones get 429; 0: no limit.
        failed_key_rate: f64 = 1.0, range(0.0, 1e6);
        /// Wrong API keys that `failed_key_rate` allows at once.
        failed_key_burst: u32 = 20, range(1, 1_000_000);
        /// Wrong session tokens per second that a client address may send with a key
        /// before further wrong ones get 429; 0: no limit.
        failed_token_rate: f64 = 10.0, range(0.0, 1e6);
        /// Wrong session tokens that `failed_token_rate` allows at once.
        failed_token_burst: u32 = 100, range(1, 1_000_000);
        /// What happens to a file that was judged before with the same key, for keys
        /// without their own policy.
        replay: ReplayPolicy = ReplayPolicy::Off, any("off, flag (in the details) or refuse (002)");
        /// How long a judged file is remembered.
        replay_window: Duration = seconds(24 * 3600), range(seconds(1), seconds(366 * 24 * 3600));
        /// Whether keys created with `livecheck keys create --sandbox` are accepted; `off`: they get `001`.
        sandbox: Switch = Switch::On, Switch::allowed();
        /// Secret for hashing images, for `replay` and the audit log; if neither it nor
        /// `image_key_file` is set, the database holds one.
        image_key: Option<HexKey> = None, any("64 hexadecimal digits, or nothing");
        /// File that holds the value of `image_key`.
        image_key_file: Option<PathBuf> = None, any("a path, or nothing");
    }
    /// What is judged, and where decisions flip.
    engine: EngineSettings {
        /// Maximum size of an image file in bytes.
        max_file_bytes: usize = Limits::default().max_file_bytes, range(1024, 100 * 1024 * 1024);
        /// Maximum number of pixels of an image.
        max_pixels: u64 = Limits::default().max_pixels, range(10_000, 1_000_000_000);
        /// Minimum length of an image's shorter side in pixels.
        min_image_side: u32 = Limits::default().min_image_side, range(1, 10_000);
        /// Minimum width of the face box in pixels.
        min_face_side: u32 = Limits::default().min_face_side, range(1, 10_000);
        /// A named set of thresholds; a threshold that is set individually takes precedence.
        preset: Option<Preset> = None, any("convenience, balanced or strict, or nothing");
        /// Calibration on your own photos, a file written by `livecheck calibrate`.
        calibration: Option<PathBuf> = None, any("a path, or nothing");
        /// Minimum score for a candidate to count as a face; the model's own recommendation is 0.60.
        face_threshold: f32 = Thresholds::default().face, range(0.0, 1.0);
        /// Minimum score for a face to be live; 0.95 is the recommended stricter value.
        liveness_threshold: f32 = Thresholds::default().liveness, range(0.0, 1.0);
        /// Minimum score for a face to count as covered.
        mask_threshold: f32 = Thresholds::default().mask, range(0.0, 1.0);
        /// Share of the face box, widened by 3 % on each side, outside the image from which the details find `face_cut_off`.
        finding_face_cut_off: f32 = FindingLimits::default().face_cut_off, range(0.0, 1.0);
        /// Share of the image's width or height that a face takes from which the
        /// details find `face_too_close`.
        finding_face_too_close: f32 = FindingLimits::default().face_too_close, range(0.0, 100.0);
        /// Width of the face box in pixels below which the details find `face_small`.
        finding_face_small: f32 = FindingLimits::default().face_small, range(0.0, 10_000.0);
        /// Degrees that the head is turned to a side from which the details find `pose_yaw`.
        finding_pose_yaw: f32 = FindingLimits::default().pose_yaw, range(0.0, 180.0);
        /// Degrees that the head is raised or lowered from which the details find `pose_pitch`.
        finding_pose_pitch: f32 = FindingLimits::default().pose_pitch, range(0.0, 180.0);
        /// Degrees that the head is tilted from which the details find `pose_roll`.
        finding_pose_roll: f32 = FindingLimits::default().pose_roll, range(0.0, 180.0);
        /// Fine detail of the face over coarse detail below which the details find `blur`.
        finding_blur: f32 = FindingLimits::default().blur, range(0.0, 100.0);
        /// Mean luma of the face, 0 to 1, below which the details find `dark`.
        finding_dark: f32 = FindingLimits::default().dark, range(0.0, 1.0);
        /// Share of the colour values of the face that are saturated from which the details find `bright`.
        finding_bright: f32 = FindingLimits::default().bright, range(0.0, 1.0);
        /// Mean luma around the face minus that of the face from which the details find `backlight`.
        finding_backlight: f32 = FindingLimits::default().backlight, range(0.0, 1.0);
        /// Share of the face that is white from which the details find `glare`.
        finding_glare: f32 = FindingLimits::default().glare, range(0.0, 1.0);
        /// Range of the luma of the face and its surroundings, 0 to 1, below which the
        /// details find `low_contrast`.
        finding_low_contrast: f32 = FindingLimits::default().low_contrast, range(0.0, 1.0);
        /// Steps between compressed blocks over other steps from which the details find `strong_compression`.
        finding_strong_compression: f32 = FindingLimits::default().strong_compression, range(0.0, 1000.0);
        /// Detail of single pixels of the face below which the details find `upscaled`.
        finding_upscaled: f32 = FindingLimits::default().upscaled, range(0.0, 1000.0);
        /// Mean difference of the colours of a pixel, 0 to 1, below which the details find `greyscale`.
        finding_greyscale: f32 = FindingLimits::default().greyscale, range(0.0, 1.0);
        /// Share of the photo that is a one-coloured border from which the details find `border`.
        finding_border: f32 = FindingLimits::default().border, range(0.0, 1.0);
        /// Degrees by which a photo had to be rotated from which the details find `rotated`.
        finding_rotated: f32 = FindingLimits::default().rotated, range(0.0, 360.0);
        /// Score of another face from which the details find `second_face`.
        finding_second_face: f32 = FindingLimits::default().second_face, range(0.0, 1.0);
        /// Minimum score for a face that is not live to be sent to review (`"review":
        /// true`); below `liveness_threshold`.
        review_threshold: Option<Share> = None, any("0 to 1, or nothing");
    }
    /// What the nets run on.
    inference: InferenceConfig {
        /// The inference runtime: `auto` uses the embedded one, which is the faster one on a CPU, unless
        /// `onnxruntime` names a library or `execution_provider` is set.
        runtime: RuntimeChoice = RuntimeChoice::Auto, any("auto, embedded or onnxruntime");
        /// Shared library of ONNX Runtime, 1.17 or newer; if unset and ONNX Runtime is wanted, the
        /// system's library folders are searched. Only root and the service's user may have
        /// write access to it.
        onnxruntime: Option<PathBuf> = None, any("a path, or nothing");
        /// SHA-256 of the only ONNX Runtime library that may be loaded; any other is an
        /// error if `onnxruntime` names it, and is skipped otherwise.
        onnxruntime_sha256: Option<Sha256Hex> = None, any("64 hexadecimal digits, or nothing");
        /// Hardware that ONNX Runtime uses instead of the CPU; the library must have been built for it.
        execution_provider: Option<ExecutionProvider> = None, any("cuda, tensorrt, openvino or coreml, or nothing");
    }
    /// Operations endpoints: `public`, `off`, or `admin` (on the admin listener; where there is none, only healthz and readyz are on the API's).
    endpoints: EndpointsConfig {
        /// GET /healthz.
        healthz: Exposure = Exposure::Admin, Exposure::allowed();
        /// GET /readyz.
        readyz: Exposure = Exposure::Admin, Exposure::allowed();
        /// GET /metrics; on the API's listener only with `public`.
        metrics: Exposure = Exposure::Admin, Exposure::allowed();
        /// The histogram of liveness scores in /metrics, without their sum; on the
        /// API's listener only with `public`, since it reveals how other clients'
        /// photos scored.
        score_histogram: Exposure = Exposure::Admin, Exposure::allowed();
        /// GET /version; on the API's listener only with `public`.
        version: Exposure = Exposure::Admin, Exposure::allowed();
        /// GET /openapi.json.
        openapi: Exposure = Exposure::Public, Exposure::allowed();
        /// GET /docs; it loads /openapi.json.
        docs: Exposure = Exposure::Public, Exposure::allowed();
        /// GET /demo.
        demo: Exposure = Exposure::Public, Exposure::allowed();
    }
    /// The audit log: one line a judged image.
    audit: AuditConfig {
        /// File of the audit log; if unset, there is none.
        audit_file: Option<PathBuf> = None, any("a path, or nothing");
        /// Maximum size of the file in bytes before it is renamed and a new one started.
        audit_max_bytes: u64 = 100 * 1024 * 1024, range(1024, 1 << 40);
        /// Number of renamed files to keep, the oldest are removed; 0: all.
        audit_keep: u32 = 10, range(0, 1_000_000);
        /// What happens to a request whose audit line cannot be written: `refuse` (005)
        /// or `continue` (counted in a metric).
        audit_failure: AuditFailure = AuditFailure::Refuse, any("refuse or continue");
    }
    /// What is logged.
    log: LogConfig {
        /// `text` for people, `json` for machines.
        log_format: LogFormat = LogFormat::Text, LogFormat::allowed();
        /// Which events are logged.
        log_level: String = "info".to_owned(), any("error, warn, info, debug, trace or a list such as info,livecheck_server=debug");
        /// Where traces are sent (OTLP over plain HTTP).
        otlp_endpoint: Option<String> = None, any("a URL such as http://localhost:4318/v1/traces, or nothing");
    }
}
