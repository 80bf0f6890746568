//! Which address a request comes from: the connection's, or, behind a trusted proxy, the one that
//! the proxy names.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::HeaderMap;
use axum::http::header::{FORWARDED, HeaderName};

use crate::config::{ForwardedHeader, NetworkConfig};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of the connection; every request carries it as an extension.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// What is full, so that a connection has a reserved place only: its requests carry it as an extension,
/// and all but health checks are turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// Every place of the listener has a request under way.
    All,
    /// Every place of the client's address has.
    Address,
}

/// Whom failed attempts are counted against: an IPv4 address, or an IPv6 network of 64 bits, which
/// is the least that one subscriber gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Origin(IpAddr);

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        const SUBSCRIBER: u128 = u128::MAX << 64;
        Self(match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & SUBSCRIBER).into(),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// The last address on the way here that is no trusted proxy.
///
/// Each proxy adds the address it was asked from at the header's end, so the walk goes from there
/// backwards, and ends at the first address that is not trusted: what stands before it was written
/// by somebody who may lie.
pub(crate) fn address(network: &NetworkConfig, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let mut address = peer.to_canonical();
    if !network.trusted_proxies.contain(address) {
        return address;
    }
    let (name, parse): (_, fn(&str) -> Option<IpAddr>) = match network.forwarded_header {
        ForwardedHeader::XForwardedFor => (X_FORWARDED_FOR, host),
        ForwardedHeader::Forwarded => (FORWARDED, forwarded_for),
    };
    let values: Vec<&str> = headers
        .get_all(name)
        .iter()
        // What is not text ends the walk like any other hop that cannot be read.
        .map(|value| value.to_str().unwrap_or_default())
        .collect();
    // Quotes are not looked at: one that a client leaves open must not swallow the proxy's hop.
    for hop in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        let Some(next) = parse(hop.trim()) else {
            break;
        };
        address = next.to_canonical();
        if !network.trusted_proxies.contain(address) {
            break;
        }
    }
    address
}

/// The `for` of one element of a `Forwarded` header (RFC 7239).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("for") {
            return None;
        }
        host(value.trim().trim_matches('"'))
    })
}

/// An address, with or without a port; IPv6 also in brackets.
fn host(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    bare.unwrap_or(text)
        .parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|with| with.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::config::ServerConfig;

    fn seen(trusted: &str, header: &str, peer: &str, sent: &[(&'static str, &str)]) -> String {
        let flags = [
            ("trusted-proxies".to_owned(), trusted.to_owned()),
            ("forwarded-header".to_owned(), header.to_owned()),
        ];
        let config = ServerConfig::load(None, [], flags).expect("good settings");
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            let value = HeaderValue::from_str(value).expect("a header");
            headers.append(HeaderName::from_static(name), value);
        }
        let peer = peer.parse().expect("an address");
        address(&config.network, peer, &headers).to_string()
    }

    /// Trusted networks, their header, the peer, the headers sent; the client that is believed.
    type Row<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        const XFF: &str = "x-forwarded-for";
        const FWD: &str = "forwarded";
        let rows: &[Row<'_>] = &[
            ("", XFF, "9.9.9.9", &[(XFF, "1.1.1.1")], "9.9.9.9"),
            ("10.0.0.0/8", XFF, "9.9.9.9", &[(XFF, "1.1.1.1")], "9.9.9.9"),
            (
                "10.0.0.0/8",
                XFF,
                "10.1.2.3",
                &[(XFF, "1.1.1.1")],
                "1.1.1.1",
            ),
            // What the client itself wrote stands before what the proxy added.
            (
                "10.0.0.0/8",
                XFF,
                "10.1.2.3",
                &[(XFF, "6.6.6.6, 1.1.1.1")],
                "1.1.1.1",
            ),
            (
                "10.0.0.0/8",
                XFF,
                "10.1.2.3",
                &[(XFF, "6.6.6.6"), (XFF, "1.1.1.1")],
                "1.1.1.1",
            ),
            // Two proxies in a row; a client that names a trusted address gains nothing.
            (
                "10.0.0.0/8",
                XFF,
                "10.0.0.1",
                &[(XFF, "10.0.0.9, 1.1.1.1, 10.0.0.2")],
                "1.1.1.1",
            ),
            // Nothing, nonsense, or the other header: the proxy's own address.
            ("10.0.0.0/8", XFF, "10.0.0.1", &[], "10.0.0.1"),
            (
                "10.0.0.0/8",
                XFF,
                "10.0.0.1",
                &[(XFF, "1.1.1.1, unknown")],
                "10.0.0.1",
            ),
            (
                "10.0.0.0/8",
                XFF,
                "10.0.0.1",
                &[(FWD, "for=1.1.1.1")],
                "10.0.0.1",
            ),
            (
                "10.0.0.0/8",
                FWD,
                "10.0.0.1",
                &[(XFF, "1.1.1.1")],
                "10.0.0.1",
            ),
            // Ports, IPv6, addresses in place of networks, IPv4 in IPv6's clothes.
            (
                "10.0.0.1",
                XFF,
                "10.0.0.1",
                &[(XFF, "1.1.1.1:4711")],
                "1.1.1.1",
            ),
            (
                "10.0.0.1",
                XFF,
                "10.0.0.1",
                &[(XFF, "[2001:db8::1]:4711")],
                "2001:db8::1",
            ),
            (
                "10.0.0.1",
                XFF,
                "::ffff:10.0.0.1",
                &[(XFF, "2001:db8::1")],
                "2001:db8::1",
            ),
            (
                "fd00::/8, 10.0.0.1",
                XFF,
                "fd00::7",
                &[(XFF, "1.1.1.1, 10.0.0.1")],
                "1.1.1.1",
            ),
            (
                "10.0.0.1",
                FWD,
                "10.0.0.1",
                &[(FWD, "for=6.6.6.6, for=1.1.1.1;proto=https")],
                "1.1.1.1",
            ),
            (
                "10.0.0.1",
                FWD,
                "10.0.0.1",
                &[(FWD, "proto=https; For=\"[2001:db8::1]:80\"")],
                "2001:db8::1",
            ),
            (
                "10.0.0.1",
                FWD,
                "10.0.0.1",
                &[(FWD, "for=6.6.6.6;host=\", for=1.1.1.1")],
                "1.1.1.1",
            ),
            (
                "10.0.0.1",
                FWD,
                "10.0.0.1",
                &[(FWD, "for=_hidden")],
                "10.0.0.1",
            ),
        ];
        for (trusted, header, peer, sent, expected) in rows {
            assert_eq!(seen(trusted, header, peer, sent), *expected, "{sent:?}");
        }
    }

    #[test]
    fn an_ipv6_subscriber_is_one_origin() {
        let origin = |text: &str| Origin::from(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(origin("2001:db8:0:1::1"), origin("2001:db8:0:1:ffff::2"));
        assert_ne!(origin("2001:db8:0:1::1"), origin("2001:db8:0:2::1"));
        assert_ne!(origin("10.0.0.1"), origin("10.0.0.2"));
        assert_eq!(origin("::ffff:10.0.0.1"), origin("10.0.0.1"));
    }
}
