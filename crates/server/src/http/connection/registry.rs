//! Who has a place among the connections, and who makes room when all are taken.
//!
//! A connection without a request under way can be closed at any time, and is when another needs its
//! place: the one that idles longest; or else the one whose client has left its answers untouched for
//! longest. One with a request under way keeps its place. When only such are left, a new connection gets a
//! reserved place, where health checks are answered and everything else is
//! told to come again.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::activity::Activity;
use crate::config::{NetworkConfig, RESERVED_CONNECTIONS};
use crate::http::client::Full;
use prometheus_client::metrics::gauge::Gauge;

use crate::observability::metrics::{ConnectionState, Metrics};

/// How many times the connections of one IPv6 network of 64 bits a network of 48 bits may have: the
/// least that a site gets, which may well be many subscribers.
const SITE_SHARES: usize = 4;

/// The addresses that count as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// The networks that an address is counted in, the narrowest first.
    fn of(address: IpAddr) -> Vec<Self> {
        match address.to_canonical() {
            v4 @ IpAddr::V4(_) => vec![Self {
                address: v4,
                bits: 32,
            }],
            IpAddr::V6(v6) => [64, 48]
                .map(|bits| Self {
                    address: Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << (128 - bits))).into(),
                    bits: bits as u8,
                })
                .to_vec(),
        }
    }

    /// How many connections it may have.
    fn most(self, per_address: usize) -> usize {
        match self.bits {
            48 => per_address.saturating_mul(SITE_SHARES),
            _ => per_address,
        }
    }
}

/// The connections of a listener.
pub(crate) struct Registry {
    table: Mutex<Table>,
    most: usize,
    /// 0: any number.
    most_per_address: usize,
    pub(super) answers: Arc<AnswerMemory>,
}

#[derive(Default)]
struct Table {
    next: u64,
    open: HashMap<u64, Open>,
    /// Connections with a place of their own, by network.
    held: HashMap<Network, usize>,
    /// Connections in reserved places.
    reserved: usize,
}

struct Open {
    networks: Vec<Network>,
    reserved: bool,
    activity: Arc<Activity>,
}

/// The memory of answers that clients have still to take.
pub(super) struct AnswerMemory {
    used: AtomicUsize,
    most: usize,
    gauge: Gauge,
}

