//! What clients and scripts rely on, compared with what was recorded in `recorded/`: answers of the
//! service, exit codes, flags, settings with their defaults, metrics. Texts for people are left out, and so is
//! what depends on the models or the machine: scores, times, findings. Where an answer changes on purpose,
//! `LIVECHECK_UPDATE_SNAPSHOTS=1 cargo test --workspace --test recorded` records it anew; with `LIVECHECK_BINARY` that is
//! done by another build.

#[expect(dead_code, reason = "not every test file uses all of it")]
mod common;
#[path = "serve/process.rs"]
mod process;

use std::{
    env, fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
};

use common::{Bench, text};
use livecheck_testing::{drawn, portrait::portrait};
use process::Process;

/// Holds `actual` against what was recorded under `name`.
fn compare(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/recorded")
        .join(name);
    if env::var_os("LIVECHECK_UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, actual).expect("a folder to record in");
        return;
    }
    let recorded = fs::read_to_string(&path).expect("a record");
    let recorded = recorded.replace("\r\n", "\n");
    for (line, (was, is)) in recorded.lines().zip(actual.lines()).enumerate() {
        assert_eq!(is, was, "{name}, line {}", line + 1);
    }
    assert_eq!(actual.lines().count(), recorded.lines().count(), "{name}");
}

/// JSON as it stands, with a sign in place of what differs from run to run, and of texts for people.
fn without_particulars(json: &str) -> String {
    const VARIES: [&str; 4] = ["error_detail", "sha256", "session_token", "version"];

    let mut kept = String::new();
    let mut key = String::new();
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        if first == '[' && key == "findings" {
            kept.push_str("[...]");
            rest = &rest[rest.find(']').expect("an end of the findings") + 1..];
            continue;
        }
        let length = match first {
            '"' => {
                let mut escaped = false;
                let end = rest[1..].find(|c| {
                    let ends = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                });
                end.expect("an end of the string") + 2
            }
            '-' | '0'..='9' => rest
                .find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c))
                .unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        let is_text = first == '"';
        if is_text && after.starts_with(':') {
            key = token.trim_matches('"').to_owned();
            kept.push_str(token);
        } else if is_text && VARIES.contains(&key.as_str()) {
            kept.push_str("\"...\"");
        } else if token.contains(['.', 'e'])
            && token.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
        {
            kept.push_str("0.0");
        } else {
            kept.push_str(token);
        }
        rest = after;
    }
    kept
}

/// The names in an answer whose values describe this build, each where it first comes.
fn names(json: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    let mut rest = json;
    while let Some((_, after)) = rest.split_once('"') {
        let (text, after) = after.split_once('"').expect("an end of the string");
        if after.starts_with(':') && !names.contains(&text) {
            names.push(text);
        }
        rest = after;
    }
    names.join(" ")
}

/// A request, but for the key.
struct Request<'a> {
    what: &'a str,
    line: &'a str,
    headers: Vec<(&'a str, String)>,
    body: Vec<u8>,
}

