//! What tests find on this machine, and what became of them.

use std::{collections::BTreeSet, env, path::PathBuf, process::Command};

use crate::{
    console::{Captured, last_lines},
    python,
    report::{Failure, Findings},
};

/// Names the folder of real photos to the tests.
pub(crate) const DATA: &str = "LIVECHECK_DATA";

/// Names the shared library of ONNX Runtime to the tests.
const ONNX_RUNTIME: &str = "LIVECHECK_ONNXRUNTIME";

/// What the tests find of the data that is no part of this repository.
#[derive(Default)]
pub(crate) struct Environment {
    data: Option<PathBuf>,
    onnx_runtime: Option<PathBuf>,
}

impl Environment {
    /// As a fresh clone has it.
    pub(crate) fn bare() -> Self {
        Self::default()
    }

    /// With all that this machine has.
    pub(crate) fn full() -> Self {
        let named = env::var_os(ONNX_RUNTIME).map(PathBuf::from);
        let installed =
            || python::Environment::TRAINING.file("onnxruntime/capi", "libonnxruntime.so");
        Self {
            data: env::var_os(DATA).map(PathBuf::from),
            onnx_runtime: named.or_else(installed),
        }
    }

    /// Sets both variables for a command, or takes them away.
    pub(crate) fn apply(&self, command: &mut Command) {
        for (name, value) in [(DATA, &self.data), (ONNX_RUNTIME, &self.onnx_runtime)] {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    }

    pub(crate) fn has_more_than_bare(&self) -> bool {
        self.data.is_some() || self.onnx_runtime.is_some()
    }
}

impl Findings {
    /// What the exit code says where the output said nothing.
    pub(crate) fn settle(&mut self, captured: &Captured) {
        if !captured.status.success() && self.failed.is_empty() {
            self.failed.push(Failure {
                name: format!("({})", captured.status),
                message: format!(
                    "{}\n(all of it: {})",
                    last_lines(&captured.output, 25).join("\n"),
                    captured.log.display()
                ),
            });
        }
    }
}

/// What became of the suites so far.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) failed: Vec<Failure>,
    pub(crate) left_out: BTreeSet<String>,
}

impl Outcome {
    pub(crate) fn add(&mut self, suite: &str, findings: Findings) {
        self.left_out.extend(findings.left_out);
        self.failed
            .extend(findings.failed.into_iter().map(|failure| Failure {
                name: format!("{suite}: {}", failure.name),
                ..failure
            }));
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.failed.extend(other.failed);
        self.left_out.extend(other.left_out);
    }

    pub(crate) fn fail(&mut self, suite: &str, message: String) {
        self.failed.push(Failure {
            name: suite.to_owned(),
            message,
        });
    }
}
