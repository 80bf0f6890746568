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
}

#[test]
fn an_admin_listener_that_others_reach_needs_a_token_or_a_network_that_protects_it() {
    const ADVICE: [&str; 5] = [
        "other machines can reach",
        "admin_token",
        "admin_token_file",
        "127.0.0.1",
        "admin_open = true",
    ];
    let bench = Bench::new();
    bench.succeed(&["keys", "create", "--name", "shop"]);
    for address in ["0.0.0.0:0", "[::]:0"] {
        let listen = ["--listen", "127.0.0.1:0", "--admin-listen", address];
        let (code, message) = bench.fail(&[&["serve"], &listen[..]].concat());
        assert_eq!(code, 2, "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
        let output = bench.run(&[&["doctor"], &listen[..]].concat());
        let found = said(&output);
        assert_eq!(output.status.code(), Some(1), "{found}");
        let finding = found
            .lines()
            .find(|line| line.starts_with("WRONG admin listener: "));
        for said in [&*message, finding.unwrap_or_else(|| panic!("{found}"))] {
            for words in [&[address], &ADVICE[..]].concat() {
                assert!(said.contains(words), "{words} in {said}");
            }
        }
    }
    // The demonstration has the same settings.
    let output = bench
        .command(&[])
        .env("LIVECHECK_ADMIN_LISTEN", "0.0.0.0:0")
        .env("LIVECHECK_LISTEN", "127.0.0.1:0")
        .output()
        .expect("the binary starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(common::text(&output.stderr).contains("admin_open"));

    let exposed = ("LIVECHECK_ADMIN_LISTEN", "0.0.0.0:0");
    let shows = "sees /metrics, /version without a token";
    for (settings, warns) in [
        ([exposed, ("LIVECHECK_ADMIN_OPEN", "true")], false),
        // The token is the admin API's.
        ([exposed, ("LIVECHECK_ADMIN_TOKEN", TOKEN)], true),
        (
            [
                ("LIVECHECK_ADMIN_LISTEN", "127.0.0.1:0"),
                ("LIVECHECK_ADMIN_OPEN", "off"),
            ],
            false,
        ),
    ] {
        let endpoints = [
            ("LIVECHECK_READYZ", "public"),
            ("LIVECHECK_METRICS", "admin"),
            ("LIVECHECK_VERSION", "admin"),
        ];
        let mut settings = settings.to_vec();
        // The helper asks for readiness on the API's listener, and puts the others there.
        settings.extend(endpoints);
        let service = Process::serving(&bench, &[], &settings, String::new());
        let service = service.unwrap_or_else(|log| panic!("{settings:?}: {log}"));
        assert_eq!(service.log().contains(shows), warns, "{}", service.log());
        assert!(service.stop());
        let mut doctor = bench.command(&["doctor", "--listen", "127.0.0.1:0"]);
        let output = doctor.envs(settings.iter().copied()).output();
        let found = said(&output.expect("the binary starts"));
        assert!(!found.contains("WRONG admin listener"), "{found}");
        assert_eq!(found.contains(shows), warns, "{found}");
    }
    let doctor =
        |more: &[&str]| said(&bench.run(&[&["doctor", "--listen", "127.0.0.1:0"], more].concat()));
    let found = doctor(&["--admin-listen", "[::1]:0"]);
    assert!(!found.contains("admin listener: "), "{found}");
    let file = "admin_listen = \"0.0.0.0:0\"\nadmin_open = true\n";
    fs::write(bench.folder.path().join("livecheck.toml"), file).expect("a file");
    let found = doctor(&["--config", "livecheck.toml"]);
    assert!(found.contains("admin_open = on"), "{found}");
    assert!(!found.contains("admin listener: "), "{found}");
}
