//! What a program writes, seen from outside: `strace` records its system calls, and the record is
//! searched for secrets.

use std::{
    collections::{HashMap, HashSet},
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// System calls that carry bytes out of a process, and those that name files.
const CALLS: &str = "trace=%file,write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,sendmmsg,\
    sendfile,splice,vmsplice,copy_file_range,mq_timedsend,process_vm_writev,setxattr,fsetxattr";

/// Bytes in a row that count as a leak: too many to be there by chance.
const WINDOW: usize = 16;

/// Least different bytes in such a row: fewer are a filling or a ramp, as any file may hold.
const DIFFERENT: usize = 9;

/// The words to put before a command so that its system calls are recorded in `record`; `None`,
/// said loudly, where strace is missing or may not trace.
#[must_use]
pub fn wrapper(test: &str, record: &Path) -> Option<Vec<String>> {
    let works = Command::new("strace")
        .args(["--seccomp-bpf", "-D", "-f", "-q", "-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status();
    if !works.is_ok_and(|status| status.success()) {
        let _ = writeln!(
            std::io::stderr(),
            "\n*** LEFT OUT: {test}: strace is not installed or may not trace here. ***\n"
        );
        return None;
    }
    let words = [
        // The process is stopped at these calls alone, and stays a child of the test's with the id
        // that the test knows.
        "strace",
        "--seccomp-bpf",
        "-D",
        "-f",
        "-q",
        "-yy",
        "-xx",
        "-s",
        "4194304",
        "-e",
        CALLS,
        "-e",
        "signal=none",
        "-o",
    ];
    let words = words.into_iter().map(str::to_owned);
    let record = record.to_str().expect("a path in UTF-8").to_owned();
    Some(words.chain([record, "--".to_owned()]).collect())
}

/// One system call.
#[derive(Debug)]
pub struct Call {
    /// Its name, such as `pwrite64`.
    pub name: String,
    /// What the descriptor is: a path, or such as `TCP:[127.0.0.1:8080->127.0.0.1:4711]`; empty for
    /// calls that take none.
    pub target: String,
    /// Every string in it, one after the other.
    pub bytes: Vec<u8>,
}

/// The calls of a record, once it is complete: `process` has ended, and strace noted that.
///
/// # Panics
/// When it cannot be read, or is not complete within a minute.
#[must_use]
pub fn calls(record: &Path, process: u32) -> Vec<Call> {
    let process = process.to_string();
    let ends = |line: &str| {
        let rest = line.strip_prefix(&process).map(str::trim_start);
        rest.is_some_and(|rest| rest.starts_with("+++"))
    };
    for _ in 0..600 {
        let text = fs::read_to_string(record).expect("strace's record");
        if text.lines().any(ends) {
            return text.lines().filter_map(parse).collect();
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("strace did not note the end of process {process}");
}

/// `PID NAME(FD<TARGET>, "\x61…", …`, where paths are written like strings; what was interrupted
/// shows its strings where it begins.
fn parse(line: &str) -> Option<Call> {
    let (_, call) = line.split_once(' ')?;
    let (name, arguments) = call.trim_start().split_once('(')?;
    if !name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        return None;
    }
    let target = arguments
        .split_once('<')
        .filter(|(descriptor, _)| descriptor.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|(_, rest)| Some(rest.split_once(">,")?.0))
        .unwrap_or_default();
    // Every second piece between quotes is a string; quotes inside one are written in hexadecimal.
    let strings = arguments.split('"').skip(1).step_by(2);
    Some(Call {
        name: name.to_owned(),
        target: String::from_utf8_lossy(&unescape(target)).into_owned(),
        bytes: strings.flat_map(unescape).collect(),
    })
}

/// `\x61` → `a`; all else as it is.
fn unescape(text: &str) -> Vec<u8> {
    let mut pieces = text.split("\\x");
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2).unwrap_or((piece, ""));
        bytes.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits"));
        bytes.extend(rest.as_bytes());
    }
    bytes
}

/// What must not get out, known again by any 16 bytes of it.
#[derive(Default)]
pub struct Secrets {
    windows: HashMap<[u8; WINDOW], &'static str>,
}

impl Secrets {
    /// # Panics
    /// When it is too short or too plain to be known again.
    pub fn add(&mut self, name: &'static str, bytes: &[u8]) {
        let before = self.windows.len();
        for window in bytes.windows(WINDOW) {
            if window.iter().collect::<HashSet<_>>().len() >= DIFFERENT {
                let window = window.try_into().expect("its size");
                self.windows.insert(window, name);
            }
        }
        assert!(self.windows.len() > before, "{name} can be known again");
    }

    /// The name of one of which a piece is in there.
    #[must_use]
    pub fn find(&self, bytes: &[u8]) -> Option<&'static str> {
        bytes.windows(WINDOW).find_map(|window| {
            let window: [u8; WINDOW] = window.try_into().ok()?;
            self.windows.get(&window).copied()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_with_their_targets() {
        let rows = [
            (
                r#"12 write(2<\x2f\x61>, "\x61\x62", 2) = 2"#,
                ("write", "/a", &b"ab"[..]),
            ),
            (
                r#"12 writev(9<TCP:[127.0.0.1:80->127.0.0.1:47]>, [{iov_base="\x61", iov_len=1}, {iov_base="\x62", iov_len=1}], 2 <unfinished ...>"#,
                ("writev", "TCP:[127.0.0.1:80->127.0.0.1:47]", b"ab"),
            ),
            (
                r#"7  openat(AT_FDCWD<\x2f>, "\x61", O_RDONLY) = 3<\x2f\x61>"#,
                ("openat", "", b"a"),
            ),
        ];
        for (line, (name, target, bytes)) in rows {
            let call = parse(line).expect("a call");
            assert_eq!(
                (&*call.name, &*call.target, &*call.bytes),
                (name, target, bytes)
            );
        }
        assert!(parse("12 <... write resumed>) = 2").is_none());
    }

    #[test]
    fn any_sixteen_bytes_are_known_again() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut secrets = Secrets::default();
        secrets.add("bytes", &bytes);
        secrets.add("letters", b"the quick brown fox jumps");
        assert_eq!(secrets.find(&bytes[100..116]), Some("bytes"));
        let hidden = [&[7; 40], &bytes[3..19], &[7; 40]].concat();
        assert_eq!(secrets.find(&hidden), Some("bytes"));
        assert_eq!(secrets.find(b"a quick brown fox jumps"), Some("letters"));
        assert_eq!(secrets.find(&bytes[100..115]), None);
        assert_eq!(secrets.find(&[0; 400]), None);
    }
}
