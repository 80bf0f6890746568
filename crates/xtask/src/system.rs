//! System packages that tests use: a PostgreSQL server, a browser, the deployment's checkers.

use std::{path::Path, process::Command};

use crate::console::{install, say};

/// A program that tests start, and the Debian package that holds it.
struct Need {
    what: &'static str,
    package: &'static str,
    present: fn() -> bool,
}

const NEEDS: [Need; 14] = [
    Need {
        what: "PostgreSQL server (tests of the shared store)",
        package: "postgresql",
        present: postgres_present,
    },
    Need {
        what: "Chromium (tests of the capture page)",
        package: "chromium",
        present: chromium_present,
    },
    Need {
        what: "Node.js and npm (tests of the capture page, of the JavaScript client and of the Postman collection)",
        package: "npm",
        present: node_present,
    },
    Need {
        what: "Go (its example in the documents)",
        package: "golang-go",
        present: go_present,
    },
    Need {
        what: "Java (its example in the documents)",
        package: "default-jdk-headless",
        present: java_present,
    },
    Need {
        what: "compose (validation of the compose files)",
        package: "docker-compose",
        present: compose_present,
    },
    Need {
        what: "nginx (tests of the load balancer's configuration)",
        package: "nginx-light",
        present: nginx_present,
    },
    Need {
        what: "shellcheck (lint of the deployment's scripts)",
        package: "shellcheck",
        present: shellcheck_present,
    },
    Need {
        what: "cjpeg and djpeg (pixels of JPEGs)",
        package: "libjpeg-turbo-progs",
        present: djpeg_present,
    },
    Need {
        what: "strace (tests that no photo, key or token gets out)",
        package: "strace",
        present: strace_present,
    },
    Need {
        what: "faketime (a clock that jumps, in the test of a bad night)",
        package: "faketime",
        present: faketime_present,
    },
    Need {
        what: "promtool (tests of the alerts)",
        package: "prometheus",
        present: promtool_present,
    },
    Need {
        what: "mmdebstrap (installation of the Debian package in a clean root folder)",
        package: "mmdebstrap",
        present: mmdebstrap_present,
    },
    Need {
        what: "buildah (build of the container file)",
        package: "buildah",
        present: buildah_present,
    },
];

fn postgres_present() -> bool {
    Path::new("/usr/lib/postgresql").exists() || succeeds(Command::new("postgres").arg("--version"))
}

fn go_present() -> bool {
    succeeds(Command::new("go").arg("version"))
}

fn java_present() -> bool {
    succeeds(Command::new("java").arg("--version"))
}

fn compose_present() -> bool {
    succeeds(Command::new("docker").args(["compose", "version"]))
        || succeeds(Command::new("docker-compose").arg("version"))
}

fn nginx_present() -> bool {
    succeeds(Command::new("nginx").arg("-v"))
}

fn shellcheck_present() -> bool {
    succeeds(Command::new("shellcheck").arg("--version"))
}

fn djpeg_present() -> bool {
    succeeds(Command::new("djpeg").arg("-version"))
}

fn strace_present() -> bool {
    succeeds(Command::new("strace").arg("--version"))
}

fn faketime_present() -> bool {
    succeeds(Command::new("faketime").arg("--version"))
}

fn promtool_present() -> bool {
    succeeds(Command::new("promtool").arg("--version"))
}

/// Whether a minimal Debian can be made.
pub(crate) fn mmdebstrap_present() -> bool {
    succeeds(Command::new("mmdebstrap").arg("--version"))
}

fn buildah_present() -> bool {
    succeeds(Command::new("buildah").arg("--version"))
}

/// Whether the capture page can be tested.
pub(crate) fn chromium_present() -> bool {
    succeeds(Command::new("chromium").arg("--version"))
}

/// Whether JavaScript tests can run.
pub(crate) fn node_present() -> bool {
    succeeds(Command::new("npm").arg("--version"))
}

/// Installs what is missing where that is allowed; returns what is still missing.
pub(crate) fn prepare() -> Vec<String> {
    let missing = || NEEDS.iter().filter(|need| !(need.present)());
    if missing().next().is_some() && may_install() {
        let packages: Vec<_> = missing().map(|need| need.package).collect();
        say(&format!("installing {}", packages.join(" ")));
        let log = "install packages";
        let installed =
            install(log, Command::new("apt-get").args(["update", "-qq"])).and_then(|()| {
                install(
                    log,
                    Command::new("apt-get")
                        .args(["install", "-y", "-qq", "--no-install-recommends"])
                        .args(&packages)
                        .env("DEBIAN_FRONTEND", "noninteractive"),
                )
            });
        if let Err(error) = installed {
            say(&format!("{error:#}"));
        }
    }
    missing()
        .map(|need| format!("{}: install the package `{}`", need.what, need.package))
        .collect()
}

/// On a Debian-like system, as root.
pub(crate) fn may_install() -> bool {
    let root = Command::new("id").arg("-u").output();
    let root = root.is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    root && Path::new("/usr/bin/apt-get").exists()
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
