//! What test runners print, read for the summary: failures with their messages, tests that left
//! something out, and the closing lines.

use std::collections::{BTreeMap, BTreeSet};

/// Most lines of one failure that the summary repeats; the log has all of them.
const MOST_LINES: usize = 30;

/// What one run of one test runner said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) failed: Vec<Failure>,
    /// Why a test did less than it can, without its marks.
    pub(crate) left_out: Vec<String>,
    /// The Rust tests that said so, each with its reason.
    pub(crate) incomplete: Vec<(String, String)>,
    /// The runner's own last lines, as they were printed.
    pub(crate) closing: Vec<String>,
}

/// A failed test.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) name: String,
    pub(crate) message: String,
}

/// The format of a runner's output.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Format {
    /// `cargo test` and its test programs, with `--show-output`.
    Libtest,
    /// pytest with `-ra`.
    Pytest,
    /// `node --test --test-reporter=tap`.
    Tap,
    /// Neither: what counts is the exit code.
    Plain,
}

impl Format {
    /// Reads the whole output of a runner.
    pub(crate) fn read(self, output: &str) -> Findings {
        let mut findings = match self {
            Self::Libtest => libtest(output),
            Self::Pytest => pytest(output),
            Self::Tap => tap(output),
            Self::Plain => Findings::default(),
        };
        for line in output.lines() {
            if let Some(what) = left_out(line)
                && !findings.left_out.contains(&what)
            {
                findings.left_out.push(what);
            }
        }
        findings
    }
}

/// The arguments with which a test program repeats its tests that left something out for a reason that
/// `wanted` takes: all of them, where it is unknown which. `None`: no test did.
pub(crate) fn repeat(findings: &Findings, wanted: impl Fn(&str) -> bool) -> Option<Vec<String>> {
    let mut reasons = findings.left_out.iter().filter(|reason| wanted(reason));
    reasons.clone().next()?;
    let known = reasons.all(|reason| {
        let mut of_tests = findings.incomplete.iter();
        of_tests.any(|(_, of_test)| of_test == reason)
    });
    if !known {
        return Some(Vec::new());
    }
    let names: BTreeSet<_> = findings
        .incomplete
        .iter()
        .filter(|(_, reason)| wanted(reason))
        .map(|(name, _)| name.clone())
        .collect();
    Some(std::iter::once("--exact".to_owned()).chain(names).collect())
}

/// The reason in a line such as `!!! LEFT OUT: reason`.
fn left_out(line: &str) -> Option<String> {
    let (_, reason) = line.split_once("LEFT OUT")?;
    let reason = reason.trim_start_matches([':', ' ']);
    let reason = reason.trim_end_matches(['*', ' ', '"', '\'']);
    (!reason.is_empty()).then(|| reason.to_owned())
}

fn libtest(output: &str) -> Findings {
    let mut findings = Findings::default();
    // `---- NAME stdout ----` heads what a test printed, under `successes:` as well as `failures:`.
    let mut printed: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut current = None;
    for line in output.lines() {
        if let Some(name) = heading(line) {
            current = Some(name);
        } else if matches!(line, "failures:" | "successes:") {
            current = None;
        } else if line.starts_with("test result: ") {
            findings.closing.push(line.to_owned());
            current = None;
        } else if let Some(name) = current {
            printed.entry(name).or_default().push(line);
        }
    }
    for (name, lines) in &printed {
        let reasons = lines.iter().filter_map(|line| left_out(line));
        findings
            .incomplete
            .extend(reasons.map(|reason| ((*name).to_owned(), reason)));
    }
    let failed = output
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    for name in failed {
        // `test NAME - should panic ... FAILED`.
        let name = name.split(" - ").next().unwrap_or(name);
        let lines = printed.get(name).map(Vec::as_slice).unwrap_or_default();
        findings.failed.push(Failure {
            name: name.to_owned(),
            message: shortened(lines),
        });
    }
    findings
}

