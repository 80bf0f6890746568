//! `livecheck check` on many files: what it writes, how it goes on after an end, what it draws.

mod common;
#[path = "common/files.rs"]
mod files;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use common::{Bench, text};
use livecheck_testing::{drawn, portrait::portrait, real};
use serde_json::Value;

fn json_files(lines: &str) -> Vec<String> {
    lines
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("a line of JSON");
            line["file"].as_str().expect("a name").to_owned()
        })
        .collect()
}

fn csv_records(bytes: &[u8]) -> Vec<csv::StringRecord> {
    let mut reader = csv::Reader::from_reader(bytes);
    assert_eq!(
        reader.headers().expect("a head"),
        &[
            "file",
            "file_hex",
            "success",
            "liveness",
            "score",
            "error_code",
            "error_message",
            "error_detail"
        ][..]
    );
    reader
        .records()
        .map(|record| record.expect("a record"))
        .collect()
}

/// Names that break what is written carelessly.
const HOSTILE: [&str; 7] = [
    "=cmd.png",
    "a\n\"b\",c.png",
    "back\\slash.png",
    "comma, and space.png",
    "ends with\".png",
    "line\nbreak\r\n.png",
    "red\u{1b}[31m.png",
];

fn hostile_folder(bench: &Bench) {
    for name in HOSTILE {
        bench.write(&format!("files/{name}"), b"no image");
    }
}

#[test]
fn csv_keeps_hostile_names_and_the_table_defuses_them() {
    let bench = Bench::new();
    hostile_folder(&bench);
    let expected = HOSTILE.map(|name| format!("files/{name}"));

    let output = bench.run(&["check", "--format", "csv", "files"]);
    assert_eq!(output.status.code(), Some(1));
    let records = csv_records(&output.stdout);
    let files: Vec<_> = records.iter().map(|record| &record[0]).collect();
    assert_eq!(files, expected);
    for record in &records {
        assert_eq!((&record[1], &record[2], &record[5]), ("", "false", "002"));
    }

    let output = bench.run(&["check", "--json", "files"]);
    assert_eq!(json_files(&text(&output.stdout)), expected);

    let table = text(&bench.run(&["check", "files"]).stdout);
    assert_eq!(table.lines().count(), 1 + HOSTILE.len(), "{table}");
    assert!(!table.contains('\u{1b}'), "neither colours nor names steer");
    assert!(table.contains(r"red\u{1b}[31m.png"), "{table}");
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf_8_stay_apart() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let bench = Bench::new();
    bench.write("files/a.jpg", b"no image");
    for name in [b"a\xfe.jpg", b"a\xff.jpg"] {
        let path = bench
            .folder
            .path()
            .join("files")
            .join(OsStr::from_bytes(name));
        fs::write(path, b"no image").expect("a file");
    }
    for results in ["r.json", "r.csv"] {
        for _ in 0..2 {
            let check = ["check", "files", "--output", results, "--resume"];
            assert_eq!(bench.run(&check).status.code(), Some(1));
        }
    }
    let read = |name| fs::read(bench.folder.path().join(name)).expect("results");
    let rows: Vec<Value> = text(&read("r.json"))
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let json: Vec<_> = rows
        .iter()
        .map(|row| (row["file"].as_str(), row["file_hex"].as_str()))
        .collect();
    assert_eq!(
        json,
        [
            (Some("files/a.jpg"), None),
            (
                Some("files/a\u{fffd}.jpg"),
                Some("66696c65732f61fe2e6a7067")
            ),
            (
                Some("files/a\u{fffd}.jpg"),
                Some("66696c65732f61ff2e6a7067")
            ),
        ]
    );
    let records = csv_records(&read("r.csv"));
    let csv: Vec<_> = records.iter().map(|record| &record[1]).collect();
    assert_eq!(
        csv,
        ["", "66696c65732f61fe2e6a7067", "66696c65732f61ff2e6a7067"]
    );
}

