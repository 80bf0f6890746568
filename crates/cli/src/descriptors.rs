//! How many files the service may open: a connection is one, and many systems allow 1,024 at first.

use livecheck_server::{ServerConfig, config::RESERVED_CONNECTIONS};

/// Those that the service needs besides its connections: database, listeners, log.
const OWN: usize = 64;

/// How many the settings can come to need.
pub(crate) fn wanted(config: &ServerConfig) -> u64 {
    (config.network.max_connections + RESERVED_CONNECTIONS + OWN) as u64
}

/// Raises the limit to what the settings need, as far as the system lets a process do that for itself.
/// Gives the limit that holds now; none where it is not known or there is none.
#[cfg(unix)]
pub(crate) fn raise(config: &ServerConfig) -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let now = getrlimit(Resource::Nofile);
    let limit = now.current?;
    let wanted = wanted(config).min(now.maximum.unwrap_or(u64::MAX));
    let raised = Rlimit {
        current: Some(wanted),
        maximum: now.maximum,
    };
    if wanted > limit && setrlimit(Resource::Nofile, raised).is_ok() {
        return Some(wanted);
    }
    Some(limit)
}

#[cfg(not(unix))]
pub(crate) fn raise(_: &ServerConfig) -> Option<u64> {
    None
}

/// What is wrong with this limit, and what to do.
pub(crate) fn shortage(limit: u64, config: &ServerConfig) -> Option<String> {
    let wanted = wanted(config);
    (limit < wanted).then(|| {
        format!(
            "at most {limit} may be open, {wanted} are needed for max_connections {}: raise the limit (`ulimit -n`, LimitNOFILE) or lower max_connections",
            config.network.max_connections
        )
    })
}
