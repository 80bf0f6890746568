//! `livecheck calibrate`, and what its file does, as a user calls them.

mod common;
#[path = "common/files.rs"]
mod files;

use std::collections::HashSet;

use common::Bench;
use livecheck_testing::{drawn, real};
use serde_json::{Value, json};

/// A calibration file for the models inside, as they report themselves.
fn file(bench: &Bench, slope: f64, intercept: f64) -> Value {
    bench.write("scores.csv", b"image,label,score\na,live,1\nb,print,0\n");
    bench.write("photos/live/1.jpg", &drawn::jpeg(400, 400));
    bench.write("photos/print/1.jpg", &drawn::jpeg(400, 400));
    bench.succeed(&["evaluate", "photos", "--resamples", "0"]);
    let report = bench.folder.path().join("evaluation/report.json");
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(report).expect("a report")).expect("JSON");
    json!({
        "format": "livecheck-calibration",
        "version": 1,
        "made_for": report["system"]["models"],
        "data": "photos",
        "data_sha256": "00",
        "calibration": {"slope": slope, "intercept": intercept},
        "asked": {"bpcer": 0.05},
        "counts": {"bona_fide": 60, "attacks": {"print": 50}, "subjects": 10, "no_response": 0},
        "measured": [],
        "method": "by hand",
    })
}

#[test]
fn too_little_data_says_how_much_it_takes() {
    let bench = Bench::new();
    for class in ["live", "print"] {
        bench.write(&format!("photos/{class}/1.jpg"), &drawn::jpeg(400, 400));
    }
    let (code, message) = bench.fail(&["calibrate", "photos", "--bpcer", "0.05"]);
    assert_eq!(code, 2);
    for words in [
        "needs 60 bona fide",
        "0 got a score",
        "needs 50 attacks",
        "5 people",
    ] {
        assert!(message.contains(words), "{words} in {message}");
    }
    assert!(!bench.folder.path().join("calibration.json").exists());
    for (arguments, words) in [
        (&["calibrate", "photos"][..], "--bpcer"),
        (
            &["calibrate", "photos", "--bpcer", "0.05", "--apcer", "0.05"],
            "--apcer",
        ),
        (&["calibrate", "photos", "--bpcer", "0.9"], "0.001 to 0.5"),
        (&["calibrate", "--bpcer", "0.05"], "DATA"),
    ] {
        let (code, message) = bench.fail(arguments);
        assert_eq!(code, 2, "{message}");
        assert!(message.contains(words), "{words} in {message}");
    }
}

