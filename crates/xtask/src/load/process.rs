//! What the system tells of the service's process.

use std::fs;

use anyhow::{Context, Result};

/// Resident memory and open files at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) resident_kib: u64,
    /// The most that the resident memory ever was.
    pub(crate) peak_kib: u64,
    pub(crate) files: usize,
}

/// What a process uses now.
pub(crate) fn usage(pid: u32) -> Result<Usage> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
    let kib = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok())
            .with_context(|| format!("{path} has no {name}"))
    };
    Ok(Usage {
        resident_kib: kib("VmRSS:")?,
        peak_kib: kib("VmHWM:")?,
        files: fs::read_dir(format!("/proc/{pid}/fd"))?.count(),
    })
}

/// How busy the machine was before, in words: what other programs take, the figures lack.
pub(crate) fn machine_load() -> Result<String> {
    let path = "/proc/loadavg";
    let text = fs::read_to_string(path).with_context(|| format!("{path} cannot be read"))?;
    let minute = text.split_whitespace().next().unwrap_or("?");
    Ok(format!("load average of the last minute: {minute}"))
}
