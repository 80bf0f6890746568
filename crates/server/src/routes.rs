//! The handlers, one file a noun.

pub(crate) mod demo;
pub(crate) mod docs;
pub(crate) mod health;
pub(crate) mod index;
pub(crate) mod keys;
pub(crate) mod liveness;
pub(crate) mod metrics;
pub(crate) mod session;
pub(crate) mod version;
