//! `livecheck evaluate`, as a user calls it.

mod common;
#[path = "common/files.rs"]
mod files;

use std::collections::HashSet;

use common::Bench;
use livecheck_evaluate::disturb::DISTURBANCES;
use livecheck_testing::{drawn, real};
use serde_json::Value;

impl Bench {
    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).expect(name)
    }

    fn report(&self) -> Value {
        serde_json::from_str(&self.text("evaluation/report.json")).expect("JSON")
    }
}

/// Scores of ten live people and ten attacks of two kinds, two photos of each: live 0.50, 0.55 …
/// 0.95, prints 0.05 … 0.50, screens 0.46 … 0.91, the second photo of each 0.001 higher.
fn scores() -> String {
    let mut rows = "File Name,file,Class,type,person,score,error_code\n".to_owned();
    for person in 0..10 {
        for photo in 0..2 {
            for (label, kind, first) in [
                ("live", "", 0.50),
                ("print", "", 0.05),
                ("spoof", "Video", 0.46),
            ] {
                let score = first + f64::from(person) * 0.05 + f64::from(photo) * 0.001;
                rows += &format!(
                    "x,{label}/{person}-{photo}.jpg,{label},{kind},p{person},{score:.3},\n"
                );
            }
        }
    }
    rows + "x,live/none.jpg,live,,p9,,051\n"
}

#[test]
fn scores_of_any_system_make_the_same_report() {
    let bench = Bench::new();
    bench.write("theirs.csv", scores().as_bytes());
    let shown = bench.succeed(&[
        "evaluate",
        "--scores",
        "theirs.csv",
        "--system",
        "Peer <1>",
        "--liveness-threshold",
        "0.7",
        "--predictions",
        "again.csv",
    ]);
    assert!(
        shown.contains(
            "at 0.7: live turned away 9/21 = 42.9 %, BPCER 8/20 = 40.0 %, APCER print 0/20 = 0.0 %, APCER screen 10/20 = 50.0 %"
        ),
        "{shown}"
    );
    let report = bench.report();
    assert_eq!(report["format"], "livecheck-evaluation");
    assert_eq!(report["system"]["name"], "Peer <1>");
    let overall = &report["overall"];
    assert_eq!(overall["subjects"], 10);
    assert_eq!(overall["bona_fide"]["presented"], 21);
    assert_eq!(overall["bona_fide"]["by_code"]["051"], 1);
    let at = |threshold: f64| {
        overall["at_threshold"]
            .as_array()
            .expect("thresholds")
            .iter()
            .find(|at| at["threshold"] == threshold)
            .expect("a threshold")
            .clone()
    };
    // The error without a verdict counts among those turned away only.
    assert_eq!(at(0.7)["bpcer"]["errors"], 8);
    assert_eq!(at(0.7)["bona_fide_turned_away"]["errors"], 9);
    assert_eq!(at(0.7)["bona_fide_turned_away"]["of"], 21);
    assert_eq!(at(0.9)["apcer"]["screen"]["errors"], 2, "0.910 and 0.911");
    assert_eq!(at(0.9)["worst"]["species"], "screen");
    // 18 of 20 live at least: two refused at BPCER 10 %, so from 0.55 on.
    let fixed = &overall["at_bpcer"][2];
    assert_eq!(
        (&fixed["bpcer"], &fixed["threshold"]),
        (&0.1.into(), &0.55.into())
    );
    assert_eq!(fixed["apcer"]["screen"]["errors"], 16);
    assert_eq!(fixed["apcer"]["print"]["errors"], 0);
    // A live score is below a print's only where 0.500 and 0.501 meet those of the last print.
    let auc = overall["attacks"]["print"]["auc"]["value"]
        .as_f64()
        .expect("AUC");
    assert!(
        (auc - (400.0 - 1.0 - 2.0 * 0.5) / 400.0).abs() < 1e-12,
        "{auc}"
    );
    // Both photos of a person move together, so drawing people gives the wider interval.
    let bpcer = &at(0.7)["bpcer"];
    let (low, high) = (
        bpcer["bootstrap"][0].as_f64(),
        bpcer["bootstrap"][1].as_f64(),
    );
    let (low, high) = (low.expect("an end"), high.expect("an end"));
    assert!(low < 0.4 && high > 0.4 && high - low > 0.4, "{bpcer}");

    // What was written reads back to the same figures.
    bench.succeed(&[
        "evaluate",
        "--scores",
        "again.csv",
        "--system",
        "Peer <1>",
        "--liveness-threshold",
        "0.7",
        "-o",
        "second",
    ]);
    let again: Value = serde_json::from_str(&bench.text("second/report.json")).expect("JSON");
    assert_eq!(again["overall"]["det"], overall["det"]);
    assert_eq!(
        again["overall"]["at_threshold"][0]["bpcer"]["errors"],
        overall["at_threshold"][0]["bpcer"]["errors"]
    );
}

