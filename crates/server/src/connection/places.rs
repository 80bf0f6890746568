//! How many connections each client address holds, so that one client cannot take them all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::client::Origin;
use crate::config::NetworkConfig;

/// Connections by client address. Cheap to clone; clones share the counts.
#[derive(Clone)]
pub(super) struct Places {
    held: Arc<Mutex<HashMap<Origin, usize>>>,
    /// Most for each; 0: any number.
    most: usize,
}

/// One connection's place, free again when dropped.
pub(super) struct Place {
    places: Places,
    origin: Origin,
}

impl Places {
    pub(super) fn new(network: &NetworkConfig) -> Self {
        Self {
            held: Arc::default(),
            most: network.max_connections_per_address,
        }
    }

    /// A place for one more connection of this address; `None` when it holds as many as it may. Of a
    /// trusted proxy, whose connections are those of many clients, any number may be open.
    pub(super) fn take(&self, peer: IpAddr, network: &NetworkConfig) -> Option<Place> {
        let proxy = network.trusted_proxies.contain(peer.to_canonical());
        let origin = Origin::from(peer);
        let mut held = self.lock();
        let count = held.entry(origin).or_default();
        if self.most > 0 && *count >= self.most && !proxy {
            return None;
        }
        *count += 1;
        Some(Place {
            places: self.clone(),
            origin,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Origin, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.places.lock();
        if let Some(count) = held.get_mut(&self.origin) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ServerConfig;

    fn network(most: &str) -> NetworkConfig {
        let flags = [
            ("max-connections-per-address", most),
            ("trusted-proxies", "10.0.0.0/8"),
        ];
        let flags = flags.map(|(name, value)| (name.to_owned(), value.to_owned()));
        ServerConfig::load(None, [], flags)
            .expect("good settings")
            .network
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_holds_as_many_as_the_setting_says_and_takes_none_from_others() {
        let network = network("2");
        let places = Places::new(&network);
        let take = |text: &str| places.take(address(text), &network);
        let held = [take("192.0.2.1"), take("192.0.2.1")];
        assert!(held.iter().all(Option::is_some));
        assert!(take("192.0.2.1").is_none());
        assert!(take("::ffff:192.0.2.1").is_none(), "the same in IPv6");
        assert!(take("192.0.2.2").is_some());
        drop(held);
        assert!(take("192.0.2.1").is_some());
        assert!(places.lock().is_empty(), "nobody is remembered for ever");
    }

    #[test]
    fn an_ipv6_subscriber_counts_once() {
        let network = network("1");
        let places = Places::new(&network);
        let held = places.take(address("2001:db8::1"), &network);
        assert!(held.is_some());
        assert!(places.take(address("2001:db8::ffff"), &network).is_none());
        assert!(places.take(address("2001:db8:0:1::1"), &network).is_some());
    }

    #[test]
    fn a_trusted_proxy_and_no_limit_hold_any_number() {
        for (most, peer) in [("1", "10.1.2.3"), ("0", "192.0.2.1")] {
            let network = network(most);
            let places = Places::new(&network);
            let held: Vec<_> = (0..100)
                .map(|_| places.take(address(peer), &network))
                .collect();
            assert!(held.iter().all(Option::is_some), "{peer}");
        }
    }
}
