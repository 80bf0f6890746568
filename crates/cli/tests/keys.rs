//! `livecheck keys`, as an operator calls it.

mod common;
#[path = "common/files.rs"]
mod files;

use common::{Bench, text};
use serde_json::Value;

fn list(bench: &Bench) -> Vec<Value> {
    bench
        .succeed(&["keys", "list", "--json"])
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn create_prints_the_key_alone_and_list_never_shows_it() {
    let bench = Bench::new();
    let stdout = bench.succeed(&[
        "keys",
        "create",
        "--name",
        "shop",
        "--rate",
        "10/s",
        "--expires",
        "90d",
    ]);
    let key = stdout.trim();
    assert_eq!(stdout, format!("{key}\n"));
    assert!(
        key.starts_with("lck_") && key.len() >= 4 + 32,
        "{}",
        key.len()
    );
    let listed = list(&bench);
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["name"], "shop");
    assert_eq!(listed[0]["state"], "live");
    assert_eq!(listed[0]["rate"], "10/s, burst 10");
    assert!(listed[0]["expires"].is_string());
    assert!(!listed[0].to_string().contains(key));
    assert!(!bench.succeed(&["keys", "list"]).contains(key));
}

#[test]
fn revoke_and_rotate() {
    let bench = Bench::new();
    bench.succeed(&["keys", "create", "--name", "shop"]);
    let successor = bench.succeed(&["keys", "rotate", "shop"]);
    assert!(successor.starts_with("lck_"));
    let states = |bench: &Bench| -> Vec<String> {
        let mut states: Vec<_> = list(bench)
            .iter()
            .map(|key| key["state"].as_str().expect("a state").to_owned())
            .collect();
        states.sort();
        states
    };
    assert_eq!(states(&bench), ["live", "rotated"]);
    let output = bench.run(&["keys", "revoke", "shop"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(states(&bench), ["revoked", "revoked"]);
}

#[test]
fn only_a_new_key_makes_a_database() {
    let bench = Bench::new();
    bench.write("live check.toml", b"database = \"keys.db\"\n");
    let config = ["--config", "live check.toml"];
    let output = bench.run(&[&["keys", "list"], &config[..]].concat());
    assert!(output.status.success());
    assert_eq!(text(&output.stdout), "");
    let hint = "`livecheck keys create --name NAME --config 'live check.toml'`";
    let said = text(&output.stderr);
    assert!(
        said.contains("keys.db does not exist") && said.contains(hint),
        "{said}"
    );
    for task in ["revoke", "rotate"] {
        let (code, said) = bench.fail(&[&["keys", task, "shop"], &config[..]].concat());
        assert_eq!(code, 2);
        assert!(said.contains("keys.db does not exist"), "{said}");
    }
    let (code, found) = {
        let doctor = ["doctor", "--listen", "127.0.0.1:0"];
        let output = bench.run(&[&doctor, &config[..]].concat());
        (output.status.code(), text(&output.stdout))
    };
    assert_eq!(code, Some(1));
    assert!(
        found.contains("WRONG store") && found.contains(hint),
        "{found}"
    );
    let files: Vec<_> = std::fs::read_dir(bench.folder.path())
        .expect("the folder")
        .map(|entry| entry.expect("a file").file_name())
        .collect();
    assert_eq!(files, ["live check.toml"]);
    bench.succeed(&[&["keys", "create", "--name", "shop"], &config[..]].concat());
    assert!(bench.folder.path().join("keys.db").exists());
}

#[test]
fn mistakes_are_named() {
    let bench = Bench::new();
    bench.succeed(&["keys", "create", "--name", "other"]);
    for (arguments, says) in [
        (["keys", "revoke", "nobody"].as_slice(), "nobody"),
        (&["keys", "create", "--name", "x", "--rate", "fast"], "10/s"),
        (
            &["keys", "create", "--name", "x", "--rate", "0/s"],
            "0.001 to 1000000",
        ),
        (
            &["keys", "create", "--name", "x", "--rate", "5/d"],
            "second, minute or hour",
        ),
        (
            &["keys", "create", "--name", "x", "--expires", "soon"],
            "90d",
        ),
        (&["keys", "create", "--name", "x", "--expires", "30"], "90d"),
        (
            &["keys", "create", "--name", "x", "--expires", "0s"],
            "shorter than a second",
        ),
        (
            &["keys", "create", "--name", "x", "--expires", "9000y"],
            "100 years",
        ),
        (&["keys", "create", "--name", ""], "name"),
        (
            &["keys", "list", "--database", "mysql://localhost/x"],
            "mysql",
        ),
    ] {
        let (code, message) = bench.fail(arguments);
        assert_eq!(code, 2, "{arguments:?}");
        assert!(message.contains(says), "{arguments:?}: {message}");
    }
}
