//! `cargo xtask test`: installs what the tests need while they compile, runs every suite whatever
//! became of the ones before it, and says at the end what failed and what was left out.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
    thread,
    time::Duration,
};

use anyhow::{Result, anyhow, bail};

use crate::{
    console::{self, capture, say},
    dist,
    outcome::{Environment, Outcome},
    python,
    report::{Failure, Format},
    rust::{self, Built},
    service::{self, Service},
    system,
    workspace::root,
};

/// How long a suite in another language may take.
const SUITE: Duration = Duration::from_secs(20 * 60);

/// Which tests run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The workspace's own tests, with what this machine has: nothing is installed.
    Quick,
    /// Every test but the training pipeline's and the Python module's.
    All,
    /// The Python module's as well, by itself and on engines for large data.
    Engines,
    /// The training pipeline's as well.
    Training,
    /// All of them, as somebody without data has them and then with the data; a suite that cannot be
    /// set up fails.
    Ci,
}

/// Makes the command of a suite, given the program's path, and the service that it needs.
type Prepare = Box<dyn Fn(&Path) -> Result<(Command, Option<Service>)>>;

/// A suite in another language.
struct Suite {
    name: &'static str,
    format: Format,
    /// What chooses the tests that do more where there are photos of people, when it runs again with them:
    /// no argument, all tests; `None`, it does not run again.
    with_data: Option<&'static [&'static str]>,
    command: Prepare,
}

/// Runs the tests of a scope.
///
/// # Errors
/// When one failed.
pub(crate) fn test(scope: Scope) -> Result<()> {
    let mut outcome = Outcome::default();
    // Downloads wait for the network while the compiler has the processors.
    let preparation = (scope != Scope::Quick).then(|| thread::spawn(move || Prepared::new(scope)));
    let built = rust::build();
    let prepared = preparation.map(std::thread::JoinHandle::join);
    let mut built = built?;
    if scope == Scope::Quick {
        let long = built.without_long().join(", ");
        outcome.left_out.insert(format!("what takes long: {long}"));
    }
    let prepared = match prepared {
        Some(Ok(prepared)) => prepared,
        Some(Err(_)) => bail!("the preparation panicked"),
        None => Prepared::default(),
    };
    outcome.left_out.extend(prepared.missing.iter().cloned());
    for (name, reason) in &prepared.unavailable {
        if scope == Scope::Ci {
            outcome.fail(name, reason.clone());
        } else {
            outcome.left_out.insert(format!("{name}: {reason}"));
        }
    }

    let full = Environment::full();
    let first = if scope == Scope::Ci {
        Environment::bare()
    } else {
        Environment::full()
    };
    let suites = if scope == Scope::Quick {
        Vec::new()
    } else {
        suites(scope)
    };
    let available = |suite: &&Suite| prepared.has(suite.name);

    let (rust, for_data) = rust::test(&built, &first)?;
    let mut last = rust;
    for suite in suites.iter().filter(available) {
        run(suite, &built, &first, "", &[], &mut last);
    }
    if scope == Scope::Ci && full.has_more_than_bare() {
        // What was missing the first time is there now: only what is missing still was left out.
        last.left_out.retain(|reason| !rust::wants_data(reason));
        outcome.merge(last);
        let mut last = rust::test_with_data(&for_data, &full)?;
        for suite in suites.iter().filter(available) {
            if let Some(arguments) = suite.with_data {
                run(suite, &built, &full, " with data", arguments, &mut last);
            }
        }
        outcome.merge(last);
    } else {
        outcome.merge(last);
    }

    match scope {
        Scope::Quick => outcome.left_out.insert(
            "every suite outside of the workspace: run `cargo xtask test` without --quick"
                .to_owned(),
        ),
        Scope::All | Scope::Engines | Scope::Training => {
            for (with, what) in [
                (
                    Scope::Training,
                    "the training pipeline: `cargo xtask test --training` installs PyTorch (5 GB) and tests it",
                ),
                (
                    Scope::Engines,
                    "the Python module: `cargo xtask test --engines` builds its wheel, installs Ray, Spark, DuckDB and Polars (1.5 GB) and tests it by itself and on them",
                ),
            ] {
                if scope != with {
                    outcome.left_out.insert(what.to_owned());
                }
            }
            true
        }
        Scope::Ci => false,
    };
    finish(&outcome)
}

/// Says what was left out and what failed.
fn finish(outcome: &Outcome) -> Result<()> {
    if !outcome.left_out.is_empty() {
        println!("\nLEFT OUT of this run:");
        for what in &outcome.left_out {
            println!("  {what}");
        }
    }
    println!();
    if outcome.failed.is_empty() {
        say("every suite passed");
        return Ok(());
    }
    println!("FAILED:");
    for Failure { name, message } in &outcome.failed {
        println!("\n  {name}");
        for line in message.lines() {
            println!("    {line}");
        }
    }
    println!("\nlogs: {}\n", console::logs().display());
    let tests = if outcome.failed.len() == 1 {
        "test"
    } else {
        "tests"
    };
    bail!("{} {tests} failed", outcome.failed.len())
}

