//! Settings: where they come from, which one wins, and what a wrong one says.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

use std::time::Duration;

use livecheck_server::ServerConfig;
use livecheck_server::config::{LogFormat, settings};

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn load(
    file: Option<&str>,
    environment: Pairs<'_>,
    flags: Pairs<'_>,
) -> Result<ServerConfig, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = file.map(|text| {
        let path = folder.path().join("livecheck.toml");
        std::fs::write(&path, text).unwrap();
        path
    });
    let owned = |pairs: Pairs<'_>| -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    };
    ServerConfig::load(path.as_deref(), owned(environment), owned(flags)).map_err(|e| e.to_string())
}

#[test]
fn flags_win_over_the_environment_over_the_file_over_defaults() {
    let file = Some("min_face_side = 1\nqueue = 7\nworkers = 1\nlog_format = \"json\"");
    let environment = [
        ("LIVECHECK_QUEUE", "8"),
        ("LIVECHECK_WORKERS", "2"),
        ("PATH", "/bin"),
    ];
    let config = load(file, &environment, &[("workers", "3")]).unwrap();
    assert_eq!(config.engine.min_face_side, 1);
    assert_eq!(config.pool.queue, 8);
    assert_eq!(config.pool.workers, 3);
    assert_eq!(config.log.log_format, LogFormat::Json);
    assert_eq!(config.engine.min_image_side, 320);
}

#[test]
fn one_setting_has_one_name_everywhere() {
    for (file, environment, flags) in [
        (Some("min_face_side = 64"), [].as_slice(), [].as_slice()),
        (None, &[("LIVECHECK_MIN_FACE_SIDE", "64")], &[]),
        (None, &[], &[("min-face-side", "64")]),
        (None, &[], &[("--min-face-side", "64")]),
        (None, &[], &[("min_face_side", "64")]),
    ] {
        assert_eq!(
            load(file, environment, flags)
                .unwrap()
                .engine
                .to_engine()
                .unwrap()
                .limits
                .min_face_side,
            64
        );
    }
}

#[test]
fn the_runtime_is_chosen_by_name() {
    use livecheck_engine::{ExecutionProvider, RuntimeChoice};

    let default = load(None, &[], &[]).unwrap().inference.to_runtime();
    assert_eq!(default.choice, RuntimeChoice::Auto);
    assert_eq!((default.library, default.execution_provider), (None, None));
    let environment = [
        ("LIVECHECK_RUNTIME", "onnxruntime"),
        ("LIVECHECK_ONNXRUNTIME", "/opt/libonnxruntime.so"),
        ("LIVECHECK_EXECUTION_PROVIDER", "CUDA"),
    ];
    let set = load(None, &environment, &[])
        .unwrap()
        .inference
        .to_runtime();
    assert_eq!(set.choice, RuntimeChoice::OnnxRuntime);
    assert_eq!(set.library, Some("/opt/libonnxruntime.so".into()));
    assert_eq!(set.execution_provider, Some(ExecutionProvider::Cuda));
    for (setting, allowed) in [
        ("runtime", "auto, embedded or onnxruntime"),
        ("execution_provider", "cuda, tensorrt, openvino or coreml"),
    ] {
        let error = load(None, &[], &[(setting, "fastest")]).unwrap_err();
        assert!(error.contains(allowed), "{error}");
    }
}

#[test]
fn every_default_is_allowed_and_can_be_set_back_from_its_text() {
    for setting in settings() {
        let flag = [(setting.name, setting.default.as_str())];
        let config = load(None, &[], &flag);
        assert_eq!(config, Ok(ServerConfig::default()), "{}", setting.name);
        assert!(
            !setting.help.is_empty() && !setting.allowed.is_empty(),
            "{}",
            setting.name
        );
        assert_eq!(
            setting.env,
            format!("LIVECHECK_{}", setting.name.to_uppercase())
        );
    }
}

#[test]
fn a_wrong_setting_names_itself_its_origin_and_what_is_allowed() {
    for (file, environment, flags, words) in [
        (
            Some("min_face_side = 0"),
            [].as_slice(),
            [].as_slice(),
            &["livecheck.toml", "min_face_side", "\"0\"", "1 to 10000"][..],
        ),
        (
            Some("min_face_sied = 1"),
            &[],
            &[],
            &["min_face_sied", "did you mean \"min_face_side\""],
        ),
        (
            Some("[pool]\nqueue = 1"),
            &[],
            &[],
            &[
                "[pool]",
                "line 1",
                "settings have no sections",
                "`queue = ...`",
            ],
        ),
        (Some("queue = "), &[], &[], &["livecheck.toml", "not TOML"]),
        (
            None,
            &[("LIVECHECK_LIVENESS_THRESHOLD", "1.01")],
            &[],
            &["LIVECHECK_LIVENESS_THRESHOLD", "\"1.01\"", "0 to 1"],
        ),
        (
            None,
            &[("LIVECHECK_LIVENESS_THRESHOLD", "NaN")],
            &[],
            &["0 to 1"],
        ),
        (
            None,
            &[("LIVECHECK_LIVENES_THRESHOLD", "0.9")],
            &[],
            &["LIVECHECK_LIVENES_THRESHOLD", "liveness_threshold"],
        ),
        (
            None,
            &[],
            &[("session-lifetime", "3 days")],
            &["--session-lifetime", "\"3 days\""],
        ),
        (
            None,
            &[],
            &[("session-uses", "0")],
            &["--session-uses", "1 to"],
        ),
        (
            None,
            &[],
            &[("listen", "8080")],
            &["--listen", "0.0.0.0:8080"],
        ),
        (
            None,
            &[],
            &[("metrics", "hidden")],
            &["public, admin or off"],
        ),
        (
            None,
            &[],
            &[("preset", "lax")],
            &["\"lax\"", "convenience, balanced or strict"],
        ),
        (
            None,
            &[],
            &[("cors-origins", "kyc.example")],
            &["https://kyc.example"],
        ),
        (None, &[], &[("tls-cert", "/x")], &["tls_cert and tls_key"]),
        (
            None,
            &[],
            &[("upload-memory", "20000000")],
            &["upload_memory"],
        ),
        (
            None,
            &[],
            &[("answer-memory", "65536")],
            &["--answer-memory", "1048576 to"],
        ),
        (
            None,
            &[],
            &[("max-connections", "0")],
            &["--max-connections", "1 to"],
        ),
    ] {
        let error = load(file, environment, flags).unwrap_err();
        for word in words {
            assert!(error.contains(word), "{word} in {error}");
        }
    }
}