#[test]
fn a_file_for_other_models_is_refused_by_name() {
    let bench = Bench::new();
    let mut other = file(&bench, 1.0, 0.0);
    bench.write("mine.json", other.to_string().as_bytes());
    bench.succeed(&["version", "--calibration", "mine.json"]);
    let shown = bench.succeed(&["version", "--json", "--calibration", "mine.json"]);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["calibration"]["asked"]["bpcer"], 0.05);

    other["made_for"][0]["sha256"] = "0".repeat(64).into();
    bench.write("other.json", other.to_string().as_bytes());
    let name = other["made_for"][0]["name"].as_str().expect("a name");
    for command in [
        &[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--database",
            "sqlite::memory:",
        ][..],
        &["check", "photos"],
        &["evaluate", "photos", "--force"],
        &["version"],
    ] {
        let (code, message) = bench.fail(&[command, &["--calibration", "other.json"]].concat());
        assert_eq!(code, 2, "{message}");
        for words in ["other.json", "other models", name, "livecheck calibrate"] {
            assert!(message.contains(words), "{words} in {message}");
        }
    }
    for (text, words) in [
        ("{", "not a calibration file"),
        ("", "not a calibration file"),
    ] {
        bench.write("broken.json", text.as_bytes());
        let (_, message) = bench.fail(&["check", "photos", "--calibration", "broken.json"]);
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_preset_is_a_set_of_thresholds_with_figures() {
    let bench = Bench::new();
    let thresholds = |flags: &[&str]| {
        let shown = bench.succeed(&[&["version", "--json"], flags].concat());
        let shown: Value = serde_json::from_str(&shown).expect("JSON");
        (
            shown["preset"].clone(),
            shown["thresholds"]["liveness"].as_f64().expect("a number"),
        )
    };
    let (name, strict) = thresholds(&["--preset", "strict"]);
    assert!(name == "strict" && (strict - 0.95).abs() < 1e-6);
    let (_, set) = thresholds(&["--preset", "strict", "--liveness-threshold", "0.9"]);
    assert!((set - 0.9).abs() < 1e-6);
    assert_eq!(thresholds(&[]).0, Value::Null);
    let shown = bench.succeed(&["version"]);
    for words in [
        "preset convenience",
        "preset strict",
        "BPCER",
        "APCER print",
    ] {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    let (_, message) = bench.fail(&["check", "--preset", "lax", "x.jpg"]);
    assert!(
        message.contains("convenience, balanced or strict"),
        "{message}"
    );
}

/// Drawn faces of fifty shades score each a little differently; the higher half is called live.
#[test]
fn nine_tenths_become_the_error_rate_asked_for() {
    let bench = Bench::new();
    let face = drawn::face(256, 256);
    let shades = 0..100_u8;
    for shade in shades.clone() {
        let mut darker = face.clone();
        for channel in darker.iter_mut() {
            *channel = channel.saturating_sub(shade);
        }
        bench.write(&format!("{shade}.png"), &drawn::png_of(&darker));
    }
    let row = |shade: u8, label: &str| {
        let camera = ["front", "rear"][usize::from(shade % 10 / 5)];
        format!("{shade}.png,{label},p{},{camera}\n", shade % 10)
    };
    let head = "image,label,subject,source\n".to_owned();
    let unsorted: String = shades
        .map(|shade| row(shade, if shade % 2 == 0 { "live" } else { "print" }))
        .collect();
    bench.write("all.csv", (head.clone() + &unsorted).as_bytes());
    let lenient = [
        "--face-threshold",
        "0.05",
        "--mask-threshold",
        "1",
        "--min-image-side",
        "100",
        "--min-face-side",
        "20",
    ];
    let predict = [
        "evaluate",
        "all.csv",
        "--resamples",
        "0",
        "--predictions",
        "all-scores.csv",
    ];
    bench.succeed(&[predict.as_slice(), &lenient].concat());
    let scores =
        std::fs::read_to_string(bench.folder.path().join("all-scores.csv")).expect("scores");
    let mut scores: Vec<(f64, u8)> = scores
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let shade = fields[0].trim_end_matches(".png").parse().expect("a shade");
            (
                fields[5].parse().expect("every drawn face has a score"),
                shade,
            )
        })
        .collect();
    scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    let sorted: String = scores
        .iter()
        .enumerate()
        .map(|(at, (_, shade))| row(*shade, if at < 50 { "print" } else { "live" }))
        .collect();
    bench.write("sorted.csv", (head + &sorted).as_bytes());

    let calibrate = [
        "calibrate",
        "sorted.csv",
        "--bpcer",
        "0.1",
        "--date",
        "today",
    ];
    let output = bench.run(&[calibrate.as_slice(), &lenient].concat());
    let (shown, warned) = (common::text(&output.stdout), common::text(&output.stderr));
    assert!(output.status.success(), "{warned}");
    assert!(
        shown.contains("50 live, 50 attacks of 10 people"),
        "{shown}"
    );
    assert_eq!(before_and_after(&shown, &warned, &scores), 0, "{warned}");
    let made =
        std::fs::read_to_string(bench.folder.path().join("calibration.json")).expect("a file");
    let made: Value = serde_json::from_str(&made).expect("JSON");
    assert_eq!(
        (&made["date"], &made["version"]),
        (&json!("today"), &json!(1))
    );
    let [slope, intercept] =
        ["slope", "intercept"].map(|name| made["calibration"][name].as_f64().expect("a number"));
    let refused = scores[50..]
        .iter()
        .filter(|(score, _)| slope * (score / (1.0 - score)).ln() + intercept < 9f64.ln())
        .count();
    // Five of fifty; scores printed with few digits may tie with the fifth.
    assert!((4..=6).contains(&refused), "{refused} of 50 below 0.90");
    let measured = &made["measured"][0];
    assert_eq!(
        (&measured["threshold"], &measured["bpcer"]["of"]),
        (&json!(0.9), &json!(50))
    );
    assert_eq!(measured["apcer"]["print"]["of"], 50);
    // Asked to refuse more than the shipped score does, it says so.
    let strict = [
        "calibrate",
        "sorted.csv",
        "--bpcer",
        "0.45",
        "-o",
        "strict.json",
    ];
    let output = bench.run(&[strict.as_slice(), &lenient].concat());
    let (shown, warned) = (common::text(&output.stdout), common::text(&output.stderr));
    assert!(before_and_after(&shown, &warned, &scores) > 0, "{shown}");
    assert!(
        warned.contains("all sources, at 0.90: BPCER grows from "),
        "{warned}"
    );
    // The file works where it is meant to.
    bench.succeed(&["version", "--calibration", "calibration.json"]);
}