fn run(
    suite: &Suite,
    built: &Built,
    environment: &Environment,
    how: &str,
    arguments: &[&str],
    outcome: &mut Outcome,
) {
    let name = format!("{}{how}", suite.name);
    say(&name);
    let captured = (suite.command)(&built.binary).and_then(|(mut command, _service)| {
        command
            .args(arguments)
            .env("LIVECHECK_BINARY", &built.binary);
        environment.apply(&mut command);
        capture(&name, &mut command, SUITE)
    });
    match captured {
        Ok(captured) => {
            let mut findings = suite.format.read(&captured.output);
            findings.settle(&captured);
            for what in &mut findings.left_out {
                *what = format!("{}: {what}", suite.name);
            }
            for line in &findings.closing {
                println!("{line}");
            }
            let said = if findings.failed.is_empty() {
                "passed"
            } else {
                "FAILED"
            };
            say(&format!("{name}: {said}, {:.0} s", captured.seconds));
            outcome.add(&name, findings);
        }
        Err(error) => outcome.fail(&name, format!("{error:#}")),
    }
}

/// What the preparation found and made.
#[derive(Default)]
struct Prepared {
    /// Programs that tests would use, with the package that has them.
    missing: Vec<String>,
    /// Suites that cannot run, and why.
    unavailable: Vec<(&'static str, String)>,
}

impl Prepared {
    /// Installs packages, Python environments and Node packages.
    fn new(scope: Scope) -> Self {
        let missing = system::prepare();
        let mut prepared = Self {
            missing,
            unavailable: Vec::new(),
        };
        let mut environments = vec![
            ("OpenAPI", python::Environment::OPENAPI),
            ("clients", python::Environment::CLIENTS),
            ("deployment", python::Environment::DEPLOYMENT),
            (PACKAGES, python::Environment::CLIENTS),
            (PACKAGES, python::Environment::PACKAGES),
        ];
        if matches!(scope, Scope::Engines | Scope::Ci) {
            environments.extend([
                (MODULE, python::Environment::WHEEL),
                (MODULE, python::Environment::MODULE),
                (ENGINES, python::Environment::WHEEL),
                (ENGINES, python::Environment::ENGINES),
            ]);
        }
        if matches!(scope, Scope::Training | Scope::Ci) {
            environments.push(("training", python::Environment::TRAINING));
        }
        for (suite, environment) in environments {
            prepared.note(suite, environment.commands().map(|_| ()));
        }
        prepared.note(PACKAGES, dist::prepare());
        for (suite, folder) in JAVASCRIPT
            .map(|folder| (folder, folder))
            .into_iter()
            .chain([("deployment", "deploy/tools")])
        {
            let installed = if system::node_present() {
                console::install_node_packages(folder)
            } else {
                Err(anyhow!("npm is not installed"))
            };
            prepared.note(suite, installed);
        }
        if !system::chromium_present() {
            prepared.note(PAGE, Err(anyhow!("Chromium is not installed")));
        }
        prepared
    }

    fn note(&mut self, suite: &'static str, made: Result<()>) {
        if let Err(error) = made
            && self.has(suite)
        {
            self.unavailable.push((suite, format!("{error:#}")));
        }
    }

