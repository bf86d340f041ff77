//! Finds the address of a client: the remote end of its connection, or what trusted proxies say.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use clap::ValueEnum;
use http::{HeaderMap, HeaderName, header::FORWARDED};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Length of the network part of an IPv6 address. One client usually gets all addresses of such a network.
const NETWORK_BITS: u32 = 64;

/// The header in which proxies give the address of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ForwardedHeader {
    /// A list of addresses.
    XForwardedFor,
    /// As defined by RFC 7239.
    Forwarded,
}

/// The trusted proxies in front of this bridge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TrustedProxies {
    /// Number of trusted proxies that a request passes. Each of them appends the address that it got the request from
    /// to the header.
    pub(crate) count: usize,
    pub(crate) header: ForwardedHeader,
}

impl TrustedProxies {
    /// No proxy is trusted.
    pub(crate) const NONE: Self = Self { count: 0, header: ForwardedHeader::XForwardedFor };

    /// Returns the client's address: the entry that the first trusted proxy appended. The client may have made up all
    /// entries before that one. If there are too few entries, or if the entry is not an address, returns the remote end
    /// of the connection.
    pub(crate) fn client_address(self, headers: &HeaderMap, peer: SocketAddr) -> IpAddr {
        self.forwarded_address(headers).unwrap_or(peer.ip()).to_canonical()
    }

    fn forwarded_address(self, headers: &HeaderMap) -> Option<IpAddr> {
        let name = match self.header {
            ForwardedHeader::XForwardedFor => X_FORWARDED_FOR,
            ForwardedHeader::Forwarded => FORWARDED,
        };
        let lines = headers.get_all(name).into_iter().rev();
        // Splitting at commas is safe: proxies write no comma into an address, whatever else the entries hold. The
        // split works on bytes, because a client may put bytes that are not text into the same line.
        let mut entries = lines.flat_map(|line| line.as_bytes().rsplit(|&byte| byte == b','));
        let entry = std::str::from_utf8(entries.nth(self.count.checked_sub(1)?)?).ok()?;
        match self.header {
            ForwardedHeader::XForwardedFor => parse_address(entry.trim()),
            ForwardedHeader::Forwarded => parse_address(parse_forwarded_for(entry)?),
        }
    }
}

/// Finds the value of `for` in one entry of `Forwarded`.
fn parse_forwarded_for(entry: &str) -> Option<&str> {
    entry.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    })
}

/// Parses an address, with or without a port, with or without brackets.
fn parse_address(text: &str) -> Option<IpAddr> {
    let socket = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::from);
    text.parse().ok().or_else(socket).or_else(bracketed)
}

/// Returns what counts as one client: an IPv4 address itself, or the network of an IPv6 address.
pub(crate) fn to_network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let mask = u128::MAX << (Ipv6Addr::BITS - NETWORK_BITS);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "10.0.0.1";

    fn client(count: usize, header: ForwardedHeader, lines: &[&str]) -> String {
        let name = match header {
            ForwardedHeader::XForwardedFor => X_FORWARDED_FOR,
            ForwardedHeader::Forwarded => FORWARDED,
        };
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(&name, http::HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let peer = SocketAddr::new(PEER.parse().unwrap(), 4711);
        TrustedProxies { count, header }.client_address(&headers, peer).to_string()
    }

    fn x_forwarded_for(count: usize, lines: &[&str]) -> String {
        client(count, ForwardedHeader::XForwardedFor, lines)
    }

    fn forwarded(lines: &[&str]) -> String {
        client(1, ForwardedHeader::Forwarded, lines)
    }

    #[test]
    fn without_trusted_proxies_the_headers_are_ignored() {
        assert_eq!(x_forwarded_for(0, &["1.2.3.4"]), PEER);
        assert_eq!(client(0, ForwardedHeader::Forwarded, &["for=1.2.3.4"]), PEER);
    }

    #[test]
    fn entries_before_those_of_trusted_proxies_are_ignored() {
        assert_eq!(x_forwarded_for(1, &["6.6.6.6, 1.2.3.4"]), "1.2.3.4");
        assert_eq!(x_forwarded_for(2, &["6.6.6.6, 1.2.3.4, 10.0.0.2"]), "1.2.3.4");
        assert_eq!(x_forwarded_for(2, &["6.6.6.6, 1.2.3.4", "10.0.0.2"]), "1.2.3.4");
        assert_eq!(forwarded(&["for=6.6.6.6, for=1.2.3.4;proto=https"]), "1.2.3.4");
    }

    #[test]
    fn addresses_are_read_in_all_their_forms() {
        for (entry, address) in [
            ("1.2.3.4:80", "1.2.3.4"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("::ffff:1.2.3.4", "1.2.3.4"),
        ] {
            assert_eq!(x_forwarded_for(1, &[entry]), address);
            assert_eq!(forwarded(&[&format!("proto=https; For=\"{entry}\"")]), address);
        }
    }

    #[test]
    fn an_entry_that_is_not_an_address_gives_the_remote_end_of_the_connection() {
        for entry in ["", "unknown", "_hidden", "1.2.3", "1.2.3.4.5", "[::1", "1.2.3.4 5", "\"1.2.3.4", "é"]
        {
            assert_eq!(x_forwarded_for(1, &["6.6.6.6", entry]), PEER, "{entry}");
        }
        for entry in ["", "for", "for=", "by=1.2.3.4", "for=_hidden", "xfor=1.2.3.4"] {
            assert_eq!(forwarded(&["for=6.6.6.6", entry]), PEER, "{entry}");
        }
        assert_eq!(x_forwarded_for(3, &["6.6.6.6, 1.2.3.4"]), PEER);
        assert_eq!(
            x_forwarded_for(1, &["é, 1.2.3.4"]),
            "1.2.3.4",
            "bytes that are not text spoil only their own entry"
        );
        assert_eq!(x_forwarded_for(3, &["6.6.6.6", "é,é, 1.2.3.4"]), PEER);
        assert_eq!(x_forwarded_for(1, &["6.6.6.6,"]), PEER);
    }

    #[test]
    fn one_ipv6_network_is_one_client() {
        let network = |text: &str| to_network(text.parse().unwrap());
        assert_eq!(network("2001:db8:0:1::7"), network("2001:db8:0:1:ffff::8"));
        assert_ne!(network("2001:db8:0:1::7"), network("2001:db8:0:2::7"));
        assert_ne!(network("1.2.3.4"), network("1.2.3.5"));
    }
}
