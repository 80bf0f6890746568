//! Set-up and test automation: `cargo xtask test` and `cargo xtask ci`; and figures of a service
//! under load: `cargo xtask load`, `cargo xtask soak`, `cargo xtask abuse`.
//!
//! Whatever a test needs and this machine lacks is installed where that is allowed; what had to
//! be left out is listed at the end, so that a green run never hides a test that did not run.

#[cfg(feature = "api")]
mod api;
// Its rules are tested without the library that lists an API.
mod console;
mod dist;
mod lint;
#[cfg(feature = "load")]
mod load;
mod outcome;
mod python;
mod report;
mod rust;
#[cfg(all(test, not(feature = "api")))]
#[path = "api/semver.rs"]
mod semver;
mod service;
mod suites;
mod supply;
mod system;
mod wasm;
mod workspace;

#[cfg(not(feature = "load"))]
use std::ffi::OsString;
use std::{
    env,
    process::{Command, ExitCode},
};

use anyhow::Result;
use clap::{Parser, Subcommand};
use console::run;
use python::Environment;
use suites::Scope;
use workspace::{cargo, root};

#[derive(Parser)]
#[command(
    about = "Set-up and test automation of Livecheck",
    after_help = "Under load: `cargo xtask load`, `soak`, `abuse`, `chaos` and `frames`; each explains itself with --help."
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the tests need, then run all of them.
    Test {
        /// Also install PyTorch (5 GB) and run the tests of the training pipeline.
        #[arg(long)]
        training: bool,
        /// Also build the Python module's wheel, install Ray, Spark, DuckDB and Polars (1.5 GB) and test it by itself and on them.
        #[arg(long, conflicts_with = "training")]
        engines: bool,
        /// Install nothing: run only the Rust tests, except the slowest, with what this machine has.
        #[arg(long, conflicts_with_all = ["training", "engines"])]
        quick: bool,
    },
    /// Run ruff, mypy and Biome over the Python and JavaScript in this repository.
    Lint,
    /// What CI runs: format, clippy, docs, linters, deny, audit, then every test, without data and with it.
    Ci,
    /// Check the locked dependencies against the database of known vulnerabilities.
    Audit,
    /// Write the bill of materials: target/livecheck.cdx.json (`CycloneDX`).
    Sbom,
    /// Build the packages of a release into target/dist/TARGET, the same bytes each time.
    Dist(dist::Options),
    /// List the public API of the engine's crate in crates/engine/public-api.txt, and say what breaks its
    /// users; fail when the version is too low for what changed since the last release.
    Api {
        /// Write nothing: fail when the file is not the API, or the version too low
        #[arg(long)]
        check: bool,
        /// Record the API and the version as those of the last release:
        /// crates/engine/public-api-released.txt
        #[arg(long, conflicts_with = "check")]
        release: bool,
    },
    /// Build the face detector of the capture page: web/face-detector.wasm.
    Wasm {
        /// Write nothing: fail if the file differs from what its sources give.
        #[arg(long)]
        check: bool,
    },
    #[cfg(feature = "load")]
    #[command(flatten)]
    Load(load::Task),
    /// `load`, `soak`, `abuse`, which are compiled on demand.
    #[cfg(not(feature = "load"))]
    #[command(external_subcommand)]
    Load(Vec<OsString>),
}

fn main() -> ExitCode {
    console::start_clock();
    match run_task(&Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        // In one line: a backtrace of this program tells nothing about a failed test.
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_task(task: &Task) -> Result<()> {
    env::set_current_dir(root())?;
    match task {
        Task::Test { training: true, .. } => suites::test(Scope::Training),
        Task::Test { engines: true, .. } => suites::test(Scope::Engines),
        Task::Test { quick: true, .. } => suites::test(Scope::Quick),
        Task::Test { .. } => suites::test(Scope::All),
        Task::Lint => lint::lint(),
        Task::Ci => ci(),
        Task::Audit => supply::audit().map(|_| ()),
        Task::Sbom => supply::sbom(),
        Task::Dist(options) => dist::run(options),
        Task::Api { check: true, .. } => api(Api::Check),
        Task::Api { release: true, .. } => api(Api::Release),
        Task::Api { .. } => api(Api::Write),
        Task::Wasm { check: true } => wasm::check(),
        Task::Wasm { check: false } => wasm::write(),
        #[cfg(feature = "load")]
        Task::Load(task) => task.run(),
        #[cfg(not(feature = "load"))]
        Task::Load(arguments) => run(cargo()
            .args(["run", "--quiet", "--package", "xtask", "--features", "load"])
            .arg("--")
            .args(arguments)),
    }
}

/// What is done with the listing of the public API.
#[derive(Clone, Copy)]
enum Api {
    Write,
    Check,
    Release,
}

#[cfg(feature = "api")]
fn api(task: Api) -> Result<()> {
    match task {
        Api::Write => api::write(),
        Api::Check => api::check(),
        Api::Release => api::release(),
    }
}

/// Compiled when it is asked for.
#[cfg(not(feature = "api"))]
fn api(task: Api) -> Result<()> {
    run(cargo()
        .args(["run", "--quiet", "--package", "xtask", "--features", "api"])
        .args(["--", "api"])
        .args(match task {
            Api::Write => None,
            Api::Check => Some("--check"),
            Api::Release => Some("--release"),
        }))
}

/// Switches on all of this program.
const FEATURES: [&str; 2] = ["--features", "xtask/load,xtask/api"];

fn ci() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(cargo()
        .args(["clippy", "--workspace", "--all-targets", "--locked"])
        .args(FEATURES)
        .args(["--", "--deny", "warnings"]))?;
    run(cargo()
        .args(["doc", "--workspace", "--no-deps", "--locked"])
        // With the examples the dependencies have the features that clippy checked them with, and aren't
        // compiled again.
        .args(["--lib", "--bins", "--examples"])
        .args(FEATURES)
        .env("RUSTDOCFLAGS", "--deny warnings"))?;
    // The crate that others may depend on, and what it is with no feature.
    run(cargo().args([
        "check",
        "--package",
        "livecheck-engine",
        "--lib",
        "--locked",
    ]))?;
    run(cargo()
        .args(["package", "--package", "livecheck-image"])
        .args(["--package", "livecheck-engine", "--locked"])
        .args(["--no-verify", "--allow-dirty"]))?;
    api(Api::Check)?;
    lint::lint()?;
    let deny = Environment::DENY.tool("cargo-deny")?;
    run(Command::new(deny)
        .args(["--log-level", "error", "check"])
        .args(["bans", "licenses", "sources"]))?;
    supply::audit()?;
    wasm::check()?;
    suites::test(Scope::Ci)
}
