//! The workspace's own tests: one build, whose test programs then run one after the other.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{
    console::{self, say},
    outcome::{Environment, Outcome},
    report::{self, Findings, Format},
    workspace::cargo,
};

/// Programs that take more than half of the time of all: `--quick` leaves them out.
const LONG: [&str; 4] = [
    "cli/tests/serve",
    "engine/tests/hostile",
    "store/tests/kill",
    "store/tests/outages",
];

/// How long one test program may take.
const PROGRAM: Duration = Duration::from_secs(20 * 60);

/// What one build of the workspace gives.
pub(crate) struct Built {
    /// `livecheck`, as the tests of other languages start it.
    pub(crate) binary: PathBuf,
    programs: Vec<Program>,
}

/// A test program.
#[derive(Clone)]
struct Program {
    /// Package and target.
    name: String,
    path: PathBuf,
    /// The package's folder, where its tests expect to run.
    folder: PathBuf,
}

/// A message of cargo's, as far as it is used here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    executable: Option<PathBuf>,
    target: Option<Target>,
    profile: Option<Profile>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// Builds every test program and the binary, once, with the features of the whole workspace.
///
/// # Errors
/// When something does not compile.
pub(crate) fn build() -> Result<Built> {
    let mut command = cargo();
    command
        // Examples run in no test; clippy compiles them.
        .args([
            "test",
            "--workspace",
            "--locked",
            "--lib",
            "--bins",
            "--tests",
        ])
        .args(["--no-run", "--message-format", "json-render-diagnostics"])
        .stdout(Stdio::piped());
    say(&format!("$ {}", console::shown(&command)));
    let mut child = command.spawn().context("cargo cannot be started")?;
    let output = child.stdout.take().context("no output")?;
    let mut built = Built {
        binary: PathBuf::new(),
        programs: Vec::new(),
    };
    for line in BufReader::new(output).lines() {
        let line = line?;
        if line.starts_with('{') {
            add(&mut built, serde_json::from_str(&line)?);
        }
    }
    if !child.wait()?.success() {
        bail!("the tests do not compile");
    }
    if built.binary.as_os_str().is_empty() {
        bail!("cargo built no program called livecheck");
    }
    built.programs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(built)
}

fn add(built: &mut Built, message: Message) {
    let (Some(path), Some(target), Some(profile)) =
        (message.executable, message.target, message.profile)
    else {
        return;
    };
    if message.reason != "compiler-artifact" {
        return;
    }
    if profile.test {
        let folder = message.manifest_path.parent().unwrap_or(Path::new("."));
        let package = folder.file_name().unwrap_or_default().to_string_lossy();
        let kind = target.kind.first().map(String::as_str);
        let name = match kind {
            Some("test") => format!("{package}/tests/{}", target.name),
            _ => format!("{package}/src"),
        };
        built.programs.push(Program {
            name,
            path,
            folder: folder.to_owned(),
        });
    } else if target.name == "livecheck" {
        built.binary = path;
    }
}

impl Built {
    /// Drops the programs that take long and returns their names.
    pub(crate) fn without_long(&mut self) -> Vec<String> {
        let long = |program: &mut Program| LONG.contains(&program.name.as_str());
        self.programs
            .extract_if(.., long)
            .map(|program| program.name)
            .collect()
    }
}

/// The programs that have more to test in another environment, with the arguments that choose these tests.
pub(crate) struct ForData(Vec<(Program, Vec<String>)>);

/// Runs every test program; also returns those with tests that said that they left something out for
/// want of photos or of ONNX Runtime.
pub(crate) fn test(built: &Built, environment: &Environment) -> Result<(Outcome, ForData)> {
    let mut outcome = Outcome::default();
    let mut for_data = Vec::new();
    for program in &built.programs {
        let findings = run(program, environment, "", &[])?;
        if let Some(arguments) = report::repeat(&findings, wants_data) {
            for_data.push((program.clone(), arguments));
        }
        outcome.add(&program.name, findings);
    }
    outcome.add("documentation", documentation()?);
    Ok((outcome, ForData(for_data)))
}

/// Runs those tests again, in an environment that has what they lacked.
pub(crate) fn test_with_data(programs: &ForData, environment: &Environment) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for (program, arguments) in &programs.0 {
        let findings = run(program, environment, " with data", arguments)?;
        outcome.add(&program.name, findings);
    }
    Ok(outcome)
}

/// Whether a reason names what only some machines have.
pub(crate) fn wants_data(reason: &str) -> bool {
    ["LIVECHECK_CASES", "LIVECHECK_DATA", "LIVECHECK_ONNXRUNTIME"]
        .iter()
        .any(|name| reason.contains(name))
}

fn run(
    program: &Program,
    environment: &Environment,
    how: &str,
    arguments: &[String],
) -> Result<Findings> {
    let name = format!("{}{how}", program.name);
    say(&name);
    let mut command = Command::new(&program.path);
    command
        .arg("--show-output")
        .args(arguments)
        .current_dir(&program.folder)
        .env("CARGO_MANIFEST_DIR", &program.folder);
    environment.apply(&mut command);
    finish(&name, &mut command)
}

/// Examples in the documentation of the libraries.
fn documentation() -> Result<Findings> {
    let name = "documentation";
    say(name);
    finish(
        name,
        cargo().args(["test", "--workspace", "--locked", "--doc", "--quiet"]),
    )
}

fn finish(name: &str, command: &mut Command) -> Result<Findings> {
    let captured = console::capture(name, command, PROGRAM)?;
    let mut findings = Format::Libtest.read(&captured.output);
    findings.settle(&captured);
    for line in &findings.closing {
        println!("{line}");
    }
    Ok(findings)
}
