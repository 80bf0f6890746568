//! `cargo xtask wasm`: builds the face detector of the capture page, `web/face-detector.wasm`.
//!
//! The file is committed, so that the product builds without the wasm32 target. CI builds it again and
//! compares.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    console::{run, say},
    workspace::{cargo, root},
};

const TARGET: &str = "wasm32-unknown-unknown";
const PACKAGE: &str = "livecheck-face-detector-wasm";
const BUILT: &str = "wasm32-unknown-unknown/wasm/livecheck_face_detector_wasm.wasm";
const COMMITTED: &str = "web/face-detector.wasm";

/// Builds the module and puts it where the page finds it.
pub(crate) fn write() -> Result<()> {
    add_target()?;
    let module = build()?;
    fs::write(COMMITTED, &module).context(COMMITTED)?;
    say(&format!("{COMMITTED}: {} bytes", module.len()));
    Ok(())
}

/// Fails when the committed module is not what the sources give. Without the target, says so.
pub(crate) fn check() -> Result<()> {
    if let Err(error) = add_target() {
        say(&format!(
            "!!! LEFT OUT: whether {COMMITTED} is built from its sources: {error:#}"
        ));
        return Ok(());
    }
    let committed = fs::read(COMMITTED).context(COMMITTED)?;
    let compiler = compiler()?;
    // The standard library's paths name the compiler's commit.
    if !committed
        .windows(compiler.len())
        .any(|part| part == compiler.as_bytes())
    {
        say(&format!(
            "!!! LEFT OUT: whether {COMMITTED} is built from its sources: it was built by another compiler"
        ));
        return Ok(());
    }
    if build()? != committed {
        bail!(
            "{COMMITTED} differs from what its sources give: run `cargo xtask wasm` and commit it"
        );
    }
    say(&format!("{COMMITTED} is what its sources give"));
    Ok(())
}

/// The commit of the compiler.
fn compiler() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .find_map(|line| line.strip_prefix("commit-hash: "))
        .map(str::to_owned)
        .context("`rustc -vV` names no commit")
}

fn add_target() -> Result<()> {
    let installed = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .ok()
        .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
        .is_some_and(|libraries| libraries.is_dir());
    if installed {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", TARGET]))
        .with_context(|| format!("the target {TARGET} is not installed"))
}

fn build() -> Result<Vec<u8>> {
    let root = root();
    let folder = root.join("target/wasm");
    // Paths in panic messages would make the file depend on where the repository lies.
    let flags = [
        "-Ctarget-feature=+simd128".to_owned(),
        format!("--remap-path-prefix={}=.", root.display()),
    ];
    run(cargo()
        .args(["build", "--profile", "wasm", "--locked"])
        .args(["--package", PACKAGE, "--target", TARGET])
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .env("CARGO_TARGET_DIR", &folder)
        .current_dir(&root))?;
    let built: &Path = &folder.join(BUILT);
    fs::read(built).with_context(|| built.display().to_string())
}
