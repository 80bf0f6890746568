//! Secrets of the settings: read from files, never shown, and warned about where others can read them.

mod common;
#[path = "serve/process.rs"]
mod process;

use std::{fs, path::Path, process::Output};

use common::Bench;
use process::Process;

const TOKEN: &str = "an-admin-token-of-thirty-two-letters";

fn said(output: &Output) -> String {
    common::text(&output.stdout) + &common::text(&output.stderr)
}

#[test]
fn of_a_database_address_only_scheme_and_host_are_shown() {
    let bench = Bench::new();
    // Nothing listens on port 1.
    let shown = "postgres://127.0.0.1:1";
    for (number, address) in [
        "postgres://127.0.0.1:1/people?user=alice&password=hunter2",
        "postgres://alice:hunter2@127.0.0.1:1/people",
        // Mistyped.
        "postgres://127.0.0.1:1/people?passwort=hunter2",
    ]
    .into_iter()
    .enumerate()
    {
        let output = bench.run(&["doctor", "--listen", "127.0.0.1:0", "--database", address]);
        let found = said(&output);
        assert!(
            found.contains(shown) && found.contains("WRONG store"),
            "{found}"
        );
        let mut texts = vec![found];
        texts.push(said(&bench.run(&["keys", "list", "--database", address])));
        if number == 0 {
            let arguments = ["serve", "--listen", "127.0.0.1:0", "--database", address];
            texts.push(said(&bench.run(&arguments)));
        }
        for text in texts {
            for hidden in ["hunter2", "alice", "people"] {
                assert!(!text.contains(hidden), "{address}: {text}");
            }
        }
    }
}

#[test]
fn secrets_are_read_from_files() {
    let bench = Bench::new();
    let key = bench.succeed(&["keys", "create", "--name", "shop", "--database", "shop.db"]);
    let write = |name: &str, text: &str| {
        let path = bench.folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    };
    let database = write("address", " shop.db\n");
    let token = write("token", &format!("{TOKEN}\n"));
    let keys = bench.succeed(&["keys", "list", "--database-file", &database]);
    assert!(keys.contains("shop"), "{keys}");
    let settings = [
        // The file goes before it, as in a container that sets the variable.
        ("LIVECHECK_DATABASE", "elsewhere.db"),
        ("LIVECHECK_DATABASE_FILE", &*database),
        ("LIVECHECK_ADMIN_LISTEN", "127.0.0.1:0"),
        ("LIVECHECK_ADMIN_TOKEN_FILE", &*token),
        ("LIVECHECK_READYZ", "public"),
    ];
    let service = Process::serving(&bench, &[], &settings, key.trim().to_owned());
    let service = service.expect("it starts");
    service.session();
    let log = service.log();
    let admin = log
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find(|line| line["message"] == "listening for operations")
        .expect("the admin listener");
    let url = format!("http://{}/keys", admin["address"].as_str().expect("text"));
    let ask = |token: &str| {
        let request = ureq::get(&url).header("authorization", format!("Bearer {token}"));
        request.call().is_ok()
    };
    assert!(ask(TOKEN) && !ask("another-token-of-thirty-two-letters!"));
    assert!(!bench.folder.path().join("elsewhere.db").exists());
    #[cfg(target_os = "linux")]
    {
        let limits = fs::read_to_string(format!("/proc/{}/limits", service.pid()));
        let limits = limits.expect("its limits");
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        let core: Vec<&str> = core.expect("the line").split_whitespace().collect();
        assert_eq!(core[4..6], ["0", "0"], "no core dumps");
    }

    for (flag, text, words) in [
        ("--database-file", "", "database_file"),
        ("--database-file", "\u{0}\u{1}SQLite", "database"),
        (
            "--admin-token-file",
            "short-and-secret",
            "32 to 256 visible characters",
        ),
        (
            "--image-key-file",
            "short-and-secret",
            "64 hexadecimal digits",
        ),
    ] {
        let file = write("bad", text);
        let arguments = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
        ];
        let (code, message) = bench.fail(&[&arguments[..], &[flag, &*file]].concat());
        assert_eq!(code, 2, "{message}");
        assert!(message.contains(words), "{message}");
        assert!(!message.contains("short-and-secret"), "{message}");
    }
    let missing = ["doctor", "--database-file", "/nowhere/address"];
    let found = said(&bench.run(&missing));
    assert!(found.contains("database_file /nowhere/address"), "{found}");
    let both = [
        "doctor",
        "--admin-listen",
        "127.0.0.1:0",
        "--admin-token",
        TOKEN,
    ];
    let found = said(&bench.run(&[&both[..], &["--admin-token-file", &*token]].concat()));
    assert!(found.contains("exclude each other"), "{found}");
}

