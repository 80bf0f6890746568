//! Set-up and test automation: `cargo xtask test` and `cargo xtask ci`; and figures of a service
//! under load: `cargo xtask load`, `cargo xtask soak`, `cargo xtask rude`.
//!
//! Whatever a test needs and this machine lacks is installed where that is allowed; what had to
//! be left out is listed at the end, so that a green run never hides a test that did not run.

mod load;
mod python;
mod service;
mod supply;
mod system;

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use python::Environment;

#[derive(Parser)]
#[command(about = "Set-up and test automation of Livecheck")]
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
    },
    /// What CI runs: format, clippy, docs, deny, audit, then every test.
    Ci,
    /// Offer 1, 2 and 10 times of what the service can do; hold every answer against what was sent.
    Load {
        #[command(flatten)]
        options: load::Options,
        /// How long each load lasts.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
    /// Keep the service busy and see that memory and open files do not grow.
    Soak {
        #[command(flatten)]
        options: load::Options,
        /// How long.
        #[arg(long, default_value_t = 15)]
        minutes: u64,
    },
    /// Time an honest client beside rude ones: slow, silent, pipelining, flooding, leaving, deaf.
    Rude {
        #[command(flatten)]
        options: load::Options,
        /// How long each kind lasts.
        #[arg(long, default_value_t = 15)]
        seconds: u64,
    },
    /// Hold the locked dependencies against the database of known holes.
    Audit,
    /// Write the list of what the program is made of: target/livecheck.cdx.json (`CycloneDX`).
    Sbom,
}

fn main() -> Result<()> {
    env::set_current_dir(root())?;
    match Arguments::parse().task {
        Task::Test { training } => test(training),
        Task::Ci => ci(),
        Task::Load { options, seconds } => load::load(&options, seconds),
        Task::Soak { options, minutes } => load::soak(&options, minutes),
        Task::Rude { options, seconds } => load::rude(&options, seconds),
        Task::Audit => supply::audit().map(|_| ()),
        Task::Sbom => supply::sbom(),
    }
}

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("this crate lies two folders below the root")
        .to_owned()
}

fn ci() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(cargo()
        .args(["clippy", "--workspace", "--all-targets", "--locked"])
        .args(["--", "--deny", "warnings"]))?;
    run(cargo()
        .args(["doc", "--workspace", "--no-deps", "--locked"])
        .env("RUSTDOCFLAGS", "--deny warnings"))?;
    let deny = Environment::DENY.tool("cargo-deny")?;
    run(Command::new(deny)
        .args(["--log-level", "error", "check"])
        .args(["bans", "licenses", "sources"]))?;
    supply::audit()?;
    test(true)
}

/// Tests that belong together.
type Suite<'a> = Box<dyn Fn() -> Result<()> + 'a>;

/// Runs every suite, whatever became of the ones before it.
fn test(training: bool) -> Result<()> {
    let mut left_out = system::prepare();
    if env::var_os("LIVECHECK_DATA").is_none() {
        left_out.push(
            "tests on real faces: set LIVECHECK_DATA to the folder with faces.tar and pad_dev.tar"
                .to_owned(),
        );
    }
    if training {
        // First of all, as the crates' tests use its ONNX Runtime.
        Environment::TRAINING.commands()?;
    }
    if onnx_runtime().is_none() {
        left_out.push(
            "the comparison of both inference runtimes: name a library of ONNX Runtime in LIVECHECK_ONNXRUNTIME, or run with --training"
                .to_owned(),
        );
    }
    let binary = service::binary()?;
    let mut suites: Vec<(&str, Suite<'_>)> = vec![
        ("crates", Box::new(crates)),
        ("OpenAPI", Box::new(|| openapi(&binary))),
        ("clients", Box::new(|| clients(&binary))),
        ("deployment", Box::new(|| deployment(&binary))),
    ];
    if system::node_present() {
        for folder in ["clients/javascript", "clients/postman", "web/tests"] {
            suites.push((folder, Box::new(|| javascript(folder, &binary))));
        }
    }
    if training {
        suites.push(("training", Box::new(pipeline)));
    } else {
        left_out.push(
            "tests of the training pipeline: `cargo xtask test --training` installs PyTorch and runs them"
                .to_owned(),
        );
    }
    let mut failed = Vec::new();
    for (name, suite) in suites {
        let started = Instant::now();
        let outcome = suite();
        let seconds = started.elapsed().as_secs();
        match outcome {
            Ok(()) => println!("\n=== {name}: passed, {seconds} s"),
            Err(error) => {
                println!("\n=== {name}: FAILED, {seconds} s: {error:#}");
                failed.push(name);
            }
        }
    }
    report(&left_out);
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

fn crates() -> Result<()> {
    let mut command = cargo();
    command.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    if let Some(library) = onnx_runtime() {
        command.env(ONNX_RUNTIME, library);
    }
    run(&mut command)
}

/// Names the shared library of ONNX Runtime to the tests.
const ONNX_RUNTIME: &str = "LIVECHECK_ONNXRUNTIME";

/// The library that the user names, or that of the training pipeline's Python package.
fn onnx_runtime() -> Option<PathBuf> {
    if let Some(named) = env::var_os(ONNX_RUNTIME) {
        return Some(named.into());
    }
    Environment::TRAINING.file("onnxruntime/capi", "libonnxruntime.so")
}

fn openapi(binary: &Path) -> Result<()> {
    service::openapi_holds(binary, &Environment::OPENAPI.tool("schemathesis")?)
}

fn clients(binary: &Path) -> Result<()> {
    run(pytest(Environment::CLIENTS)?
        .arg(".")
        .env("LIVECHECK_BINARY", binary)
        .current_dir(root().join("clients")))
}

/// What `deploy/` holds, as far as this machine can check it: the script says what it left out.
fn deployment(binary: &Path) -> Result<()> {
    let tools = Environment::DEPLOYMENT.commands()?;
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(std::iter::once(tools).chain(env::split_paths(&path)))?;
    run(Command::new("bash")
        .arg("deploy/check.sh")
        .env("PATH", path)
        .env("LIVECHECK_BINARY", binary))
}

fn javascript(folder: &str, binary: &Path) -> Result<()> {
    let folder = root().join(folder);
    run(Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(&folder))?;
    run(Command::new("npm")
        .args(["test", "--silent"])
        .current_dir(&folder)
        .env("LIVECHECK_BINARY", binary))
}

fn pipeline() -> Result<()> {
    run(pytest(Environment::TRAINING)?
        .arg("training/tests")
        .env("PYTHONPATH", root().join("training")))
}

fn pytest(environment: Environment) -> Result<Command> {
    let mut command = Command::new(environment.tool("python")?);
    command.args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider"]);
    Ok(command)
}

fn report(left_out: &[String]) {
    if left_out.is_empty() {
        println!("\nEvery suite ran; what a suite left out, it says above.");
        return;
    }
    println!("\n!!! LEFT OUT of this run:");
    for what in left_out {
        println!("!!!   {what}");
    }
}

fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a command and fails when it fails.
fn run(command: &mut Command) -> Result<()> {
    println!("\n$ {}", shown(command));
    let status = command
        .status()
        .with_context(|| format!("{} cannot be started", shown(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", shown(command));
    }
    Ok(())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
