//! Runs a bridge from its start to its end.

use std::sync::Arc;

use anyhow::Context as _;
use axum::{Router, middleware};
use rollcall_protocol::NodeId;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use uuid::Uuid;

use super::{
    drain::Drain,
    heartbeat::{self, Heartbeat},
    signals::Signals,
};
use crate::{
    app::App,
    config::{BridgeArgs, Config},
    disconnects::{self, Disconnects},
    fanout::{
        Hub,
        resync::{Resync, ResyncQueue},
        subscriber::Subscriber,
    },
    health::{self, Health},
    limits::permits::Permits,
    listener::{
        ListenerOptions,
        accept::{self, Server},
        admission::{self, Admission},
        origin,
        tls::Tls,
    },
    session::{Context, Shutdown},
    telemetry::metrics_server,
    transport::{self, Sockets, socketio},
};

/// Runs a bridge until a signal stops it.
pub(crate) async fn run(args: BridgeArgs) -> anyhow::Result<()> {
    let config = Config::from_env(args)?;
    // The TLS clients, to the app and to Redis, use the default provider of the process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut signals = Signals::new()?;
    let address = config.listener.listen;
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let listen = listener.local_addr()?;

    let node = NodeId::new(Uuid::now_v7().to_string())?;
    let health = Arc::new(Health::new(heartbeat::silence_limit(config.heartbeat_interval)));
    if let Some(address) = config.metrics_listen {
        metrics_server::serve(address, Arc::clone(&health)).await?;
    }
    let app = Arc::new(App::new(config.app, node.clone(), config.secret, config.calls).await?);
    let disconnects = Arc::new(Disconnects::default());
    let hub = Arc::new(Hub::default());
    let resync = Arc::new(ResyncQueue::default());
    let lease_losses = watch::Sender::new(0);
    let context = Arc::new(Context {
        node: node.clone(),
        app: Arc::clone(&app),
        disconnects: Arc::clone(&disconnects),
        hub: Arc::clone(&hub),
        resync: Arc::clone(&resync),
        // A join waits for the subscription first and for the app after it.
        subscribe_timeout: config.calls.timeout / 2,
        lease_losses: lease_losses.clone(),
        rate_limits: Arc::new(config.session.rate_limits()),
        sockets_per_user: Permits::new(config.session.max_sockets_per_user()),
        shutdown: Shutdown::new(config.session.drain_time()),
    });
    let heartbeat = Arc::new(Heartbeat {
        app: Arc::clone(&app),
        node: node.clone(),
        health: Arc::clone(&health),
        interval: config.heartbeat_interval,
        lease_losses,
    });
    let admission = Arc::new(Admission::new(
        config.listener.limits,
        context.shutdown.draining.clone(),
        socketio::names_session,
    ));
    let sockets = Sockets { context: Arc::clone(&context), limits: config.socket_limits };
    let router = routes(sockets, config.namespace, &config.listener, Arc::clone(&admission), &health);
    let server = Server {
        router,
        tls: config.listener.certificate.map(Tls::start).transpose()?,
        handshake_timeout: config.listener.handshake_timeout,
        silence_limit: config.socket_limits.ping_timeout,
        limits: config.listener.limits,
        stopping: context.shutdown.stopping.clone(),
    };

    let beating = tokio::spawn({
        let heartbeat = Arc::clone(&heartbeat);
        async move { heartbeat.run().await }
    });
    let mut services = JoinSet::new();
    services.spawn(
        Subscriber {
            redis: config.redis,
            hub: Arc::clone(&hub),
            resync: Arc::clone(&resync),
            health: Arc::clone(&health),
        }
        .run(),
    );
    services.spawn(Resync { queue: resync, hub, app: Arc::clone(&app) }.run());
    services.spawn(disconnects::run(Arc::clone(&disconnects), Arc::clone(&app)));
    services.spawn(Arc::clone(&context.rate_limits).evict_idle());
    services.spawn(admission.evict_idle());
    services.spawn(accept::run(listener, server));
    tracing::info!(%listen, node_id = %node, "bridge.started");

    signals.next().await;
    tracing::info!("bridge.stopping");
    let drain = Drain { health: &health, shutdown: &context.shutdown, disconnects: &disconnects };
    let stop = async {
        drain.close_gradually().await;
        // Until now, the heartbeat kept the remaining clients present.
        beating.abort();
        drain.close_now().await;
        heartbeat.give_up().await;
        app.close().await;
    };
    tokio::select! {
        () = stop => {}
        () = signals.next() => tracing::warn!("bridge.stopped_at_once"),
    }
    services.abort_all();
    tracing::info!("bridge.stopped");
    Ok(())
}

/// All routes for clients: sockets behind admission and the origin check, and health checks for everybody.
fn routes(
    sockets: Sockets,
    namespace: String,
    options: &ListenerOptions,
    admission: Arc<Admission>,
    health: &Arc<Health>,
) -> Router {
    let router = transport::routes(sockets, namespace)
        .layer(middleware::from_fn_with_state(admission, admission::admit));
    health::add_routes(origin::restrict(router, options.origins.clone()), Arc::clone(health))
}
