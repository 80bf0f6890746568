//! Which shared library of ONNX Runtime the program runs: never one that somebody else could have put
//! there.
#![cfg(unix)]

mod common;
#[path = "serve/process.rs"]
mod process;

use std::{
    env, fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
};

use common::Bench;
use livecheck_testing::drawn;
use process::Process;
use serde_json::Value;

/// SHA-256 of [`planted`].
const PLANTED: &str = "6abaf3f7e6f6dfeae411584e2471e1ab3a45341bc37530bb0fb394d9cedb96b8";

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

/// A folder that is its owner's alone, with a file that is no library.
fn planted(bench: &Bench) -> (PathBuf, PathBuf) {
    let folder = bench.folder.path().join("libraries");
    fs::create_dir(&folder).expect("a folder");
    mode(&folder, 0o755);
    let library = folder.join("libonnxruntime.so");
    fs::write(&library, "no library at all").expect("a file");
    mode(&library, 0o644);
    (folder, library)
}

/// What `version` says about the library that it cannot use.
fn refused(bench: &Bench, library: &Path, further: &[&str]) -> String {
    let library = library.to_str().expect("UTF-8");
    let (code, message) = bench.fail(&[&["version", "--onnxruntime", library], further].concat());
    assert_eq!(code, 2, "{message}");
    assert!(
        message.contains("ONNX Runtime cannot be loaded"),
        "{message}"
    );
    message
}

#[test]
fn a_library_beside_the_program_is_not_even_looked_at() {
    let bench = Bench::new();
    let (folder, _) = planted(&bench);
    let program = folder.join("livecheck");
    fs::copy(common::program(), &program).expect("a copy");
    for arguments in [&["version"][..], &["version", "--json"]] {
        let output = common::without_settings(&program)
            .args(arguments)
            .current_dir(bench.folder.path())
            .output()
            .expect("it runs");
        let said = common::text(&output.stdout) + &common::text(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(!said.contains("libraries"), "{said}");
    }
}

#[test]
fn a_library_that_others_can_change_is_refused() {
    let bench = Bench::new();
    let (folder, library) = planted(&bench);
    for (what, place, bad) in [
        ("everybody (mode 0777)", &folder, 0o777),
        ("everybody (mode 0666)", &library, 0o666),
    ] {
        let before = fs::metadata(place).expect("it is there").permissions();
        mode(place, bad);
        let said = refused(&bench, &library, &[]);
        assert!(said.contains(what) && said.contains("chmod go-w"), "{said}");
        fs::set_permissions(place, before).expect("a mode");
    }
    // Of another user, where this one may give files away; and of another group.
    if chown(&folder, Some(12_345), None).is_ok() {
        let said = refused(&bench, &library, &[]);
        assert!(said.contains("belongs to user 12345"), "{said}");
        chown(&folder, Some(0), Some(12_345)).expect("it went before");
        mode(&folder, 0o775);
        let said = refused(&bench, &library, &[]);
        assert!(said.contains("its group (mode 0775)"), "{said}");
        chown(&folder, Some(0), Some(0)).expect("it went before");
        mode(&folder, 0o755);
    }
    // With nothing of that it gets as far as the system's loader.
    let said = refused(&bench, &library, &[]);
    assert!(
        !said.contains("mode") && !said.contains("belongs"),
        "{said}"
    );
}

#[test]
fn a_pin_allows_one_library_alone() {
    let bench = Bench::new();
    let (_, library) = planted(&bench);
    let said = refused(
        &bench,
        &library,
        &["--onnxruntime-sha256", &"ab".repeat(32)],
    );
    assert!(
        said.contains(PLANTED) && said.contains("onnxruntime_sha256"),
        "{said}"
    );
    let said = refused(&bench, &library, &["--onnxruntime-sha256", PLANTED]);
    assert!(!said.contains("onnxruntime_sha256"), "{said}");
}

#[test]
fn the_library_that_runs_is_named_with_its_hash() {
    let Some(library) = env::var_os("LIVECHECK_ONNXRUNTIME") else {
        eprintln!("!!! LEFT OUT: the hash of a library: LIVECHECK_ONNXRUNTIME names none");
        return;
    };
    let library = fs::canonicalize(library).expect("a library");
    let path = library.to_str().expect("UTF-8");
    let bench = Bench::new();
    let said = bench.succeed(&["version", "--json", "--onnxruntime", path]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    let hash = said["library"]["sha256"]
        .as_str()
        .expect("a hash")
        .to_owned();
    assert_eq!(said["library"]["path"], path);
    assert_eq!(hash.len(), 64);

    let key = bench.succeed(&["keys", "create", "--name", "test"]);
    let settings = [
        ("LIVECHECK_ONNXRUNTIME", path),
        ("LIVECHECK_ONNXRUNTIME_SHA256", &hash),
    ];
    let service = Process::serving(&bench, &[], &settings, key.trim().to_owned());
    let service = service.expect("it starts");
    let version = ureq::get(format!("{}/version", service.origin)).call();
    let version = version.expect("an answer").body_mut().read_to_string();
    let version: Value = serde_json::from_str(&version.expect("text")).expect("JSON");
    assert_eq!(version["library"], said["library"]);
    // Not for whoever sends photos.
    let (_, body) = service.judge_at(
        "?details=true",
        &[("x-api-key", &service.key)],
        &drawn::jpeg(400, 400),
    );
    assert!(!body.to_string().contains(&hash), "{body}");
    let output = bench.run(&["doctor", "--listen", "127.0.0.1:0", "--onnxruntime", path]);
    let found = common::text(&output.stdout);
    assert!(found.contains(path) && found.contains(&hash), "{found}");
}
