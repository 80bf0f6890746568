//! What the product is made of: known holes in it (`cargo xtask audit`), and the list of it
//! (`cargo xtask sbom`).

use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    console::{self, run, shown},
    python::Environment,
    workspace::{cargo, root},
};

/// The tool that writes the list, and the version whose options are used here.
const CYCLONEDX: (&str, &str) = ("cargo-cyclonedx", "0.5.9");

/// Holds a list against the schema that CycloneDX publishes, of the version that is asked for.
const VALIDATOR: &str = r#"
import sys
from pathlib import Path
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
errors = JsonStrictValidator(SchemaVersion.V1_5).validate_str(Path(sys.argv[1]).read_text())
sys.exit(f"no valid CycloneDX 1.5: {errors}" if errors else 0)
"#;

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
    let audited = was_audited(output.status, &said)?;
    if !audited {
        println!(
            "\n!!! LEFT OUT: known holes in dependencies: the advisory database cannot be fetched from \
             here. Run `cargo xtask audit` where there is a network before a release."
        );
    }
    Ok(audited)
}

/// Whether cargo-audit found nothing; `Ok(false)`: it had nothing to look in.
fn was_audited(status: ExitStatus, said: &str) -> Result<bool> {
    if status.success() {
        return Ok(true);
    }
    if said.contains(NO_DATABASE) {
        return Ok(false);
    }
    bail!("cargo-audit found something, or failed: {status}")
}

/// Writes `target/livecheck.cdx.json` (CycloneDX 1.5): every crate in the program, with its
/// licence, checksum and source.
///
/// # Errors
/// As [`components`].
pub(crate) fn sbom() -> Result<()> {
    components("livecheck", None, None).map(|_| ())
}

/// Writes the list of a package of the workspace (`CycloneDX` 1.5), as it is built for a target (`None`:
/// this machine's), and returns its path. With an `epoch` (seconds since 1970) the list depends on
/// no clock and on no folder.
///
/// # Errors
/// A tool that fails, a list that is not what CycloneDX publishes as its schema, or one that lacks a
/// crate of the package or names another.
pub(crate) fn components(
    package: &str,
    target: Option<&str>,
    epoch: Option<&str>,
) -> Result<PathBuf> {
    let (tool, version) = CYCLONEDX;
    let tools = tools(tool, version)?;
    let mut command = cargo();
    command
        .arg("cyclonedx")
        .arg("--manifest-path")
        .arg(root().join("crates/cli/Cargo.toml"))
        .args([
            "--format",
            "json",
            "--spec-version",
            "1.5",
            "--no-build-deps",
        ])
        .args(["--override-filename", "livecheck.cdx"])
        .args(target.iter().flat_map(|target| ["--target", target]))
        .envs(epoch.map(|epoch| ("SOURCE_DATE_EPOCH", epoch)))
        .env("PATH", with_tools(&tools)?);
    run(&mut command)?;
    // The tool writes one list into the folder of every crate of the workspace; one counts.
    let list = root().join(format!("target/{package}.cdx.json"));
    for folder in fs::read_dir(root().join("crates"))? {
        let folder = folder?.path();
        let written = folder.join("livecheck.cdx.json");
        if written.exists() {
            let manifest = fs::read_to_string(folder.join("Cargo.toml"))?;
            if manifest.contains(&format!("\nname = \"{package}\"\n")) {
                fs::copy(&written, &list)?;
            }
            fs::remove_file(&written)?;
        }
    }
    // The one crate that lies deeper.
    let _ = fs::remove_file(root().join("crates/browser-detector/wasm/livecheck.cdx.json"));
    let crates = crates(package, target)?;
    prune(&list, &crates)?;
    if let Some(epoch) = epoch {
        fix(&list, epoch)?;
    }
    run(Command::new(Environment::SBOM.tool("python")?)
        .args(["-c", VALIDATOR])
        .arg(&list))?;
    let components = check(&list, &crates)?;
    println!(
        "\n{}: valid CycloneDX 1.5, {components} components",
        list.display()
    );
    Ok(list)
}

/// The folder of a tool that is built from its crate, unless it is there already.
pub(crate) fn tools(package: &str, version: &str) -> Result<PathBuf> {
    let tools = root().join("target/tools");
    // Unoptimised: it runs once, for a second.
    console::install(
        &format!("install {package}"),
        cargo()
            .args(["install", package, "--version", version])
            .args(["--locked", "--debug", "--root"])
            .arg(&tools)
            .env_remove("CARGO_TARGET_DIR"),
    )?;
    Ok(tools.join("bin"))
}

