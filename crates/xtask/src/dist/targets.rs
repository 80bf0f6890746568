//! The targets that a release has, and what this machine lacks to build them.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// A target of releases.
struct Target {
    triple: &'static str,
    /// The C compiler, which also links, on a machine of another target.
    compiler: &'static str,
    /// The Debian package that has it.
    package: &'static str,
}

const TARGETS: [Target; 2] = [
    Target {
        triple: "x86_64-unknown-linux-gnu",
        compiler: "x86_64-linux-gnu-gcc",
        package: "gcc-x86-64-linux-gnu",
    },
    Target {
        triple: "aarch64-unknown-linux-gnu",
        compiler: "aarch64-linux-gnu-gcc",
        package: "gcc-aarch64-linux-gnu",
    },
];

/// What releases are not built for.
const ELSEWHERE: &str =
    "macOS and Windows: no packages; on macOS `cargo build --release` is untested";

/// This machine's target.
pub(super) fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("`rustc -vV` names no host")
}

/// Fails when the target cannot be built here, and says what is missing.
pub(super) fn check(target: &str, host: &str) -> Result<()> {
    if target == host {
        return Ok(());
    }
    let Some(known) = TARGETS.iter().find(|known| known.triple == target) else {
        let known: Vec<_> = TARGETS.iter().map(|known| known.triple).collect();
        bail!(
            "{target} is not a target of releases ({})",
            known.join(", ")
        );
    };
    let missing = known.missing();
    if !missing.is_empty() {
        bail!("{target} cannot be built here: {}", missing.join("; "));
    }
    Ok(())
}

/// One line for each target of a release that was not built.
pub(super) fn others(built: &str, host: &str) -> Vec<String> {
    let mut lines: Vec<_> = TARGETS
        .iter()
        .filter(|other| other.triple != built)
        .map(|other| {
            let missing = other.missing();
            if other.triple == host {
                format!("{}: run `cargo xtask dist`", other.triple)
            } else if missing.is_empty() {
                format!(
                    "{}: can be built here with `cargo xtask dist --target {}`; test it on such a machine",
                    other.triple, other.triple
                )
            } else {
                format!(
                    "{}: needs another machine, or here: {}",
                    other.triple,
                    missing.join("; ")
                )
            }
        })
        .collect();
    lines.push(ELSEWHERE.to_owned());
    lines
}

/// The variables by which cargo and build scripts find the tools of another target.
pub(super) fn cross(target: &str, host: &str) -> Vec<(String, String)> {
    let known = TARGETS.iter().find(|known| known.triple == target);
    let Some(known) = known.filter(|_| target != host) else {
        return Vec::new();
    };
    let name = target.replace('-', "_");
    vec![
        (
            format!("CARGO_TARGET_{}_LINKER", name.to_uppercase()),
            known.compiler.to_owned(),
        ),
        (format!("CC_{name}"), known.compiler.to_owned()),
    ]
}

impl Target {
    fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let library = Command::new("rustc")
            .args(["--print", "target-libdir", "--target", self.triple])
            .output();
        let installed = library.is_ok_and(|output| {
            PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
        });
        if !installed {
            missing.push(format!("`rustup target add {}`", self.triple));
        }
        let compiler = Command::new(self.compiler)
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        if !compiler.is_ok_and(|status| status.success()) {
            missing.push(format!("`apt-get install {}`", self.package));
        }
        missing
    }
}
