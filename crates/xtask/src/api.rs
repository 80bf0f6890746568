//! `cargo xtask api`: the public API of the crate that others may depend on, `crates/engine/public-api.txt`.
//!
//! The file is committed. CI lists the API again and compares, so that nothing is removed or changed
//! unnoticed. A second file holds the API of the last release: what changed since then says which version
//! is the lowest that the next one may have.

pub(crate) mod semver;

use std::{env, fs, io::ErrorKind, os::unix::fs::PermissionsExt, path::PathBuf};

use anyhow::{Context, Result, bail};
use public_api::Builder;
use serde::Deserialize;

use crate::{
    console::{run, say},
    workspace::{cargo, root},
};
use semver::{Change, Difference, Version};

const PACKAGE: &str = "livecheck-engine";
const LISTED: &str = "doc/livecheck_engine.json";
const COMMITTED: &str = "crates/engine/public-api.txt";

/// The API of the last release below a line with its version; not there before the first one.
const RELEASED: &str = "crates/engine/public-api-released.txt";

/// The format of rustdoc's JSON that the library reads, which changes with the compiler.
const FORMAT: u32 = 57;

/// As much as says whether the library can read the rest.
#[derive(Deserialize)]
struct Listing {
    format_version: u32,
}

/// Lists the API, writes it to the committed file, and says what changed.
pub(crate) fn write() -> Result<()> {
    let Some(api) = list()? else {
        bail!("this compiler writes another format than the library `public-api` reads ({FORMAT})");
    };
    let before = fs::read_to_string(COMMITTED).unwrap_or_default();
    print(&Difference::between(&before, &api));
    fs::write(COMMITTED, &api).context(COMMITTED)?;
    say(&format!("{COMMITTED}: {} lines", api.lines().count()));
    check_version(&api)
}

/// Records the committed API and the version as those of the last release.
pub(crate) fn release() -> Result<()> {
    check()?;
    let api = fs::read_to_string(COMMITTED).context(COMMITTED)?;
    let version = env!("CARGO_PKG_VERSION");
    fs::write(RELEASED, format!("{version}\n{api}")).context(RELEASED)?;
    say(&format!("{RELEASED}: the API of {version}"));
    Ok(())
}

/// Fails when the API is not the committed one, or when it needs a higher version. With another compiler,
/// says that the committed one was not compared.
pub(crate) fn check() -> Result<()> {
    let committed = fs::read_to_string(COMMITTED).context(COMMITTED)?;
    match list()? {
        Some(api) if api == committed => say(&format!("{COMMITTED} is the public API")),
        Some(api) => {
            print(&Difference::between(&committed, &api));
            bail!(
                "the public API of {PACKAGE} is not {COMMITTED}: run `cargo xtask api` and commit the file"
            );
        }
        None => say(
            "!!! LEFT OUT: the public API of livecheck-engine: this compiler writes another format",
        ),
    }
    check_version(&committed)
}

/// Fails when the version is too low for what changed since the last release.
fn check_version(api: &str) -> Result<()> {
    let released = match fs::read_to_string(RELEASED) {
        Ok(released) => released,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            say(&format!(
                "{PACKAGE} was not released before, so any version may have this API"
            ));
            return Ok(());
        }
        Err(error) => return Err(error).context(RELEASED),
    };
    let (version, before) = released.split_once('\n').unwrap_or((&released, ""));
    let released: Version = version.parse().context(RELEASED)?;
    let now: Version = env!("CARGO_PKG_VERSION").parse()?;
    let difference = Difference::between(before, api);
    say(&format!(
        "since {released}: {} items of {PACKAGE} gone or changed, {} new",
        difference.gone.len(),
        difference.new.len()
    ));
    print(&difference);
    semver::check(released, now, difference.change())
}

fn print(difference: &Difference) {
    for gone in &difference.gone {
        println!("  breaking, gone: {gone}");
    }
    for (new, change) in &difference.new {
        let what = match change {
            Change::Breaking => "breaking, new: ",
            Change::Addition | Change::None => "addition:      ",
        };
        println!("  {what} {new}");
    }
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
    let Listing { format_version } = serde_json::from_str(&text)?;
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
