//! `livecheck keys`, as an operator calls it.

mod common;

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
fn mistakes_are_named() {
    let bench = Bench::new();
    for (arguments, says) in [
        (["keys", "revoke", "nobody"].as_slice(), "nobody"),
        (&["keys", "create", "--name", "x", "--rate", "fast"], "10/s"),
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
