//! A bounded number of units (bytes of memory, waiting places) that tenants share: whoever holds some
//! may hold no more than it leaves free for the others.
//!
//! One tenant alone gets half of the units, two get a third each, and so on; as much as each of them
//! holds is free for the next. The only request of a tenant may take whatever is free, so that a single
//! large one always has its turn.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use livecheck_store::KeyId;
use tokio::sync::oneshot;

/// Whose requests count together: those with one API key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tenant(Arc<str>);

impl From<&KeyId> for Tenant {
    fn from(key: &KeyId) -> Self {
        Self(key.as_str().into())
    }
}

/// Units that tenants share.
#[derive(Clone)]
pub(crate) struct Shares {
    table: Arc<Mutex<Table>>,
    total: u32,
}

struct Table {
    free: u32,
    held: HashMap<Tenant, u32>,
    waiting: VecDeque<Waiter>,
}

struct Waiter {
    tenant: Tenant,
    units: u32,
    grant: oneshot::Sender<Grant>,
}

/// Units of a tenant; given back when dropped.
pub(crate) struct Grant {
    shares: Shares,
    tenant: Tenant,
    units: u32,
}

impl Shares {
    pub(crate) fn new(total: u32) -> Self {
        Self {
            table: Arc::new(Mutex::new(Table {
                free: total,
                held: HashMap::new(),
                waiting: VecDeque::new(),
            })),
            total,
        }
    }

    pub(crate) fn total(&self) -> u32 {
        self.total
    }

    /// Units that are held.
    pub(crate) fn used(&self) -> u32 {
        self.total - self.table().free
    }

    /// How many of them a tenant holds, and how many tenants hold any.
    pub(crate) fn held(&self, tenant: &Tenant) -> (u32, usize) {
        let table = self.table();
        let held = table.held.get(tenant).copied().unwrap_or_default();
        (held, table.held.len())
    }

    /// Whether [`Shares::take`] would give the tenant so many units now.
    pub(crate) fn has(&self, tenant: &Tenant, units: u32) -> bool {
        self.table().may_take(tenant, units)
    }

    /// Takes units if the tenant may have them now.
    pub(crate) fn take(&self, tenant: &Tenant, units: u32) -> Option<Grant> {
        let mut table = self.table();
        if !table.may_take(tenant, units) {
            return None;
        }
        table.take(tenant, units);
        Some(self.grant(tenant.clone(), units))
    }

