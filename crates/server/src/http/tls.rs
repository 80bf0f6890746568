//! TLS from a certificate and a key in PEM, which are read again when their files change.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use livecheck_store::Clock;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use crate::config::NetworkConfig;
use crate::startup::ServerError;

/// How often the files are looked at, when connections come.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What speaks TLS, and the pair that it does it with.
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) certificate: Certificate,
}

/// The certificate and key in force.
#[derive(Clone)]
pub struct Certificate(Arc<Reloading>);

impl Certificate {
    /// Reads the files again, whether they have changed or not; where they can't be used, says so in the
    /// log and goes on with the old pair.
    pub fn reload(&self) {
        let mut state = self.0.state();
        let stamp = self.0.files.stamp();
        state.take(self.0.files.read(), stamp);
    }
}

/// `None` when no certificate is set.
pub(crate) fn acceptor(
    network: &NetworkConfig,
    clock: Arc<dyn Clock>,
) -> Result<Option<Tls>, ServerError> {
    let (Some(certificate), Some(key)) = (&network.tls_cert, &network.tls_key) else {
        return Ok(None);
    };
    let files = Files {
        certificate: certificate.clone(),
        key: key.clone(),
    };
    // Their state before they are read: a change in between is seen later.
    let stamp = files.stamp();
    let current = Arc::new(files.read().map_err(ServerError::Tls)?);
    let resolver = Arc::new(Reloading {
        clock,
        state: Mutex::new(State {
            current,
            stamp,
            looked_at: Duration::ZERO,
        }),
        files,
    });
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ServerError::Tls(error.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&resolver) as _);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(Tls {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        certificate: Certificate(resolver),
    }))
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// When each file was changed and how long it is.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl Files {
    fn stamp(&self) -> Stamp {
        [&self.certificate, &self.key].map(|path| {
            let file = std::fs::metadata(path).ok()?;
            Some((file.modified().ok()?, file.len()))
        })
    }

    /// The pair, if it is one; `Err` says in one sentence what is wrong.
    fn read(&self) -> Result<CertifiedKey, String> {
        let failed = |what: &str, path: &Path, error: &dyn fmt::Display| {
            format!("the {what} {} cannot be used: {error}", path.display())
        };
        let chain = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| failed("certificate file", &self.certificate, &error))?;
        let private = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| failed("key file", &self.key, &error))?;
        CertifiedKey::from_der(chain, private, &ring::default_provider())
            .map_err(|error| failed("certificate file", &self.certificate, &error))
    }
}

/// The pair in force, and another once the files hold one.
struct Reloading {
    files: Files,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    current: Arc<CertifiedKey>,
    stamp: Stamp,
    looked_at: Duration,
}

impl State {
    fn take(&mut self, pair: Result<CertifiedKey, String>, stamp: Stamp) {
        match pair {
            Ok(pair) => {
                self.current = Arc::new(pair);
                self.stamp = stamp;
                tracing::info!("the certificate was read again");
            }
            // Perhaps one of the two is still to come: it is tried again.
            Err(error) => tracing::warn!(%error, "the old certificate stays in force"),
        }
    }
}

impl Reloading {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Reloading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloading").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Reloading {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let now = self.clock.monotonic();
        let mut state = self.state();
        if now.saturating_sub(state.looked_at) >= LOOK_EVERY {
            state.looked_at = now;
            let stamp = self.files.stamp();
            if stamp != state.stamp {
                state.take(self.files.read(), stamp);
            }
        }
        Some(Arc::clone(&state.current))
    }
}
