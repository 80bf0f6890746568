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
fn a_key_has_thresholds_of_its_own() {
    let bench = Bench::new();
    bench.succeed(&[
        "keys",
        "create",
        "--name",
        "shop",
        "--preset",
        "strict",
        "--review-threshold",
        "0.80",
    ]);
    let key = &list(&bench)[0];
    assert_eq!(key["preset"], "strict");
    assert_eq!(key["review_threshold"], 0.8);
    assert_eq!(key["liveness_threshold"], Value::Null);
    assert!(
        bench
            .succeed(&["keys", "list"])
            .contains("strict, review 0.80")
    );

    bench.succeed(&[
        "keys",
        "set",
        "shop",
        "--preset",
        "none",
        "--liveness-threshold",
        "0.97",
        "--rate",
        "5/s",
        "--require-session",
        "yes",
    ]);
    let key = &list(&bench)[0];
    assert_eq!(key["preset"], Value::Null);
    assert_eq!(key["liveness_threshold"], 0.97);
    assert_eq!(key["review_threshold"], 0.8);
    assert_eq!(key["rate"], "5/s, burst 5");
    assert_eq!(key["require_session"], true);
    for (arguments, says) in [
        (["--review-threshold", "0.98"].as_slice(), "0.97"),
        (&["--review-threshold", "2"], "0 to 1"),
        (&["--preset", "hard"], "convenience"),
        (&[], "nothing to change"),
    ] {
        let arguments = [["keys", "set", "shop"].as_slice(), arguments].concat();
        let (code, message) = bench.fail(&arguments);
        assert_eq!(code, 2);
        assert!(message.contains(says), "{arguments:?}: {message}");
    }
    let (_, message) = bench.fail(&[
        "keys",
        "create",
        "--name",
        "x",
        "--preset",
        "convenience",
        "--review-threshold",
        "0.9",
    ]);
    assert!(message.contains("0.75"), "{message}");
}

#[test]
fn a_sandbox_key_begins_with_lck_test() {
    let bench = Bench::new();
    let key = bench.succeed(&["keys", "create", "--name", "tests", "--sandbox"]);
    assert!(key.starts_with("lck_test_"));
    let listed = &list(&bench)[0];
    assert_eq!(listed["sandbox"], true);
    assert_eq!(listed["key"], key[..13]);
}

#[test]
fn keys_move_between_databases() {
    let bench = Bench::new();
    bench.succeed(&["keys", "create", "--name", "shop", "--preset", "strict"]);
    bench.succeed(&["keys", "create", "--name", "gone"]);
    bench.succeed(&["keys", "revoke", "gone"]);
    let exported = bench.succeed(&["keys", "export"]);
    assert_eq!(exported.lines().count(), 2);
    let file = bench.folder.path().join("keys.jsonl");
    std::fs::write(&file, &exported).expect("written");
    let import = ["keys", "import", "keys.jsonl", "--database", "other.db"];
    for says in [
        "imported: 2; already there: 0",
        "imported: 0; already there: 2",
    ] {
        let output = bench.run(&import);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains(says));
    }
    let there = ["keys", "export", "--database", "other.db"];
    assert_eq!(bench.succeed(&there), exported);
    std::fs::write(&file, "{}").expect("written");
    let (code, message) = bench.fail(&import);
    assert_eq!(code, 2);
    assert!(message.contains("line 1"), "{message}");
}

#[test]
fn keys_that_ended_long_ago_can_be_deleted() {
    let bench = Bench::new();
    for name in ["kept", "gone"] {
        bench.succeed(&["keys", "create", "--name", name]);
    }
    bench.succeed(&["keys", "revoke", "gone"]);
    bench.succeed(&["keys", "prune"]);
    assert_eq!(list(&bench).len(), 2, "it ended only now");
    let at_once = ["keys", "prune", "--older-than", "0s"];
    let shown = bench.succeed(&[&at_once[..], &["--dry-run"]].concat());
    assert!(shown.contains("gone") && !shown.contains("kept"));
    assert_eq!(list(&bench).len(), 2);
    assert!(bench.succeed(&at_once).contains("gone"));
    assert_eq!(list(&bench)[0]["name"], "kept");
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
