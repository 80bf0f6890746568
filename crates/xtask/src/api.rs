//! `cargo xtask api`: the public API of the crate that others may depend on, `crates/engine/public-api.txt`.
//!
//! The file is committed. CI lists the API again and compares, so that nothing is removed or changed
//! unnoticed.

use std::{collections::BTreeSet, env, fs, os::unix::fs::PermissionsExt, path::PathBuf};

use anyhow::{Context, Result, bail};
use public_api::Builder;
use serde::Deserialize;

use crate::{
    console::{run, say},
    workspace::{cargo, root},
};

const PACKAGE: &str = "livecheck-engine";
const LISTED: &str = "doc/livecheck_engine.json";
const COMMITTED: &str = "crates/engine/public-api.txt";

/// The format of rustdoc's JSON that the library reads, which changes with the compiler.
const FORMAT: u32 = 57;

/// As much as says whether the library can read the rest.
#[derive(Deserialize)]
struct Version {
    format_version: u32,
}

/// Lists the API and writes it to the committed file.
pub(crate) fn write() -> Result<()> {
    let Some(api) = list()? else {
        bail!("this compiler writes another format than the library `public-api` reads ({FORMAT})");
    };
    fs::write(COMMITTED, &api).context(COMMITTED)?;
    say(&format!("{COMMITTED}: {} lines", api.lines().count()));
    Ok(())
}

/// Fails when the API is not the committed one. With another compiler, says that nothing was compared.
pub(crate) fn check() -> Result<()> {
    let Some(api) = list()? else {
        say(
            "!!! LEFT OUT: the public API of livecheck-engine: this compiler writes another format",
        );
        return Ok(());
    };
    let committed = fs::read_to_string(COMMITTED).context(COMMITTED)?;
    if api == committed {
        say(&format!("{COMMITTED} is the public API"));
        return Ok(());
    }
    let now: BTreeSet<_> = api.lines().collect();
    let before: BTreeSet<_> = committed.lines().collect();
    for gone in before.difference(&now) {
        println!("  gone: {gone}");
    }
    for new in now.difference(&before) {
        println!("  new:  {new}");
    }
    bail!(
        "the public API of {PACKAGE} is not {COMMITTED}: run `cargo xtask api` and commit the file; what \
         is gone or differs breaks users, so raise the minor version (the major one from 1.0 on)"
    );
}

/// The public items, one per line; `None`: the compiler writes another format.
fn list() -> Result<Option<String>> {
    let rustdoc = rustdoc()?;
    run(cargo()
        .args(["rustdoc", "--package", PACKAGE, "--lib", "--locked"])
        .args(["--", "-Zunstable-options", "--output-format", "json"])
        // cargo and build scripts must not see the variable that this program sets.
        .env("RUSTDOC", rustdoc))?;
    let json = target().join(LISTED);
    let text = fs::read_to_string(&json).with_context(|| json.display().to_string())?;
    let Version { format_version } = serde_json::from_str(&text)?;
    if format_version != FORMAT {
        return Ok(None);
    }
    let api = Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()?;
    Ok(Some(api.items().map(|item| format!("{item}\n")).collect()))
}

/// A program that lets the stable rustdoc write JSON, whose format isn't stable.
fn rustdoc() -> Result<PathBuf> {
    let program = target().join("tools/rustdoc-json");
    fs::create_dir_all(target().join("tools"))?;
    fs::write(
        &program,
        "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n",
    )?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    Ok(program)
}

fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
