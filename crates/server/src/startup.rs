//! Why the server could not start.

use std::io;
use std::net::SocketAddr;

use livecheck_engine::EngineError;
use thiserror::Error;

use crate::config::{self, ConfigError};

/// Why the server could not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A socket could not be opened.
    #[error("{}", cannot_listen(setting, *address, source))]
    Listen {
        /// The setting that names the address.
        setting: &'static str,
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("TLS: {0}")]
    Tls(String),
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The secret for images cannot be used.
    #[error("image_key_file {0}")]
    ImageKey(String),
    /// The audit log cannot be written.
    #[error("the audit log {} cannot be written: {source}", .path.display())]
    Audit {
        /// The setting `audit_file`.
        path: std::path::PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system could not start a thread.
    #[error("the judging threads could not be started: {0}")]
    Threads(io::Error),
    /// The self-test failed; nothing was judged.
    #[error(transparent)]
    SelfTest(#[from] EngineError),
    /// The self-test panicked.
    #[error("the self-test panicked")]
    SelfTestPanicked,
}

/// Says which setting moves the listener.
fn cannot_listen(setting: &str, address: SocketAddr, source: &io::Error) -> String {
    let variable = format!("{}{}", config::ENV_PREFIX, setting.to_uppercase());
    let flag = setting.replace('_', "-");
    match source.kind() {
        io::ErrorKind::AddrInUse => format!(
            "cannot listen on {address}: another program, or another Livecheck, uses this port; stop it or choose another address with {variable} or --{flag}, such as {}:{}",
            address.ip(),
            address.port().wrapping_add(1).max(1024)
        ),
        io::ErrorKind::PermissionDenied => format!(
            "cannot listen on {address}: {source}; ports below 1024 are for root, choose another with {variable} or --{flag}"
        ),
        io::ErrorKind::AddrNotAvailable => format!(
            "cannot listen on {address}: this machine has no such address; choose another with {variable} or --{flag}, such as 0.0.0.0:{}",
            address.port()
        ),
        _ => format!("cannot listen on {address} ({variable}, --{flag}): {source}"),
    }
}