    /// Waits for units: first come, first served, among the tenants whose shares have room for them.
    /// Never ends when it asks for more than there are.
    pub(crate) async fn turn(&self, tenant: &Tenant, units: u32) -> Grant {
        loop {
            let (grant, granted) = oneshot::channel();
            self.table().waiting.push_back(Waiter {
                tenant: tenant.clone(),
                units,
                grant,
            });
            self.serve();
            // The sender lies in the queue until it grants; were it lost, the wait would begin again.
            if let Ok(grant) = granted.await {
                return grant;
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing under the lock can leave it half changed.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn grant(&self, tenant: Tenant, units: u32) -> Grant {
        Grant {
            shares: self.clone(),
            tenant,
            units,
        }
    }

    /// Gives to those who wait what they may have.
    fn serve(&self) {
        loop {
            let Some(waiter) = self.table().next() else {
                return;
            };
            let grant = self.grant(waiter.tenant, waiter.units);
            // Whoever no longer waits lets go of it here, outside the lock.
            drop(waiter.grant.send(grant));
        }
    }
}

impl Table {
    fn may_hold(&self, tenant: &Tenant, units: u32) -> bool {
        let held = self.held.get(tenant).copied().unwrap_or_default();
        held == 0 || held.saturating_add(units) <= self.free
    }

    fn may_take(&self, tenant: &Tenant, units: u32) -> bool {
        units <= self.free && self.may_hold(tenant, units)
    }

    fn take(&mut self, tenant: &Tenant, units: u32) {
        self.free -= units;
        *self.held.entry(tenant.clone()).or_default() += units;
    }

    fn give_back(&mut self, tenant: &Tenant, units: u32) {
        self.free += units;
        if let Some(held) = self.held.get_mut(tenant) {
            *held -= units;
            if *held == 0 {
                self.held.remove(tenant);
            }
        }
    }

    /// The first in the queue that may have what it waits for, which is taken for it. One that only waits
    /// until enough is free holds up those behind it; one whose tenant has its share does not.
    fn next(&mut self) -> Option<Waiter> {
        self.waiting.retain(|waiter| !waiter.grant.is_closed());
        let position = self
            .waiting
            .iter()
            .position(|waiter| self.may_hold(&waiter.tenant, waiter.units))?;
        if self.waiting.get(position)?.units > self.free {
            return None;
        }
        let waiter = self.waiting.remove(position)?;
        self.take(&waiter.tenant, waiter.units);
        Some(waiter)
    }
}

impl Grant {
    pub(crate) fn units(&self) -> u32 {
        self.units
    }

    /// Takes further units if the tenant may have them now.
    pub(crate) fn grow(&mut self, units: u32) -> bool {
        let mut table = self.shares.table();
        let held = table.held.get(&self.tenant).copied().unwrap_or_default();
        let alone = held == self.units && units <= table.free;
        if !alone && !table.may_take(&self.tenant, units) {
            return false;
        }
        table.take(&self.tenant, units);
        drop(table);
        self.units += units;
        true
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        if self.units > 0 {
            self.shares.table().give_back(&self.tenant, self.units);
            self.shares.serve();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn tenant(name: &str) -> Tenant {
        Tenant(name.into())
    }

    fn fill(shares: &Shares, name: &str) -> Vec<Grant> {
        std::iter::from_fn(|| shares.take(&tenant(name), 1)).collect()
    }

    #[test]
    fn each_tenant_leaves_as_much_as_it_holds() {
        let shares = Shares::new(120);
        let first = fill(&shares, "a");
        assert_eq!(first.len(), 60);
        let second = fill(&shares, "b");
        assert_eq!(second.len(), 30);
        drop(first);
        let more = fill(&shares, "b");
        assert_eq!(second.len() + more.len(), 60);
        drop((second, more));
        assert_eq!((shares.used(), shares.held(&tenant("b"))), (0, (0, 0)));
    }

    #[test]
    fn one_large_request_always_has_its_turn() {
        let shares = Shares::new(10);
        let mut whole = shares.take(&tenant("a"), 4);
        assert!(whole.as_mut().is_some_and(|grant| grant.grow(6)));
        assert!(shares.take(&tenant("b"), 1).is_none());
        drop(whole);
        let mut half = shares.take(&tenant("b"), 5);
        let other = shares.take(&tenant("b"), 2);
        assert!(other.is_none() && half.as_mut().is_some_and(|grant| grant.grow(1)));
    }

    #[test]
    fn a_tenant_with_its_share_holds_up_nobody() {
        let shares = Shares::new(10);
        let (a, b) = (tenant("a"), tenant("b"));
        let held = shares.take(&a, 5);
        let mut more = Box::pin(shares.turn(&a, 5));
        assert!(more.as_mut().now_or_never().is_none());
        let other = shares.turn(&b, 4).now_or_never();
        assert!(other.is_some());
        drop(held);
        assert!(more.now_or_never().is_some());
    }

    #[test]
    fn those_who_wait_come_first_and_those_who_left_take_nothing() {
        let shares = Shares::new(10);
        let (a, b, c) = (tenant("a"), tenant("b"), tenant("c"));
        let held = shares.take(&a, 6);
        let mut large = Box::pin(shares.turn(&b, 8));
        assert!(large.as_mut().now_or_never().is_none());
        // There is room for it, but the large one was first.
        let mut small = Box::pin(shares.turn(&c, 1));
        assert!(small.as_mut().now_or_never().is_none());
        drop(large);
        drop(held);
        assert!(small.now_or_never().is_some());
        assert_eq!(shares.used(), 0);
    }
}
