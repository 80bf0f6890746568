//! `livecheck healthcheck` and `doctor`, as an operator calls them.

mod common;

use std::{
    fs::{self, File},
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use common::{Bench, text};

/// A server with a certificate of its own, ended with the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Writes a new pair to `cert.pem` and `key.pem`.
fn make_certificate(bench: &Bench) {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let write = |name: &str, text: String| {
        fs::write(bench.folder.path().join(name), text).expect("written");
    };
    write("cert.pem", made.cert.pem());
    write("key.pem", made.signing_key.serialize_pem());
}

fn free_address() -> String {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    free.expect("a free port").to_string()
}

#[cfg(unix)]
#[test]
fn a_hangup_has_the_certificate_read_again() {
    let bench = Bench::new();
    make_certificate(&bench);
    let path = |name: &str| bench.folder.path().join(name);
    let listen = free_address();
    let settings = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"];
    let mut command = bench.command(&[&["serve", "--listen", &listen][..], &settings].concat());
    command.stderr(File::create(path("log")).expect("a file"));
    let mut serving = Serving(command.spawn().expect("it starts"));
    let url = format!("https://{listen}/readyz");
    let trusts = |certificate: &str| {
        let asked = bench.run(&["healthcheck", &url, "--ca", certificate]);
        asked.status.success()
    };
    let pid = serving.0.id().to_string();
    let mut wait = |what: &str, done: &dyn Fn() -> bool| {
        for _ in 0..600 {
            if done() {
                return;
            }
            assert!(serving.0.try_wait().expect("a state").is_none(), "it ended");
            thread::sleep(Duration::from_millis(100));
        }
        panic!("{what}: not within a minute");
    };
    wait("ready", &|| trusts("cert.pem"));

    fs::copy(path("cert.pem"), path("old.pem")).expect("a copy");
    make_certificate(&bench);
    let told = Command::new("kill").args(["-HUP", &pid]).status();
    assert!(told.expect("kill").success());
    // Nobody connects meanwhile, so that it isn't a connection that has the files looked at.
    let log = || fs::read_to_string(path("log")).expect("a log");
    wait("a line in the log", &|| {
        log().contains("the certificate was read again")
    });
    assert!(trusts("cert.pem"));
    assert!(!trusts("old.pem"));

    // What is no pair changes nothing.
    fs::write(path("key.pem"), "nothing").expect("written");
    let told = Command::new("kill").args(["-HUP", &pid]).status();
    assert!(told.expect("kill").success());
    wait("a warning", &|| {
        log().contains("the old certificate stays in force")
    });
    assert!(trusts("cert.pem"));
}

#[test]
fn a_service_with_tls_is_asked_over_tls() {
    let bench = Bench::new();
    make_certificate(&bench);
    let listen = free_address();
    let settings = [
        "--listen",
        listen.as_str(),
        "--tls-cert",
        "cert.pem",
        "--tls-key",
        "key.pem",
    ];
    let mut command = bench.command(&[&["serve"][..], &settings].concat());
    command.stderr(Stdio::null());
    let mut serving = Serving(command.spawn().expect("it starts"));

    let trusting = [&["healthcheck", "--ca", "cert.pem"][..], &settings].concat();
    while !bench.run(&trusting).status.success() {
        assert!(serving.0.try_wait().expect("a state").is_none(), "it ended");
        thread::sleep(Duration::from_millis(50));
    }
    assert!(bench.succeed(&trusting).contains("ok"));
    let url = format!("https://{listen}/readyz");
    for flags in [["--insecure"].as_slice(), &["--ca", "cert.pem"]] {
        bench.succeed(&[&["healthcheck", &url][..], flags].concat());
    }
    // No public authority knows the certificate.
    let output = bench.run(&["healthcheck", &url]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    for (flags, says) in [
        (["--ca", "key.pem"].as_slice(), "contains no certificate"),
        (&["--ca", "nowhere.pem"], "nowhere.pem"),
        (&["--ca", "cert.pem", "--insecure"], "--insecure"),
    ] {
        let (code, message) = bench.fail(&[&["healthcheck", &url][..], flags].concat());
        assert_eq!(code, 2);
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn doctor_says_what_is_public() {
    let bench = Bench::new();
    let doctor = |flags: &[&str]| {
        let flags = [&["doctor", "--listen", "127.0.0.1:0"][..], flags].concat();
        text(&bench.run(&flags).stdout)
    };
    let shown = doctor(&[]);
    assert!(
        shown.contains(
            "public on 127.0.0.1:0 without a key: /healthz, /readyz, /openapi.json, /docs, /demo; nowhere: /metrics, /version"
        ),
        "{shown}"
    );
    let shown = doctor(&[
        "--admin-listen",
        "127.0.0.1:0",
        "--admin-token",
        "0123456789abcdef0123456789abcdef",
        "--docs",
        "off",
    ]);
    assert!(
        shown.contains(
            "without a key: /openapi.json, /demo; on 127.0.0.1:0: /healthz, /readyz, /metrics, /version, and with the admin token /keys; nowhere: /docs"
        ),
        "{shown}"
    );
    assert!(!shown.contains("0123456789abcdef"), "{shown}");
}