/// The error rates are printed by source and together, and what grows is warned of: how much that
/// is. `scores` are the shipped ones by rising score, the lower half attacks.
fn before_and_after(shown: &str, warned: &str, scores: &[(f64, u8)]) -> usize {
    let refused = scores[50..]
        .iter()
        .filter(|(score, _)| *score < 0.9)
        .count();
    let passed = scores[..50]
        .iter()
        .filter(|(score, _)| *score >= 0.9)
        .count();
    let (_, all) = shown.split_once("all sources:\n").expect("all sources");
    assert!(
        all.contains(&format!("  at 0.90: BPCER before {refused}/50 = ")),
        "{shown}"
    );
    assert!(
        all.contains(&format!("  at 0.90: APCER print before {passed}/50 = ")),
        "{shown}"
    );
    let live = |group: &str| -> usize {
        let (_, rest) = shown.split_once(group).expect(group);
        let line = rest.lines().nth(1).expect("BPCER");
        let (_, counts) = line.split_once("before ").expect("counts");
        let (_, of) = counts.split_once('/').expect("a share");
        of.split(' ')
            .next()
            .and_then(|of| of.parse().ok())
            .expect("a count")
    };
    assert_eq!(live("front:") + live("rear:"), 50, "{shown}");
    assert_eq!(all.matches(" at 0.95: ").count(), 2, "{shown}");
    // Every line of the table whose second count is higher has its warning, and no other has.
    let grown = shown
        .lines()
        .filter_map(|line| line.split_once(" before ")?.1.split_once(", after "))
        .filter(|(before, after)| {
            let errors = |text: &str| -> u32 {
                text.split('/')
                    .next()
                    .and_then(|count| count.parse().ok())
                    .expect("a count")
            };
            errors(after) > errors(before)
        })
        .count();
    assert_eq!(
        warned.matches("warning: ").count(),
        grown,
        "{warned}{shown}"
    );
    assert_eq!(warned.matches("grows from ").count(), grown, "{warned}");
    grown
}

#[derive(serde::Deserialize)]
struct Row {
    image: String,
    source: String,
}

#[test]
fn the_file_moves_real_scores_as_it_says() {
    let Some(folder) = real::folder("livecheck check --calibration on pad_dev") else {
        return;
    };
    let wanted: HashSet<String> = real::rows::<Row>(&folder, "pad_dev")
        .into_iter()
        .filter(|row| row.source == "nuaa")
        .step_by(30)
        .take(4)
        .map(|row| row.image)
        .collect();
    let bench = Bench::new();
    for (name, file) in real::images(&folder, "pad_dev", &wanted) {
        bench.write(&format!("faces/{name}"), &file);
    }
    let (slope, intercept) = (0.5, 1.0);
    let made = file(&bench, slope, intercept);
    bench.write("mine.json", made.to_string().as_bytes());
    let scores = |flags: &[&str]| -> Vec<f64> {
        let limits = [
            "check",
            "faces",
            "--json",
            "--min-face-side",
            "40",
            "--min-image-side",
            "200",
        ];
        let output = bench.run(&[&limits, flags].concat());
        common::text(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
            .filter_map(|line| line["result"]["score"].as_f64())
            .collect()
    };
    let (shipped, mine) = (scores(&[]), scores(&["--calibration", "mine.json"]));
    assert!(shipped.len() >= 2 && shipped.len() == mine.len());
    for (before, after) in shipped.iter().zip(mine) {
        let logit = slope * (before / (1.0 - before)).ln() + intercept;
        let expected = 1.0 / (1.0 + (-logit).exp());
        assert!(
            (after - expected).abs() < 1e-3,
            "{before} became {after}, not {expected}"
        );
    }
}
