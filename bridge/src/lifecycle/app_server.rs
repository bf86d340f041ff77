//! Serves the app's own HTTP routes: with the listener that serves clients, and with places of their own.

use std::time::Duration;

use anyhow::Context as _;
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    limits::places::PlaceLimits,
    listener::{
        accept::{self, Server},
        address::TrustedProxies,
        lifetime::ConnectionLimits,
    },
};

/// How long requests under way may take once the server stops.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// The server of the app's routes while it runs.
pub(super) struct AppServer {
    stopping: CancellationToken,
    task: JoinHandle<()>,
}

impl AppServer {
    /// Serves the routes of an app that has any. `connections`: how many connections the server may hold. `silence_limit`:
    /// how long a caller may acknowledge nothing of the data sent to it.
    pub(super) async fn start(
        app: &App,
        connections: usize,
        limits: ConnectionLimits,
        silence_limit: Duration,
    ) -> anyhow::Result<Option<Self>> {
        let Some((address, router)) = app.routes(limits.handshake) else { return Ok(None) };
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        let address = listener.local_addr()?;
        let stopping = CancellationToken::new();
        let server = Server {
            router,
            tls: None,
            places: place_limits(connections),
            // Bridges keep their connections for all their calls.
            connection_limits: ConnectionLimits { requests_without_session: None, ..limits },
            silence_limit,
            proxies: TrustedProxies::NONE,
            stopping: stopping.clone(),
        };
        let task = tokio::spawn(accept::run(listener, server));
        tracing::info!(%address, "serving");
        Ok(Some(Self { stopping, task }))
    }

    /// Stops the server, and waits until running requests have finished.
    pub(super) async fn stop(&mut self) {
        self.stopping.cancel();
        if timeout(STOP_LIMIT, &mut self.task).await.is_err() {
            tracing::warn!("app.requests_unfinished");
        }
    }
}

/// A bridge needs a connection for each of its calls under way, so one network may have all places that nobody else
/// needs.
fn place_limits(connections: usize) -> PlaceLimits {
    PlaceLimits {
        total: connections,
        without_session: connections,
        per_network: None,
        is_behind_proxies: false,
    }
}
