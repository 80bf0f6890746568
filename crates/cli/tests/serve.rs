//! The service as a process: the demonstration, its answers, its end.

#[path = "serve/cases.rs"]
mod cases;
#[path = "serve/cluster.rs"]
mod cluster;
mod common;
#[path = "serve/hostile.rs"]
mod hostile;
#[path = "serve/process.rs"]
mod process;
#[path = "serve/service.rs"]
mod service;

use std::collections::HashSet;

use common::Bench;
use livecheck_testing::{drawn, portrait::portrait, real};
use service::Service;

#[test]
fn the_demonstration_answers_as_the_contract_says() {
    let bench = Bench::new();
    let service = Service::demonstration(&bench, &[]);
    let mut too_large = drawn::jpeg(400, 400);
    too_large.resize(11 * 1024 * 1024, 0);
    let broken = &drawn::jpeg(400, 400)[..500];
    for (name, key, image, status, code) in [
        ("wrong key", "lck_wrong", drawn::jpeg(400, 400), 401, "001"),
        ("11 MB", &service.key, too_large, 413, "003"),
        ("broken", &service.key, broken.to_vec(), 400, "002"),
        ("tiny", &service.key, drawn::jpeg(100, 100), 422, "007"),
        ("no face", &service.key, drawn::jpeg(400, 400), 422, "051"),
    ] {
        let (actual, body) = service.judge(key, &image);
        assert_eq!(
            (actual, body["error_code"].as_str()),
            (status, Some(code)),
            "{name}: {body}"
        );
    }
    assert!(service.stop(), "SIGTERM ends it well");
}

#[test]
fn the_sample_photo_is_the_drawn_portrait_and_gets_a_verdict() {
    let sample = include_bytes!("../../../web/sample.jpg");
    let pixels = |file: &[u8]| image::load_from_memory(file).expect("a photo").into_rgb8();
    let again = drawn::jpeg_of(&portrait(720, 900), false);
    let (sample_pixels, again) = (pixels(sample), pixels(&again));
    assert_eq!(sample_pixels.dimensions(), again.dimensions());
    let worst = sample_pixels
        .as_raw()
        .iter()
        .zip(again.as_raw())
        .map(|(one, other)| one.abs_diff(*other))
        .max();
    // Another processor may round a sine differently.
    assert!(
        worst <= Some(8),
        "off by {worst:?}: cargo run -p livecheck-testing --example portrait > web/sample.jpg"
    );

    let bench = Bench::new();
    let service = Service::demonstration(&bench, &[]);
    let (status, body) = service.judge(&service.key, sample);
    assert_eq!((status, &body["success"]), (200, &true.into()), "{body}");
}

#[test]
fn a_second_demonstration_replaces_the_first_one_s_key() {
    let bench = Bench::new();
    let first = Service::demonstration(&bench, &[]);
    let old = first.key.clone();
    assert!(first.stop());
    let second = Service::demonstration(&bench, &[]);
    let image = drawn::jpeg(400, 400);
    assert_eq!(second.judge(&old, &image).0, 401);
    assert_eq!(second.judge(&second.key, &image).0, 422);
}

#[test]
fn the_demonstration_touches_no_keys_and_shows_itself_to_nobody_else() {
    let bench = Bench::new();
    // The service's own database, with a key of the same name.
    let key = bench.succeed(&["keys", "create", "--name", "demo"]);
    let service = Service::demonstration(&bench, &[]);
    assert_eq!(service.judge(key.trim(), &drawn::jpeg(400, 400)).0, 401);
    assert!(service.stop());
    let keys = bench.succeed(&["keys", "list"]);
    assert!(keys.contains("demo") && !keys.contains("revoked"), "{keys}");

    for (variable, value) in [
        ("LIVECHECK_DATABASE", "production.db"),
        ("LIVECHECK_LISTEN", "0.0.0.0:0"),
        ("LIVECHECK_LISTEN", "[::]:0"),
    ] {
        let output = bench
            .command(&[])
            .env("LIVECHECK_LISTEN", "127.0.0.1:0")
            .env(variable, value)
            .output()
            .expect("it runs");
        let said = common::text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("livecheck serve"), "{said}");
        assert!(output.stdout.is_empty(), "no key is printed");
    }
    assert!(!bench.folder.path().join("production.db").exists());
}

