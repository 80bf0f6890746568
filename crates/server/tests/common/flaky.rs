//! A store that can be switched off, as if its database were away, that can keep those waiting who
//! take a use of a session, and that says what it was asked.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use livecheck_store::testing::{Hook, Hooked};
use livecheck_store::{Store, StoreError};
use tokio::sync::Semaphore;

pub type Flaky = Hooked<Switches>;

pub struct Switches {
    away: AtomicBool,
    /// One permit a use that is handed out at once.
    uses: Semaphore,
    asked: AtomicUsize,
    looked_up: Mutex<Vec<&'static str>>,
}

/// In front of `store`, switched on.
pub fn flaky(store: Arc<dyn Store>) -> Flaky {
    let switches = Switches {
        away: AtomicBool::new(false),
        uses: Semaphore::new(Semaphore::MAX_PERMITS),
        asked: AtomicUsize::new(0),
        looked_up: Mutex::default(),
    };
    Hooked::new(store, switches)
}

impl Switches {
    /// From now on nobody gets a use until [`Switches::give_uses`].
    pub fn hold_uses(&self) {
        self.uses.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Those who have asked for a use, with or without success.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub fn give_uses(&self) {
        self.uses.add_permits(1000);
    }

    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// The look-ups since the last call.
    pub fn looked_up(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.looked_up.lock().unwrap())
    }
}

#[async_trait]
impl Hook for Switches {
    async fn before(&self, call: &'static str) -> Result<(), StoreError> {
        match call {
            "find_key" | "peek_session" => self.looked_up.lock().unwrap().push(call),
            "take_use" => {
                self.asked.fetch_add(1, Ordering::SeqCst);
                self.uses.acquire().await.expect("never closed").forget();
            }
            _ => {}
        }
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("switched off".to_owned()));
        }
        Ok(())
    }
}
