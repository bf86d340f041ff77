//! The HTTP server around the sockets, from its start to its end.

use std::sync::Arc;

use anyhow::Context;
use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::any,
};
use http::{Method, header};
use rollcall_protocol::{ErrorCode, NodeId, Refusal, origin::OriginPolicy};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::cors::{AllowOrigin, CorsLayer};
use uuid::Uuid;

use crate::{
    app::App,
    config::{BridgeArgs, Config},
    door::{
        self, Door,
        serve::{self, Service},
        tls::Tls,
    },
    drain,
    gateway::Gateway,
    health::{self, Health},
    hub::Hub,
    lease, losses,
    reread::{self, Rereads},
    session::Paces,
    socketio, subscriber,
    tally::Tally,
    telemetry::{listener, metrics},
    websocket,
};

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
    let health = Arc::new(Health::new(config.heartbeat_interval * lease::SILENT_BEATS));
    if let Some(address) = config.metrics_listen {
        listener::serve(address, Arc::clone(&health)).await?;
    }
    let gateway = Arc::new(Gateway {
        app: Arc::new(App::new(config.app, node.clone(), config.secret, config.calls).await?),
        losses: Arc::default(),
        hub: Arc::new(Hub::default()),
        node: node.clone(),
        limits: config.limits,
        health: Arc::clone(&health),
        // The client waits for this and then for the app.
        subscribe_limit: config.calls.time_limit / 2,
        rereads: Rereads::default(),
        lease_losses: watch::Sender::new(0),
        tasks: TaskTracker::new(),
        paces: Arc::new(Paces::new(config.sessions.rates())),
        sockets_per_user: Tally::new(config.sessions.max_sockets_per_user()),
        draining: CancellationToken::new(),
        drain_spread: config.sessions.drain_spread(),
        stopping: CancellationToken::new(),
    });
    let lease = tokio::spawn(lease::keep(Arc::clone(&gateway), config.heartbeat_interval));
    let subscriber = tokio::spawn(subscriber::run(config.redis, Arc::clone(&gateway)));
    let rereader = tokio::spawn(reread::run(Arc::clone(&gateway)));
    let teller = tokio::spawn(losses::run(Arc::clone(&gateway.losses), Arc::clone(&gateway.app)));
    let pacer = tokio::spawn(Arc::clone(&gateway.paces).forget_the_quiet());
    let door = Arc::new(Door::new(config.door, gateway.draining.clone()));
    let doorkeeper = tokio::spawn(Arc::clone(&door).forget_the_quiet());
    let router = Router::new()
        .route("/ws", any(websocket::upgrade))
        .with_state(Arc::clone(&gateway))
        .merge(socketio::routes(config.namespace, Arc::clone(&gateway)))
        .layer(middleware::from_fn_with_state(door, door::admit))
        .layer(cors(config.origins.clone()))
        .layer(middleware::from_fn_with_state(Arc::new(config.origins), check_origin));
    let router = health::add_routes(router, Arc::clone(&health));
    let service = Service {
        router,
        tls: config.certificate.map(Tls::start).transpose()?,
        handshake_limit: config.limits.handshake,
        silence_limit: config.limits.ping_timeout,
        limits: config.door,
        stopping: gateway.stopping.clone(),
    };
    // Until the end those who are connected by polling are still served.
    let server = tokio::spawn(serve::run(listener, service));
    tracing::info!(%listen, node_id = %node, "bridge.started");

    signals.next().await;
    tracing::info!("bridge.stopping");
    let stop = async {
        drain::send_away(&gateway).await;
        // Until here it says that the clients who are left are there.
        lease.abort();
        drain::stop(&gateway).await;
    };
    tokio::select! {
        () = stop => {}
        () = signals.next() => tracing::warn!("bridge.stopped_at_once"),
    }
    for task in [subscriber, rereader, teller, pacer, doorkeeper] {
        task.abort();
    }
    server.abort();
    tracing::info!("bridge.stopped");
    Ok(())
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