#[test]
fn a_threshold_that_is_set_wins_over_the_preset() {
    let thresholds = |file: Option<&str>, environment: Pairs<'_>, flags: Pairs<'_>| {
        let engine = load(file, environment, flags).unwrap().engine;
        (
            engine.face_threshold,
            engine.liveness_threshold,
            engine.mask_threshold,
        )
    };
    for (preset, expected) in [
        ("", (0.75, 0.90, 0.50)),
        ("balanced", (0.75, 0.90, 0.50)),
        ("Strict", (0.75, 0.95, 0.50)),
    ] {
        assert_eq!(thresholds(None, &[], &[("preset", preset)]), expected);
    }
    let lenient = thresholds(None, &[], &[("preset", "convenience")]);
    assert!(lenient.1 < 0.90 && lenient.0 == 0.75, "{lenient:?}");
    // Wherever either of them comes from, and even when it is set to its default.
    let strict = [("LIVECHECK_PRESET", "strict")];
    let set = Some("liveness_threshold = 0.9");
    assert_eq!(thresholds(set, &strict, &[]), (0.75, 0.90, 0.50));
    let flag = [("mask-threshold", "0.4")];
    assert_eq!(thresholds(None, &strict, &flag), (0.75, 0.95, 0.40));
}

#[test]
fn a_calibration_file_that_cannot_be_used_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.json");
    let path = path.to_str().unwrap();
    let error = || {
        let config = load(None, &[], &[("calibration", path)]).unwrap();
        config.engine.to_engine().unwrap_err().to_string()
    };
    assert!(error().contains("mine.json cannot be used"), "{}", error());
    std::fs::write(path, r#"{"format": "livecheck-calibration", "version": 9}"#).unwrap();
    assert!(error().contains("version 9"), "{}", error());
}

#[test]
fn both_ends_of_a_range_are_allowed() {
    for (name, value) in [
        ("liveness-threshold", "0"),
        ("liveness-threshold", "1"),
        ("min-face-side", "1"),
        ("min-face-side", "10000"),
        ("max-header-bytes", "8192"),
    ] {
        assert!(load(None, &[], &[(name, value)]).is_ok(), "{name} {value}");
    }
}

#[test]
fn durations_have_units() {
    for (text, millis) in [
        ("3", 3000),
        ("3s", 3000),
        ("1.5", 1500),
        ("250ms", 250),
        ("2m", 120_000),
        ("3 h", 10_800_000),
    ] {
        let config = load(None, &[], &[("judge-timeout", text)]).unwrap();
        assert_eq!(
            config.times.judge_timeout,
            Duration::from_millis(millis),
            "{text}"
        );
    }
}

#[test]
fn variables_of_tools_and_of_kubernetes_are_no_settings() {
    let foreign = [
        ("LIVECHECK_DATA", "x"),
        ("LIVECHECK_PORT", "tcp://10.0.0.1:80"),
        ("LIVECHECK_SERVICE_HOST", "10.0.0.1"),
        ("LIVECHECK_PORT_80_TCP_ADDR", "x"),
    ];
    assert_eq!(load(None, &foreign, &[]), Ok(ServerConfig::default()));
}

#[test]
fn a_database_password_is_never_shown() {
    let secret = "postgres://user:hunter2@host/db";
    let config = load(None, &[], &[("database", secret)]).unwrap();
    assert_eq!(config.access.database.reveal(), secret);
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(!format!("{:?}", config.in_force()).contains("hunter2"));
    for (address, shown) in [
        (secret, "postgres://host"),
        (
            "postgres://host:5432/db?password=hunter2",
            "postgres://host:5432",
        ),
        (
            "postgres://user@host/db?password=hunter2",
            "postgres://host",
        ),
        // Characters that should have been encoded, and a host that is missing.
        ("postgres://user:a/hunter2@host/db", "postgres://[redacted]"),
        ("postgres://user:a?hunter2@host/db", "postgres://[redacted]"),
        ("postgres://user:a#hunter2@host/db", "postgres://[redacted]"),
        ("postgres://user:hunter2/db", "postgres://[redacted]"),
        ("postgre://user:hunter2@host/db", "postgre://host"),
        ("/var/lib/keys.db", "/var/lib/keys.db"),
    ] {
        let config = load(None, &[], &[("database", address)]).unwrap();
        let values = config.in_force();
        let (_, value) = values.iter().find(|(name, _)| *name == "database").unwrap();
        assert_eq!(value, shown, "{address}");
    }
    let broken = load(
        Some("database = \"postgres://user:hunter2@host/db"),
        &[],
        &[],
    )
    .unwrap_err();
    assert!(!broken.contains("hunter2"), "{broken}");
}
