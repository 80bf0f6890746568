//! Python environments under `target/`, made from lock files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{console::install, workspace::root};

/// An environment with the packages of some lock files.
#[derive(Clone, Copy)]
pub(crate) struct Environment {
    name: &'static str,
    /// Paths in the repository.
    locks: &'static [&'static str],
}

impl Environment {
    /// Checks licences and sources of crates.
    pub(crate) const DENY: Self = Self {
        name: "deny",
        locks: &["crates/xtask/requirements/deny.lock"],
    };

    /// Holds crates against known holes.
    pub(crate) const AUDIT: Self = Self {
        name: "audit",
        locks: &["crates/xtask/requirements/audit.lock"],
    };

    /// Holds a list of components against the schema of CycloneDX.
    pub(crate) const SBOM: Self = Self {
        name: "sbom",
        locks: &["crates/xtask/requirements/sbom.lock"],
    };

    /// Holds a running service against its OpenAPI document.
    pub(crate) const OPENAPI: Self = Self {
        name: "openapi",
        locks: &["crates/xtask/requirements/openapi.lock"],
    };

    /// Tests of the clients.
    pub(crate) const CLIENTS: Self = Self {
        name: "clients",
        locks: &["clients/requirements-test.lock"],
    };

    /// Makes the wheel of the Python module.
    pub(crate) const WHEEL: Self = Self {
        name: "wheel",
        locks: &["crates/python/requirements-build.lock"],
    };

    /// Makes the wheel of the Python client.
    pub(crate) const PACKAGES: Self = Self {
        name: "packages",
        locks: &["crates/xtask/requirements/packages.lock"],
    };

    /// Tests of the Python module.
    pub(crate) const MODULE: Self = Self {
        name: "module",
        locks: &["crates/python/requirements-test.lock"],
    };

    /// Engines for large data, which the Python module's recipes run on.
    pub(crate) const ENGINES: Self = Self {
        name: "engines",
        locks: &["crates/python/requirements-engines.lock"],
    };

    /// Linters and validators of `deploy/`.
    pub(crate) const DEPLOYMENT: Self = Self {
        name: "deployment",
        locks: &["deploy/requirements-check.lock"],
    };

    /// Tests of the training pipeline.
    pub(crate) const TRAINING: Self = Self {
        name: "training",
        locks: &[
            "training/requirements.lock",
            "crates/xtask/requirements/pytest.lock",
        ],
    };

    /// The file below `folder` of the environment's packages whose name begins with `name`, when
    /// the environment was made and has it.
    pub(crate) fn file(self, folder: &str, name: &str) -> Option<PathBuf> {
        let library = root().join("target/python").join(self.name).join("lib");
        let versions = fs::read_dir(library).ok()?;
        versions
            .filter_map(|version| {
                fs::read_dir(version.ok()?.path().join("site-packages").join(folder)).ok()
            })
            .flatten()
            .filter_map(|file| Some(file.ok()?.path()))
            .find(|path| {
                path.file_name()
                    .and_then(|file| file.to_str())
                    .is_some_and(|file| file.starts_with(name))
            })
    }

    /// The path of a command in the environment, which is made or brought up to date first.
    pub(crate) fn tool(self, command: &str) -> Result<PathBuf> {
        Ok(self.commands()?.join(command))
    }

    /// Installs a wheel, and nothing else, in the environment.
    pub(crate) fn install_wheel(self, wheel: &Path) -> Result<()> {
        let mut pip = Command::new(self.tool("python")?);
        pip.args(["-m", "pip", "install", "--quiet"])
            .args(["--disable-pip-version-check", "--force-reinstall"])
            .args(["--no-deps", "--no-index"])
            .arg(wheel);
        install(&format!("install Python {} wheel", self.name), &mut pip)
    }

    /// The folder of the environment's commands, which is made or brought up to date first.
    pub(crate) fn commands(self) -> Result<PathBuf> {
        let wanted = self
            .locks
            .iter()
            .map(|lock| fs::read_to_string(root().join(lock)))
            .collect::<Result<String, _>>()
            .context("a lock file of the Python environments cannot be read")?;
        let folder = root().join("target/python").join(self.name);
        let commands = folder.join("bin");
        let stamp = folder.join("installed.lock");
        if !fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            let log = format!("install Python {}", self.name);
            install(
                &log,
                Command::new("python3")
                    .args(["-m", "venv", "--clear"])
                    .arg(&folder),
            )?;
            let mut pip = Command::new(commands.join("python"));
            pip.args(["-m", "pip", "install", "--quiet"]);
            pip.arg("--disable-pip-version-check");
            for lock in self.locks {
                pip.arg("--requirement").arg(root().join(lock));
            }
            install(&log, &mut pip)?;
            fs::write(stamp, wanted)?;
        }
        Ok(commands)
    }
}