#[test]
fn real_people_and_attacks_get_a_verdict() {
    let Some(folder) = real::folder("livecheck serve on pad_dev") else {
        return;
    };
    #[derive(serde::Deserialize)]
    struct Row {
        image: String,
        source: String,
        class: String,
    }
    let rows = real::rows::<Row>(&folder, "pad_dev");
    let first = |class: &str| -> HashSet<String> {
        rows.iter()
            .filter(|row| row.source == "nuaa" && row.class == class)
            .take(5)
            .map(|row| row.image.clone())
            .collect()
    };
    let bench = Bench::new();
    let limits = [
        ("LIVECHECK_MIN_IMAGE_SIDE", "200"),
        ("LIVECHECK_MIN_FACE_SIDE", "40"),
    ];
    let service = Service::demonstration(&bench, &limits);
    let mean_score = |wanted: &HashSet<String>| {
        let scores: Vec<f64> = real::images(&folder, "pad_dev", wanted)
            .values()
            .filter_map(|image| {
                let (status, body) = service.judge(&service.key, image);
                (status == 200).then(|| {
                    assert_eq!(body["success"], true);
                    assert_eq!(
                        body["result"].as_object().map(serde_json::Map::len),
                        Some(2)
                    );
                    body["result"]["score"].as_f64().expect("a score")
                })
            })
            .collect();
        assert!(scores.len() >= 3, "{} of 5 were judged", scores.len());
        scores.iter().sum::<f64>() / scores.len() as f64
    };
    let (live, attack) = (mean_score(&first("live")), mean_score(&first("print")));
    assert!(live > attack, "live {live}, print {attack}");
}

#[test]
fn a_port_in_use_names_the_settings_that_choose_another() {
    let bench = Bench::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    for (arguments, variable, flag) in [
        (
            ["serve", "--listen", &*address].as_slice(),
            "LIVECHECK_LISTEN",
            "--listen",
        ),
        (
            &[
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--admin-listen",
                &*address,
            ],
            "LIVECHECK_ADMIN_LISTEN",
            "--admin-listen",
        ),
    ] {
        let (code, message) = bench.fail(arguments);
        assert_eq!(code, 2);
        for words in [&*address, "another program", variable, flag] {
            assert!(message.contains(words), "{words} in {message}");
        }
    }
    // The demonstration takes no flags.
    let output = bench
        .command(&[])
        .env("LIVECHECK_LISTEN", &address)
        .output()
        .expect("the binary starts");
    let message = common::text(&output.stderr);
    assert!(message.contains("LIVECHECK_LISTEN"), "{message}");
    let output = bench.run(&["doctor", "--listen", &address]);
    let found = common::text(&output.stdout);
    assert!(
        found.contains("WRONG address") && found.contains("LIVECHECK_LISTEN"),
        "{found}"
    );
}

#[test]
fn mistakes_in_the_settings_file_say_where_and_what_is_allowed() {
    let bench = Bench::new();
    for (file, words) in [
        (
            "\n# a comment\nmin_face_side = 4.5\n",
            ["line 3", "allowed is"].as_slice(),
        ),
        (
            "listen = \"x\"\n\nlisten = \"y\"\n",
            &["line 3", "duplicate key"],
        ),
        ("min_face_side 96\n", &["line 1", "min_face_side = 96"]),
        (
            "\nmin_face_sid = 96\n",
            &["line 2", "did you mean \"min_face_side\""],
        ),
        (
            "[engine]\nmin_face_side = 96\n",
            &["line 1", "[engine]", "`min_face_side = ...`"],
        ),
    ] {
        std::fs::write(bench.folder.path().join("l.toml"), file).expect("a file");
        let (code, message) = bench.fail(&["serve", "--config", "l.toml"]);
        assert_eq!(code, 2);
        assert_eq!(message.lines().count(), 1, "{message}");
        for words in [&["l.toml"], words].concat() {
            assert!(message.contains(words), "{words:?} in {message}");
        }
    }
}

#[test]
fn doctor_and_healthcheck_tell_what_is_wrong() {
    let bench = Bench::new();
    // Few connections, so that no limit of the machine's is in the way.
    let doctor = [
        "doctor",
        "--listen",
        "127.0.0.1:0",
        "--max-connections",
        "8",
    ];
    let output = bench.run(&doctor);
    let findings = common::text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{findings}");
    assert!(
        findings.contains("WRONG store") && findings.contains("keys create"),
        "{findings}"
    );
    bench.succeed(&["keys", "create", "--name", "shop"]);
    let findings = bench.succeed(&doctor);
    assert!(!findings.contains("WRONG"), "{findings}");

    // Nothing listens on the discard port of the loopback address.
    let (code, message) = bench.fail(&["healthcheck", "http://127.0.0.1:9/readyz"]);
    assert_eq!(code, 1);
    assert!(message.contains("does not answer"), "{message}");
    let service = Service::demonstration(&bench, &[]);
    bench.succeed(&["healthcheck", &format!("{}/readyz", service.origin)]);
}
