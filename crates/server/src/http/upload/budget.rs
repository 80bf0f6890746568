//! The memory that all uploads of this server may hold together, in three parts: bodies that are
//! received at once, larger ones that wait for their turn, and decoded photos.
//!
//! A large body is read only when there is room for all of it, so that those which are being received
//! arrive whole instead of pushing each other out. Small ones never wait behind large ones. Of each part a
//! tenant may hold no more than it leaves free for the others ([`crate::check::shares`]).

use crate::check::shares::{Grant, Shares, Tenant};

/// Memory is counted in pieces of this many bytes.
const PIECE: usize = 16 * 1024;

/// Most bytes that a body may take before it has to wait for its turn.
pub const SMALL_BODY: usize = 1024 * 1024;

/// Most bytes that a client may send on an HTTP/2 stream before they are looked at: they count as the
/// body's, since they wait with it.
pub const HTTP2_STREAM_WINDOW: u32 = 64 * 1024;

/// Sixteenths of the memory for small bodies, and for large ones; photos have the rest.
const SMALL_SHARE: usize = 1;
const LARGE_SHARE: usize = 3;
const SHARES: usize = 16;

/// Least memory in which a file of `file_bytes` has room among the large bodies, with what a form
/// takes beside it.
#[must_use]
pub const fn least_memory(file_bytes: usize) -> usize {
    file_bytes.saturating_mul(6)
}

/// A bounded amount of memory, shared by every request that is being read or waits to be judged.
#[derive(Clone)]
pub struct UploadMemory {
    small: Part,
    large: Part,
    photos: Part,
}

impl UploadMemory {
    /// `bytes`: all the memory there is.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let share = |shares| bytes / SHARES * shares;
        let (small, large) = (share(SMALL_SHARE), share(LARGE_SHARE));
        Self {
            small: Part::new(small),
            large: Part::new(large),
            photos: Part::new(bytes - small - large),
        }
    }

    /// Bytes that requests hold.
    #[must_use]
    pub fn used(&self) -> usize {
        let used = |part: &Part| part.pieces.used() as usize * PIECE;
        used(&self.small) + used(&self.large) + used(&self.photos)
    }

    /// The share of a request of this tenant, empty at first.
    #[must_use]
    pub fn share(&self, tenant: Tenant) -> Reserved {
        Reserved {
            memory: self.clone(),
            tenant,
            part: self.small.clone(),
            grant: None,
            large: false,
        }
    }
}

/// One of the three parts.
#[derive(Clone)]
struct Part {
    pieces: Shares,
}

impl Part {
    fn new(bytes: usize) -> Self {
        let total = u32::try_from(bytes.div_ceil(PIECE)).unwrap_or(u32::MAX);
        Self {
            pieces: Shares::new(total),
        }
    }

    /// How many pieces `bytes` take, or all when that is less.
    fn pieces(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(PIECE))
            .unwrap_or(u32::MAX)
            .min(self.pieces.total())
    }
}

/// One request's share; given back when dropped.
pub struct Reserved {
    memory: UploadMemory,
    tenant: Tenant,
    part: Part,
    grant: Option<Grant>,
    large: bool,
}

impl Reserved {
    /// Whether this is the share of a large body, which waited for its turn.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.large
    }

    /// Makes the share at least `bytes` long, or as long as its part of the memory when that is less;
    /// `false` when too little is left.
    pub fn grow_to(&mut self, bytes: usize) -> bool {
        let held = self.grant.as_ref().map_or(0, Grant::units);
        let missing = self.part.pieces(bytes).saturating_sub(held);
        if missing == 0 {
            return true;
        }
        if let Some(grant) = &mut self.grant {
            return grant.grow(missing);
        }
        self.grant = self.part.pieces.take(&self.tenant, missing);
        self.grant.is_some()
    }

    /// Waits until there are `bytes` among the large bodies, first come, first served; keeps what it
    /// holds meanwhile.
    pub async fn turn(&mut self, bytes: usize) {
        let part = self.memory.large.clone();
        let pieces = part.pieces(bytes);
        self.grant = Some(part.pieces.turn(&self.tenant, pieces).await);
        self.part = part;
        self.large = true;
    }

    /// A share of `bytes` for the pixels of this body's photo, if there is room for them.
    #[must_use]
    pub fn photo(&self, bytes: usize) -> Option<Self> {
        let part = self.memory.photos.clone();
        let grant = part.pieces.take(&self.tenant, part.pieces(bytes))?;
        Some(Self {
            memory: self.memory.clone(),
            tenant: self.tenant.clone(),
            part,
            grant: Some(grant),
            large: self.large,
        })
    }
}