#[test]
fn the_seed_decides_the_intervals() {
    let bench = Bench::new();
    bench.write("theirs.csv", scores().as_bytes());
    let mut reports = Vec::new();
    for seed in ["1", "1", "2"] {
        bench.succeed(&[
            "evaluate",
            "--scores",
            "theirs.csv",
            "--seed",
            seed,
            "--resamples",
            "200",
            "--force",
        ]);
        reports.push(bench.report()["overall"]["auc"].clone());
    }
    assert_eq!(reports[0], reports[1]);
    assert_ne!(reports[0], reports[2]);
    let last = ["evaluate", "--scores", "theirs.csv", "--resamples", "0"];
    bench.succeed(&[&last[..], &["--force"]].concat());
    assert_eq!(bench.report()["overall"]["auc"]["bootstrap"], Value::Null);
}

#[test]
fn files_of_an_earlier_run_stay_without_force() {
    let bench = Bench::new();
    bench.write("theirs.csv", scores().as_bytes());
    let evaluate = ["evaluate", "--scores", "theirs.csv", "--resamples", "0"];
    for (existing, output) in [
        ("evaluation/report.json", [].as_slice()),
        ("evaluation/report.html", &[]),
        ("p.csv", &["-o", "elsewhere", "--predictions", "p.csv"]),
    ] {
        bench.write(existing, b"mine");
        let (code, message) = bench.fail(&[&evaluate[..], output].concat());
        assert_eq!(code, 2, "{message}");
        assert!(
            message.contains(existing) && message.contains("--force"),
            "{message}"
        );
        assert_eq!(bench.text(existing), "mine");
        bench.succeed(&[&evaluate[..], output, &["--force"]].concat());
        assert_ne!(bench.text(existing), "mine");
        std::fs::remove_dir_all(bench.folder.path().join("evaluation")).ok();
    }
    // Nothing is judged that cannot be written.
    bench.write("calibration.json", b"mine");
    let (code, message) = bench.fail(&["calibrate", "theirs.csv", "--bpcer", "0.05"]);
    assert_eq!(code, 2);
    assert!(
        message.contains("calibration.json exists") && message.contains("--force"),
        "{message}"
    );
}

/// Elements that have no end.
const VOID: [&str; 3] = ["meta", "br", "img"];

/// Names of the elements of a page, after checking that each is closed where it must be.
fn elements(page: &str) -> HashSet<String> {
    let mut open: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if tag.starts_with('!') || tag.starts_with('?') {
            continue;
        }
        let name = |tag: &str| {
            tag.split([' ', '\n', '/'])
                .next()
                .unwrap_or_default()
                .to_lowercase()
        };
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name(closed)), "closed in the wrong order");
            continue;
        }
        let name = name(tag);
        seen.insert(name.clone());
        if name == "style" {
            rest = &rest[rest.find("</style>").expect("a style sheet ends")..];
        }
        if !tag.ends_with('/') && !VOID.contains(&name.as_str()) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    seen
}

