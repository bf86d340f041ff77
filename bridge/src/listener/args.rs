//! Who may come in, and how.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use anyhow::ensure;
use clap::Args;
use governor::Quota;

use crate::door::{
    DoorLimits,
    address::{ForwardedHeader, Proxies},
    tls::CertificateFiles,
};

/// Flags for what lies between a connection and a session.
#[derive(Args)]
pub(crate) struct DoorArgs {
    /// Sockets that this bridge holds; who comes beyond that is answered 503. By default as many as the limit of open
    /// files has place for.
    #[arg(long, env = "ROLLCALL_MAX_SOCKETS", value_name = "COUNT")]
    max_sockets: Option<NonZeroU32>,

    /// Sockets from one IPv4 address, or from one /64 network of IPv6. A school may have one address for all.
    #[arg(long, env = "ROLLCALL_MAX_SOCKETS_PER_ADDRESS", default_value = "1000", value_name = "COUNT")]
    max_sockets_per_address: NonZeroU32,

    /// Sockets that may be opened from one address per second, whoever comes of them; after a pause, as many at once as
    /// --max-sockets-per-address.
    #[arg(
        long,
        env = "ROLLCALL_NEW_SOCKETS_PER_SECOND_PER_ADDRESS",
        default_value = "100",
        value_name = "COUNT"
    )]
    new_sockets_per_second_per_address: NonZeroU32,

    /// How many trusted proxies a request goes through before it gets here. The client's address is then taken from
    /// the entry that the first of them has added to --forwarded-header.
    #[arg(
        long,
        env = "ROLLCALL_TRUSTED_PROXIES",
        default_value_t = 0,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u8).range(0..=16)
    )]
    trusted_proxies: u8,

    /// The header in which trusted proxies say whom a request comes from. Each of them must add to it, or set it.
    #[arg(long, env = "ROLLCALL_FORWARDED_HEADER", value_name = "HEADER", default_value = "x-forwarded-for")]
    forwarded_header: ForwardedHeader,

    /// How long a client may take for the handshake of TLS, for the head of each request and for its body, and
    /// until it has a session, in milliseconds.
    #[arg(
        long,
        env = "ROLLCALL_HANDSHAKE_TIMEOUT_MS",
        default_value_t = 10_000,
        value_name = "MS",
        value_parser = clap::value_parser!(u64).range(100..=600_000)
    )]
    handshake_timeout_ms: u64,

    /// File with the certificate and those that vouch for it, as PEM; with it, clients are served over TLS. Read anew
    /// when it changes.
    #[arg(long, env = "ROLLCALL_TLS_CERT", value_name = "PATH", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// File with the certificate's private key, as PEM.
    #[arg(long, env = "ROLLCALL_TLS_KEY", value_name = "PATH", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

impl DoorArgs {
    /// `places`: for how many sockets there is place.
    pub(super) fn limits(&self, places: usize) -> anyhow::Result<DoorLimits> {
        let max_sockets = self.max_sockets.map_or(Ok(places), |max| max.get().try_into())?;
        ensure!(
            max_sockets <= places,
            "the limit of open files has place for {places} sockets; raise it (ulimit -Hn) or lower --max-sockets"
        );
        Ok(DoorLimits {
            proxies: Proxies { count: self.trusted_proxies.into(), header: self.forwarded_header },
            max_sockets,
            max_sockets_per_address: self.max_sockets_per_address.get().try_into()?,
            newcomers: Quota::per_second(self.new_sockets_per_second_per_address)
                .allow_burst(self.max_sockets_per_address.max(self.new_sockets_per_second_per_address)),
        })
    }

    pub(super) fn handshake_limit(&self) -> Duration {
        Duration::from_millis(self.handshake_timeout_ms)
    }

    pub(super) fn certificate(self) -> Option<CertificateFiles> {
        let (certificate, key) = self.tls_cert.zip(self.tls_key)?;
        Some(CertificateFiles { certificate, key })
    }
}
