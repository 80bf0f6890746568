//! The packages, one function each.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::{
    build,
    release::{Release, names, tool},
    targets,
};
use crate::{
    python::Environment,
    supply, system,
    workspace::{cargo, root},
};

/// Makes Debian packages, and the version whose options are used here.
const CARGO_DEB: (&str, &str) = ("cargo-deb", "3.8.0");

/// What lies beside the program in the archive.
const BESIDE: [&str; 3] = ["LICENSE", "README.md", "CHANGELOG.md"];

/// The shells whose completions are in the archive, with the names that they look for.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "livecheck.bash"),
    ("zsh", "_livecheck"),
    ("fish", "livecheck.fish"),
];

/// The program, its manual pages and completions: `livecheck-VERSION-TARGET.tar.gz`.
pub(super) fn archive(release: &Release) -> Result<()> {
    let program = build::program(release)?;
    let name = format!("livecheck-{}-{}", release.version, release.target);
    let folder = release.stage.join(&name);
    fs::create_dir_all(&folder)?;
    place(&program, &folder.join("livecheck"), 0o755)?;
    strip(release, &folder.join("livecheck"))?;
    for file in BESIDE {
        place(&root().join(file), &folder.join(file), 0o644)?;
    }
    if release.target == targets::host()? {
        tool(
            "manual pages",
            Command::new(&program).arg("man").arg(folder.join("man")),
        )?;
        let completions = folder.join("completions");
        fs::create_dir_all(&completions)?;
        for (shell, file) in COMPLETIONS {
            let output = Command::new(&program)
                .args(["completions", shell])
                .output()?;
            if !output.status.success() {
                bail!("livecheck completions {shell} failed: {}", output.status);
            }
            fs::write(completions.join(file), output.stdout)?;
        }
    }
    let packed = release.out.join(format!("{name}.tar"));
    tool(
        "archive",
        release
            .command("tar")
            .args(["--create", "--sort=name", "--format=gnu", "--numeric-owner"])
            .args(["--owner=0", "--group=0", "--mode=u=rwX,go=rX"])
            .arg(format!("--mtime=@{}", release.epoch))
            .arg("--directory")
            .arg(&release.stage)
            .arg("--file")
            .arg(&packed)
            .arg(&name),
    )?;
    let level = if release.quick() { "-1" } else { "-9" };
    tool(
        "gzip",
        release
            .command("gzip")
            .args(["--no-name", level])
            .arg(packed),
    )
}

/// The folder of cargo-deb, which is built when it is not there.
pub(super) fn tools() -> Result<PathBuf> {
    let (package, version) = CARGO_DEB;
    supply::tools(package, version)
}

/// `livecheck_VERSION-1_ARCHITECTURE.deb`; what is in it: crates/cli/Cargo.toml and deploy/debian.
pub(super) fn debian(release: &Release) -> Result<()> {
    let tools = tools()?;
    let program = build::program(release)?;
    // Where cargo-deb expects the program.
    let built = release.stage.join("target");
    let copy = built.join(&release.target).join("release/livecheck");
    place(&program, &copy, 0o755)?;
    strip(release, &copy)?;
    let mut command = release.command(cargo().get_program());
    command
        .args(["deb", "--no-build", "--no-strip", "--package", "livecheck"])
        // By the system's compressor: the tool itself is not optimised.
        .args(["--compress-system", "--target", &release.target, "--output"])
        .arg(&release.out)
        .env("PATH", supply::with_tools(&tools)?)
        .env("CARGO_TARGET_DIR", &built);
    if release.quick() {
        command.args(["--fast", "--compress-type", "gz"]);
    }
    tool("Debian package", &mut command)
}

/// `livecheck_engine-VERSION-cp310-abi3-PLATFORM.whl`.
pub(super) fn engine_wheel(release: &Release) -> Result<()> {
    let mut maturin = release.command(Environment::WHEEL.tool("maturin")?);
    maturin
        .args(["build", "--locked", "--manifest-path"])
        .arg(root().join("crates/python/Cargo.toml"))
        .arg("--out")
        .arg(&release.out);
    if release.quick() {
        // As the tests build it, who have compiled its parts.
        maturin.args(["--profile", "dev", "--features", "shared-build"]);
        maturin.args(["--compatibility", "linux", "--strip"]);
    } else {
        maturin.args(["--release", "--target", &release.target]);
        build::prepare(release, &mut maturin)?;
    }
    tool("wheel of the engine", &mut maturin)?;
    if release.quick() {
        return Ok(());
    }
    let unpacked = release.stage.join("wheel");
    let wheel = names(&release.out)?
        .into_iter()
        .find(|name| name.starts_with("livecheck_engine-"));
    let wheel = release.out.join(wheel.context("maturin made no wheel")?);
    tool(
        "wheel of the engine, unpacked",
        Command::new(Environment::WHEEL.tool("python")?)
            .args(["-m", "zipfile", "--extract"])
            .args([&wheel, &unpacked]),
    )?;
    build::names_no_place(&unpacked, &release.build)
}

/// `livecheck_client-VERSION-py3-none-any.whl`.
pub(super) fn client_wheel(release: &Release) -> Result<()> {
    let source = release.stage.join("client");
    copy_tracked("clients/python", &source)?;
    let python = Environment::PACKAGES.tool("python")?;
    tool(
        "wheel of the client",
        release
            .command(python)
            .args(["-m", "build", "--wheel", "--no-isolation", "--outdir"])
            .arg(&release.out)
            .arg(&source),
    )
}

/// `livecheck-client-VERSION.tgz` and `livecheck-capture-VERSION.tgz`.
pub(super) fn npm(release: &Release) -> Result<()> {
    if !system::node_present() {
        bail!("npm is not installed: install it, or leave its packages out with `--skip npm`");
    }
    for folder in ["clients/javascript", "web"] {
        let source = release.stage.join(folder);
        copy_tracked(folder, &source)?;
        tool(
            &format!("npm package of {folder}"),
            release
                .command("npm")
                .args([
                    "pack",
                    "--ignore-scripts",
                    "--loglevel=error",
                    "--pack-destination",
                ])
                .arg(&release.out)
                .current_dir(&source),
        )?;
    }
    Ok(())
}

/// Takes symbols out of a program of the tests, half a gigabyte of them; a release has none.
fn strip(release: &Release, program: &Path) -> Result<()> {
    if release.quick() {
        tool("strip", Command::new("strip").arg(program))?;
    }
    Ok(())
}

/// Copies what git tracks of a folder, and the licence, without regard to this machine's umask.
fn copy_tracked(folder: &str, to: &Path) -> Result<()> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--", folder])
        .output()
        .context("git cannot be started")?;
    let files = String::from_utf8(output.stdout)?;
    if files.is_empty() {
        bail!("git tracks nothing in {folder}");
    }
    for file in files.split_terminator('\0') {
        let inside = Path::new(file).strip_prefix(folder)?;
        place(&root().join(file), &to.join(inside), 0o644)?;
    }
    place(&root().join("LICENSE"), &to.join("LICENSE"), 0o644)
}

/// Copies a file, or what a link leads to.
fn place(from: &Path, to: &PathBuf, mode: u32) -> Result<()> {
    let copy = || -> std::io::Result<()> {
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(from, to)?;
        fs::set_permissions(to, fs::Permissions::from_mode(mode))
    };
    copy().with_context(|| format!("{} cannot be copied", from.display()))
}
