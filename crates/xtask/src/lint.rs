//! `cargo xtask lint`: the linters of Python and JavaScript, at the versions in the lock files of the suites.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{
    console::{self, run},
    python::Environment,
    system,
    workspace::root,
};

/// The folder whose lock file holds Biome.
const BIOME: &str = "web/tests";

/// Runs `ruff`, `mypy` and Biome, each with its configuration in the root of the repository.
///
/// # Errors
/// When one finds something or cannot be installed.
pub(crate) fn lint() -> Result<()> {
    let python = Environment::CLIENTS.commands()?;
    run(Command::new(python.join("ruff")).args(["check", "--no-cache", "."]))?;
    run(Command::new(python.join("mypy")).args(["--cache-dir", "target/mypy"]))?;
    if !system::node_present() {
        // Installs it where that is allowed.
        system::prepare();
    }
    if !system::node_present() {
        bail!("npm is not installed: Biome, the linter of JavaScript, needs it");
    }
    let biome = root().join(BIOME).join("node_modules/.bin/biome");
    if !biome.exists() {
        console::install_node_packages(BIOME)?;
    }
    run(Command::new(biome).args(["lint", "--error-on-warnings", "."]))
}