impl AnswerMemory {
    pub(super) fn take(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::AcqRel);
        self.gauge.inc_by(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::AcqRel);
        self.gauge.dec_by(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}

/// A connection's place, free again when dropped.
pub(super) struct Slot {
    pub(super) registry: Arc<Registry>,
    id: u64,
    pub(super) activity: Arc<Activity>,
    /// Why it has a reserved place only.
    pub(super) full: Option<Full>,
}

impl Registry {
    pub(crate) fn new(network: &NetworkConfig, answer_memory: Gauge) -> Self {
        Self {
            table: Mutex::default(),
            most: network.max_connections,
            most_per_address: network.max_connections_per_address,
            answers: Arc::new(AnswerMemory {
                used: AtomicUsize::new(0),
                most: network.answer_memory,
                gauge: answer_memory,
            }),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection of this address. Of a trusted proxy, whose connections are those of many
    /// clients, any number may be open.
    pub(super) fn enter(
        self: &Arc<Self>,
        peer: IpAddr,
        network: &NetworkConfig,
        metrics: &Metrics,
    ) -> Slot {
        let is_proxy = network.trusted_proxies.contain(peer.to_canonical());
        let networks = if is_proxy {
            Vec::new()
        } else {
            Network::of(peer)
        };
        let mut table = self.table();
        let tell = |full, made_room| metrics.connections_full(full, made_room);
        let full = self.make_room(&mut table, &networks, tell).err();
        let state = match full {
            None => ConnectionState::New,
            Some(_) => ConnectionState::Reserved,
        };
        let activity = Arc::new(Activity::new(metrics.connected(state)));
        let id = table.add(networks, full.is_some(), &activity);
        Slot {
            registry: Arc::clone(self),
            id,
            activity,
            full,
        }
    }

    /// Makes room for a connection in these networks, or says what is full.
    fn make_room(
        &self,
        table: &mut Table,
        networks: &[Network],
        tell: impl Fn(Full, bool),
    ) -> Result<(), Full> {
        let mut outcome = Ok(());
        let per_address = self.most_per_address;
        for network in networks.iter().filter(|_| per_address > 0) {
            let held = table.held.get(network).copied().unwrap_or_default();
            if outcome.is_ok() && held >= network.most(per_address) {
                let made = table.close_longest_idle(|open| open.networks.contains(network));
                tell(Full::Address, made);
                outcome = if made { Ok(()) } else { Err(Full::Address) };
            }
        }
        if outcome.is_ok() && table.open.len() - table.reserved >= self.most {
            let made = table.close_longest_idle(|_| true);
            tell(Full::All, made);
            outcome = if made { Ok(()) } else { Err(Full::All) };
        }
        if outcome.is_err() && table.reserved >= RESERVED_CONNECTIONS {
            table.close_reserved();
        }
        outcome
    }

    /// Whether a further connection of a new address would only get a reserved place.
    pub(crate) fn is_full(&self) -> bool {
        let table = self.table();
        let open = table.open.values().filter(|open| !open.reserved);
        table.open.len() - table.reserved >= self.most
            && open
                .into_iter()
                .all(|open| open.activity.waits_since().is_none())
    }

    /// Closes the connection that idles longest, for what it holds of the system. Returns whether there
    /// was one.
    pub(super) fn close_one(&self) -> bool {
        self.table().close_longest_idle(|_| true)
    }

    /// Closes connections whose clients have taken nothing of their answers for longest, until the answers
    /// of the rest fit in the memory.
    pub(super) fn bound_answers(&self) {
        if self.answers.used.load(Ordering::Acquire) <= self.answers.most {
            return;
        }
        let mut table = self.table();
        let mut used: usize = table.open.values().map(|open| open.activity.unread()).sum();
        while used > self.answers.most {
            let waiting = table.open.iter();
            let deaf = waiting
                .filter(|(_, open)| open.activity.unread() > 0)
                .min_by_key(|(_, open)| open.activity.read_at());
            let Some(id) = deaf.map(|(id, _)| *id) else {
                return;
            };
            used -= table.close(id).min(used);
        }
    }
}

impl Table {
    /// Gives a connection a place, and the place its number.
    fn add(&mut self, networks: Vec<Network>, reserved: bool, activity: &Arc<Activity>) -> u64 {
        if reserved {
            self.reserved += 1;
        } else {
            for network in &networks {
                *self.held.entry(*network).or_default() += 1;
            }
        }
        let id = self.next;
        self.next += 1;
        let open = Open {
            networks,
            reserved,
            activity: Arc::clone(activity),
        };
        self.open.insert(id, open);
        id
    }

    fn remove(&mut self, id: u64) -> Option<Open> {
        let open = self.open.remove(&id)?;
        if open.reserved {
            self.reserved -= 1;
            return Some(open);
        }
        for network in &open.networks {
            if let Some(held) = self.held.get_mut(network) {
                *held -= 1;
                if *held == 0 {
                    self.held.remove(network);
                }
            }
        }
        Some(open)
    }

    /// Closes a connection, and returns the bytes of answers that its client had not taken.
    fn close(&mut self, id: u64) -> usize {
        self.remove(id).map_or(0, |open| {
            open.activity.close.cancel();
            open.activity.unread()
        })
    }

    fn close_longest_idle(&mut self, among: impl Fn(&Open) -> bool) -> bool {
        let idle = self
            .open
            .iter()
            .filter(|(_, open)| !open.reserved && among(open));
        let longest = idle
            .filter_map(|(id, open)| Some((open.activity.waits_since()?, *id)))
            .min();
        if let Some((_, id)) = longest {
            self.close(id);
        }
        longest.is_some()
    }

    /// Closes the oldest connection in a reserved place, of the network that has most of them: a health
    /// check from elsewhere stays.
    fn close_reserved(&mut self) {
        let mut crowds: HashMap<Option<Network>, usize> = HashMap::new();
        let reserved = || self.open.iter().filter(|(_, open)| open.reserved);
        for (_, open) in reserved() {
            *crowds.entry(open.networks.first().copied()).or_default() += 1;
        }
        let crowd = |open: &Open| crowds.get(&open.networks.first().copied()).copied();
        let worst = reserved()
            .max_by_key(|(id, open)| (crowd(open), std::cmp::Reverse(**id)))
            .map(|(id, _)| *id);
        if let Some(id) = worst {
            self.close(id);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.registry.table().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::config::ServerConfig;
    use crate::observability::metrics::ConnectionGauge;

    fn registry(most: usize, per_address: usize) -> Registry {
        let network = NetworkConfig {
            max_connections: most,
            max_connections_per_address: per_address,
            ..ServerConfig::default().network
        };
        Registry::new(&network, Gauge::default())
    }

    /// Opens a connection of this address; what was full, and how that ended.
    fn open(registry: &Registry, address: &str) -> (Arc<Activity>, Vec<(Full, bool)>) {
        let networks = Network::of(address.parse().expect("an address"));
        let told: RefCell<Vec<(Full, bool)>> = RefCell::default();
        let mut table = registry.table();
        let full = registry.make_room(&mut table, &networks, |full, made| {
            told.borrow_mut().push((full, made));
        });
        let gauge = ConnectionGauge::new(
            &prometheus_client::metrics::family::Family::default(),
            ConnectionState::New,
        );
        let activity = Arc::new(Activity::new(gauge));
        table.add(networks, full.is_err(), &activity);
        (activity, told.into_inner())
    }

    #[test]
    fn an_address_makes_room_for_itself() {
        let registry = registry(100, 2);
        let (first, _) = open(&registry, "192.0.2.1");
        let (second, told) = open(&registry, "::ffff:192.0.2.1");
        assert_eq!(told, []);
        let (other, _) = open(&registry, "192.0.2.2");
        let (_, told) = open(&registry, "192.0.2.1");
        assert_eq!(told, [(Full::Address, true)]);
        let closed = [&first, &second, &other].map(|one| one.close.is_cancelled());
        assert_eq!(closed, [true, false, false]);
    }

    #[test]
    fn an_ipv6_subscriber_counts_once_and_a_site_four_times() {
        let registry = registry(100, 2);
        let busy = |address: &str| {
            let (activity, told) = open(&registry, address);
            // For ever.
            std::mem::forget(activity.request());
            told
        };
        for network in 0..4 {
            for host in 1..3 {
                assert_eq!(busy(&format!("2001:db8:0:{network}::{host}")), []);
            }
        }
        assert_eq!(busy("2001:db8:0:0::3"), [(Full::Address, false)]);
        assert_eq!(busy("2001:db8:0:9::1"), [(Full::Address, false)]);
        assert_eq!(busy("2001:db8:1:9::1"), []);
    }

    #[test]
    fn nobody_is_remembered_for_ever() {
        let registry = registry(100, 2);
        for host in 1..50 {
            open(&registry, &format!("2001:db8::{host}"));
        }
        let mut table = registry.table();
        while table.close_longest_idle(|_| true) {}
        assert!(table.held.is_empty() && table.open.is_empty());
    }

    #[test]
    fn reserved_places_go_round_among_those_who_crowd_them() {
        let registry = registry(1, 0);
        let (busy, _) = open(&registry, "192.0.2.1");
        let _working = busy.request();
        let (probe, told) = open(&registry, "192.0.2.2");
        assert_eq!(told, [(Full::All, false)]);
        let crowd: Vec<_> = (0..100).map(|_| open(&registry, "192.0.2.3").0).collect();
        assert!(!probe.close.is_cancelled() && !busy.close.is_cancelled());
        let open = crowd.iter().filter(|one| !one.close.is_cancelled());
        assert_eq!(open.count(), RESERVED_CONNECTIONS - 1);
    }

    #[test]
    fn the_longest_unread_answers_go_first() {
        let registry = registry(100, 0);
        let most = registry.answers.most;
        let answers = [most / 2, most / 4, most / 2].map(|bytes| {
            let (activity, _) = open(&registry, "192.0.2.1");
            activity.answer(bytes);
            registry.answers.take(bytes);
            activity
        });
        answers[0].took();
        registry.bound_answers();
        let closed = answers.each_ref().map(|one| one.close.is_cancelled());
        assert_eq!(closed, [false, true, false]);
    }
}
