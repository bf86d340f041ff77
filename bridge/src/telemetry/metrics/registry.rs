//! Every metric, with its name and help.

use std::sync::LazyLock;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Metric, Registry, Unit},
};
use rollcall_protocol::{ErrorCode, client::ClientEvent, close::CloseReason};

use super::{
    labels::{
        AppCallLabels, CircuitState, ClientEventLabels, EventLabel, PartLabel, Queue, QueueLabel,
        ReasonLabel, StateLabel, Transport, TransportLabel,
    },
    next_deadline::NextDeadline,
    process,
};

/// Histogram buckets for durations: from a tenth of a millisecond to five seconds.
const SECONDS: [f64; 15] =
    [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// Histogram buckets for queue depths, up to the capacity of a queue.
const DEPTHS: [f64; 7] = [0.0, 1.0, 4.0, 16.0, 64.0, 256.0, 1024.0];

type Count<L> = Family<L, Counter>;
type Level<L> = Family<L, Gauge>;
type Durations<L> = Family<L, Histogram, fn() -> Histogram>;

/// All metrics of this process.
pub(super) static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

pub(super) struct Metrics {
    pub(super) registry: Registry,
    pub(super) part_missing: Level<PartLabel>,
    pub(super) max_sockets: Gauge,
    pub(super) sockets_open: Level<TransportLabel>,
    pub(super) sockets_opened: Count<TransportLabel>,
    pub(super) sockets_closed: Count<ReasonLabel>,
    pub(super) connections_refused: Count<ReasonLabel>,
    pub(super) rooms: Gauge,
    pub(super) client_events: Count<ClientEventLabels>,
    pub(super) client_event_duration: Durations<EventLabel>,
    pub(super) app_call_duration: Durations<AppCallLabels>,
    pub(super) app_calls_in_flight: Gauge,
    pub(super) app_events: Count<AppCallLabels>,
    pub(super) app_events_waiting: Gauge,
    /// One histogram per [`Transport`], in the order of [`Transport::ALL`]. Looked up once, because the duration is
    /// measured for every event and every client who receives it.
    pub(super) fan_out: [Histogram; 2],
    pub(super) events_merged: Counter,
    pub(super) outbound_queue_depth: Histogram,
    pub(super) messages_dropped: Count<QueueLabel>,
    app_circuit_state: Level<StateLabel>,
    pub(super) redis_connections: Counter,
    pub(super) disconnects_waiting: Gauge,
    pub(super) lease_losses: Counter,
    pub(super) sweep_lateness: Histogram,
    pub(super) next_deadline: NextDeadline,
}

impl Metrics {
    fn new() -> Self {
        let mut registry = Registry::default();
        process::register(&mut registry);
        let rollcall = registry.sub_registry_with_prefix("rollcall");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION")), ("profile", PROFILE)].to_vec());
        rollcall.register("build", "Version and build profile of the bridge", build);
        let next_deadline = NextDeadline::default();
        rollcall.register_collector(Box::new(next_deadline.clone()));
        let metrics = Self {
            part_missing: register(
                rollcall,
                "part_missing",
                "1 for each part that the bridge lacks to be ready, and 0 for the others: redis, app, events, draining",
            ),
            max_sockets: register(rollcall, "max_sockets", "The most sockets that the bridge holds"),
            sockets_open: register(rollcall, "sockets_open", "Admitted clients that are connected"),
            sockets_opened: register(rollcall, "sockets_opened", "Clients that were admitted"),
            sockets_closed: register(
                rollcall,
                "sockets_closed",
                "Sockets of admitted clients that were closed, by reason",
            ),
            connections_refused: register(
                rollcall,
                "connections_refused",
                "Connections that were refused, by the code that the client received",
            ),
            rooms: register(rollcall, "rooms", "Rooms with members on this bridge"),
            client_events: register(
                rollcall,
                "client_events",
                "Responses to events of clients, by event and code",
            ),
            client_event_duration: register_duration(
                rollcall,
                "client_event_duration",
                "Time from when a session takes an event of its client until the response, with all calls and retries, by \
                 event",
                Durations::new_with_constructor(build_duration_histogram),
            ),
            app_call_duration: register_duration(
                rollcall,
                "app_call_duration",
                "Duration of calls to the app, each attempt by itself, by kind and outcome",
                Durations::new_with_constructor(build_duration_histogram),
            ),
            app_calls_in_flight: register(rollcall, "app_calls_in_flight", "Calls to the app in progress"),
            app_events: register(
                rollcall,
                "app_events",
                "Events sent to the app, each attempt by itself, by kind and outcome; events may share a call",
            ),
            app_events_waiting: register(
                rollcall,
                "app_events_waiting",
                "Events that wait for a call to the app",
            ),
            app_circuit_state: register(
                rollcall,
                "app_circuit_state",
                "1 for the current state of the circuit breaker for calls to the app: closed, open or half_open",
            ),
            fan_out: register_fan_out(rollcall),
            events_merged: register(
                rollcall,
                "events_merged",
                "Room events that were merged into other events before they were sent",
            ),
            outbound_queue_depth: register_outbound_queue_depth(rollcall),
            messages_dropped: register(
                rollcall,
                "messages_dropped",
                "Messages dropped because a client's queue was full; each closes the socket of its client",
            ),
            redis_connections: register(
                rollcall,
                "redis_connections",
                "Times that the bridge subscribed to all rooms over a new connection to Redis; more than one if a \
                 connection broke",
            ),
            disconnects_waiting: register(
                rollcall,
                "disconnects_waiting",
                "Lost connections that the bridge has not reported to the app yet",
            ),
            lease_losses: register(
                rollcall,
                "lease_losses",
                "Times that this bridge lost its lease, so that the app treated all its connections as lost",
            ),
            sweep_lateness: register_duration(
                rollcall,
                "sweep_lateness",
                "Delay of the most overdue deadline that a sweep settled, of the sweeps that this bridge asked for",
                build_duration_histogram(),
            ),
            next_deadline,
            registry,
        };
        metrics.initialise_counters();
        metrics
    }

    /// Initialises counters with zero, so that the first occurrence shows as an increase.
    fn initialise_counters(&self) {
        for transport in Transport::ALL {
            let _ = self.sockets_open.get_or_create(&transport.label());
            let _ = self.sockets_opened.get_or_create(&transport.label());
        }
        for &reason in CloseReason::LABELS {
            let _ = self.sockets_closed.get_or_create(&ReasonLabel { reason });
        }
        for code in HANDSHAKE_CODES {
            let _ = self.connections_refused.get_or_create(&ReasonLabel { reason: code.as_str() });
        }
        for event in ClientEvent::all() {
            let labels = ClientEventLabels { event: event.as_str(), code: "ok" };
            let _ = self.client_events.get_or_create(&labels);
        }
        for queue in Queue::ALL {
            let _ = self.messages_dropped.get_or_create(&QueueLabel { queue: queue.as_str() });
        }
        self.set_circuit_state(CircuitState::Closed);
    }

    pub(super) fn set_circuit_state(&self, state: CircuitState) {
        for each in CircuitState::ALL {
            self.app_circuit_state.get_or_create(&each.label()).set(i64::from(each == state));
        }
    }
}

/// The usual codes of refused handshakes.
const HANDSHAKE_CODES: [ErrorCode; 6] = [
    ErrorCode::TokenMissing,
    ErrorCode::TokenInvalid,
    ErrorCode::TokenExpired,
    ErrorCode::OriginNotAllowed,
    ErrorCode::Overloaded,
    ErrorCode::Unavailable,
];

const PROFILE: &str = if cfg!(debug_assertions) { "debug" } else { "release" };

fn register<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

fn register_duration<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}

fn register_fan_out(registry: &mut Registry) -> [Histogram; 2] {
    let family = register_duration(
        registry,
        "fan_out_duration",
        "Time that room events took through this bridge: from their arrival from Redis until they were written to the \
         client's connection, or to the response to a poll",
        Durations::new_with_constructor(build_duration_histogram),
    );
    Transport::ALL.map(|transport| family.get_or_create_owned(&transport.label()))
}

fn register_outbound_queue_depth(registry: &mut Registry) -> Histogram {
    let depth = Histogram::new(DEPTHS);
    let help = "Messages already in the outgoing queue of a client when one more was queued";
    registry.register("outbound_queue_depth", help, depth.clone());
    depth
}

fn build_duration_histogram() -> Histogram {
    Histogram::new(SECONDS)
}