#[test]
fn a_secret_on_the_command_line_is_warned_about() {
    let bench = Bench::new();
    bench.succeed(&["keys", "create", "--name", "shop"]);
    let arguments = [
        "doctor",
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "127.0.0.1:0",
    ];
    let doctor = |further: &[&str]| said(&bench.run(&[&arguments, further].concat()));
    assert!(!doctor(&[]).contains("warn "));
    let image_key = "ab".repeat(32);
    for (flag, value) in [
        ("--admin-token", TOKEN),
        ("--image-key", &*image_key),
        ("--database", "postgres://alice:hunter2@127.0.0.1:1/people"),
    ] {
        let found = doctor(&[flag, value]);
        assert!(
            found.contains(&format!("warn  secrets: the value of {flag}")),
            "{found}"
        );
        assert!(found.contains(&format!("{flag}-file")), "{found}");
        assert!(!found.contains(value), "{found}");
    }
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--database"];
    let address = "postgres://alice:hunter2@127.0.0.1:1/people";
    let (_, log) = bench.fail(&[&arguments[..], &[address]].concat());
    assert!(log.contains("is on the command line"), "{log}");
}

#[cfg(unix)]
#[test]
fn files_that_everybody_may_read_are_warned_about() {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = |path: &Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    };
    let bench = Bench::new();
    bench.succeed(&["keys", "create", "--name", "shop"]);
    let folder = bench.folder.path();
    let token = folder.join("token");
    fs::write(&token, TOKEN).expect("a file");
    let settings = folder.join("livecheck.toml");
    fs::write(&settings, format!("image_key = \"{}\"\n", "ab".repeat(32))).expect("a file");
    let doctor = || {
        let arguments = [
            "doctor",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
            "--config",
            "livecheck.toml",
            "--admin-token-file",
            "token",
        ];
        said(&bench.run(&arguments))
    };
    for file in [&token, &settings] {
        mode(file, 0o640);
    }
    mode(folder, 0o755);
    assert!(!doctor().contains("warn "), "{}", doctor());
    for (file, what) in [
        (&token, "admin_token_file"),
        (&settings, "the settings file"),
        (&folder.join("livecheck.db"), "database"),
    ] {
        mode(file, 0o644);
        let found = doctor();
        let warning = format!("({what}) can be read or written by every user");
        assert!(
            found.contains(&warning) && found.contains("chmod o-rwx"),
            "{found}"
        );
        assert!(!found.contains("WRONG"), "{found}");
        // Nobody gets to it through a closed folder.
        mode(folder, 0o700);
        assert!(!doctor().contains("warn "));
        mode(folder, 0o755);
        mode(file, 0o600);
    }
}

#[test]
fn a_database_whose_certificate_is_not_checked_is_warned_about() {
    let bench = Bench::new();
    let doctor = |address: &str, more: &[&str]| {
        let mut arguments = vec!["doctor", "--listen", "127.0.0.1:0", "--database", address];
        arguments.extend(more);
        said(&bench.run(&arguments))
    };
    for (query, mode) in [
        ("", "prefer"),
        ("?sslmode=disable", "disable"),
        ("?sslmode=require", "require"),
        ("?sslmode=verify-ca", "verify-ca"),
    ] {
        let found = doctor(&format!("postgres://db.invalid/livecheck{query}"), &[]);
        let warning = format!("sslmode of the PostgreSQL at db.invalid is {mode}");
        assert!(found.contains(&warning), "{found}");
    }
    for address in [
        "postgres://db.invalid/livecheck?sslmode=verify-full",
        "postgres://127.0.0.1:1/livecheck",
        "livecheck.db",
    ] {
        let found = doctor(address, &[]);
        assert!(!found.contains("sslmode"), "{found}");
    }
    let found = doctor("livecheck.db", &["--admin-listen", "0.0.0.0:0"]);
    assert!(found.contains("sees /metrics, /version"), "{found}");
    let found = doctor("livecheck.db", &["--admin-listen", "127.0.0.1:0"]);
    assert!(!found.contains("without a token:"), "{found}");
}
