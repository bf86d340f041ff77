//! Flags for sockets of both transports.

use std::time::Duration;

use anyhow::ensure;
use clap::Args;

/// Environment variable and default of `--ping-interval-ms`.
pub(crate) const PING_INTERVAL: (&str, u64) = ("ROLLCALL_PING_INTERVAL_MS", 25_000);

/// Environment variable and default of `--ping-timeout-ms`.
pub(crate) const PING_TIMEOUT: (&str, u64) = ("ROLLCALL_PING_TIMEOUT_MS", 20_000);

/// Flags for sockets of both transports.
#[derive(Args)]
pub(crate) struct TransportArgs {
    /// Socket.IO namespace that clients connect to.
    #[arg(long, env = "ROLLCALL_NAMESPACE", default_value = "/study", value_name = "PATH")]
    namespace: String,

    /// Largest message that a client may send, in bytes.
    #[arg(
        long,
        env = "ROLLCALL_MAX_PAYLOAD_BYTES",
        default_value_t = 98_304,
        value_name = "BYTES",
        value_parser = clap::value_parser!(u32).range(1_024..=16_777_216)
    )]
    max_payload_bytes: u32,

    /// Time between two pings that check whether a client is still there, in milliseconds.
    #[arg(
        long,
        env = PING_INTERVAL.0,
        default_value_t = PING_INTERVAL.1,
        value_name = "MS",
        value_parser = clap::value_parser!(u64).range(100..=600_000)
    )]
    ping_interval_ms: u64,

    /// Time that a client has to answer a ping, in milliseconds; after it, the connection counts as lost.
    #[arg(
        long,
        env = PING_TIMEOUT.0,
        default_value_t = PING_TIMEOUT.1,
        value_name = "MS",
        value_parser = clap::value_parser!(u64).range(100..=600_000)
    )]
    ping_timeout_ms: u64,
}

/// Limits of one socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SocketLimits {
    pub(crate) max_payload_bytes: usize,
    pub(crate) ping_interval: Duration,
    pub(crate) ping_timeout: Duration,
    /// How long a client may take until it has a session.
    pub(crate) handshake_timeout: Duration,
}

impl TransportArgs {
    /// Checks the namespace.
    pub(crate) fn namespace(&self) -> anyhow::Result<String> {
        ensure!(self.namespace.starts_with('/'), "--namespace must begin with a slash, as in /study");
        Ok(self.namespace.clone())
    }

    /// The limits of one socket.
    pub(crate) fn limits(&self, handshake_timeout: Duration) -> anyhow::Result<SocketLimits> {
        Ok(SocketLimits {
            max_payload_bytes: self.max_payload_bytes.try_into()?,
            ping_interval: Duration::from_millis(self.ping_interval_ms),
            ping_timeout: Duration::from_millis(self.ping_timeout_ms),
            handshake_timeout,
        })
    }
}
