//! Who calls: API keys and sessions, and those who guess them.

pub(crate) mod auth;
pub mod keys;
pub(crate) mod throttle;
