//! `livecheck check` and `version`, as a user calls them.

mod common;
#[path = "common/files.rs"]
mod files;

use std::collections::HashSet;

use common::{Bench, text};
use livecheck_testing::{drawn, real};
use serde_json::Value;

fn lines(stdout: &str) -> Vec<Value> {
    stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

#[test]
fn a_runtime_that_is_not_to_be_had_is_said_and_nothing_is_judged() {
    let bench = Bench::new();
    bench.write("a.jpg", &drawn::jpeg(400, 400));
    let (code, says) = bench.fail(&["check", "a.jpg", "--onnxruntime", "missing.so"]);
    assert_eq!(code, 2);
    assert!(
        says.contains("ONNX Runtime cannot be loaded from missing.so"),
        "{says}"
    );
    let (code, says) = bench.fail(&["check", "a.jpg", "--runtime", "fastest"]);
    assert_eq!(code, 2);
    assert!(says.contains("auto, embedded or onnxruntime"), "{says}");
    let version = bench.succeed(&["version", "--json", "--runtime", "embedded"]);
    let version: Value = serde_json::from_str(&version).expect("JSON");
    assert_eq!(version["runtime"]["name"], "embedded");
}

#[test]
fn json_lines_carry_the_api_s_envelope_in_the_files_order() {
    let bench = Bench::new();
    bench.write("a/none.jpg", &drawn::jpeg(400, 400));
    bench.write("a/small.png", &drawn::png_header(100, 100));
    bench.write("a/notes.txt", b"not an image by its name");
    bench.write("b.gif", b"GIF89a\x01\0\x01\0");
    let output = bench.run(&[
        "check",
        "--json",
        "--workers",
        "3",
        "b.gif",
        "a",
        "missing.jpg",
    ]);
    assert_eq!(
        output.status.code(),
        Some(1),
        "not every file got a verdict"
    );
    let lines = lines(&text(&output.stdout));
    let shown: Vec<_> = lines
        .iter()
        .map(|line| {
            assert_eq!(line["success"], false);
            assert!(line["error_message"].is_string() && line["error_detail"].is_string());
            (
                line["file"].as_str().expect("a name"),
                line["error_code"].as_str().expect("a code"),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("b.gif", "002"),
            ("a/none.jpg", "051"),
            ("a/small.png", "002"),
            ("missing.jpg", "002"),
        ]
    );
}

#[test]
fn settings_are_flags_variables_and_a_file() {
    let bench = Bench::new();
    bench.write("p.jpg", &drawn::jpeg(400, 400));
    bench.write("livecheck.toml", b"min_image_side = 401\n");
    let code = |output: std::process::Output| {
        lines(&text(&output.stdout))[0]["error_code"]
            .as_str()
            .map(str::to_owned)
    };
    let low = Some("007".to_owned());
    let none = Some("051".to_owned());
    let check = ["check", "--json", "p.jpg"];
    assert_eq!(code(bench.run(&check)), none);
    assert_eq!(
        code(bench.run(&["check", "--json", "p.jpg", "--config", "livecheck.toml"])),
        low
    );
    let variable = bench
        .command(&check)
        .env("LIVECHECK_MIN_IMAGE_SIDE", "401")
        .output();
    assert_eq!(code(variable.expect("the binary starts")), low);
    let flag = [
        "check",
        "--json",
        "p.jpg",
        "--config",
        "livecheck.toml",
        "--min-image-side",
        "400",
    ];
    assert_eq!(code(bench.run(&flag)), none, "a flag wins over the file");
}

#[test]
fn wrong_settings_are_named_with_what_is_allowed() {
    let bench = Bench::new();
    let (code, message) = bench.fail(&["check", "--liveness-threshold", "1.5", "p.jpg"]);
    assert_eq!(code, 2);
    assert!(
        message.contains("liveness_threshold") && message.contains("1.5"),
        "{message}"
    );
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[test]
fn version_names_every_model_with_its_hash() {
    let stdout = Bench::new().succeed(&["version", "--json"]);
    let version: Value = serde_json::from_str(&stdout).expect("JSON");
    let models = version["models"].as_array().expect("models");
    let names: HashSet<_> = models
        .iter()
        .filter_map(|model| model["name"].as_str())
        .collect();
    assert_eq!(
        names,
        HashSet::from([
            "face-detector",
            "face-mask",
            "face-refiner",
            "liveness-grain",
            "liveness-small-context",
            "liveness-small-grain",
            "liveness-views"
        ])
    );
    for model in models {
        assert_eq!(model["sha256"].as_str().map(str::len), Some(64), "{model}");
    }
}

#[test]
fn real_people_get_verdicts() {
    let Some(folder) = real::folder("livecheck check on pad_dev") else {
        return;
    };
    let bench = Bench::new();
    let faces = real::spread(&folder, "pad_dev", 6, |row| row["source"] == "nuaa");
    assert!(faces.len() >= 6, "{} faces", faces.len());
    for (name, file) in &faces {
        bench.write(&format!("faces/{name}"), file);
    }
    let limits = ["--min-image-side", "200", "--min-face-side", "40"];
    let arguments = [
        ["check", "--json", "--details", "faces"].as_slice(),
        &limits,
    ]
    .concat();
    let lines = lines(&text(&bench.run(&arguments).stdout));
    assert_eq!(lines.len(), faces.len());
    let judged: Vec<_> = lines
        .iter()
        .filter(|line| line["success"] == true)
        .collect();
    assert!(judged.len() >= 4, "{lines:?}");
    for line in judged {
        let result = &line["result"];
        let score = result["score"].as_f64().expect("a score");
        assert!((0.0..=1.0).contains(&score));
        assert_eq!(result["liveness"], score >= 0.90);
        for field in [
            "face",
            "mask_score",
            "attack_score",
            "image",
            "quality",
            "timings",
        ] {
            assert!(!result["details"][field].is_null(), "{field}");
        }
    }
}
