//! The address at which an identity provider publishes its keys.

use std::{net::IpAddr, pin::pin, time::Duration};

use bytes::Bytes;
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Limited};
use hyperium::{Uri, header::CACHE_CONTROL, uri::Scheme};
use rollcall_rooms::token::published::{FETCH_LIMIT_MS, Fetched, MAX_SET_BYTES, PAUSE_MS, Publisher};
use spin_sdk::http::{FullBody, Request, StatusCode};

use crate::log;

/// An address that publishes a key set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksAddress(Uri);

/// The variables name no address. The error quotes none of them, because a path may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// The scheme is unknown.
    #[error("jwks_scheme must be https, or http for a loopback host")]
    Scheme,
    /// The address is not a host with an optional port.
    #[error("jwks_address must be a host, or a host and a port")]
    Host,
    /// The path is not one.
    #[error("jwks_path must begin with a slash, and must be a path with an optional query")]
    Path,
}

impl JwksAddress {
    /// Reads `<scheme>://<host>[:<port>]<path>`. An attacker on the way could replace keys that are not fetched by TLS, so
    /// only a loopback host may do without.
    pub fn parse(scheme: &str, host: &str, path: &str) -> Result<Self, InvalidAddress> {
        let is_path = path.starts_with('/') && !path.contains('#');
        if !is_path || path.parse::<Uri>().is_err() {
            return Err(InvalidAddress::Path);
        }
        let uri: Uri = format!("{scheme}://{host}{path}").parse().map_err(|_| InvalidAddress::Host)?;
        let authority = uri.authority().filter(|authority| authority.as_str() == host && !host.contains('@'));
        let authority = authority.ok_or(InvalidAddress::Host)?;
        let is_allowed = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => is_loopback(authority.host()),
            _ => false,
        };
        if is_allowed { Ok(Self(uri)) } else { Err(InvalidAddress::Scheme) }
    }

    async fn request(&self) -> Result<Fetched, String> {
        let request = Request::get(self.0.clone()).header("accept", "application/json");
        let request = request.body(FullBody::<Bytes>::default()).map_err(|error| error.to_string())?;
        let response =
            spin_sdk::http::send(request).await.map_err(|error| format!("no response: {error:?}"))?;
        let (head, body) = response.into_parts();
        if head.status != StatusCode::OK {
            // A redirect leads to a host that the manifest does not allow.
            return Err(format!("the response has the status {}, not 200", head.status.as_u16()));
        }
        let body = Limited::new(body, MAX_SET_BYTES).collect().await;
        let body =
            body.map_err(|_| format!("the response broke off, or is larger than {MAX_SET_BYTES} bytes"))?;
        let text = String::from_utf8(body.to_bytes().into()).map_err(|_| "the response is not UTF-8")?;
        let cache_control = head.headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok());
        Ok(Fetched { text, cache_control: cache_control.map(str::to_owned) })
    }
}

impl Publisher for JwksAddress {
    async fn fetch(&self) -> Result<Fetched, String> {
        let clock = pin!(spin_sdk::time::sleep(Duration::from_millis(FETCH_LIMIT_MS)));
        match select(pin!(self.request()), clock).await {
            Either::Left((fetched, _)) => fetched,
            Either::Right(_) => Err(format!("no response within {FETCH_LIMIT_MS} ms")),
        }
    }

    async fn pause(&self) {
        spin_sdk::time::sleep(Duration::from_millis(PAUSE_MS)).await;
    }

    fn log(&self, message: &str) {
        log::error(message);
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_by_tls_or_from_this_machine() {
        for (scheme, host) in [
            ("https", "id.example"),
            ("https", "id.example:8443"),
            ("https", "[2001:db8::1]:8443"),
            ("http", "localhost:8080"),
            ("http", "127.0.0.1:8080"),
            ("http", "127.8.7.6"),
            ("http", "[::1]:8080"),
        ] {
            let address = JwksAddress::parse(scheme, host, "/keys?tenant=7").unwrap();
            assert_eq!(address.0.to_string(), format!("{scheme}://{host}/keys?tenant=7"));
        }
        for (scheme, host) in [
            ("http", "id.example"),
            ("http", "127.0.0.1.example"),
            ("http", "10.0.0.1"),
            ("ftp", "localhost"),
        ] {
            assert_eq!(JwksAddress::parse(scheme, host, "/keys"), Err(InvalidAddress::Scheme), "{host}");
        }
    }

    #[test]
    fn an_address_is_nothing_but_a_host_and_a_path_begins_with_a_slash() {
        for host in
            ["", "user:password@id.example", "id.example/a", "id.example?", "id example", "id.example:x"]
        {
            assert_eq!(JwksAddress::parse("https", host, "/keys"), Err(InvalidAddress::Host), "{host:?}");
        }
        for path in ["", "keys", "@evil.example/keys", "/a b", "/keys#1"] {
            assert_eq!(
                JwksAddress::parse("https", "id.example", path),
                Err(InvalidAddress::Path),
                "{path:?}"
            );
        }
    }
}
