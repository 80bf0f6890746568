//! `cargo xtask dist`: what a release consists of, in the same bytes each time: program, Debian package,
//! wheels, npm packages, lists of components and checksums.
//!
//! Times come from the commit, owners and modes are fixed, paths of this machine are replaced. Nothing is
//! signed here: docs/operate/RELEASING.md says who signs what.

mod build;
mod packages;
mod release;
mod targets;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum as _};

use crate::{
    console::{install, say},
    supply, system,
    workspace::root,
};
use release::{Part, Release, names};

#[derive(Args)]
pub(crate) struct Options {
    /// Build for this target instead of this machine's
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
    /// Leave these out
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    skip: Vec<Part>,
    /// Make everything a second time, in another build folder, and fail when a byte differs
    #[arg(long)]
    check: bool,
    /// Package this program instead of a release build, in the profile of the tests and with quick
    /// compression: to test the packaging
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

/// The folder of all that this task writes.
fn folder() -> PathBuf {
    root().join("target/dist")
}

/// Makes the packages and says which other targets there are.
///
/// # Errors
/// A tool that fails, or, with `--check`, packages that differ.
pub(crate) fn run(options: &Options) -> Result<()> {
    let host = targets::host()?;
    let target = options.target.clone().unwrap_or_else(|| host.clone());
    targets::check(&target, &host)?;
    let epoch = commit_time()?;
    let skipped: BTreeSet<_> = options.skip.iter().copied().collect();
    let release = |build: &str, out: PathBuf| -> Result<Release> {
        Ok(Release {
            version: env!("CARGO_PKG_VERSION"),
            target: target.clone(),
            epoch: epoch.clone(),
            binary: options
                .binary
                .as_ref()
                .map(|path| {
                    path.canonicalize()
                        .with_context(|| path.display().to_string())
                })
                .transpose()?,
            parts: Part::value_variants()
                .iter()
                .filter(|part| !skipped.contains(part))
                .copied()
                .collect(),
            build: folder().join(build),
            stage: folder().join("stage"),
            out,
        })
    };
    let out = folder().join(&target);
    release("build", out.clone())?.make()?;
    if options.check {
        let second = folder().join("check");
        let again = release("build-check", second.clone())?;
        again.make()?;
        let equal = compare(&out, &second)?;
        fs::remove_dir_all(&second)?;
        let _ = fs::remove_dir_all(&again.build);
        say(&format!("made twice: {equal} files with the same bytes"));
    }
    for file in names(&out)? {
        let bytes = fs::metadata(out.join(&file))?.len();
        println!("{bytes:>12}  {file}");
    }
    println!("in {}", out.display());
    if options.binary.is_some() {
        println!("NOT A RELEASE: a program of the profile of the tests was packaged");
    }
    for line in targets::others(&target, &host) {
        println!("{line}");
    }
    Ok(())
}

/// Installs what packaging needs.
///
/// # Errors
/// When it cannot be installed.
pub(crate) fn prepare() -> Result<()> {
    packages::tools()?;
    if system::may_install() && system::mmdebstrap_present() {
        clean_root()?;
    }
    Ok(())
}

/// Makes the packages twice of the program of the tests; returns their folder, and the archive of a
/// minimal Debian where it can be used.
///
/// # Errors
/// As [`run`].
pub(crate) fn for_tests(binary: &Path, with_module: bool) -> Result<(PathBuf, Option<PathBuf>)> {
    // The lists of components need a tool whose build takes a minute, and are made in seconds.
    let mut skip = vec![Part::Sbom];
    if !with_module {
        skip.push(Part::EngineWheel);
    }
    run(&Options {
        target: None,
        skip,
        check: true,
        binary: Some(binary.to_owned()),
    })?;
    let archive = root_archive();
    Ok((
        folder().join(targets::host()?),
        archive.filter(|path| path.exists()),
    ))
}

/// Where the archive of a minimal Debian of this machine's release lies; `None`: not on Debian.
fn root_archive() -> Option<PathBuf> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let codename = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    codename.map(|codename| root().join(format!("target/tools/debian-{codename}.tar")))
}

