//! Flags for accepting connections and for admitting new sockets.

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use anyhow::ensure;
use clap::Args;
use governor::Quota;
use rollcall_protocol::origin::OriginPolicy;

use super::{
    address::{ForwardedHeader, TrustedProxies},
    admission::AdmissionLimits,
    file_limit::FileBudget,
    lifetime::ConnectionLimits,
    tls::CertificateFiles,
};
use crate::limits::places::PlaceLimits;

/// Clients' connections without a session: new ones whose request has not arrived yet, health checks, and requests that
/// are refused. A head of [`super::accept`] and its buffers make the most of what each costs.
const MAX_WITHOUT_SESSION: usize = 1024;

/// Connections in addition to as many as there may be sockets.
const MAX_PLACES_BEYOND_SOCKETS: usize = 256;

/// Share of one network in [`MAX_WITHOUT_SESSION`]. A whole school may come back at once from one address.
const MAX_WITHOUT_SESSION_PER_NETWORK: usize = 256;

/// Requests in a row of one connection that belong to no socket.
const MAX_REQUESTS_WITHOUT_SESSION: u32 = 100;

/// Flags for accepting connections and for admitting new sockets.
#[derive(Args)]
pub(crate) struct ListenerArgs {
    /// Address to listen on for clients.
    #[arg(long, env = "ROLLCALL_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,

    /// Origin whose pages may connect, as in "https://study.example"; may be repeated. Also "null", "file://" and the
    /// origins of apps and extensions, as in "capacitor://localhost". The first label may be a star, as in
    /// "https://*.preview.example.com", which stands for exactly one label. "*" alone allows every origin. Pages from
    /// the host that a request names in Host may always connect. Behind a proxy that replaces Host, list the public
    /// origin of the bridge.
    #[arg(long = "origin", env = "ROLLCALL_ORIGINS", value_delimiter = ',', value_name = "ORIGIN")]
    origins: Vec<String>,

    /// Sockets that this bridge holds; further connections get 503. Defaults to as many as the limit of open files
    /// leaves room for.
    #[arg(long, env = "ROLLCALL_MAX_SOCKETS", value_name = "COUNT")]
    max_sockets: Option<NonZeroU32>,

    /// Sockets from one IPv4 address, or from one /64 network of IPv6. A whole school may share one address.
    #[arg(long, env = "ROLLCALL_MAX_SOCKETS_PER_ADDRESS", default_value = "1000", value_name = "COUNT")]
    max_sockets_per_address: NonZeroU32,

    /// Sockets that one address may open per second, including sockets that are then refused; after a pause, as many
    /// at once as --max-sockets-per-address.
    #[arg(
        long,
        env = "ROLLCALL_NEW_SOCKETS_PER_SECOND_PER_ADDRESS",
        default_value = "100",
        value_name = "COUNT"
    )]
    new_sockets_per_second_per_address: NonZeroU32,

    /// Number of trusted proxies that a request passes before it reaches this bridge. The client's address is then
    /// the entry that the first of these proxies adds to --forwarded-header.
    #[arg(
        long,
        env = "ROLLCALL_TRUSTED_PROXIES",
        default_value_t = 0,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u8).range(0..=16)
    )]
    trusted_proxies: u8,

    /// Header in which trusted proxies give the client's address. Each trusted proxy must append to this header, or
    /// set it.
    #[arg(long, env = "ROLLCALL_FORWARDED_HEADER", value_name = "HEADER", default_value = "x-forwarded-for")]
    forwarded_header: ForwardedHeader,

    /// Time limit for the TLS handshake, for the head and for the body of each request, and until a client has a
    /// session, in milliseconds.
    #[arg(
        long,
        env = "ROLLCALL_HANDSHAKE_TIMEOUT_MS",
        default_value_t = 10_000,
        value_name = "MS",
        value_parser = clap::value_parser!(u64).range(100..=600_000)
    )]
    handshake_timeout_ms: u64,

    /// Time limit for an open connection between two requests, in milliseconds. Longer than proxies in front of this
    /// bridge keep such connections (nginx: 60 seconds), because a proxy may send a request at the moment in which the
    /// bridge closes the connection.
    #[arg(
        long,
        env = "ROLLCALL_KEEP_ALIVE_TIMEOUT_MS",
        default_value_t = 75_000,
        value_name = "MS",
        value_parser = clap::value_parser!(u64).range(100..=3_600_000)
    )]
    keep_alive_timeout_ms: u64,

    /// PEM file with the certificate and its chain; with this flag the bridge serves clients over TLS. Reloaded when
    /// the file changes.
    #[arg(long, env = "ROLLCALL_TLS_CERT", value_name = "PATH", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// PEM file with the certificate's private key.
    #[arg(long, env = "ROLLCALL_TLS_KEY", value_name = "PATH", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

