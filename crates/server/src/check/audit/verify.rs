//! `livecheck audit verify`: whether an audit log is as the service wrote it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

use livecheck_store::ImageKey;
use serde::Deserialize;

use super::chain::{Chain, Link};
use super::parts::parts;

/// Longest line that is read; the service writes some thousand bytes.
const LONGEST_LINE: usize = 1024 * 1024;

/// What was found in an audit log and the parts that it was rotated into.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct AuditReport {
    /// Files that were read, the oldest first.
    pub files: usize,
    /// Lines whose chain was checked and holds.
    pub intact: u64,
    /// Sequence and time of the first line.
    pub first: Option<(u64, String)>,
    /// Sequence and time of the last line.
    pub last: Option<(u64, String)>,
    /// Lines of an earlier release, which have no chain, before all others.
    pub unchained: u64,
    /// Lines under secrets that were not given, by the secret's fingerprint: not checked.
    pub other_secrets: BTreeMap<String, u64>,
    /// Lines that were cut short when they were written: by a kill, or a full disk.
    pub torn: Vec<String>,
    /// What was changed, removed or put in since, one sentence each.
    pub problems: Vec<String>,
}

/// The fields of a line that the check needs.
#[derive(Deserialize)]
struct Stamp {
    seq: u64,
    time: String,
    chain: String,
}

/// Reads the log at `path`, its rotated parts first. `secrets` are those that images were hashed with
/// while it was written.
///
/// # Errors
/// A file that cannot be read.
pub fn verify(path: &Path, secrets: &[ImageKey]) -> io::Result<AuditReport> {
    let chains: Vec<Chain> = secrets.iter().map(Chain::new).collect();
    let mut report = AuditReport::default();
    let mut before: Option<Link> = None;
    let rotated = parts(path)?;
    let files = rotated.values().map(|part| &**part).chain([path]);
    for file in files {
        report.files += 1;
        let mut reader = BufReader::new(File::open(file)?);
        let name = file.file_name().unwrap_or_default().display().to_string();
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            let limited = &mut io::Read::take(&mut reader, LONGEST_LINE as u64);
            if limited.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let at = format!("{name} line {number}");
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            before = check(&chains, text, &at, before, &mut report);
        }
    }
    Ok(report)
}

/// Checks one line against the one before, and returns what the next is checked against.
fn check(
    chains: &[Chain],
    text: &[u8],
    at: &str,
    before: Option<Link>,
    report: &mut AuditReport,
) -> Option<Link> {
    let text = String::from_utf8_lossy(text);
    let Ok(line) = serde_json::from_str::<serde_json::Value>(&text) else {
        report.torn.push(format!("{at} is incomplete"));
        return before;
    };
    let stamp = Stamp::deserialize(&line);
    let (Ok(stamp), Some((covered, end))) = (stamp, text.rsplit_once(super::chain::FIELD)) else {
        if before.is_none() {
            report.unchained += 1;
        } else {
            report.problems.push(format!(
                "{at} has no sequence, time or chain: inserted by hand"
            ));
        }
        return before;
    };
    let expected = before.as_ref().map_or(stamp.seq, |link| link.seq + 1);
    if stamp.seq > expected {
        report.problems.push(format!(
            "{at} has number {} where {expected} must follow: {} lines are missing before it",
            stamp.seq,
            stamp.seq - expected
        ));
    } else if stamp.seq < expected {
        report.problems.push(format!(
            "{at} has number {} where {expected} must follow: moved or inserted twice",
            stamp.seq
        ));
    } else if before.is_some() || stamp.seq == 1 {
        let previous = before.as_ref().map_or("", |link| &*link.chain);
        let (fingerprint, _) = stamp.chain.split_once(':').unwrap_or_default();
        match chains.iter().find(|chain| chain.fingerprint == fingerprint) {
            None => {
                let fingerprint = fingerprint.chars().take(16).collect();
                *report.other_secrets.entry(fingerprint).or_default() += 1;
            }
            Some(chain)
                if chain.value(previous, covered) == stamp.chain
                    && end.strip_suffix("\"}") == Some(&*stamp.chain) =>
            {
                report.intact += 1;
            }
            Some(_) => report.problems.push(format!(
                "{at} (number {}) was changed, or the line before it",
                stamp.seq
            )),
        }
    }
    // The first line of what is left of a longer log: it can only be held against by the next.
    report.first.get_or_insert((stamp.seq, stamp.time.clone()));
    report.last = Some((stamp.seq, stamp.time));
    Some(Link {
        seq: stamp.seq,
        chain: stamp.chain,
    })
}
