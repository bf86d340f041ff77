//! The HTTP server around the sockets, from its start to its end.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::any,
};
use http::{Method, header};
use rollcall_protocol::{ErrorCode, NodeId, Refusal};
use socketioxide::SocketIo;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::cors::{AllowOrigin, CorsLayer};
use uuid::Uuid;

use crate::{
    app::App,
    config::{BridgeArgs, Config},
    gateway::Gateway,
    health::{self, Health},
    hub::Hub,
    lease,
    listener::ClientListener,
    origin::OriginPolicy,
    reread::{self, Rereads},
    socketio, subscriber,
    telemetry::{listener, metrics},
    websocket,
};

/// How long what is under way may take when the bridge stops.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Runs a bridge until a signal stops it.
pub(crate) async fn run(args: BridgeArgs) -> anyhow::Result<()> {
    let config = Config::from_env(args)?;
    // Both TLS clients, to the app and to Redis, ask for the process's provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut signals = Signals::new()?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let listen = listener.local_addr()?;
    let node = NodeId::new(Uuid::now_v7().to_string())?;
    let stopping = CancellationToken::new();
    let health = Arc::new(Health::new(config.heartbeat_interval * lease::SILENT_BEATS));
    if let Some(address) = config.metrics_listen {
        listener::serve(address, Arc::clone(&health)).await?;
    }
    let gateway = Arc::new(Gateway {
        app: App::new(config.app, node.clone(), config.secret, config.app_timeout).await?,
        hub: Arc::new(Hub::default()),
        node: node.clone(),
        limits: config.limits,
        health: Arc::clone(&health),
        // The client waits for this and then for the app.
        subscribe_limit: config.app_timeout / 2,
        rereads: Rereads::default(),
        lease_losses: watch::Sender::new(0),
        tasks: TaskTracker::new(),
        stopping: stopping.clone(),
    });
    let lease = tokio::spawn(lease::keep(Arc::clone(&gateway), config.heartbeat_interval));
    let subscriber = tokio::spawn(subscriber::run(config.redis, Arc::clone(&gateway)));
    let rereader = tokio::spawn(reread::run(Arc::clone(&gateway)));
    let (socketio_layer, io) = socketio::layer(config.limits);
    socketio::serve(&io, config.namespace, Arc::clone(&gateway));
    let router = Router::new()
        .route("/ws", any(websocket::upgrade))
        .with_state(Arc::clone(&gateway))
        .layer(socketio_layer)
        .layer(cors(config.origins.clone()))
        .layer(middleware::from_fn_with_state(Arc::new(config.origins), check_origin));
    let router = health::add_routes(router, Arc::clone(&health));
    let server = axum::serve(ClientListener(listener), router)
        .with_graceful_shutdown(stopping.clone().cancelled_owned());
    let server = tokio::spawn(server.into_future());
    tracing::info!(%listen, node_id = %node, "bridge.started");

    signals.next().await;
    tracing::info!("bridge.stopping");
    health.drain();
    lease.abort();
    stopping.cancel();
    tokio::select! {
        () = stop(&gateway, &io) => {}
        () = signals.next() => tracing::warn!("bridge.stopped_at_once"),
    }
    subscriber.abort();
    rereader.abort();
    server.abort();
    tracing::info!("bridge.stopped");
    Ok(())
}

/// Waits until all sessions are through and have told the app, and closes what is open.
async fn stop(gateway: &Gateway, io: &SocketIo) {
    let all = async {
        io.close().await;
        gateway.tasks.close();
        gateway.tasks.wait().await;
    };
    if timeout(STOP_LIMIT, all).await.is_err() {
        tracing::warn!(unfinished = gateway.tasks.len(), "bridge.unfinished");
    }
    lease::give_up(gateway).await;
    gateway.app.close().await;
}

/// Answers pages that may not connect before anything else looks at their request, upgrades included.
async fn check_origin(State(policy): State<Arc<OriginPolicy>>, request: Request, next: Next) -> Response {
    if policy.admits(request.headers()) {
        return next.run(request).await;
    }
    metrics::connection_refused(ErrorCode::OriginNotAllowed);
    tracing::debug!(origin = ?request.headers().get(header::ORIGIN), "origin.refused");
    let refusal = Refusal::from(ErrorCode::OriginNotAllowed);
    let body = serde_json::to_string(&refusal).unwrap_or_default();
    (refusal.code.status(), [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn cors(policy: OriginPolicy) -> CorsLayer {
    // Load balancers that keep a client on one bridge do so by a cookie. Cookies mean nothing to the bridge.
    let are_cookies_allowed = policy != OriginPolicy::Any;
    let origins = AllowOrigin::predicate(move |origin, request| {
        policy.allows(origin, request.headers.get(header::HOST))
    });
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .allow_credentials(are_cookies_allowed)
}

/// The signals that ask the process to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
