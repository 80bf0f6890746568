//! The program that is loaded.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::{
    console::run,
    workspace::{cargo, root},
};

/// Builds `livecheck` as it is shipped and returns its path.
pub(crate) fn release_binary() -> Result<PathBuf> {
    run(cargo().args(["build", "--release", "--package", "livecheck", "--locked"]))?;
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(target.join("release/livecheck"))
}

/// What a binary is, in words: its version, the folder that names its profile, its digest.
pub(crate) fn describe(binary: &Path) -> Result<String> {
    let version = Command::new(binary).arg("--version").output();
    let version = version.with_context(|| format!("{} cannot be started", binary.display()))?;
    let profile = binary.parent().and_then(Path::file_name);
    let profile = profile.unwrap_or_default().to_string_lossy();
    let digest = fs::read(binary).map(Sha256::digest)?;
    let digest: String = digest[..6]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(format!(
        "{}, {profile} build, SHA-256 {digest}…",
        String::from_utf8_lossy(&version.stdout).trim()
    ))
}
