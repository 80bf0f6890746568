//! The review band, as a user of the command line meets it.

mod common;
#[path = "common/files.rs"]
mod files;

use common::Bench;
use serde_json::Value;

/// Scores of ten live people and ten attacks of two kinds, 0.05 apart, two photos of each.
fn scores() -> String {
    let mut rows = "image,label,subject,score\n".to_owned();
    for person in 0..10 {
        for photo in 0..2 {
            for (label, first) in [("live", 0.50), ("print", 0.05), ("screen", 0.46)] {
                let score = first + f64::from(person) * 0.05 + f64::from(photo) * 0.001;
                rows += &format!("{label}/{person}-{photo}.jpg,{label},p{person},{score:.3}\n");
            }
        }
    }
    rows
}

#[test]
fn evaluate_says_who_falls_into_the_band_and_what_is_left_outside() {
    let bench = Bench::new();
    bench.write("theirs.csv", scores().as_bytes());
    let arguments = ["evaluate", "--scores", "theirs.csv", "--resamples", "0"];
    let report = || -> Value {
        let path = bench.folder.path().join("evaluation/report.json");
        serde_json::from_str(&std::fs::read_to_string(path).expect("a report")).expect("JSON")
    };
    let without = bench.succeed(&arguments);
    assert!(!without.contains("review"), "{without}");
    assert_eq!(report().get("review"), None);

    let band = [
        "--liveness-threshold",
        "0.7",
        "--review-threshold",
        "0.6",
        "--force",
    ];
    let shown = bench.succeed(&[&arguments[..], &band].concat());
    for line in [
        "review band 0.6 to 0.7: live 4/20 = 20.0 %, print 0/20 = 0.0 %, screen 4/20 = 20.0 %\n",
        "outside it: BPCER 4/16 = 25.0 %, APCER print 0/20 = 0.0 %, APCER screen 10/16 = 62.5 %\n",
    ] {
        assert!(shown.contains(line), "{line} in\n{shown}");
    }
    let all = &report()["review"]["all sources"];
    assert_eq!(all["bona_fide"]["errors"], 4);
    assert_eq!(all["bpcer_outside"]["of"], 16);
}

#[test]
fn the_band_lies_below_the_liveness_threshold() {
    let bench = Bench::new();
    for (review, liveness) in [("0.9", "0.9"), ("0.95", "0.9")] {
        let band = [
            "--review-threshold",
            review,
            "--liveness-threshold",
            liveness,
        ];
        let (code, message) = bench.fail(&[&["version"][..], &band].concat());
        assert_eq!(code, 2);
        assert!(
            message.contains("must be below liveness_threshold"),
            "{message}"
        );
    }
    let shown = bench.succeed(&["version", "--review-threshold", "0.8"]);
    assert!(shown.contains("review band: 0.80 to 0.90\n"), "{shown}");
    let shown = bench.succeed(&["version"]);
    assert!(!shown.contains("review"), "{shown}");
}

#[test]
fn a_share_to_review_is_a_share() {
    let bench = Bench::new();
    for wrong in ["0", "1", "5"] {
        let arguments = [
            "calibrate",
            "photos",
            "--bpcer",
            "0.05",
            "--review-share",
            wrong,
        ];
        let (code, message) = bench.fail(&arguments);
        assert_eq!(code, 2);
        assert!(message.contains("--review-share"), "{message}");
    }
}