/// Checked settings of the listener.
pub(crate) struct ListenerOptions {
    pub(crate) listen: SocketAddr,
    pub(crate) origins: OriginPolicy,
    pub(crate) limits: AdmissionLimits,
    pub(crate) places: PlaceLimits,
    /// Time limits of a connection. The limit for a handshake also counts for the body of each request, and until a
    /// client has a session.
    pub(crate) connection_limits: ConnectionLimits,
    /// With a certificate, clients are served over TLS.
    pub(crate) certificate: Option<CertificateFiles>,
}

impl ListenerArgs {
    /// Checks the flags. `files`: what fits into the limit of open files.
    pub(crate) fn into_options(self, files: FileBudget) -> anyhow::Result<ListenerOptions> {
        let limits = self.admission_limits(files.sockets)?;
        Ok(ListenerOptions {
            listen: self.listen,
            origins: OriginPolicy::parse(self.origins.iter().map(String::as_str))?,
            limits,
            places: limits.places(files),
            connection_limits: ConnectionLimits {
                handshake: Duration::from_millis(self.handshake_timeout_ms),
                keep_alive: Duration::from_millis(self.keep_alive_timeout_ms),
                requests_without_session: Some(MAX_REQUESTS_WITHOUT_SESSION),
            },
            certificate: self
                .tls_cert
                .zip(self.tls_key)
                .map(|(certificate, key)| CertificateFiles { certificate, key }),
        })
    }

    fn admission_limits(&self, available_sockets: usize) -> anyhow::Result<AdmissionLimits> {
        let max_sockets = self.max_sockets.map_or(Ok(available_sockets), |max| max.get().try_into())?;
        ensure!(
            max_sockets <= available_sockets,
            "the limit of open files leaves room for {available_sockets} sockets; raise the limit (ulimit -Hn) or \
             lower --max-sockets"
        );
        Ok(AdmissionLimits {
            proxies: TrustedProxies { count: self.trusted_proxies.into(), header: self.forwarded_header },
            max_sockets,
            max_sockets_per_address: self.max_sockets_per_address.get().try_into()?,
            new_connections: Quota::per_second(self.new_sockets_per_second_per_address)
                .allow_burst(self.max_sockets_per_address.max(self.new_sockets_per_second_per_address)),
        })
    }
}

impl AdmissionLimits {
    /// Sockets may take the files of connections without a session, and not the other way round.
    fn places(&self, files: FileBudget) -> PlaceLimits {
        let free = (files.sockets - self.max_sockets).saturating_add(files.without_session);
        let total = self.max_sockets.saturating_add(free.min(MAX_PLACES_BEYOND_SOCKETS));
        PlaceLimits {
            total,
            without_session: total.min(MAX_WITHOUT_SESSION),
            per_network: (self.proxies.count == 0).then_some(MAX_WITHOUT_SESSION_PER_NETWORK),
            is_behind_proxies: self.proxies.count > 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    const FILES: FileBudget = FileBudget { sockets: 1000, without_session: 250, app: 0 };

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        listener: ListenerArgs,
    }

    fn options(flags: &[&str]) -> anyhow::Result<ListenerOptions> {
        let cli = Cli::try_parse_from(["rollcall"].iter().chain(flags))?;
        cli.listener.into_options(FILES)
    }

    #[test]
    fn sockets_take_all_available_files_unless_a_flag_says_fewer() {
        assert_eq!(options(&[]).unwrap().limits.max_sockets, FILES.sockets);
        assert_eq!(options(&["--max-sockets", "7"]).unwrap().limits.max_sockets, 7);
    }

    #[test]
    fn connections_fit_into_the_open_files() {
        let places = |flags: &[&str]| options(flags).unwrap().places;
        assert_eq!(places(&[]).total, 1250);
        assert_eq!(places(&["--max-sockets", "900"]).total, 1156);
        assert_eq!(places(&["--max-sockets", "7"]).without_session, 263);
        assert_eq!(places(&[]).without_session, 1024);
        assert_eq!(places(&[]).per_network, Some(256));
        assert_eq!(places(&["--trusted-proxies", "1"]).per_network, None);
    }

    #[test]
    fn mistakes_are_found_at_the_start() {
        for flags in [
            ["--listen", "8080"],
            ["--origin", "study.example"],
            ["--origin", "https://study.example/"],
            ["--keep-alive-timeout-ms", "0"],
            ["--max-sockets", "1001"],
            ["--max-sockets", "0"],
            ["--trusted-proxies", "-1"],
            ["--forwarded-header", "x-real-ip"],
            ["--tls-cert", "certificate.pem"],
        ] {
            assert!(options(&flags).is_err(), "{flags:?}");
        }
    }
}
