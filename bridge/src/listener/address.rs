//! Where a client is, as far as that can be known: the other end of its connection, or what the proxies before this
//! bridge say.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use clap::ValueEnum;
use http::{HeaderMap, HeaderName, header::FORWARDED};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Of an IPv6 address, the first half: a network hands the other half to one client, all of it.
const NETWORK_BITS: u32 = 64;

/// The header in which proxies say whom a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ForwardedHeader {
    /// A list of addresses.
    XForwardedFor,
    /// As RFC 7239 says.
    Forwarded,
}

/// The proxies before this bridge that can be trusted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Proxies {
    /// How many a request goes through. Each of them adds whom it got the request from, at the end of the header.
    pub(crate) count: usize,
    pub(crate) header: ForwardedHeader,
}

impl Proxies {
    /// The client's address. What stands before the entries of trusted proxies, the client may have made up. Where
    /// there are too few entries, or the one that counts is no address, the other end of the connection counts.
    pub(crate) fn client(self, headers: &HeaderMap, peer: SocketAddr) -> IpAddr {
        self.forwarded(headers).unwrap_or(peer.ip()).to_canonical()
    }

    fn forwarded(self, headers: &HeaderMap) -> Option<IpAddr> {
        let name = match self.header {
            ForwardedHeader::XForwardedFor => X_FORWARDED_FOR,
            ForwardedHeader::Forwarded => FORWARDED,
        };
        let lines = headers.get_all(name).into_iter().rev();
        // Whatever else the entries hold, proxies write no comma into an address. By bytes, as a client may write into
        // the same line what is no text.
        let mut entries = lines.flat_map(|line| line.as_bytes().rsplit(|&byte| byte == b','));
        let entry = std::str::from_utf8(entries.nth(self.count.checked_sub(1)?)?).ok()?;
        match self.header {
            ForwardedHeader::XForwardedFor => parse_address(entry.trim()),
            ForwardedHeader::Forwarded => parse_address(forwarded_for(entry)?),
        }
    }
}

/// The value of `for` in one entry of `Forwarded`.
fn forwarded_for(entry: &str) -> Option<&str> {
    entry.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    })
}

/// An address, with or without a port, in brackets or not.
fn parse_address(text: &str) -> Option<IpAddr> {
    let socket = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::from);
    text.parse().ok().or_else(socket).or_else(bracketed)
}

/// What counts as one client: an IPv4 address, or the network of an IPv6 address.
pub(crate) fn network(address: IpAddr) -> IpAddr {
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
        Proxies { count, header }.client(&headers, peer).to_string()
    }

    fn listed(count: usize, lines: &[&str]) -> String {
        client(count, ForwardedHeader::XForwardedFor, lines)
    }

    fn standard(lines: &[&str]) -> String {
        client(1, ForwardedHeader::Forwarded, lines)
    }

    #[test]
    fn without_trusted_proxies_no_header_counts() {
        assert_eq!(listed(0, &["1.2.3.4"]), PEER);
        assert_eq!(client(0, ForwardedHeader::Forwarded, &["for=1.2.3.4"]), PEER);
    }

    #[test]
    fn what_trusted_proxies_say_counts_and_nothing_before_it() {
        assert_eq!(listed(1, &["6.6.6.6, 1.2.3.4"]), "1.2.3.4");
        assert_eq!(listed(2, &["6.6.6.6, 1.2.3.4, 10.0.0.2"]), "1.2.3.4");
        assert_eq!(listed(2, &["6.6.6.6, 1.2.3.4", "10.0.0.2"]), "1.2.3.4");
        assert_eq!(standard(&["for=6.6.6.6, for=1.2.3.4;proto=https"]), "1.2.3.4");
    }

    #[test]
    fn addresses_have_many_forms() {
        for (entry, address) in [
            ("1.2.3.4:80", "1.2.3.4"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("::ffff:1.2.3.4", "1.2.3.4"),
        ] {
            assert_eq!(listed(1, &[entry]), address);
            assert_eq!(standard(&[&format!("proto=https; For=\"{entry}\"")]), address);
        }
    }

    #[test]
    fn what_is_no_address_does_not_count_nor_does_what_stands_before_it() {
        for entry in ["", "unknown", "_hidden", "1.2.3", "1.2.3.4.5", "[::1", "1.2.3.4 5", "\"1.2.3.4", "é"]
        {
            assert_eq!(listed(1, &["6.6.6.6", entry]), PEER, "{entry}");
        }
        for entry in ["", "for", "for=", "by=1.2.3.4", "for=_hidden", "xfor=1.2.3.4"] {
            assert_eq!(standard(&["for=6.6.6.6", entry]), PEER, "{entry}");
        }
        assert_eq!(listed(3, &["6.6.6.6, 1.2.3.4"]), PEER);
        assert_eq!(listed(1, &["é, 1.2.3.4"]), "1.2.3.4", "what is no text spoils only its own entry");
        assert_eq!(listed(3, &["6.6.6.6", "é,é, 1.2.3.4"]), PEER);
        assert_eq!(listed(1, &["6.6.6.6,"]), PEER);
    }

    #[test]
    fn one_network_of_ipv6_is_one_client() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8:0:1::7"), network("2001:db8:0:1:ffff::8"));
        assert_ne!(network("2001:db8:0:1::7"), network("2001:db8:0:2::7"));
        assert_ne!(network("1.2.3.4"), network("1.2.3.5"));
    }
}
