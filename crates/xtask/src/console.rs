//! One line of progress per step, and the output of everything else in log files.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{LazyLock, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::workspace::root;

/// When this program started.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Starts the clock that [`say`] reads.
pub(crate) fn start_clock() {
    LazyLock::force(&START);
}

/// Prints a line with the seconds since the start.
pub(crate) fn say(line: &str) {
    println!("[{:>4} s] {line}", START.elapsed().as_secs());
}

/// The folder of the logs.
pub(crate) fn logs() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), PathBuf::from)
        .join("test-logs")
}

/// What a command did.
pub(crate) struct Captured {
    pub(crate) status: ExitStatus,
    /// Standard output and error as they came.
    pub(crate) output: String,
    pub(crate) seconds: f64,
    pub(crate) log: PathBuf,
}

/// Runs a command to its end, with what it prints in the log `name`; kills it after `limit`.
///
/// # Errors
/// A command that cannot be started, or a log that cannot be written.
pub(crate) fn capture(name: &str, command: &mut Command, limit: Duration) -> Result<Captured> {
    let started = Instant::now();
    let (reader, writer) = std::io::pipe()?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let mut child = command
        .spawn()
        .with_context(|| format!("{} cannot be started", shown(command)))?;
    // The command holds the pipe's other end open, which the reader waits for.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let log = log_file(name)?;
    let output = read(reader, File::create(&log)?)?;
    let status = wait(&mut child, started, limit)?;
    let mut text = output
        .recv_timeout(Duration::from_secs(10))
        // Something that the command left behind still holds the pipe.
        .unwrap_or_else(|_| fs::read_to_string(&log).unwrap_or_default());
    if status.is_none() {
        let line = format!("stopped after {} s\n", limit.as_secs());
        text += &line;
        OpenOptions::new()
            .append(true)
            .open(&log)?
            .write_all(line.as_bytes())?;
    }
    Ok(Captured {
        status: match status {
            Some(status) => status,
            None => child.wait()?,
        },
        output: text,
        seconds: started.elapsed().as_secs_f64(),
        log,
    })
}

fn read(reader: std::io::PipeReader, mut log: File) -> Result<mpsc::Receiver<String>> {
    let (send, receive) = mpsc::channel();
    thread::Builder::new().spawn(move || {
        let mut text = String::new();
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
            let _ = log.write_all(&line);
            text += &String::from_utf8_lossy(&line);
            line.clear();
        }
        let _ = send.send(text);
    })?;
    Ok(receive)
}

/// Waits for the end; `None` when the command was killed because it took too long.
fn wait(child: &mut Child, started: Instant, limit: Duration) -> Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() > limit {
            child.kill()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn log_file(name: &str) -> Result<PathBuf> {
    let folder = logs();
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    Ok(folder.join(format!("{name}.log")))
}

/// How long an installation may take: the training environment is 5 GB.
const INSTALLATION: Duration = Duration::from_secs(30 * 60);

/// Runs a command that installs something; what it prints goes into the log `name`.
///
/// # Errors
/// When it fails: with its last lines.
pub(crate) fn install(name: &str, command: &mut Command) -> Result<()> {
    let captured = capture(name, command, INSTALLATION)?;
    if !captured.status.success() {
        bail!(
            "{} failed ({}): {}",
            shown(command),
            captured.status,
            last_lines(&captured.output, 3).join(" / ")
        );
    }
    Ok(())
}

/// Installs the Node packages of a folder as its lock file has them.
///
/// # Errors
/// As [`install`].
pub(crate) fn install_node_packages(folder: &str) -> Result<()> {
    install(
        &format!("install {folder}"),
        Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(root().join(folder)),
    )
}

/// The last lines that are not blank.
pub(crate) fn last_lines(text: &str, count: usize) -> Vec<&str> {
    let mut lines: Vec<&str> = text
        .lines()
        .rev()
        .filter(|line| !line.trim().is_empty())
        .take(count)
        .collect();
    lines.reverse();
    lines
}

/// Runs a command whose output is for the reader, and fails when it fails.
///
/// # Errors
/// As said.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    say(&format!("$ {}", shown(command)));
    let status = command
        .status()
        .with_context(|| format!("{} cannot be started", shown(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", shown(command));
    }
    Ok(())
}

/// The words of a command.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_outputs_are_captured_and_logged() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let captured =
            capture("self test", &mut command, Duration::from_secs(60)).expect("sh starts");
        assert_eq!(captured.status.code(), Some(3));
        assert!(captured.output.contains("out\n") && captured.output.contains("err\n"));
        assert_eq!(
            fs::read_to_string(captured.log).expect("a log"),
            captured.output
        );
    }

    #[test]
    fn a_command_that_hangs_is_stopped() {
        let mut command = Command::new("sleep");
        command.arg("1000");
        let captured =
            capture("hanging", &mut command, Duration::from_millis(100)).expect("sleep starts");
        assert!(!captured.status.success());
        assert!(captured.output.ends_with("stopped after 0 s\n"));
    }

    #[test]
    fn a_failed_installation_says_why() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no network; exit 1"]);
        let error = install("failing", &mut command).expect_err("it fails");
        assert!(error.to_string().ends_with("no network"), "{error}");
    }
}