    fn has(&self, suite: &str) -> bool {
        self.unavailable.iter().all(|(name, _)| *name != suite)
    }
}

/// The tests of the Python module.
const MODULE: &str = "Python module";

/// The Python module in Spark and others.
const ENGINES: &str = "engines";

/// The packages of a release, made of the program of the tests.
const PACKAGES: &str = "packages";

/// The tests of the capture page.
const PAGE: &str = "web/tests";

/// Chooses the tests that use photos of people.
const MARKED: &[&str] = &["-m", "data"];

/// The tests of the page with photos of people.
const REAL_FACES: &[&str] = &["real.test.mjs"];

/// Folders of tests in JavaScript.
const JAVASCRIPT: [&str; 3] = ["clients/javascript", "clients/postman", PAGE];

fn suites(scope: Scope) -> Vec<Suite> {
    let mut suites = vec![
        Suite {
            name: "OpenAPI",
            format: Format::Plain,
            with_data: None,
            command: Box::new(|binary| {
                let schemathesis = python::Environment::OPENAPI.tool("schemathesis")?;
                let (command, service) = service::openapi_holds(binary, &schemathesis)?;
                Ok((command, Some(service)))
            }),
        },
        Suite {
            name: "clients",
            format: Format::Pytest,
            with_data: Some(MARKED),
            command: Box::new(|_| {
                let mut command = pytest(python::Environment::CLIENTS)?;
                command.arg(".").current_dir(root().join("clients"));
                Ok((command, None))
            }),
        },
        Suite {
            name: "deployment",
            format: Format::Plain,
            with_data: None,
            command: Box::new(|_| {
                let tools = python::Environment::DEPLOYMENT.commands()?;
                let path = env::var_os("PATH").unwrap_or_default();
                let path = env::join_paths(std::iter::once(tools).chain(env::split_paths(&path)))?;
                let mut command = Command::new("bash");
                command.arg("deploy/check.sh").env("PATH", path);
                Ok((command, None))
            }),
        },
    ];
    suites.extend(JAVASCRIPT.map(|folder| Suite {
        name: folder,
        format: Format::Tap,
        with_data: Some(if folder == PAGE { REAL_FACES } else { &[] }),
        command: Box::new(move |_| {
            let mut command = Command::new("npm");
            command
                .args(["test", "--silent", "--", "--test-reporter=tap"])
                .current_dir(root().join(folder));
            Ok((command, None))
        }),
    }));
    if matches!(scope, Scope::Engines | Scope::Ci) {
        suites.push(Suite {
            name: MODULE,
            format: Format::Pytest,
            with_data: Some(MARKED),
            command: Box::new(|_| {
                let wheel = wheel()?;
                python::Environment::MODULE.install_wheel(wheel)?;
                let mut command = pytest(python::Environment::MODULE)?;
                command
                    .current_dir(root().join("crates/python"))
                    .env("LIVECHECK_WHEEL", wheel);
                Ok((command, None))
            }),
        });
        suites.push(Suite {
            name: ENGINES,
            format: Format::Pytest,
            with_data: None,
            command: Box::new(|_| {
                python::Environment::ENGINES.install_wheel(wheel()?)?;
                let mut command = pytest(python::Environment::ENGINES)?;
                command
                    .arg("engines")
                    .current_dir(root().join("crates/python"));
                Ok((command, None))
            }),
        });
    }
    let with_module = matches!(scope, Scope::Engines | Scope::Ci);
    suites.push(Suite {
        name: PACKAGES,
        format: Format::Pytest,
        with_data: None,
        command: Box::new(move |binary| {
            let (packages, root) = dist::for_tests(binary, with_module)?;
            let mut command = pytest(python::Environment::CLIENTS)?;
            command
                .arg("deploy/packages")
                .env("LIVECHECK_PACKAGES", packages);
            if let Some(root) = root {
                command.env("LIVECHECK_ROOTFS", root);
            }
            Ok((command, None))
        }),
    });
    if matches!(scope, Scope::Training | Scope::Ci) {
        suites.push(Suite {
            name: "training",
            format: Format::Pytest,
            with_data: None,
            command: Box::new(|_| {
                let mut command = pytest(python::Environment::TRAINING)?;
                command
                    .arg("training/tests")
                    .env("PYTHONPATH", root().join("training"));
                Ok((command, None))
            }),
        });
    }
    suites
}

/// The wheel of the Python module in the profile of the tests, made once.
fn wheel() -> Result<&'static Path> {
    static WHEEL: LazyLock<Result<PathBuf>> = LazyLock::new(make_wheel);
    match &*WHEEL {
        Ok(wheel) => Ok(wheel),
        Err(error) => bail!("{error:#}"),
    }
}

fn make_wheel() -> Result<PathBuf> {
    let folder = root().join("target/wheels/tests");
    // What an earlier version of it left.
    let _ = fs::remove_dir_all(&folder);
    let mut maturin = Command::new(python::Environment::WHEEL.tool("maturin")?);
    maturin
        .args(["build", "--profile", "dev", "--features", "shared-build"])
        // Tests run where it was built.
        .args(["--compatibility", "linux", "--manifest-path"])
        .arg(root().join("crates/python/Cargo.toml"))
        .arg("--out")
        .arg(&folder);
    console::install("wheel", &mut maturin)?;
    let made = fs::read_dir(&folder)?.next();
    Ok(made
        .ok_or_else(|| anyhow!("maturin made no wheel"))??
        .path())
}

fn pytest(environment: python::Environment) -> Result<Command> {
    let mut command = Command::new(environment.tool("python")?);
    command.args(["-m", "pytest", "--quiet", "-ra", "-p", "no:cacheprovider"]);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_other_test_of_the_page_uses_data() {
        let using: Vec<_> = fs::read_dir(root().join(PAGE))
            .expect("the tests of the page")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| {
                fs::read_to_string(path).is_ok_and(|text| text.contains(crate::outcome::DATA))
            })
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect();
        assert_eq!(using, REAL_FACES);
    }
}
