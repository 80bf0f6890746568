//! What all parts of a release are made with.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;
use clap::ValueEnum;

use crate::console::{install, say};

/// One kind of package.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Part {
    /// The program with its manual pages, as tar.gz.
    Archive,
    /// The Debian package.
    Debian,
    /// The Python module `livecheck_engine`.
    EngineWheel,
    /// The Python client.
    ClientWheel,
    /// The JavaScript client and the capture page's element.
    Npm,
    /// The lists of components (`CycloneDX`).
    Sbom,
}

/// What all parts are made with.
pub(super) struct Release {
    pub(super) version: &'static str,
    pub(super) target: String,
    /// Seconds since 1970 of the commit.
    pub(super) epoch: String,
    pub(super) binary: Option<PathBuf>,
    pub(super) parts: BTreeSet<Part>,
    /// Where the compiler writes.
    pub(super) build: PathBuf,
    /// Where files are laid out before they are packed.
    pub(super) stage: PathBuf,
    /// Where the packages go.
    pub(super) out: PathBuf,
}

impl Release {
    /// A command whose output depends on no clock.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("SOURCE_DATE_EPOCH", &self.epoch)
            .env("LC_ALL", "C")
            .env("TZ", "UTC");
        command
    }

    /// Whether this is only a test of the packaging.
    pub(super) fn quick(&self) -> bool {
        self.binary.is_some()
    }
}

/// Runs a tool whose output only matters when it fails.
pub(super) fn tool(name: &str, command: &mut Command) -> Result<()> {
    say(&format!("dist: {name}"));
    install(&format!("dist {name}"), command)
}

/// The files of a folder, sorted.
pub(super) fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}