#[test]
fn the_page_is_whole_and_needs_nothing_from_elsewhere() {
    let bench = Bench::new();
    let hostile = scores().replace(",p3,", ",\"<img src=x onerror=alert(1)>\",");
    bench.write("theirs.csv", hostile.as_bytes());
    bench.succeed(&[
        "evaluate",
        "--scores",
        "theirs.csv",
        "--system",
        "<script>alert(1)</script>",
    ]);
    let page = bench.text("evaluation/report.html");
    let elements = elements(&page);
    for needed in ["html", "h1", "table", "svg", "figcaption", "details"] {
        assert!(elements.contains(needed), "no {needed}");
    }
    for foreign in ["script", "link", "iframe", "object", "img", "form", "base"] {
        assert!(!elements.contains(foreign), "a {foreign}");
    }
    for part in ["src=", "@import", "url(", "href="] {
        assert!(
            !page.replace("&lt;img src=", "").contains(part),
            "{part} in the page"
        );
    }
    assert_eq!(
        page.replace("http://www.w3.org/2000/svg", "").find("http"),
        None,
        "nothing from elsewhere but the name space of SVG"
    );
    for words in [
        "What nobody should conclude",
        "ISO/IEC 30107-3:2023",
        "A certification.",
        "Clopper and Pearson",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert_eq!(page.matches("<svg").count(), 4, "four drawings");
}

#[test]
fn a_folder_is_a_manifest_too() {
    let bench = Bench::new();
    let photo = drawn::jpeg(400, 400);
    for name in [
        "live/ann/1.jpg",
        "live/ann/2.jpg",
        "live/bob/1.JPG",
        "print/ann/1.jpg",
        "replay/1.png",
        "attack/x.jpg",
    ] {
        bench.write(&format!("photos/{name}"), &photo);
    }
    bench.write("photos/live/notes.txt", b"no image by its name");
    bench.write("photos/print/small.jpg", &drawn::jpeg(100, 100));
    bench.succeed(&[
        "evaluate",
        "photos",
        "--predictions",
        "out.csv",
        "--workers",
        "2",
    ]);
    let report = bench.report();
    assert_eq!(report["data"]["name"], "photos");
    let overall = &report["overall"];
    assert_eq!(
        overall["bona_fide"]["by_code"],
        serde_json::json!({"051": 3})
    );
    assert_eq!(
        overall["attacks"]["print"]["responses"]["by_code"],
        serde_json::json!({"007": 1, "051": 1})
    );
    assert_eq!(overall["attacks"]["screen"]["responses"]["presented"], 1);
    assert_eq!(
        overall["attacks"]["attack"]["responses"]["non_response"]["rate"],
        1.0
    );
    assert_eq!(
        (&overall["subjects"], &overall["without_subject"]),
        (&2.into(), &3.into())
    );
    assert_eq!(overall["auc"], Value::Null, "nothing was judged");
    let models = report["system"]["models"].as_array().expect("models");
    assert!(
        models
            .iter()
            .any(|model| model["name"] == "liveness-fusion"),
        "{models:?}"
    );
    let rows = bench.text("out.csv");
    assert!(
        rows.contains("print/small.jpg,attack,print,photos,,,,007\n"),
        "{rows}"
    );
    elements(&bench.text("evaluation/report.html"));
}

#[test]
fn images_lie_in_the_archive_beside_the_manifest_or_where_told() {
    let bench = Bench::new();
    let photo = drawn::jpeg(400, 400);
    let mut archive = tar::Builder::new(Vec::new());
    for name in ["./a/1.jpg", "a/2.jpg"] {
        let mut header = tar::Header::new_gnu();
        header.set_size(photo.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, name, photo.as_slice())
            .expect("an archive");
    }
    bench.write("set.tar", &archive.into_inner().expect("an archive"));
    let rows = b"image,label\na/1.jpg,live\na/2.jpg,print\n";
    bench.write("set.csv", rows);
    bench.succeed(&["evaluate", "set.csv"]);
    assert_eq!(bench.report()["overall"]["bona_fide"]["by_code"]["051"], 1);
    bench.write("else/other.csv", rows);
    bench.succeed(&[
        "evaluate",
        "else/other.csv",
        "--images",
        "set.tar",
        "--force",
    ]);
    bench.write("else/a/1.jpg", &photo);
    bench.write("else/a/2.jpg", &photo);
    // A setting of the engine, as on `check`.
    bench.succeed(&[
        "evaluate",
        "else/other.csv",
        "--min-image-side",
        "401",
        "--force",
    ]);
    assert_eq!(bench.report()["overall"]["bona_fide"]["by_code"]["007"], 1);
}

#[test]
fn broken_data_says_what_is_wrong_and_where() {
    let bench = Bench::new();
    bench.write("a.jpg", &drawn::jpeg(400, 400));
    for (arguments, manifest, words) in [
        (
            &["m.csv"][..],
            "image,kind\na.jpg,live\n",
            &[
                "m.csv",
                "line 1",
                "no column for the label",
                "label, class",
                "image, kind",
            ][..],
        ),
        (
            &["m.csv"],
            "photo,label\na.jpg,live\n",
            &["no column for the image", "filename"],
        ),
        (
            &["m.csv"],
            "image,label\na.jpg,live\nb.jpg,print\nc.jpg,print\n",
            &["2 of 3 images", "b.jpg", "line 3"],
        ),
        (
            &["m.csv"],
            "image,label\na.jpg,live\nb.jpg,banana\n",
            &["line 3", "\"banana\"", "b.jpg", "use live, print"],
        ),
        (&["m.csv"], "image,label\na.jpg,1\n", &["line 2", "\"1\""]),
        (&["m.csv"], "image,label\na.jpg,\n", &["line 2", "no label"]),
        (
            &["m.csv"],
            "image,label\n,live\n",
            &["line 2", "names no image"],
        ),
        (
            &["m.csv"],
            "image,label\na.jpg,live,more\n",
            &["line 2", "3 fields", "has 2"],
        ),
        (
            &["m.csv"],
            "image,label\na.jpg,live\na.jpg,print\n",
            &["line 3", "line 2", "twice"],
        ),
        (&["m.csv"], "image,label\na.jpg,live\n", &["no attack"]),
        (
            &["m.csv"],
            "image,label\na.jpg,spoof\n",
            &["no bona fide presentation"],
        ),
        (&["m.csv"], "", &["no column"]),
        (&["missing.csv"], "", &["missing.csv", "cannot be read"]),
        (
            &["m.csv", "--images", "nowhere"],
            "image,label\na.jpg,live\nb.jpg,print\n",
            &["nowhere", "cannot be read"],
        ),
        (
            &["--scores", "m.csv"],
            "image,label,score\na.jpg,live,1.5\n",
            &["line 2", "\"1.5\"", "0 to 1"],
        ),
        (
            &["--scores", "m.csv"],
            "image,label,score\na.jpg,live,NaN\n",
            &["line 2", "\"NaN\""],
        ),
        (
            &["--scores", "m.csv"],
            "image,label,score,error_code\na.jpg,live,0.5,051\n",
            &["line 2", "leave one of them empty"],
        ),
        (&["--scores", "m.csv", "--stability"], "", &["--stability"]),
        (&[], "", &["DATA"]),
    ] {
        bench.write("m.csv", manifest.as_bytes());
        let (code, message) = bench.fail(&[&["evaluate"], arguments].concat());
        assert_eq!(code, 2, "{message}");
        for word in words {
            assert!(message.contains(word), "{word:?} in {message}");
        }
        assert!(
            !bench.folder.path().join("evaluation").exists(),
            "no half report"
        );
    }
    for (name, words) in [
        ("cats/1.jpg", "the folder cats"),
        ("1.jpg", "is next to the class folders"),
    ] {
        let bench = Bench::new();
        bench.write(&format!("photos/{name}"), b"x");
        let (_, message) = bench.fail(&["evaluate", "photos"]);
        assert!(
            message.contains(words) && message.contains("live"),
            "{message}"
        );
    }
}

#[test]
fn real_people_and_attacks_are_measured() {
    let Some(folder) = real::folder("livecheck evaluate on pad_dev") else {
        return;
    };
    // The manifest as it is, with a few photos of each class.
    let manifest = std::fs::read_to_string(folder.join("pad_dev.csv")).expect("pad_dev.csv");
    let mut lines = manifest.lines();
    let mut rows = vec![lines.next().expect("column names")];
    for class in ["nuaa/live/", "nuaa/print/", "replay-attack/replay/"] {
        rows.extend(
            lines
                .clone()
                .filter(|line| line.starts_with(class))
                .step_by(7)
                .take(4),
        );
    }
    let bench = Bench::new();
    bench.write("some.csv", (rows.join("\n") + "\n").as_bytes());
    let archive = folder.join("pad_dev.tar");
    let shown = bench.succeed(&[
        "evaluate",
        "some.csv",
        "--images",
        archive.to_str().expect("UTF-8"),
        "--min-image-side",
        "200",
        "--min-face-side",
        "40",
        "--stability",
    ]);
    let report = bench.report();
    assert_eq!(report["data"]["presentations"], 12);
    assert_eq!(
        report["sources"]["nuaa"]["attacks"]["print"]["responses"]["presented"],
        4
    );
    assert_eq!(
        report["sources"]["replay-attack"]["attacks"]["screen"]["responses"]["presented"],
        4
    );
    let responded = report["overall"]["bona_fide"]["responded"]
        .as_u64()
        .expect("a count")
        + report["sources"]["nuaa"]["attacks"]["print"]["responses"]["responded"]
            .as_u64()
            .expect("a count");
    assert!(responded >= 6, "{shown}");
    let stability = &report["stability"];
    let disturbances = stability["disturbances"].as_array().expect("disturbances");
    assert_eq!(disturbances.len(), DISTURBANCES.len());
    let of = |row: &Value, what: [&str; 2]| row[what[0]][what[1]]["of"].as_u64();
    let judged = of(&stability["undisturbed"], ["live", "wrong"]);
    assert!(judged >= Some(1), "{shown}");
    for row in disturbances {
        // Each photo got a verdict or an error code, in its own class.
        let silent = &row["live"]["no_verdict"];
        assert_eq!(silent["of"].as_u64(), judged, "{row}");
        let answered = of(row, ["live", "wrong"]).zip(silent["errors"].as_u64());
        assert_eq!(answered.map(|(a, b)| a + b), judged, "{row}");
        for name in ["print", "screen"] {
            assert!(row["attacks"][name]["wrong"]["lower"].is_number(), "{row}");
        }
        let name = row["name"].as_str().expect("a name");
        assert!(shown.contains(&format!("  {name}: ")), "{name} in {shown}");
    }
    let page = bench.text("evaluation/report.html");
    elements(&page);
    for words in [
        "live called attacks",
        "attacks passed: print",
        "letterbox (bars to 9:16)",
    ] {
        assert!(page.contains(words), "{words}");
    }
}

/// Drawn faces in a folder, light enough for the detector at a low threshold.
#[test]
fn a_few_photos_of_each_class_are_disturbed_when_asked() {
    let bench = Bench::new();
    for shade in 0..6_u8 {
        let mut face = drawn::face(256, 256);
        for channel in face.iter_mut() {
            *channel = channel.saturating_sub(shade * 3);
        }
        let class = ["live", "print", "screen"][usize::from(shade % 3)];
        bench.write(
            &format!("photos/{class}/{shade}.png"),
            &drawn::png_of(&face),
        );
    }
    let lenient = [
        "evaluate",
        "photos",
        "--resamples",
        "0",
        "--face-threshold",
        "0.05",
        "--mask-threshold",
        "1",
        "--min-image-side",
        "200",
        "--min-face-side",
        "20",
        "--stability",
    ];
    let shown = bench.succeed(&[lenient.as_slice(), &["--stability-limit", "1"]].concat());
    let report = bench.report();
    let undisturbed = &report["stability"]["undisturbed"];
    for (class, all) in [
        (&undisturbed["live"], 1),
        (&undisturbed["attacks"]["print"], 1),
        (&undisturbed["attacks"]["screen"], 1),
        (&undisturbed["all_attacks"], 2),
    ] {
        assert_eq!(class["no_verdict"]["of"], all, "{undisturbed}");
    }
    assert_eq!(undisturbed["turned"]["errors"], 0);
    // 128 pixels are below the limit: no verdict, and no error either.
    let half = report["stability"]["disturbances"]
        .as_array()
        .expect("rows")
        .iter()
        .find(|row| row["name"] == "resized to 50 %")
        .expect("a row");
    assert_eq!(half["live"]["by_code"]["007"], 1, "{half}");
    assert_eq!(half["live"]["wrong"]["of"], 0);
    assert!(shown.contains("no verdict: live 1 x 007"), "{shown}");
    // The photos themselves are all in the figures.
    assert_eq!(report["overall"]["bona_fide"]["responded"], 2);

    let (_, message) = bench.fail(&["evaluate", "photos", "--stability-limit", "1"]);
    assert!(message.contains("--stability"), "{message}");
}

#[test]
fn a_headline_hides_no_refusal() {
    let bench = Bench::new();
    for at in 0..3 {
        bench.write(&format!("set/live/{at}.jpg"), &drawn::jpeg(320, 240));
    }
    bench.write("set/print/0.jpg", &drawn::jpeg(320, 240));
    let shown = bench.succeed(&["evaluate", "set"]);
    assert!(
        shown.starts_with("4 of 4 refused: 007, image side 240 < 320: --min-image-side\n"),
        "{shown}"
    );
    assert!(
        shown.contains("at 0.9: live turned away 3/3 = 100.0 %, BPCER none judged"),
        "{shown}"
    );
    let page = bench.text("evaluation/report.html");
    let first = page.find("class=\"gauge\"").expect("a figure");
    assert!(
        page[first..].starts_with("class=\"gauge\"><p class=\"what\">Live people turned away, whatever the reason</p><p class=\"value\">100.0 %"),
        "{}",
        &page[first..first + 300]
    );
    let reason = page.find("4 of 4 refused: 007, image side 240 &lt; 320: --min-image-side");
    assert!(reason.expect("the reason") < first);
    assert!(page.contains("none judged"));
}