#[test]
fn what_cannot_be_judged_is_told() {
    let bench = Bench::new();
    fs::create_dir(bench.folder.path().join("empty")).expect("a folder");
    let (code, message) = bench.fail(&["check", "empty"]);
    assert_eq!(code, 2);
    assert!(message.contains("no image"), "{message}");

    bench.write("big.jpg", &vec![0; 10 * 1024 * 1024 + 1]);
    bench.write("plain.txt", b"judged because it is named");
    let output = bench.run(&["check", "--json", "missing.jpg", "big.jpg", "plain.txt"]);
    assert_eq!(output.status.code(), Some(1));
    let codes: Vec<_> = text(&output.stdout)
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("JSON");
            line["error_code"].as_str().expect("a code").to_owned()
        })
        .collect();
    assert_eq!(codes, ["002", "003", "002"]);

    for (arguments, says) in [
        (["check", "x.jpg", "--resume"].as_slice(), "--output"),
        (
            &["check", "x.jpg", "--details", "--format", "csv"],
            "--format json",
        ),
        (&["check", "x.jpg", "--json", "--format", "csv"], "--format"),
        (&["check", "x.jpg", "--format", "table", "-o", "r"], "table"),
        (&["check", "x.jpg", "--workers", "0"], "--workers"),
        (
            &["check", "x.jpg", "-o", "no/such/folder"],
            "no/such/folder",
        ),
    ] {
        let (code, message) = bench.fail(arguments);
        assert_eq!(code, 2, "{arguments:?}");
        assert!(message.contains(says), "{arguments:?}: {message}");
    }
}

#[cfg(unix)]
#[test]
fn folders_in_circles_and_pipes_do_not_hold_it_up() {
    let bench = Bench::new();
    bench.write("files/a.jpg", b"no image");
    let files = bench.folder.path().join("files");
    std::os::unix::fs::symlink(".", files.join("circle")).expect("a link");
    std::os::unix::fs::symlink("nowhere", files.join("dead.jpg")).expect("a link");
    make_pipe(&files.join("pipe.jpg"));
    let output = bench.run(&["check", "--json", "files", "files/a.jpg"]);
    assert_eq!(
        json_files(&text(&output.stdout)),
        ["files/a.jpg", "files/dead.jpg"]
    );
}

#[cfg(unix)]
fn make_pipe(path: &std::path::Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("mkfifo").success());
}

/// A pipe that nobody writes to holds the run up at a known place.
#[cfg(unix)]
#[test]
fn a_killed_run_is_resumed_and_every_file_judged_once() {
    for (results, workers) in [
        ("r.jsonl", "1"),
        ("r.csv", "1"),
        ("r.jsonl", "3"),
        ("r.csv", "3"),
    ] {
        let bench = Bench::new();
        hostile_folder(&bench);
        let folder = bench.folder.path();
        make_pipe(&folder.join("stuck.jpg"));
        bench.write("z/1.jpg", b"no image");
        bench.write("z/2.jpg", b"no image");
        let check = [
            "check",
            "--workers",
            workers,
            "-o",
            results,
            "files",
            "stuck.jpg",
            "z",
        ];
        let mut child = bench
            .command(&check)
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let path = folder.join(results);
        let rows = || match fs::read(&path) {
            Ok(bytes) if results.ends_with("csv") && !bytes.is_empty() => {
                csv::Reader::from_reader(bytes.as_slice()).records().count()
            }
            Ok(bytes) => bytes.split(|byte| *byte == b'\n').count() - 1,
            Err(_) => 0,
        };
        while rows() < HOSTILE.len() {
            assert!(
                child.try_wait().expect("a child").is_none(),
                "it ended early"
            );
            std::thread::sleep(std::time::Duration::from_millis(10));
        }

        let second = bench.run(&[&check[..], &["--resume"]].concat());
        assert_eq!(second.status.code(), Some(2), "one run a file at a time");
        assert!(text(&second.stderr).contains("another run"));

        child.kill().expect("SIGKILL");
        child.wait().expect("an end");
        assert_eq!(rows(), HOSTILE.len());
        fs::remove_file(folder.join("stuck.jpg")).expect("the pipe");
        bench.write("stuck.jpg", b"no image");

        let (code, message) = bench.fail(&check);
        assert_eq!(code, 2);
        assert!(
            message.contains("--resume") && message.contains("--force"),
            "{message}"
        );

        assert_resumes(&bench, &check, results);
    }
}

