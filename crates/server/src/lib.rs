//! HTTP in front of the engine and the store: translates requests to their calls and decides
//! nothing about faces itself.
//!
//! [`Server::bind`] opens the sockets, [`Server::run`] serves until told to stop (`lifecycle.rs`). Sorted by
//! concern: `http/` has connections, TLS, bodies and what every request passes; `api/` the routes;
//! `access/` keys and sessions of callers; `check/` the judging of one photo; `config/` every setting;
//! `observability/` log and metrics.
#![forbid(unsafe_code)]

mod access;
mod api;
mod app;
mod check;
pub mod config;
mod error;
mod http;
mod lifecycle;
mod observability;
mod purge;
mod startup;

#[doc(hidden)]
pub use access::auth::sent;
pub use access::keys;
pub use api::openapi;
pub use check::audit::{AuditReport, shown as audit_name, verify as verify_audit};
pub use check::image_key::configured as configured_image_key;
pub use check::judge::Judge;
pub use check::{pool, shares};
pub use config::{ConfigError, ServerConfig};
pub use http::tls::Certificate;
pub use http::upload;
pub use lifecycle::{Server, run};
pub use observability::telemetry;
pub use startup::ServerError;
