//! `livecheck bench`, as a user calls it. No test here looks at a time.

mod common;
#[path = "common/files.rs"]
mod files;

use std::{
    io::{BufRead, BufReader, Write},
    process::Stdio,
};

use common::Bench;
use livecheck_testing::drawn;
use serde_json::Value;

#[test]
fn every_stage_and_number_of_workers_has_its_figures() {
    let bench = Bench::new();
    bench.write("photos/a.jpg", &drawn::jpeg(400, 400));
    bench.write("photos/b.jpg", &drawn::jpeg(200, 200));
    let output = bench.succeed(&[
        "bench",
        "photos",
        "--runs",
        "3",
        "--workers",
        "2",
        "--json",
        "--runtime",
        "embedded",
    ]);
    let report: Value = serde_json::from_str(&output).expect("JSON");
    let report = &report["report"];
    assert!(
        report["runtime"]
            .as_str()
            .expect("a name")
            .starts_with("embedded")
    );
    let group = &report["groups"][0];
    assert_eq!(group["files"], 2);
    assert_eq!(group["outcomes"]["checks"], 6);
    assert_eq!(group["outcomes"]["refused"]["051"], 3);
    assert_eq!(group["outcomes"]["refused"]["007"], 3);
    let workers: Vec<_> = group["throughput"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| row["workers"].as_u64().expect("a number"))
        .collect();
    assert_eq!(workers, [1, 2]);
    let stages = group["stages"].as_array().expect("a list");
    let names: Vec<_> = stages.iter().map(|stage| &stage[0]).collect();
    assert_eq!(
        names,
        ["decode", "detect", "mask", "liveness", "rest", "total"]
    );
    for percentile in ["p50", "p95", "p99", "mean"] {
        let total = &stages[5][1][percentile];
        assert!(total.as_f64().expect("a number") > 0.0, "{percentile}");
    }
    let findings = &group["findings"]["p50"];
    assert!(findings.as_f64().expect("a number") > 0.0, "{findings}");
}

#[test]
fn a_folder_without_photos_is_an_error() {
    let bench = Bench::new();
    bench.write("empty/notes.txt", b"nothing to see");
    let (code, says) = bench.fail(&["bench", "empty"]);
    assert_eq!(code, 2);
    assert!(says.contains("no photo"), "{says}");
}

#[test]
fn photos_on_standard_input_are_answered_one_by_one() {
    let bench = Bench::new();
    bench.write("a.jpg", &drawn::jpeg(400, 400));
    let mut process = bench
        .command(&["bench", "--stdin", "--runtime", "embedded"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut input = process.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(process.stdout.take().expect("a pipe")).lines();
    for _ in 0..2 {
        writeln!(input, "a.jpg").expect("it reads");
        let answer = answers.next().expect("an answer").expect("UTF-8");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(answer["file"], "a.jpg");
        assert_eq!(answer["error_code"], "051");
        assert!(answer["total_ms"].as_f64().expect("a number") > 0.0);
    }
    drop(input);
    assert!(process.wait().expect("it ends").success());
}