/// Resumes with `check`: each of the ten files is there once, in the files' order.
fn assert_resumes(bench: &Bench, check: &[&str], results: &str) {
    let output = bench.run(&[check, &["--resume"]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let bytes = fs::read(bench.folder.path().join(results)).expect("results");
    let files: Vec<String> = if results.ends_with("csv") {
        let records = csv_records(&bytes);
        records.iter().map(|record| record[0].to_owned()).collect()
    } else {
        json_files(&text(&bytes))
    };
    let mut expected: Vec<String> = HOSTILE.iter().map(|name| format!("files/{name}")).collect();
    expected.extend(["stuck.jpg", "z/1.jpg", "z/2.jpg"].map(str::to_owned));
    assert_eq!(files, expected);
}

#[test]
fn a_half_written_row_is_cut_off_wherever_it_ends() {
    let bench = Bench::new();
    hostile_folder(&bench);
    for name in ["stuck.jpg", "z/1.jpg", "z/2.jpg"] {
        bench.write(name, b"no image");
    }
    for results in ["r.jsonl", "r.csv"] {
        let check = ["check", "-o", results, "files", "stuck.jpg", "z"];
        let path = bench.folder.path().join(results);
        bench.run(&check);
        let whole = fs::read(&path).expect("results");
        // The cuts fall into heads, names, quotes and line breaks.
        let cuts = (1..whole.len()).step_by(331).chain([whole.len() - 1]);
        for cut in cuts {
            fs::write(&path, &whole[..cut]).expect("a cut file");
            assert_resumes(&bench, &check, results);
            assert_eq!(fs::read(&path).expect("results"), whole, "cut at {cut}");
        }
    }
}

#[test]
fn a_file_of_somebody_else_is_left_alone() {
    let bench = Bench::new();
    bench.write("a.jpg", b"no image");
    for content in [
        "my diary",
        "my diary\n",
        "{\"some\": \"json\"}\n",
        "a,b\n1,2\n",
    ] {
        for results in ["r.csv", "r.json"] {
            bench.write(results, content.as_bytes());
            let (code, message) = bench.fail(&["check", "a.jpg", "-o", results, "--resume"]);
            assert_eq!(code, 2);
            assert!(message.contains("row 1 of"), "{message}");
            let left = fs::read(bench.folder.path().join(results)).expect("it");
            assert_eq!(text(&left), content);
        }
    }
}

#[test]
fn a_resumed_run_counts_every_file_of_the_results_once() {
    let bench = Bench::new();
    bench.write("a.jpg", b"");
    bench.write("b.jpg", b"no image");
    let json = |answer: &str| format!("{{\"file\":\"a.jpg\",{answer}}}\n");
    let head = "file,file_hex,success,liveness,score,error_code,error_message,error_detail\n";
    let csv = |answer: &str| format!("{head}a.jpg,,{answer}\n");
    for (results, row, says) in [
        (
            "r.json",
            json(r#""success":true,"result":{"liveness":true,"score":0.9}"#),
            "2 files: 1 live, 0 attack, 1 without a verdict (1 x 002)",
        ),
        (
            "r.json",
            json(r#""success":false,"error_code":"051","error_message":"","error_detail":"""#),
            "2 files: 0 live, 0 attack, 2 without a verdict (1 x 002, 1 x 051)",
        ),
        (
            "r.csv",
            csv("true,false,0.1,,,"),
            "2 files: 0 live, 1 attack, 1 without a verdict (1 x 002)",
        ),
        (
            "r.csv",
            csv("false,,,002,message,detail"),
            "2 files: 0 live, 0 attack, 2 without a verdict (2 x 002)",
        ),
    ] {
        bench.write(results, row.as_bytes());
        let check = ["check", "a.jpg", "b.jpg", "-o", results];
        let output = bench.run(&[&check[..], &["--resume"]].concat());
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        assert!(said.contains(says), "{said}");
        assert!(
            said.contains("1 of them judged by an earlier run"),
            "{said}"
        );
        let whole = text(&fs::read(bench.folder.path().join(results)).expect("it"));
        assert!(whole.starts_with(&row), "{whole}");

        // What is there already has the last word over the exit code too.
        bench.write(results, row.as_bytes());
        let output = bench.run(&["check", "a.jpg", "-o", results, "--resume"]);
        let expected = if says.contains("2 without") { 1 } else { 0 };
        assert_eq!(output.status.code(), Some(expected));

        // Without --resume it stays, and with --force it goes.
        assert_eq!(bench.fail(&check).0, 2);
        let output = bench.run(&[&check[..], &["--force"]].concat());
        let said = text(&output.stderr);
        assert!(
            said.contains("2 files: 0 live, 0 attack, 2 without"),
            "{said}"
        );
        assert!(!said.contains("earlier run"), "{said}");
        let whole = text(&fs::read(bench.folder.path().join(results)).expect("it"));
        assert!(!whole.starts_with(&row), "{whole}");
    }
    for row in [
        json(r#""success":true"#),
        json(r#""success":true,"result":{"liveness":true},"error_code":"051""#),
        json(r#""success":false"#),
    ] {
        bench.write("r.json", row.as_bytes());
        let (code, message) = bench.fail(&["check", "a.jpg", "-o", "r.json", "--resume"]);
        assert_eq!(code, 2);
        assert!(message.contains("row 1 of r.json"), "{message}");
    }
}

#[test]
fn hidden_files_are_skipped_and_what_was_skipped_is_said() {
    let bench = Bench::new();
    for name in [
        "files/a.JPG",
        "files/b.jfif",
        "files/c.jpe",
        "files/._a.JPG",
        "files/.hidden.png",
        "files/.git/d.jpg",
        "files/notes.txt",
        "files/more.TXT",
        "files/README",
        "files/clip.gif",
    ] {
        bench.write(name, b"no image");
    }
    let output = bench.run(&["check", "--json", "files"]);
    assert_eq!(
        json_files(&text(&output.stdout)),
        ["files/a.JPG", "files/b.jfif", "files/c.jpe"]
    );
    assert_eq!(
        text(&output.stderr),
        "skipped 3 whose names begin with a dot and 4 of other types (2 .txt, 1 without an extension, 1 .gif)\n"
    );
    // A file that is named is judged, whatever its name.
    let output = bench.run(&["check", "--json", "files/._a.JPG"]);
    assert_eq!(json_files(&text(&output.stdout)), ["files/._a.JPG"]);
    fs::create_dir(bench.folder.path().join("only")).expect("a folder");
    bench.write("only/a.gif", b"");
    let (_, message) = bench.fail(&["check", "only"]);
    assert!(
        message.contains("no image") && message.contains("1 .gif") && message.contains("jfif"),
        "{message}"
    );
}

#[test]
fn a_dash_is_standard_input() {
    let bench = Bench::new();
    let from_stdin = |arguments: &[&str], bytes: Vec<u8>| {
        let mut child = bench
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut stdin = child.stdin.take().expect("its input");
        // It stops reading at its limit.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&bytes)));
        let output = child.wait_with_output().expect("an end");
        writer.join().expect("no panic");
        output
    };
    bench.write("b.jpg", b"no image");
    for (bytes, code) in [
        (drawn::jpeg(400, 400), "051"),
        (Vec::new(), "002"),
        (vec![0; 11 * 1024 * 1024], "003"),
    ] {
        let output = from_stdin(&["check", "--json", "-", "b.jpg"], bytes);
        assert_eq!(output.status.code(), Some(1));
        let rows: Vec<Value> = text(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(
            (&rows[0]["file"], &rows[0]["error_code"]),
            (&"-".into(), &code.into())
        );
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_run_quietly() {
    let bench = Bench::new();
    for number in 0..200 {
        bench.write(&format!("files/{number}.jpg"), b"no image");
    }
    for arguments in [
        ["check", "files"].as_slice(),
        &["check", "--json", "files"],
        &["check", "--format", "csv", "files"],
    ] {
        let mut child = bench
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        let mut stdout = BufReader::with_capacity(1, child.stdout.take().expect("its output"));
        stdout.read_line(&mut line).expect("a line");
        drop(stdout);
        let output = child.wait_with_output().expect("an end");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert_eq!(text(&output.stderr), "", "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_and_no_panic() {
    let bench = Bench::new();
    bench.write("a.jpg", b"no image");
    let full = || fs::File::create("/dev/full").expect("/dev/full");
    for arguments in [
        ["check", "a.jpg"].as_slice(),
        &["check", "--json", "a.jpg"],
        &["version"],
        &["completions", "bash"],
    ] {
        let output = bench.command(arguments).stdout(full()).output();
        let output = output.expect("the binary starts");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let message = text(&output.stderr);
        assert!(message.contains("cannot be written"), "{message}");
        assert!(!message.contains("panicked"), "{message}");
    }
    let (code, message) = bench.fail(&["check", "a.jpg", "-o", "/dev/full"]);
    assert_eq!(code, 2);
    assert!(message.contains("/dev/full cannot be written"), "{message}");
}

#[test]
fn nothing_moves_or_shines_without_a_terminal() {
    let bench = Bench::new();
    bench.write("a.jpg", b"no image");
    let output = bench
        .command(&["check", "a.jpg"])
        .env_remove("NO_COLOR")
        .output()
        .expect("the binary starts");
    assert!(!text(&output.stdout).contains('\u{1b}'));
    assert_eq!(text(&output.stderr), "");
}

/// `script` of util-linux gives the binary a terminal.
#[cfg(target_os = "linux")]
#[test]
fn colours_and_progress_appear_on_a_terminal_and_no_color_is_heard() {
    let bench = Bench::new();
    bench.write("a.jpg", b"no image");
    let on_terminal = |no_color: bool| {
        let program = common::program();
        let mut command = common::without_settings("script");
        command
            .args([
                "-qec",
                &format!("'{}' check a.jpg", program.display()),
                "/dev/null",
            ])
            .current_dir(bench.folder.path())
            .stdin(Stdio::null())
            .env("TERM", "xterm")
            .env_remove("NO_COLOR");
        if no_color {
            command.env("NO_COLOR", "1");
        }
        command.output()
    };
    let Ok(coloured) = on_terminal(false) else {
        eprintln!("!!! LEFT OUT: colours on a terminal: this machine has no `script`");
        return;
    };
    let coloured = text(&coloured.stdout);
    assert!(coloured.contains("\u{1b}[33m002"), "{coloured:?}");
    assert!(
        coloured.contains("1 file: 0 live, 0 attack, 1 without a verdict (1 x 002)"),
        "{coloured:?}"
    );
    assert!(coloured.contains("0/1"), "{coloured:?}");
    let plain = text(&on_terminal(true).expect("script").stdout);
    assert!(plain.contains("002 "), "{plain:?}");
    assert!(!plain.contains("\u{1b}[33m"), "{plain:?}");
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = bench.succeed(&["completions", shell]);
        for word in ["check", "healthcheck", "explain", "resume"] {
            assert!(script.contains(word), "{shell} lacks {word}");
        }
    }
    bench.succeed(&["man", "pages"]);
    for page in [
        "livecheck",
        "livecheck-check",
        "livecheck-keys-create",
        "livecheck-serve",
    ] {
        let page = bench.folder.path().join(format!("pages/{page}.1"));
        let page = fs::read_to_string(page).expect("a page");
        assert!(page.contains(".TH") && page.contains(".SH SYNOPSIS"));
    }
    let help = bench.succeed(&["help", "check"]);
    assert!(
        help.contains("Exit codes") && help.contains("--explain"),
        "{help}"
    );
}

#[test]
fn a_photo_without_a_verdict_is_drawn_with_its_faces() {
    let bench = Bench::new();
    let faces = |count: u32| {
        let mut photo = image::RgbImage::from_pixel(400 * count.max(1), 400, image::Rgb([90; 3]));
        for number in 0..count {
            let face = portrait(400, 400);
            image::imageops::replace(&mut photo, &face, i64::from(number * 400), 0);
        }
        drawn::jpeg_of(&photo, false)
    };
    bench.write("none.jpg", &faces(0));
    bench.write("two.jpg", &faces(2));
    bench.write("broken.jpg", b"no image");
    bench.write("small.png", &drawn::png_of(&drawn::pattern(100, 100)));
    let check = ["check", "--json", "--explain", "why"];
    let files = ["none.jpg", "two.jpg", "broken.jpg", "small.png"];
    let output = bench.run(&[&check[..], &files].concat());
    assert_eq!(output.status.code(), Some(1));
    let codes: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["error_code"].clone())
        .collect();
    assert_eq!(codes, ["051", "051", "002", "007"]);
    let drawing = |name: &str| {
        let path = bench.folder.path().join(format!("why/{name}.png"));
        path.exists()
            .then(|| image::open(path).expect("a PNG").into_rgb8())
    };
    let orange = |image: &image::RgbImage, left: u32, right: u32| {
        image
            .enumerate_pixels()
            .filter(|(x, y, pixel)| {
                // Below the words in the corner.
                (left..right).contains(x) && *y > 60 && pixel.0 == [255, 150, 0]
            })
            .count()
    };
    let none = drawing("none.jpg").expect("a drawing");
    assert_eq!(none.dimensions(), (400, 400));
    assert_eq!(orange(&none, 0, 400), 0, "no face, no box");
    let two = drawing("two.jpg").expect("a drawing");
    assert_eq!(two.dimensions(), (800, 400));
    for half in [0, 400] {
        let dots = orange(&two, half, half + 400);
        assert!(dots > 400, "{dots} dots of a box from {half} on");
    }
    assert!(drawing("broken.jpg").is_none() && drawing("small.png").is_none());
}

#[test]
fn verdicts_are_drawn_at_the_photo_s_size() {
    let Some(folder) = real::folder("livecheck check --explain on pad_dev") else {
        return;
    };
    let bench = Bench::new();
    let faces = real::spread(&folder, "pad_dev", 6, |row| row["source"] == "nuaa");
    assert!(faces.len() >= 6, "{} faces", faces.len());
    for (name, file) in &faces {
        bench.write(&format!("faces/{name}"), file);
    }
    // Drawn into the folder that is searched: the second run must not judge the drawings.
    let check = [
        "check",
        "--json",
        "--details",
        "--explain",
        "faces/why",
        "--min-image-side",
        "200",
        "--min-face-side",
        "40",
        "faces",
    ];
    for _ in 0..2 {
        let output = text(&bench.run(&check).stdout);
        let lines: Vec<Value> = output
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(lines.len(), faces.len());
        let mut drawn = 0;
        for line in lines {
            let file = line["file"].as_str().expect("a name");
            let path = bench.folder.path().join(format!("faces/why/{file}.png"));
            if line["success"] != true {
                continue;
            }
            let drawing = image::open(&path).expect("a PNG").into_rgb8();
            let details = &line["result"]["details"];
            let info = &details["image"];
            assert_eq!(
                (u64::from(drawing.width()), u64::from(drawing.height())),
                (
                    info["width"].as_u64().expect("it"),
                    info["height"].as_u64().expect("it")
                )
            );
            for landmark in details["face"]["landmarks"].as_array().expect("five") {
                let at = |axis: usize| landmark[axis].as_f64().expect("pixels").round() as u32;
                assert_eq!(drawing.get_pixel(at(0), at(1)).0, [255, 220, 0], "{line}");
            }
            drawn += 1;
        }
        assert!(drawn >= 4, "{drawn} of {} were judged", faces.len());
    }
}
