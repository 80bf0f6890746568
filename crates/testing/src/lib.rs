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

use std::{thread, time::Duration};

/// Waits for something that a loaded machine may take long to do; the bound only ends a hang.
///
/// # Panics
/// When it has not happened within a minute.
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    const PAUSE: Duration = Duration::from_millis(100);
    for _ in 0..600 {
        if done() {
            return;
        }
        thread::sleep(PAUSE);
    }
    panic!("{what}: not within a minute");
}
