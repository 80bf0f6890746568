//! The routes, one file a noun, their list (`router.rs`) and the document that describes them (`openapi.rs`).

mod demo;
mod docs;
mod health;
mod index;
mod keys;
mod liveness;
mod metrics;
pub mod openapi;
pub(crate) mod router;
mod session;
mod version;
