//! Files and request bodies that are meant to break something, each made by code, with the answer
//! it must get and the reason why it is in the table.
//!
//! Pictures are at least 320 pixels wide and high and show nobody: one that can be read ends with
//! `051`, which also proves that every stage before the answer has seen it.

mod altered;
mod bodies;
mod files;
mod heavy;
mod table;

pub use bodies::bodies;
pub use files::files;
pub use heavy::heavy;
pub use table::{HostileBody, HostileFile};