/// Makes the archive of a minimal Debian, what the package depends on included, unless it is there.
fn clean_root() -> Result<()> {
    let Some(archive) = root_archive().filter(|archive| !archive.exists()) else {
        return Ok(());
    };
    let name = archive.file_stem().unwrap_or_default().to_string_lossy();
    let codename = name.trim_start_matches("debian-").to_owned();
    let unfinished = archive.with_extension("part.tar");
    install(
        "clean root",
        Command::new("mmdebstrap")
            .args(["--quiet", "--variant=minbase", "--include=systemd"])
            .arg(r#"--aptopt=Acquire::Languages "none""#)
            .args(["--dpkgopt=path-exclude=/usr/share/man/*"])
            .args(["--dpkgopt=path-exclude=/usr/share/locale/*"])
            .arg(codename)
            .arg(&unfinished),
    )?;
    fs::rename(unfinished, archive)?;
    Ok(())
}

impl Release {
    fn make(&self) -> Result<()> {
        let _ = fs::remove_dir_all(&self.out);
        fs::create_dir_all(&self.out)?;
        for part in &self.parts {
            let _ = fs::remove_dir_all(&self.stage);
            fs::create_dir_all(&self.stage)?;
            match part {
                Part::Archive => packages::archive(self)?,
                Part::Debian => packages::debian(self)?,
                Part::EngineWheel => packages::engine_wheel(self)?,
                Part::ClientWheel => packages::client_wheel(self)?,
                Part::Npm => packages::npm(self)?,
                Part::Sbom => self.sbom()?,
            }
        }
        fs::remove_dir_all(&self.stage)?;
        self.checksums()
    }

    fn sbom(&self) -> Result<()> {
        for (package, name) in [
            ("livecheck", "livecheck"),
            ("livecheck-python", "livecheck_engine"),
        ] {
            let list = supply::components(package, Some(&self.target), Some(&self.epoch))?;
            let name = format!("{name}-{}-{}.cdx.json", self.version, self.target);
            fs::rename(list, self.out.join(name))?;
        }
        Ok(())
    }

    /// Writes SHA256SUMS, which `sha256sum --check` reads.
    fn checksums(&self) -> Result<()> {
        let mut command = Command::new("sha256sum");
        command
            .arg("--")
            .args(names(&self.out)?)
            .current_dir(&self.out);
        let output = command.output().context("sha256sum cannot be started")?;
        if !output.status.success() {
            bail!("sha256sum failed: {}", output.status);
        }
        fs::write(self.out.join("SHA256SUMS"), output.stdout)?;
        Ok(())
    }
}

/// How many files are the same in both folders.
fn compare(first: &Path, second: &Path) -> Result<usize> {
    let both = names(first)?;
    if both != names(second)? {
        bail!("made twice: {both:?}, then {:?}", names(second)?);
    }
    let differing: Vec<_> = both
        .iter()
        .filter(|name| fs::read(first.join(name)).ok() != fs::read(second.join(name)).ok())
        .collect();
    if !differing.is_empty() {
        bail!(
            "made twice, with different bytes: {differing:?}; compare {} and {}",
            first.display(),
            second.display()
        );
    }
    Ok(both.len())
}

/// The time of the commit, or the one that `SOURCE_DATE_EPOCH` names.
fn commit_time() -> Result<String> {
    if let Ok(epoch) = std::env::var("SOURCE_DATE_EPOCH") {
        epoch
            .parse::<u64>()
            .context("SOURCE_DATE_EPOCH is not a number of seconds")?;
        return Ok(epoch);
    }
    let git = |arguments: &[&str]| -> Result<String> {
        let output = Command::new("git")
            .args(arguments)
            .output()
            .context("git cannot be started")?;
        if !output.status.success() {
            bail!("this is not a git checkout: set SOURCE_DATE_EPOCH to the release's time");
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if !git(&["status", "--porcelain"])?.is_empty() {
        say("the working tree differs from the commit: so will the packages");
    }
    git(&["log", "-1", "--format=%ct"])
}
