//! TLS from a certificate and a key in PEM.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::ServerError;
use crate::config::NetworkConfig;

/// `None` when no certificate is set.
pub(crate) fn acceptor(network: &NetworkConfig) -> Result<Option<TlsAcceptor>, ServerError> {
    let (Some(certificate), Some(key)) = (&network.tls_cert, &network.tls_key) else {
        return Ok(None);
    };
    let failed = |what: &str, path: &std::path::Path, error: &dyn std::fmt::Display| {
        ServerError::Tls(format!(
            "the {what} {} cannot be used: {error}",
            path.display()
        ))
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| failed("certificate file", certificate, &error))?;
    let private =
        PrivateKeyDer::from_pem_file(key).map_err(|error| failed("key file", key, &error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(chain, private)
        })
        .map_err(|error| failed("certificate file", certificate, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}