/// The whole answer to a request: status, headers in their order, body.
fn answer(service: &Process, request: &Request) -> String {
    let (_, address) = service.origin.split_once("//").expect("an address");
    let mut head = format!(
        "{} HTTP/1.1\r\nhost: livecheck\r\nconnection: close\r\ncontent-length: {}\r\n",
        request.line,
        request.body.len()
    );
    for (name, value) in &request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(head.as_bytes()).expect("it reads");
    // It may have answered before it read all of it.
    let _ = stream.write_all(&request.body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// The answer, without what differs from run to run.
fn recorded(answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let lines = head.lines().map(|line| match line.split_once(": ") {
        Some((name @ ("date" | "x-request-id" | "content-length"), _)) => format!("{name}: ..."),
        _ => line.to_owned(),
    });
    let head: Vec<String> = lines.collect();
    let body = if body.contains("\"presets\":") {
        names(body)
    } else {
        without_particulars(body)
    };
    format!("{}\n\n{}\n", head.join("\n"), body.trim_end())
}

fn form(parts: &[(&str, &[u8])]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (disposition, content) in parts {
        body.extend(
            format!("--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n").bytes(),
        );
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(b"--XX--\r\n");
    ("multipart/form-data; boundary=XX".to_owned(), body)
}

#[test]
fn answers_are_those_that_were_recorded() {
    const FILE: &str = "name=\"image\"; filename=\"selfie\"";

    let bench = Bench::new();
    let make = |name: &str, arguments: &[&str]| {
        let key = bench.succeed(&[&["keys", "create", "--name", name], arguments].concat());
        key.trim().to_owned()
    };
    let key = make("plain", &["--liveness-threshold", "0"]);
    let attack = make("attack", &["--liveness-threshold", "1"]);
    let bound = make("bound", &["--require-session"]);
    let sandbox = make("sandbox", &["--sandbox"]);
    let strict = make("strict", &["--mask-threshold", "0"]);
    let review = make(
        "review",
        &["--liveness-threshold", "1", "--review-threshold", "0"],
    );
    let settings = [("LIVECHECK_RUNTIME", "embedded")];
    let service = Process::serving(&bench, &[], &settings, key.clone()).expect("it starts");

    let face = drawn::jpeg_of(&portrait(720, 900), false);
    let plain = drawn::jpeg(400, 400);
    let mut long = plain.clone();
    long.resize(10 * 1024 * 1024 + 1, 0);
    let png = drawn::png_of(&portrait(720, 900));
    let token = service.session();
    let bound_token = {
        let opened = answer(
            &service,
            &Request {
                what: "",
                line: "GET /session/",
                headers: vec![("x-api-key", bound.clone())],
                body: Vec::new(),
            },
        );
        let (_, rest) = opened.split_once("\"session_token\":\"").expect("a token");
        rest[..32].to_owned()
    };

    let mut record = String::new();
    let mut ask = |request: Request| {
        let answer = recorded(&answer(&service, &request));
        record.push_str(&format!("# {}\n{}\n{answer}\n", request.what, request.line));
    };
    let mut post =
        |what, query: &str, key: &str, headers: &[(&'static str, &str)], (kind, body)| {
            let line = format!("POST /liveness/{query}");
            let mut all = vec![("content-type", kind)];
            if !key.is_empty() {
                all.push(("x-api-key", key.to_owned()));
            }
            all.extend(
                headers
                    .iter()
                    .map(|(name, value)| (*name, (*value).to_owned())),
            );
            ask(Request {
                what,
                line: &line,
                headers: all,
                body,
            });
        };
    let json = |text: &str| ("application/json".to_owned(), text.as_bytes().to_vec());
    let file = |bytes: &[u8]| form(&[(FILE, bytes)]);
    let details = "?details=true";

    post("a face", "", &key, &[], file(&face));
    post("an attack", "", &attack, &[], file(&face));
    post("a face, details", details, &key, &[], file(&face));
    post("a face, PNG", details, &key, &[], file(&png));
    post("in the review band", details, &review, &[], file(&face));
    post(
        "with a session",
        "",
        &key,
        &[("x-session-token", &token)],
        file(&face),
    );
    post("001, no key", "", "", &[], file(&face));
    post("001, wrong key", "", "lck_wrong", &[], file(&face));
    post("061", "", &bound, &[], file(&face));
    for what in ["a use", "a use", "a use", "062"] {
        let session = [("x-session-key", bound_token.as_str())];
        post(what, "", &bound, &session, file(&plain));
    }
    post("002, damaged", "", &key, &[], file(&plain[..500]));
    post("002, no image", "", &key, &[], file(b"GIF89a"));
    post(
        "002, no base64",
        "",
        &key,
        &[],
        json("{\"image_bytes\": \"!\"}"),
    );
    post("003", "", &key, &[], file(&long));
    let header = drawn::png_header(50_000, 50_000);
    post("003, pixels", "", &key, &[], file(&header));
    post("004, no field", "", &key, &[], json("{}"));
    post("004, no JSON", "", &key, &[], json("{"));
    post(
        "004, two images",
        "",
        &key,
        &[],
        form(&[(FILE, &plain), (FILE, &plain)]),
    );
    post("004, details", "?details=perhaps", &key, &[], file(&plain));
    post(
        "004, no boundary",
        "",
        &key,
        &[],
        ("multipart/form-data".to_owned(), plain.clone()),
    );
    post(
        "004, media type",
        "",
        &key,
        &[],
        ("text/plain".to_owned(), plain.clone()),
    );
    post(
        "004, encoding",
        "",
        &key,
        &[("content-encoding", "gzip")],
        file(&plain),
    );
    post("007", "", &key, &[], file(&drawn::jpeg(100, 100)));
    post("051", details, &key, &[], file(&plain));
    post("052", details, &strict, &[], file(&face));
    for what in [
        "live", "attack", "review", "001", "061", "062", "002", "003", "004", "005", "007", "051",
        "052", "429", "503", "nonsense",
    ] {
        let wanted = [("x-livecheck-sandbox", what)];
        post(what, details, &sandbox, &wanted, file(&plain));
    }
    for line in [
        "GET /healthz",
        "GET /readyz",
        "GET /version",
        "GET /nowhere",
        "GET /liveness/",
        "PUT /session",
        "GET /session/",
        "OPTIONS /liveness/",
        "HEAD /healthz",
        "GET /liveness",
    ] {
        ask(Request {
            what: "",
            line,
            headers: vec![("x-api-key", key.clone())],
            body: Vec::new(),
        });
    }

    let metrics = answer(
        &service,
        &Request {
            what: "",
            line: "GET /metrics",
            headers: Vec::new(),
            body: Vec::new(),
        },
    );
    compare("answers.txt", &record);
    compare("metrics.txt", &series(&metrics));
    assert!(service.stop());
}

/// Types of the metrics, and the labels of each.
fn series(metrics: &str) -> String {
    let mut lines: Vec<String> = metrics
        .lines()
        .filter(|line| line.starts_with("# TYPE") || line.starts_with("livecheck_"))
        .map(|line| match line.split_once('{') {
            Some((name, labels)) if !line.starts_with('#') => {
                let labels = labels
                    .split("\",")
                    .filter_map(|label| label.split_once('='));
                let labels: Vec<&str> = labels.map(|(label, _)| label).collect();
                format!("{name}{{{}}}", labels.join(","))
            }
            None if !line.starts_with('#') => line.split(' ').next().unwrap_or(line).to_owned(),
            _ => line.to_owned(),
        })
        .collect();
    lines.sort();
    lines.dedup();
    lines.join("\n") + "\n"
}

#[test]
fn commands_are_those_that_were_recorded() {
    let bench = Bench::new();
    let mut record = String::new();
    for command in [
        "",
        "serve",
        "keys",
        "keys create",
        "keys list",
        "keys set",
        "keys revoke",
        "keys rotate",
        "keys prune",
        "keys export",
        "keys import",
        "audit",
        "audit verify",
        "check",
        "evaluate",
        "calibrate",
        "bench",
        "version",
        "doctor",
        "healthcheck",
        "completions",
        "man",
    ] {
        let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let output = bench.run(&arguments);
        assert_eq!(output.status.code(), Some(0), "{command}");
        record.push_str(&format!("# livecheck {command}\n"));
        for flag in flags(&text(&output.stdout)) {
            record.push_str(&format!("{flag}\n"));
        }
    }

    fs::write(
        bench.folder.path().join("face.jpg"),
        drawn::jpeg_of(&portrait(720, 900), false),
    )
    .expect("a photo");
    fs::write(bench.folder.path().join("none.jpg"), drawn::jpeg(400, 400)).expect("a photo");
    record.push_str("# exit codes\n");
    for arguments in [
        "nonsense",
        "check",
        "check missing.jpg",
        "check face.jpg --liveness-threshold 0",
        "check face.jpg --liveness-threshold 1",
        "check none.jpg",
        "check face.jpg none.jpg --json",
        "check face.jpg --liveness-threshold 0 --format csv",
        "check face.jpg --min-face-side nonsense",
        "check face.jpg --face-threshold 2",
        "check face.jpg --nonsense",
        "evaluate missing",
        "calibrate missing",
        "keys list",
        "keys create --name a",
        "keys create --name a --rate nonsense",
        "keys revoke nobody",
        "audit verify missing",
        "serve --listen nonsense",
        "serve --config missing.toml",
        "serve --runtime nonsense",
        "healthcheck http://127.0.0.1:1",
        "version",
        "completions bash",
        "completions nonsense",
    ] {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let output = bench.run(&words);
        let code = output.status.code().expect("an exit code");
        record.push_str(&format!("{code} {arguments}\n"));
    }

    record.push_str("# livecheck check\n");
    for format in ["json", "csv"] {
        let arguments = [
            "check",
            "face.jpg",
            "none.jpg",
            "--liveness-threshold",
            "0",
            "--runtime",
            "embedded",
            "--details",
            "--format",
            format,
        ];
        let output = text(&bench.run(&arguments).stdout);
        let mut lines: Vec<&str> = output.lines().collect();
        if format == "csv" {
            lines.truncate(1);
        }
        for line in lines {
            record.push_str(&format!("{}\n", without_particulars(line)));
        }
    }
    compare("commands.txt", &record);
}

/// The flags in a help text, each with its variable and its default.
fn flags(help: &str) -> Vec<String> {
    let mut flags: Vec<String> = Vec::new();
    for line in help.lines().map(str::trim) {
        if line.starts_with('-') && !line.starts_with("- ") {
            let names = line.split("  ").next().unwrap_or(line);
            flags.push(names.to_owned());
        }
        let Some(flag) = flags.last_mut() else {
            continue;
        };
        for (mark, sign) in [("default ", " = "), ("also: ", " or ")] {
            if let Some((_, rest)) = line.rsplit_once(mark) {
                let end = rest.find([';', ']']).unwrap_or(rest.len());
                // These limits were measured, and are measured anew with every detector.
                let measured = flag.starts_with("--finding-") && mark == "default ";
                flag.push_str(sign);
                flag.push_str(if measured { "..." } else { &rest[..end] });
            }
        }
    }
    flags.sort();
    flags
}
