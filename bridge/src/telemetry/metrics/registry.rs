//! Every metric, with its name and help.

use std::sync::LazyLock;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Metric, Registry, Unit},
};
use rollcall_protocol::{ErrorCode, client::ClientEvent};

use super::{
    labels::{
        AppCallLabels, Circuit, ClientEventLabels, CloseReason, Queue, QueueLabel, ReasonLabel, StateLabel,
        Transport, TransportLabel,
    },
    process,
};

/// From a tenth of a millisecond to five seconds.
const SECONDS: [f64; 15] =
    [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// Up to the bound of a queue.
const DEPTHS: [f64; 7] = [0.0, 1.0, 4.0, 16.0, 64.0, 256.0, 1024.0];

type Count<L> = Family<L, Counter>;
type Level<L> = Family<L, Gauge>;
type Durations<L> = Family<L, Histogram, fn() -> Histogram>;

/// All metrics of this process.
pub(super) static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

pub(super) struct Metrics {
    pub(super) registry: Registry,
    pub(super) sockets_open: Level<TransportLabel>,
    pub(super) sockets_opened: Count<TransportLabel>,
    pub(super) sockets_closed: Count<ReasonLabel>,
    pub(super) connections_refused: Count<ReasonLabel>,
    pub(super) rooms: Gauge,
    pub(super) client_events: Count<ClientEventLabels>,
    pub(super) app_call_duration: Durations<AppCallLabels>,
    pub(super) app_calls_in_flight: Gauge,
    pub(super) app_calls_waiting: Gauge,
    /// By [`Transport`]. Looked up beforehand: it is measured for every event and every client who gets it.
    pub(super) fan_out: [Histogram; 2],
    pub(super) events_merged: Counter,
    pub(super) outbound_queue_depth: Histogram,
    pub(super) messages_dropped: Count<QueueLabel>,
    app_circuit: Level<StateLabel>,
    pub(super) redis_connections: Counter,
    pub(super) disconnects_waiting: Gauge,
    pub(super) lease_losses: Counter,
    pub(super) sweep_lateness: Histogram,
}

impl Metrics {
    fn new() -> Self {
        let mut registry = Registry::default();
        process::register(&mut registry);
        let ours = registry.sub_registry_with_prefix("rollcall");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION")), ("profile", PROFILE)].to_vec());
        ours.register("build", "Which version this is", build);
        let metrics = Self {
            sockets_open: add(ours, "sockets_open", "Clients that are let in and connected"),
            sockets_opened: add(ours, "sockets_opened", "Clients that were let in"),
            sockets_closed: add(ours, "sockets_closed", "Clients that were let in and are gone, by why"),
            connections_refused: add(
                ours,
                "connections_refused",
                "Connections that were not let in, by the code they were told",
            ),
            rooms: add(ours, "rooms", "Rooms with members on this bridge"),
            client_events: add(
                ours,
                "client_events",
                "Events of clients that were answered, by name and code",
            ),
            app_call_duration: add_duration(
                ours,
                "app_call_duration",
                "How long calls to the app took, each try by itself, by kind and outcome",
                Durations::new_with_constructor(durations),
            ),
            app_calls_in_flight: add(ours, "app_calls_in_flight", "Calls to the app that are under way"),
            app_calls_waiting: add(ours, "app_calls_waiting", "Calls to the app that wait for a place"),
            app_circuit: add(
                ours,
                "app_circuit_state",
                "1 for the state in which calls to the app are: closed, open, half_open",
            ),
            fan_out: fan_out(ours),
            events_merged: add(ours, "events_merged", "Events of rooms that went out as a part of others"),
            outbound_queue_depth: outbound_queue_depth(ours),
            messages_dropped: add(
                ours,
                "messages_dropped",
                "Messages that found a client's queue full; each closes its socket",
            ),
            redis_connections: add(
                ours,
                "redis_connections",
                "Times that all rooms were subscribed over a new connection; more than one if it broke",
            ),
            disconnects_waiting: add(
                ours,
                "disconnects_waiting",
                "Lost connections that the app has not been told of",
            ),
            lease_losses: add(
                ours,
                "lease_losses",
                "Times that the app had taken all connections of this bridge for lost",
            ),
            sweep_lateness: add_duration(
                ours,
                "sweep_lateness",
                "By how much the oldest thing that a sweep settled was too late; only with the app in this process",
                durations(),
            ),
            registry,
        };
        metrics.begin_at_zero();
        metrics
    }

    /// What has not happened yet is a zero, so that the first time is seen as a rise.
    fn begin_at_zero(&self) {
        for transport in Transport::ALL {
            let _ = self.sockets_open.get_or_create(&transport.label());
            let _ = self.sockets_opened.get_or_create(&transport.label());
        }
        for reason in CloseReason::ALL {
            let _ = self.sockets_closed.get_or_create(&ReasonLabel { reason: reason.as_str() });
        }
        for code in HANDSHAKE_CODES {
            let _ = self.connections_refused.get_or_create(&ReasonLabel { reason: code.as_str() });
        }
        for event in ClientEvent::ALL {
            let labels = ClientEventLabels { event: event.as_str(), code: "ok" };
            let _ = self.client_events.get_or_create(&labels);
        }
        for queue in Queue::ALL {
            let _ = self.messages_dropped.get_or_create(&QueueLabel { queue: queue.as_str() });
        }
        self.set_circuit(Circuit::Closed);
    }

    pub(super) fn set_circuit(&self, state: Circuit) {
        for each in Circuit::ALL {
            self.app_circuit.get_or_create(&each.label()).set(i64::from(each == state));
        }
    }
}

/// What a handshake is usually refused with.
const HANDSHAKE_CODES: [ErrorCode; 6] = [
    ErrorCode::TokenMissing,
    ErrorCode::TokenInvalid,
    ErrorCode::TokenExpired,
    ErrorCode::OriginNotAllowed,
    ErrorCode::Overloaded,
    ErrorCode::Unavailable,
];

const PROFILE: &str = if cfg!(debug_assertions) { "debug" } else { "release" };

fn add<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

fn add_duration<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}

fn fan_out(registry: &mut Registry) -> [Histogram; 2] {
    let family = add_duration(
        registry,
        "fan_out_duration",
        "How long room events took through this bridge: from their arrival from Redis until they were written to the \
         client's connection (websocket) or queued for it (socketio)",
        Durations::new_with_constructor(durations),
    );
    Transport::ALL.map(|transport| family.get_or_create_owned(&transport.label()))
}

fn outbound_queue_depth(registry: &mut Registry) -> Histogram {
    let depth = Histogram::new(DEPTHS);
    let help = "How many messages waited for a client on a WebSocket when one more was queued";
    registry.register("outbound_queue_depth", help, depth.clone());
    depth
}

fn durations() -> Histogram {
    Histogram::new(SECONDS)
}
