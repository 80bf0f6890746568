//! What tests share: images drawn by our own code ([`drawn`]) and, where the environment variable
//! `LIVECHECK_DATA` names it, the folder of real ones ([`real`]).
//!
//! Panics are this crate's way to report: it serves tests alone.

pub mod drawn;
pub mod real;
