//! How much memory the settings allow the service, at the very most, and how much the system gives it.

use std::fmt;
use std::path::{Path, PathBuf};

use super::settings::ServerConfig;

const MIB: u64 = 1024 * 1024;

/// The process with its models at rest, and after everything that the tests of hostile input do to it.
const AT_REST: u64 = 200 * MIB;

/// Bytes that a thread may need for each pixel of the image that it judges: 16-bit RGBA, and what is
/// made of it.
const PER_PIXEL: u64 = 12;

/// What it needs besides: the nets.
const NETS: u64 = 35 * MIB;

/// What the system holds of a connection whose client takes nothing; counts for a container.
const PER_CONNECTION: u64 = 256 * 1024;

/// The most memory that a service with some settings can need, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryBound {
    /// At rest.
    pub at_rest: u64,
    /// Threads that judge.
    pub workers: u64,
    /// What each of them may need.
    pub each_worker: u64,
    /// Photos that are being received, or wait.
    pub uploads: u64,
    /// Answers that clients have still to read.
    pub answers: u64,
    /// Connections.
    pub connections: u64,
}

impl MemoryBound {
    /// All together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.at_rest
            + self.workers * self.each_worker
            + self.uploads
            + self.answers
            + self.connections
    }

    /// What to change where a limit of the system lies below the bound; `None` where it does not.
    #[must_use]
    pub fn beyond(&self, limit: Option<u64>) -> Option<String> {
        let limit = limit.filter(|limit| *limit < self.total())?;
        Some(format!(
            "at most {self} may be needed, but the control group allows {} MiB, beyond which the kernel ends the process: raise that limit, or lower workers, max_pixels, upload_memory, answer_memory or max_connections",
            limit / MIB
        ))
    }
}

impl fmt::Display for MemoryBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes.div_ceil(MIB);
        write!(
            f,
            "{} MiB ({} at rest, {} for each of {} workers, {} upload_memory, {} for answers, {} for connections)",
            mib(self.total()),
            mib(self.at_rest),
            mib(self.each_worker),
            self.workers,
            mib(self.uploads),
            mib(self.answers),
            mib(self.connections)
        )
    }
}

impl ServerConfig {
    /// The most memory that these settings allow the service on a machine with so many cores.
    #[must_use]
    pub fn memory_bound(&self, cores: usize) -> MemoryBound {
        let workers = match self.pool.workers {
            0 => cores,
            workers => workers,
        };
        let listeners = 1 + u64::from(self.network.admin_listen.is_some());
        MemoryBound {
            at_rest: AT_REST,
            workers: workers as u64,
            each_worker: PER_PIXEL * self.engine.max_pixels + NETS,
            uploads: self.pool.upload_memory as u64,
            answers: listeners * self.network.answer_memory as u64,
            connections: PER_CONNECTION * self.network.max_connections as u64,
        }
    }
}

/// The least memory limit of the control groups that this process is in, in bytes.
#[must_use]
pub fn memory_limit() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    limit_under(Path::new("/sys/fs/cgroup"), &groups)
}

/// As the lines of `/proc/self/cgroup` name the groups: `0::/path` of version 2,
/// `7:memory:/path` of version 1.
fn limit_under(root: &Path, groups: &str) -> Option<u64> {
    groups
        .lines()
        .filter_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            let (folder, file) = if controllers.is_empty() {
                (root.to_owned(), "memory.max")
            } else if controllers.split(',').any(|name| name == "memory") {
                (root.join("memory"), "memory.limit_in_bytes")
            } else {
                return None;
            };
            // In a container the path may be the host's, and not be there.
            let group = folder.join(path.trim_start_matches('/'));
            group
                .ancestors()
                .take_while(|group| group.starts_with(&folder))
                .map(PathBuf::from)
                .filter_map(|group| {
                    let text = std::fs::read_to_string(group.join(file)).ok()?;
                    // `max` of version 2 is no number; version 1 has a number near 2^63.
                    text.trim().parse().ok().filter(|limit| *limit < 1 << 60)
                })
                .min()
        })
        .min()
}

#[cfg(test)]
mod tests {
    use super::limit_under;

    #[test]
    fn the_least_limit_of_all_groups_counts() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let limit = |groups: &str| limit_under(root.path(), groups);
        assert_eq!(limit("0::/pod/main\n"), None);
        write("memory.max", "max\n");
        write("pod/memory.max", "1073741824\n");
        write("pod/main/memory.max", "max\n");
        assert_eq!(limit("0::/pod/main\n"), Some(1 << 30));
        assert_eq!(limit("0::/\n"), None);
        // Inside a container that sees only its own group.
        write("memory.max", "536870912\n");
        assert_eq!(limit("0::/../elsewhere\n"), Some(1 << 29));
        write("memory/memory.limit_in_bytes", "9223372036854771712\n");
        write("memory/docker/memory.limit_in_bytes", "268435456\n");
        assert_eq!(
            limit("9:cpu,cpuacct:/docker\n7:memory:/docker\n"),
            Some(1 << 28)
        );
    }
}
