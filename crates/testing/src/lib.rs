//! What tests share: images drawn by our own code ([`drawn`]), a person among them
//! ([`mod@portrait`]), bodies of forms ([`forms`]), files, bodies and HTTP/2 frames that are
//! meant to break something ([`hostile`], [`http2`]), a view from
//! outside at what a program writes ([`strace`]) and, where the environment variable
//! `LIVECHECK_DATA` names it, the folder of real images ([`real`]).
//!
//! Panics are this crate's way to report: it serves tests alone.

pub mod drawn;
pub mod forms;
pub mod hostile;
pub mod http2;
pub mod portrait;
pub mod real;
pub mod strace;
