//! The binary under test and a folder of its own for each test.

use std::{
    ffi::OsStr,
    path::PathBuf,
    process::{Command, Output},
};

use tempfile::TempDir;

/// A folder with a database file in it, and the binary run inside.
pub(crate) struct Bench {
    /// Gone when the test ends.
    pub(crate) folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder for the test"),
        }
    }

    /// The binary with these arguments, without settings from this machine's environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = without_settings(program());
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary starts")
    }

    /// Standard output of a run that must succeed.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    /// Exit code and standard error of a run that must fail.
    pub(crate) fn fail(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?} must fail");
        (
            output.status.code().expect("an exit code"),
            text(&output.stderr),
        )
    }
}

/// A program that does not see the settings in this machine's environment.
pub(crate) fn without_settings(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LIVECHECK_") {
            command.env_remove(name);
        }
    }
    command
}

/// The program that `LIVECHECK_BINARY` names (an optimised build, to measure it), else the one that
/// cargo built for these tests.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("LIVECHECK_BINARY")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_livecheck").into())
        .into()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}