/// A PATH that begins with a folder of tools.
pub(crate) fn with_tools(folder: &Path) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(env::split_paths(&path));
    Ok(env::join_paths(folders)?)
}

/// Takes out of a list what differs from run to run and from folder to folder.
fn fix(list: &Path, epoch: &str) -> Result<()> {
    let text = fs::read_to_string(list)?.replace(&root().display().to_string(), "/livecheck");
    let mut bom: Value = serde_json::from_str(&text)?;
    if let Some(bom) = bom.as_object_mut() {
        bom.remove("serialNumber");
    }
    let time = Command::new("date")
        .args(["--utc", "+%Y-%m-%dT%H:%M:%SZ", "--date"])
        .arg(format!("@{epoch}"))
        .output()
        .context("date cannot be started")?;
    bom["metadata"]["timestamp"] = String::from_utf8_lossy(&time.stdout).trim().into();
    fs::write(list, serde_json::to_string_pretty(&bom)?)?;
    Ok(())
}

/// The crates of a package as cargo resolves them, `name@version`.
fn crates(package: &str, target: Option<&str>) -> Result<BTreeSet<String>> {
    let mut tree = cargo();
    tree.args(["tree", "--package", package, "--edges", "normal"])
        .args(["--prefix", "none", "--no-dedupe", "--locked"])
        .args(target.iter().flat_map(|target| ["--target", target]));
    let output = tree.output().context("cargo tree cannot be started")?;
    if !output.status.success() {
        bail!("{} failed: {}", shown(&tree), output.status);
    }
    Ok(crates_of(&String::from_utf8_lossy(&output.stdout)))
}

/// The crates in the words of `cargo tree`: `name v1.2.3 (where it comes from)`.
fn crates_of(tree: &str) -> BTreeSet<String> {
    tree.lines()
        .filter_map(|line| {
            let (name, rest) = line.split_once(" v")?;
            let version = rest.split_whitespace().next()?;
            Some(format!("{name}@{version}"))
        })
        .collect()
}

/// Takes out what the program is built without: the tool lists what some choice of features would
/// bring in.
fn prune(list: &Path, crates: &BTreeSet<String>) -> Result<()> {
    let text = fs::read_to_string(list).context("the tool wrote no list for the program")?;
    let mut bom: Value = serde_json::from_str(&text)?;
    let named = |component: &Value| {
        let part = |name: &str| component[name].as_str().unwrap_or_default().to_owned();
        (
            format!("{}@{}", part("name"), part("version")),
            part("bom-ref"),
        )
    };
    let mut gone = BTreeSet::new();
    if let Some(components) = bom["components"].as_array_mut() {
        components.retain(|component| {
            let (name, reference) = named(component);
            let stays = crates.contains(&name);
            if !stays {
                gone.insert(reference);
            }
            stays
        });
    }
    let is_gone = |reference: &Value| {
        reference
            .as_str()
            .is_some_and(|reference| gone.contains(reference))
    };
    if let Some(dependencies) = bom["dependencies"].as_array_mut() {
        dependencies.retain(|entry| !is_gone(&entry["ref"]));
        for entry in dependencies {
            // Not by index, which would put a null where a crate has no dependencies.
            let on = entry.get_mut("dependsOn").and_then(Value::as_array_mut);
            if let Some(on) = on {
                on.retain(|reference| !is_gone(reference));
            }
        }
    }
    fs::write(list, serde_json::to_string_pretty(&bom)?)?;
    Ok(())
}

/// As much of a list as is looked at here.
#[derive(Deserialize)]
struct Bom {
    metadata: Metadata,
    components: Vec<Component>,
}

#[derive(Deserialize)]
struct Metadata {
    component: Component,
}

#[derive(Deserialize)]
struct Component {
    name: String,
    version: String,
    purl: Option<String>,
    #[serde(default)]
    licenses: Vec<Value>,
}

