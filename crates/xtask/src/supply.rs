//! What the product is made of: known holes in it (`cargo xtask audit`), and the list of it
//! (`cargo xtask sbom`).

use std::{env, fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use crate::{cargo, python::Environment, root, run, shown};

/// The tool that writes the list, and the version whose options are used here.
const CYCLONEDX: (&str, &str) = ("cargo-cyclonedx", "0.5.9");

/// What cargo-audit says when it could not get its database.
const NO_DATABASE: &str = "couldn't fetch advisory database";

/// Holds the locked dependencies against the `RustSec` advisory database: `Ok(false)`, said loudly,
/// when that cannot be had.
///
/// # Errors
/// An advisory that holds, or a tool that fails otherwise.
pub(crate) fn audit() -> Result<bool> {
    let mut audit = Command::new(Environment::AUDIT.tool("cargo-audit")?);
    audit.args(["audit", "--deny", "unsound", "--deny", "yanked"]);
    println!("\n$ {}", shown(&audit));
    let output = audit.output().context("cargo-audit cannot be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    print!("{}{said}", String::from_utf8_lossy(&output.stdout));
    if output.status.success() {
        return Ok(true);
    }
    if said.contains(NO_DATABASE) {
        println!(
            "\n!!! LEFT OUT: known holes in dependencies: the advisory database cannot be fetched from \
             here. Run `cargo xtask audit` where there is a network before a release."
        );
        return Ok(false);
    }
    bail!("cargo-audit found something, or failed: {}", output.status)
}

/// Writes `target/livecheck.cdx.json` (CycloneDX 1.5): every crate in the program, with its
/// licence, checksum and source.
///
/// # Errors
/// A tool that fails, or a list that lacks what must be in it.
pub(crate) fn sbom() -> Result<()> {
    let (tool, version) = CYCLONEDX;
    let tools = root().join("target/tools");
    run(cargo()
        .args(["install", tool, "--version", version, "--locked", "--root"])
        .arg(&tools))?;
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(std::iter::once(tools.join("bin")).chain(env::split_paths(&path)))?;
    let manifest = root().join("crates/cli/Cargo.toml");
    run(cargo()
        .arg("cyclonedx")
        .arg("--manifest-path")
        .arg(&manifest)
        .args([
            "--format",
            "json",
            "--spec-version",
            "1.5",
            "--no-build-deps",
        ])
        .args(["--override-filename", "livecheck.cdx"])
        .env("PATH", path))?;
    // The tool writes one list into the folder of every crate of the workspace; the program's counts.
    let target = root().join("target/livecheck.cdx.json");
    for folder in fs::read_dir(root().join("crates"))? {
        let written = folder?.path().join("livecheck.cdx.json");
        if written.exists() {
            if written.starts_with(root().join("crates/cli")) {
                fs::copy(&written, &target)?;
            }
            fs::remove_file(&written)?;
        }
    }
    check(&target)
}

/// The list is CycloneDX and holds what the program is surely made of.
fn check(list: &PathBuf) -> Result<()> {
    let text = fs::read_to_string(list).context("the tool wrote no list for the program")?;
    for wanted in [
        "\"bomFormat\": \"CycloneDX\"",
        "pkg:cargo/tract-onnx@",
        "pkg:cargo/hyper@",
    ] {
        if !text.contains(wanted) {
            bail!("{} lacks {wanted}", list.display());
        }
    }
    println!(
        "\n{}: {} components",
        list.display(),
        text.matches("\"purl\"").count()
    );
    Ok(())
}
