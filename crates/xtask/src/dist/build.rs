//! The release build, without a trace of where it was made.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::{release::Release, targets};
use crate::{
    console::run,
    workspace::{cargo, root},
};

/// The program: built, or the one that is to be packaged.
pub(super) fn program(release: &Release) -> Result<PathBuf> {
    if let Some(binary) = &release.binary {
        return Ok(binary.clone());
    }
    let mut command = cargo();
    command
        .args(["build", "--release", "--locked", "--package", "livecheck"])
        .args(["--target", &release.target]);
    prepare(release, &mut command)?;
    run(&mut command)?;
    let program = release
        .build
        .join(&release.target)
        .join("release/livecheck");
    names_no_place(&program, &release.build)?;
    Ok(program)
}

/// Sets what makes the compiler's output the same everywhere.
pub(super) fn prepare(release: &Release, command: &mut Command) -> Result<()> {
    let flags: Vec<_> = places(&release.build)?
        .into_iter()
        .map(|(place, name)| format!("--remap-path-prefix={}={name}", place.display()))
        .collect();
    command
        .env("CARGO_TARGET_DIR", &release.build)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .env("CARGO_INCREMENTAL", "0")
        .env("SOURCE_DATE_EPOCH", &release.epoch)
        .envs(targets::cross(&release.target, &targets::host()?));
    Ok(())
}

/// Folders of this machine that the compiler writes into programs, for messages of panics, and what it
/// shall write instead. Of two that match, the compiler takes the later.
fn places(build: &Path) -> Result<Vec<(PathBuf, String)>> {
    let rustc = |arguments: &[&str]| -> Result<String> {
        let output = Command::new("rustc").args(arguments).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let version = rustc(&["-vV"])?;
    let commit = version
        .lines()
        .find_map(|line| line.strip_prefix("commit-hash: "))
        .context("`rustc -vV` names no commit")?;
    let library = PathBuf::from(rustc(&["--print", "sysroot"])?).join("lib/rustlib/src/rust");
    let registry = match env::var_os("CARGO_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env::var_os("HOME").context("HOME is not set")?).join(".cargo"),
    };
    Ok(vec![
        (root(), "/livecheck".to_owned()),
        (build.to_owned(), "/livecheck/target".to_owned()),
        (registry, "/cargo".to_owned()),
        (library, format!("/rustc/{commit}")),
    ])
}

/// Fails when a file of a release, or one in a folder, names a folder of this machine.
pub(super) fn names_no_place(file: &Path, build: &Path) -> Result<()> {
    if file.is_dir() {
        for entry in fs::read_dir(file)? {
            names_no_place(&entry?.path(), build)?;
        }
        return Ok(());
    }
    let bytes = fs::read(file)?;
    for (place, _) in places(build)? {
        let place = place.display().to_string();
        if bytes
            .windows(place.len())
            .any(|part| part == place.as_bytes())
        {
            bail!(
                "{} names the folder {place} of this machine",
                file.display()
            );
        }
    }
    Ok(())
}
