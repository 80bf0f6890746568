//! HTTP: connections, TLS, bodies, and what every request and answer goes through.

pub(crate) mod client;
pub(crate) mod connection;
pub(crate) mod middleware;
pub(crate) mod request_id;
pub(crate) mod tls;
pub mod upload;
