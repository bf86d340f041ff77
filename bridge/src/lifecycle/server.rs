//! Runs a bridge from its start to its end.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use axum::middleware;
use rollcall_protocol::{NodeId, event::EventKind};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use uuid::Uuid;

use super::{
    app_server::AppServer,
    drain::Drain,
    heartbeat::{self, Heartbeat},
    readiness::ReadinessCheck,
    signals::Signals,
    sweeper::Sweeper,
};
use crate::{
    app::{App, sweep_timer::SweepTimer},
    config::{BridgeArgs, Config},
    description,
    disconnects::Disconnects,
    fanout::{
        Hub,
        resync::{Resync, ResyncQueue},
        subscriber::Subscriber,
    },
    health::{self, Health},
    limits::permits::Permits,
    listener::{
        accept::{self, Server},
        admission::{self, Admission},
        origin,
        tls::Tls,
    },
    lobby::Lobby,
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
    let bridge = Bridge::build(config).await?;
    let (listen, node) = (bridge.listen, bridge.context.node.clone());
    let mut running = bridge.spawn();
    tracing::info!(%listen, node_id = %node, "bridge.started");

    signals.next().await;
    tracing::info!("bridge.stopping");
    tokio::select! {
        () = running.shut_down() => {}
        () = signals.next() => tracing::warn!("bridge.stopped_at_once"),
    }
    running.services.abort_all();
    tracing::info!("bridge.stopped");
    Ok(())
}

/// The services of a bridge, before they run.
struct Bridge {
    listener: TcpListener,
    listen: SocketAddr,
    server: Server,
    admission: Arc<Admission>,
    app_server: Option<AppServer>,
    context: Arc<Context>,
    health: Arc<Health>,
    heartbeat: Heartbeat,
    readiness: ReadinessCheck,
    sweeper: Sweeper,
    subscriber: Subscriber,
    resync: Resync,
}

/// The services of a bridge while they run.
struct Running {
    context: Arc<Context>,
    health: Arc<Health>,
    heartbeat: Arc<Heartbeat>,
    heartbeat_task: JoinHandle<()>,
    app_server: Option<AppServer>,
    /// The tasks of all other services.
    services: JoinSet<()>,
}

impl Bridge {
    async fn build(config: Config) -> anyhow::Result<Self> {
        let address = config.listener.listen;
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        let listen = listener.local_addr()?;
        let health = Arc::new(Health::new(heartbeat::silence_limit(config.heartbeat_interval)));
        if let Some(options) = config.metrics {
            metrics_server::serve(options, Arc::clone(&health)).await?;
        }

        let node = NodeId::new(Uuid::now_v7().to_string())?;
        let app = Arc::new(App::new(config.app, node.clone(), config.secret, config.calls).await?);
        let app_server = AppServer::start(
            &app,
            config.app_connections,
            config.listener.connection_limits,
            config.socket_limits.ping_timeout,
        )
        .await?;
        let hub = Arc::new(Hub::default());
        let resync = Arc::new(ResyncQueue::default());
        let lease_losses = watch::Sender::new(0);
        let sweep_timer = Arc::new(SweepTimer::default());
        let context = Arc::new(Context {
            node: node.clone(),
            app: Arc::clone(&app),
            disconnects: Disconnects::new(Arc::clone(&app)),
            hub: Arc::clone(&hub),
            resync: Arc::clone(&resync),
            lobby: Arc::new(Lobby::new(Arc::clone(&app), config.lobby_interval)),
            // A join waits for the subscription first and for the app after it.
            subscribe_timeout: config.calls.timeout / 2,
            lease_losses: lease_losses.clone(),
            rate_limits: Arc::new(config.session.rate_limits()),
            sockets_per_user: Permits::new(config.session.max_sockets_per_user()),
            shutdown: Shutdown::new(config.session.drain_time()),
        });
        let admission = Arc::new(Admission::new(
            config.listener.limits,
            context.shutdown.draining.clone(),
            socketio::names_session,
        ));
        let sockets = Sockets { context: Arc::clone(&context), limits: config.socket_limits };
        let router = transport::routes(sockets, &config.namespace)
            .layer(middleware::from_fn_with_state(Arc::clone(&admission), admission::admit));
        // Health checks are for every client, whatever its origin.
        let router =
            health::add_routes(origin::restrict(router, config.listener.origins), Arc::clone(&health));
        let router = description::add_routes(router);

        Ok(Self {
            server: Server {
                router,
                tls: config.listener.certificate.map(Tls::start).transpose()?,
                connection_limits: config.listener.connection_limits,
                silence_limit: config.socket_limits.ping_timeout,
                places: config.listener.places,
                proxies: config.listener.limits.proxies,
                stopping: context.shutdown.stopping.clone(),
            },
            heartbeat: Heartbeat {
                app: Arc::clone(&app),
                node: node.clone(),
                health: Arc::clone(&health),
                hub: Arc::clone(&hub),
                keyspace: config.keyspace.clone(),
                interval: config.heartbeat_interval,
                sweep_timer: Arc::clone(&sweep_timer),
                lease_losses,
            },
            readiness: ReadinessCheck {
                app: Arc::clone(&app),
                health: Arc::clone(&health),
                draining: context.shutdown.draining.clone(),
            },
            sweeper: Sweeper {
                app: Arc::clone(&app),
                timer: Arc::clone(&sweep_timer),
                draining: context.shutdown.draining.clone(),
            },
            subscriber: Subscriber {
                redis: config.redis,
                keyspace: config.keyspace,
                node,
                hub: Arc::clone(&hub),
                resync: Arc::clone(&resync),
                health: Arc::clone(&health),
                sweep_timer,
            },
            resync: Resync { queue: resync, hub, app },
            listener,
            listen,
            admission,
            app_server,
            context,
            health,
        })
    }

    fn spawn(self) -> Running {
        let (context, health) = (self.context, self.health);
        let heartbeat = Arc::new(self.heartbeat);
        let heartbeat_task = tokio::spawn({
            let heartbeat = Arc::clone(&heartbeat);
            async move { heartbeat.run().await }
        });
        let mut services = JoinSet::new();
        services.spawn(self.readiness.run());
        services.spawn(self.sweeper.run());
        services.spawn(self.subscriber.run());
        services.spawn(self.resync.run());
        services.spawn(Arc::clone(&context.lobby).run());
        for &kind in EventKind::ALL {
            services.spawn(Arc::clone(&context.app).dispatch(kind));
        }
        services.spawn(Arc::clone(&context.rate_limits).evict_idle());
        services.spawn(self.admission.evict_idle());
        services.spawn(accept::run(self.listener, self.server));
        Running { context, health, heartbeat, heartbeat_task, app_server: self.app_server, services }
    }
}

impl Running {
    /// Closes all sockets, first one by one and then at once, and gives the lease up.
    async fn shut_down(&mut self) {
        let Context { app, disconnects, shutdown, .. } = &*self.context;
        let drain = Drain { health: &self.health, shutdown, disconnects };
        drain.close_gradually().await;
        // Until now, the heartbeat kept the remaining members present.
        self.heartbeat_task.abort();
        drain.close_now().await;
        self.heartbeat.give_up().await;
        if let Some(server) = &mut self.app_server {
            server.stop().await;
        }
        app.close().await;
    }
}