/// The list names the program's crates and no others, each with where it comes from and its licence;
/// returns how many.
fn check(list: &Path, crates: &BTreeSet<String>) -> Result<usize> {
    let text = fs::read_to_string(list).context("the tool wrote no list for the program")?;
    let bom: Bom = serde_json::from_str(&text)
        .with_context(|| format!("{} is no list of components", list.display()))?;
    let own = &bom.metadata.component;
    let listed: BTreeSet<String> = std::iter::once(own)
        .chain(&bom.components)
        .map(|component| format!("{}@{}", component.name, component.version))
        .collect();
    let missing: Vec<_> = crates.difference(&listed).collect();
    let foreign: Vec<_> = listed.difference(crates).collect();
    if !missing.is_empty() || !foreign.is_empty() {
        bail!("the list lacks {missing:?} and names {foreign:?}, which the program does not have");
    }
    let vague: Vec<_> = bom
        .components
        .iter()
        .filter(|component| component.purl.is_none() || component.licenses.is_empty())
        .map(|component| &component.name)
        .collect();
    if !vague.is_empty() {
        bail!("no licence or no source is listed for {vague:?}");
    }
    Ok(bom.components.len())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    const TREE: &str = "livecheck v0.1.0 (/src/crates/cli)\nserde v1.0.2\n\
        serde_derive v1.0.2 (proc-macro)\nserde v1.0.2 (*)\n";

    fn list(components: &str) -> String {
        format!(
            r#"{{"metadata": {{"component": {{"name": "livecheck", "version": "0.1.0"}}}}, "components": [{components}]}}"#
        )
    }

    fn component(name: &str) -> String {
        format!(
            r#"{{"name": "{name}", "version": "1.0.2", "purl": "pkg:cargo/{name}@1.0.2", "licenses": [{{"expression": "MIT"}}]}}"#
        )
    }

    fn checked(name: &str, text: &str) -> Result<usize> {
        let path = env::temp_dir().join(format!("livecheck-{}-{name}.json", std::process::id()));
        fs::write(&path, text)?;
        let result = check(&path, &crates_of(TREE));
        fs::remove_file(path)?;
        result
    }

    #[test]
    fn the_list_holds_the_crates_of_the_program_and_no_others() {
        let serde = component("serde");
        let both = format!("{serde}, {}", component("serde_derive"));
        assert_eq!(checked("whole", &list(&both)).expect("whole"), 2);

        let refusal = |name, text: &str| checked(name, text).expect_err(name).to_string();
        assert!(refusal("less", &list(&serde)).contains("lacks [\"serde_derive@1.0.2\"]"));
        let more = format!("{both}, {}", component("other"));
        assert!(refusal("more", &list(&more)).contains("names [\"other@1.0.2\"]"));
        let vague = both.replace(r#""purl": "pkg:cargo/serde@1.0.2", "#, "");
        assert!(refusal("vague", &list(&vague)).contains("[\"serde\"]"));
        assert!(refusal("none", "{}").contains("no list"));
    }

    #[test]
    fn what_the_program_is_built_without_is_taken_out() {
        let path = env::temp_dir().join(format!("livecheck-{}-prune.json", std::process::id()));
        let text = r#"{"components": [
            {"name": "serde", "version": "1.0.2", "bom-ref": "a"},
            {"name": "borsh", "version": "1.0.0", "bom-ref": "b"}],
            "dependencies": [{"ref": "a", "dependsOn": ["b", "c"]}, {"ref": "b"}, {"ref": "c"}]}"#;
        fs::write(&path, text).expect("a file");
        prune(&path, &crates_of(TREE)).expect("a list");
        let left: Value =
            serde_json::from_str(&fs::read_to_string(&path).expect("it is there")).expect("JSON");
        fs::remove_file(path).expect("it is there");
        let names: Vec<_> = left["components"]
            .as_array()
            .expect("a list")
            .iter()
            .collect();
        assert_eq!(names.len(), 1);
        assert_eq!(names[0]["name"], "serde");
        let expected = serde_json::json!([{"ref": "a", "dependsOn": ["c"]}, {"ref": "c"}]);
        assert_eq!(left["dependencies"], expected);
    }

    #[test]
    fn an_audit_without_a_database_is_no_audit_and_no_failure() {
        let failed = ExitStatus::from_raw(1 << 8);
        assert!(was_audited(ExitStatus::from_raw(0), "").expect("nothing found"));
        assert!(!was_audited(failed, "error: couldn't fetch advisory database: …").expect("none"));
        was_audited(failed, "error: 1 vulnerability found!").expect_err("a hole");
    }
}
