//! The check of one photo: its place in the queue, the judge, files that came before, the audit log.

pub(crate) mod audit;
pub(crate) mod image_key;
pub(crate) mod judge;
pub(crate) mod pipeline;
pub mod pool;
pub(crate) mod sandbox;
pub mod shares;