fn heading(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

fn pytest(output: &str) -> Findings {
    let mut findings = Findings::default();
    for line in output.lines() {
        let failed = line
            .strip_prefix("FAILED ")
            .or_else(|| line.strip_prefix("ERROR "));
        if let Some(rest) = failed {
            let (name, message) = rest.split_once(" - ").unwrap_or((rest, ""));
            findings.failed.push(Failure {
                name: name.to_owned(),
                message: message.to_owned(),
            });
        }
        let words = line.trim_matches(['=', ' ']);
        let counts = [" passed", " failed", " skipped", " error"];
        if words.contains(" in ") && counts.iter().any(|count| words.contains(count)) {
            findings.closing.push(line.to_owned());
        }
    }
    findings
}

fn tap(output: &str) -> Findings {
    let mut findings = Findings::default();
    let mut lines = output.lines().peekable();
    while let Some(line) = lines.next() {
        let words = line.trim_start();
        if let Some(rest) = words.strip_prefix("not ok ") {
            let name = rest.split_once(" - ").map_or(rest, |(_, name)| name);
            let mut block = Vec::new();
            while let Some(more) = lines.next_if(|more| {
                !more.trim_start().starts_with("ok ") && !more.trim_start().starts_with("not ok ")
            }) {
                block.push(more.trim());
                if more.trim() == "..." {
                    break;
                }
            }
            // A group fails because of the tests in it, which have lines of their own.
            if block.iter().any(|line| line.contains("subtestsFailed")) {
                continue;
            }
            let message = block
                .iter()
                .position(|line| line.starts_with("error:"))
                .map(|start| &block[start..])
                .unwrap_or_default();
            let end = message
                .iter()
                .position(|line| line.starts_with("code:") || line.starts_with("stack:"))
                .unwrap_or(message.len());
            findings.failed.push(Failure {
                name: name.to_owned(),
                message: shortened(&message[..end]),
            });
        } else if line
            .strip_prefix("# ")
            .is_some_and(|rest| COUNTS.iter().any(|count| rest.starts_with(count)))
        {
            findings.closing.push(line.to_owned());
        }
        if let Some((_, reason)) = words.split_once(" # SKIP ") {
            findings
                .left_out
                .push(reason.trim_start_matches("LEFT OUT: ").to_owned());
        }
    }
    findings.left_out.dedup();
    findings
}

/// Most characters of a line of a failure.
const MOST_CHARACTERS: usize = 300;

/// Node's closing lines.
const COUNTS: [&str; 6] = [
    "tests ",
    "pass ",
    "fail ",
    "cancelled ",
    "skipped ",
    "todo ",
];

/// The lines of a failure without blank ones, cut where they get long.
fn shortened(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines
        .iter()
        .copied()
        .take_while(|line| *line != "stack backtrace:")
        .filter(|line| {
            !line.trim().is_empty() && !line.starts_with("note: run with `RUST_BACKTRACE")
        })
        .collect();
    let mut text = lines
        .iter()
        .take(MOST_LINES)
        .map(|line| match line.char_indices().nth(MOST_CHARACTERS) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => (*line).to_owned(),
        })
        .collect::<Vec<_>>()
        .join("\n");
    if lines.len() > MOST_LINES {
        text += "\n…";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(name: &str, message: &str) -> Failure {
        Failure {
            name: name.to_owned(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn a_failing_rust_test_is_named_with_its_message() {
        let output = "running 3 tests\ntest a::good ... ok\ntest a::bad ... FAILED\ntest b ... ok\n\n\
            successes:\n\n---- b stdout ----\n!!! LEFT OUT: liveness: LIVECHECK_DATA names nothing\n\n\n\
            successes:\n    a::good\n    b\n\n\
            failures:\n\n---- a::bad stdout ----\n\nthread 'a::bad' panicked at src/a.rs:3:5:\n2 inputs\n\
            note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n\n\n\
            failures:\n    a::bad\n\n\
            test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n";
        let findings = Format::Libtest.read(output);
        let message = "thread 'a::bad' panicked at src/a.rs:3:5:\n2 inputs";
        assert_eq!(findings.failed, [failure("a::bad", message)]);
        assert_eq!(
            findings.left_out,
            ["liveness: LIVECHECK_DATA names nothing"]
        );
        assert_eq!(findings.closing.len(), 1);
        let again = repeat(&findings, |reason| reason.contains("DATA"));
        assert_eq!(again.expect("b wants data"), ["--exact", "b"]);
        assert_eq!(repeat(&findings, |_| false), None);
    }

    #[test]
    fn where_the_test_is_unknown_all_are_repeated() {
        let output = "!!! LEFT OUT: liveness: LIVECHECK_DATA names nothing\ntest a ... ok\n";
        let findings = Format::Libtest.read(output);
        assert_eq!(repeat(&findings, |_| true), Some(Vec::new()));
    }

    #[test]
    fn a_failing_python_test_is_named_with_its_message() {
        let output = "..F s\nSKIPPED [2] conftest.py:48: LEFT OUT: LIVECHECK_DATA names nothing\n\
            FAILED tests/test_a.py::test_b - assert 1 == 2\n1 failed, 2 passed, 1 skipped in 3.21s\n";
        let findings = Format::Pytest.read(output);
        assert_eq!(
            findings.failed,
            [failure("tests/test_a.py::test_b", "assert 1 == 2")]
        );
        assert_eq!(findings.left_out, ["LIVECHECK_DATA names nothing"]);
        assert_eq!(findings.closing, ["1 failed, 2 passed, 1 skipped in 3.21s"]);
    }

    #[test]
    fn a_failing_node_test_is_named_and_its_group_is_not() {
        let output = "TAP version 13\n# Subtest: group\n    # Subtest: inner\n    not ok 1 - inner\n      ---\n\
            \x20     failureType: 'testCodeFailure'\n      error: |-\n        1 is not 2\n      code: 'X'\n      ...\n\
            \x20   ok 2 - faces # SKIP LEFT OUT: LIVECHECK_DATA names nothing\n    1..2\nnot ok 1 - group\n  ---\n\
            \x20 failureType: 'subtestsFailed'\n  error: '1 subtest failed'\n  ...\n1..1\n# tests 2\n# pass 0\n# fail 1\n";
        let findings = Format::Tap.read(output);
        assert_eq!(findings.failed, [failure("inner", "error: |-\n1 is not 2")]);
        assert_eq!(findings.left_out, ["LIVECHECK_DATA names nothing"]);
        assert_eq!(findings.closing, ["# tests 2", "# pass 0", "# fail 1"]);
    }

    #[test]
    fn what_was_left_out_loses_its_marks() {
        for line in [
            "*** LEFT OUT: strace is missing. ***",
            "!!! LEFT OUT: strace is missing.",
            "LEFT OUT   strace is missing.",
        ] {
            assert_eq!(left_out(line).as_deref(), Some("strace is missing."));
        }
        assert_eq!(left_out("nothing was left out"), None);
    }
}
