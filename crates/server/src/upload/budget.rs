//! The memory that all uploads of this server may hold together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory is counted in pieces of this many bytes.
const PIECE: usize = 16 * 1024;

/// A bounded amount of memory, shared by every request that is being read or waits to be judged.
#[derive(Clone)]
pub struct UploadBudget {
    pieces: Arc<Semaphore>,
    total: usize,
}

impl UploadBudget {
    /// `bytes`: all the memory there is.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let total = bytes.div_ceil(PIECE);
        Self {
            pieces: Arc::new(Semaphore::new(total)),
            total,
        }
    }

    /// A request's share, empty at first.
    #[must_use]
    pub fn share(&self) -> Reserved {
        Reserved {
            budget: self.clone(),
            permit: None,
        }
    }
}

/// One request's share; given back when dropped.
pub struct Reserved {
    budget: UploadBudget,
    permit: Option<OwnedSemaphorePermit>,
}

impl Reserved {
    /// Makes the share at least `bytes` long, or as long as the whole budget when that is less;
    /// `false` when the budget has too little left.
    pub fn grow_to(&mut self, bytes: usize) -> bool {
        let held = self
            .permit
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let wanted = bytes.div_ceil(PIECE).min(self.budget.total);
        let missing = wanted.saturating_sub(held);
        if missing == 0 {
            return true;
        }
        let Ok(missing) = u32::try_from(missing) else {
            return false;
        };
        let Ok(more) = Arc::clone(&self.budget.pieces).try_acquire_many_owned(missing) else {
            return false;
        };
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        true
    }
}
