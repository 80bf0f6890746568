//! Set-up and test automation: `cargo xtask test` and `cargo xtask ci`.
//!
//! Whatever a test needs and this machine lacks is installed where that is allowed; what had to
//! be left out is listed at the end, so that a green run never hides a test that did not run.

mod python;
mod service;
mod system;

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
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
    /// What CI runs: format, clippy, docs, deny, then every test.
    Ci,
}

fn main() -> Result<()> {
    env::set_current_dir(root())?;
    match Arguments::parse().task {
        Task::Test { training } => test(training),
        Task::Ci => ci(),
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
    test(true)
}

fn test(training: bool) -> Result<()> {
    let mut left_out = system::prepare();
    if env::var_os("LIVECHECK_DATA").is_none() {
        left_out.push(
            "tests on real faces: set LIVECHECK_DATA to the folder with faces.tar and pad_dev.tar"
                .to_owned(),
        );
    }
    run(cargo().args(["test", "--workspace", "--locked"]))?;

    let binary = service::binary()?;
    service::openapi_holds(&binary, &Environment::OPENAPI.tool("schemathesis")?)?;
    let pytest = |environment: Environment| -> Result<Command> {
        let mut command = Command::new(environment.tool("python")?);
        command
            .args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider"])
            .env("LIVECHECK_BINARY", &binary);
        Ok(command)
    };
    run(pytest(Environment::CLIENTS)?
        .arg(".")
        .current_dir(root().join("clients")))?;
    if system::node_present() {
        for folder in ["clients/javascript", "clients/postman", "web/tests"] {
            let folder = root().join(folder);
            run(Command::new("npm")
                .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
                .current_dir(&folder))?;
            run(Command::new("npm")
                .args(["test", "--silent"])
                .current_dir(&folder)
                .env("LIVECHECK_BINARY", &binary))?;
        }
    }
    if training {
        run(pytest(Environment::TRAINING)?
            .arg("training/tests")
            .env("PYTHONPATH", root().join("training")))?;
    } else {
        left_out.push(
            "tests of the training pipeline: `cargo xtask test --training` installs PyTorch and runs them"
                .to_owned(),
        );
    }
    report(&left_out);
    Ok(())
}

fn report(left_out: &[String]) {
    if left_out.is_empty() {
        println!("\nEvery test ran.");
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
