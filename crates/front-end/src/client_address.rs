//! Whose request it is: the address of the client behind proxies that are trusted.

use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;
use hyper::http::header::{FORWARDED, HeaderName};
use ipnet::IpNet;

use crate::transport::Peer;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The header in which proxies name the client. Only one, because a client can send the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`, and `X-Forwarded-Proto`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The proxies that are trusted to name the client.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// Their networks.
    pub trusted: Vec<IpNet>,
    /// Where they name the client.
    pub header: ProxyHeader,
}

impl Proxies {
    /// The client that a trusted proxy forwards a request of; `None` when the peer is the client,
    /// or the proxy does not name one.
    pub(crate) fn client(&self, peer: &Peer, headers: &HeaderMap) -> Option<Peer> {
        if self.trusted.is_empty() || !self.trusts(peer.address().ip()) {
            return None;
        }
        let (hops, proto) = match self.header {
            ProxyHeader::XForwardedFor => x_forwarded(headers),
            ProxyHeader::Forwarded => forwarded(headers),
        };
        let secure = proto.map_or(peer.is_secure(), |proto| proto.eq_ignore_ascii_case("https"));
        let mut client = None;
        // From the nearest one. What is left of the first stranger is that stranger's own claim.
        for hop in hops.iter().rev() {
            let Some(address) = address_of(hop) else { break };
            client = Some(address);
            if !self.trusts(address) {
                break;
            }
        }
        let address = client.unwrap_or_else(|| peer.address().ip());
        Some(Peer::behind(SocketAddr::new(address, 0), secure, peer))
    }

    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

/// What the hops called their clients, the farthest first, and the protocol that the nearest saw.
fn x_forwarded(headers: &HeaderMap) -> (Vec<&str>, Option<&str>) {
    (listed(headers, &X_FORWARDED_FOR), listed(headers, &X_FORWARDED_PROTO).pop())
}

fn forwarded(headers: &HeaderMap) -> (Vec<&str>, Option<&str>) {
    let elements = listed(headers, &FORWARDED);
    let hops = elements.iter().map(|element| value_of(element, "for").unwrap_or("")).collect();
    (hops, elements.last().and_then(|element| value_of(element, "proto")))
}

/// A parameter of an element of `Forwarded`. Neither an address nor a protocol has a `;` or `,`.
fn value_of<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
    Some(value.trim().trim_matches('"'))
}

/// The elements of all fields of that name, in their order.
fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    let values = headers.get_all(name).iter();
    let texts = values.map(|value| value.to_str().unwrap_or_default());
    texts.flat_map(|text| text.split(',')).map(str::trim).collect()
}

/// An address with or without a port; IPv6 with brackets or, where there is no port, without.
fn address_of(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok();
    address.or_else(|| text.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(header: ProxyHeader) -> Proxies {
        let networks = ["10.0.0.0/8", "fd00::/8"];
        Proxies { trusted: networks.iter().map(|text| text.parse().unwrap()).collect(), header }
    }

    fn named(proxies: &Proxies, peer: &str, fields: &[(&'static str, &str)]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        let peer = Peer::new(SocketAddr::new(peer.parse().unwrap(), 7), false);
        let client = proxies.client(&peer, &headers)?;
        Some(format!("{} {}", client.address().ip(), client.is_secure()))
    }

    #[test]
    fn the_last_address_that_is_not_a_proxys_is_the_clients() {
        let by = proxies(ProxyHeader::XForwardedFor);
        let with = |value: &str| named(&by, "10.1.1.1", &[("x-forwarded-for", value)]);
        assert_eq!(with("192.0.2.1").unwrap(), "192.0.2.1 false");
        assert_eq!(with("198.51.100.7, 192.0.2.1, 10.2.2.2").unwrap(), "192.0.2.1 false");
        assert_eq!(with("192.0.2.1:4711").unwrap(), "192.0.2.1 false");
        assert_eq!(with("[2001:db8::1]:4711").unwrap(), "2001:db8::1 false");
        assert_eq!(with("2001:db8::1, fd00::7").unwrap(), "2001:db8::1 false");
        assert_eq!(with("10.3.3.3").unwrap(), "10.3.3.3 false");
        assert_eq!(with("192.0.2.1, nonsense, 10.2.2.2").unwrap(), "10.2.2.2 false");
        assert_eq!(with("").unwrap(), "10.1.1.1 false");
        let fields = [("x-forwarded-for", "a, 192.0.2.1"), ("x-forwarded-proto", "https")];
        assert_eq!(named(&by, "10.1.1.1", &fields).unwrap(), "192.0.2.1 true");
        let fields = [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "192.0.2.2")];
        assert_eq!(named(&by, "::ffff:10.1.1.1", &fields).unwrap(), "192.0.2.2 false");
    }

    #[test]
    fn forwarded_is_read_where_it_is_the_header() {
        let by = proxies(ProxyHeader::Forwarded);
        let with = |value: &str| named(&by, "fd00::1", &[("forwarded", value)]);
        let chain =
            "for=198.51.100.7, for=\"[2001:db8::1]:80\";proto=http, For=10.2.2.2;Proto=https";
        assert_eq!(with(chain).unwrap(), "2001:db8::1 true");
        assert_eq!(with("for=_hidden").unwrap(), "fd00::1 false");
        assert_eq!(with("by=10.2.2.2").unwrap(), "fd00::1 false");
        let other = [("x-forwarded-for", "192.0.2.1")];
        assert_eq!(named(&by, "10.1.1.1", &other).unwrap(), "10.1.1.1 false");
    }

    #[test]
    fn strangers_are_not_believed() {
        let field = [("x-forwarded-for", "192.0.2.1")];
        assert_eq!(named(&proxies(ProxyHeader::XForwardedFor), "192.0.2.9", &field), None);
        assert_eq!(named(&Proxies::default(), "10.1.1.1", &field), None);
    }
}
