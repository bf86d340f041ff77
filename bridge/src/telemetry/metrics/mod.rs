//! Counts what happens. Every call takes a few atomic operations or one short lock, cheap enough for every event.
//!
//! | module | what it holds |
//! |---|---|
//! | [`labels`] | labels of metrics; never an id, so the number of time series is bounded |
//! | [`registry`] | every metric, with its name and help |
//! | [`next_deadline`] | how long the next deadline is overdue |
//! | [`process`] | metrics of the operating system about this process |

mod labels;
mod next_deadline;
mod process;
mod registry;

use std::time::{Duration, Instant};

use rollcall_protocol::{ErrorCode, client::ClientEvent, event::EventKind};

pub(crate) use self::labels::{CallOutcome, CircuitState, Queue, Transport};
use self::{
    labels::{AppCallLabels, ClientEventLabels, EventLabel, PartLabel, ReasonLabel},
    registry::METRICS,
};

/// Encodes all metrics as OpenMetrics text.
pub(crate) fn encode() -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &METRICS.registry)?;
    Ok(text)
}

/// Records whether the bridge lacks a part to be ready.
pub(crate) fn record_part_missing(part: &'static str, is_missing: bool) {
    METRICS.part_missing.get_or_create(&PartLabel { part }).set(i64::from(is_missing));
}

/// Records the most sockets that the bridge holds.
pub(crate) fn record_max_sockets(count: usize) {
    METRICS.max_sockets.set(count.try_into().unwrap_or(i64::MAX));
}

/// Records the socket of an admitted client. The socket counts as open until the returned value is dropped.
pub(crate) fn track_socket(transport: Transport) -> OpenSocket {
    METRICS.sockets_opened.get_or_create(&transport.label()).inc();
    METRICS.sockets_open.get_or_create(&transport.label()).inc();
    OpenSocket(transport)
}

/// An open socket.
pub(crate) struct OpenSocket(Transport);

impl OpenSocket {
    /// Records why the socket was closed. `label`: the label of a close reason.
    pub(crate) fn closed(self, label: &'static str) {
        METRICS.sockets_closed.get_or_create(&ReasonLabel { reason: label }).inc();
    }
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        METRICS.sockets_open.get_or_create(&self.0.label()).dec();
    }
}

/// Records a refused connection.
pub(crate) fn record_connection_refused(code: ErrorCode) {
    METRICS.connections_refused.get_or_create(&ReasonLabel { reason: code.as_str() }).inc();
}

/// Records that a room has its first member on this bridge.
pub(crate) fn record_room_opened() {
    METRICS.rooms.inc();
}

/// Records that a room has no member on this bridge any more.
pub(crate) fn record_room_closed() {
    METRICS.rooms.dec();
}

/// Records the response to a client's event: success, or a code. `event`: `None` if the name is unknown.
pub(crate) fn record_client_event(event: Option<ClientEvent>, refused: Option<ErrorCode>) {
    let event = event.map_or("unknown", ClientEvent::as_str);
    let code = refused.map_or("ok", ErrorCode::as_str);
    METRICS.client_events.get_or_create(&ClientEventLabels { event, code }).inc();
}

/// Records how long a client has waited for the response to an event. `taken_at`: when the session took the event.
pub(crate) fn record_client_event_duration(event: ClientEvent, taken_at: Instant) {
    let labels = EventLabel { event: event.as_str() };
    METRICS.client_event_duration.get_or_create(&labels).observe(taken_at.elapsed().as_secs_f64());
}

/// Records the start of a call to the app; each attempt is one call. The call counts as in flight until the returned
/// value is dropped.
pub(crate) fn track_app_call(kind: EventKind) -> AppCall {
    METRICS.app_calls_in_flight.inc();
    AppCall { kind, began: Instant::now(), outcome: CallOutcome::GivenUp }
}

/// A call to the app in progress.
pub(crate) struct AppCall {
    kind: EventKind,
    began: Instant,
    outcome: CallOutcome,
}

impl AppCall {
    /// Records the outcome of the call. A call that is dropped without an outcome counts as given up.
    pub(crate) fn ended(mut self, outcome: CallOutcome) {
        self.outcome = outcome;
    }
}

impl Drop for AppCall {
    fn drop(&mut self) {
        METRICS.app_calls_in_flight.dec();
        let labels = AppCallLabels { kind: self.kind.name(), outcome: self.outcome.as_str() };
        METRICS.app_call_duration.get_or_create(&labels).observe(self.began.elapsed().as_secs_f64());
    }
}

/// Records one attempt to send an event to the app. Several events may share a call.
pub(crate) fn record_app_event(kind: EventKind, outcome: CallOutcome) {
    let labels = AppCallLabels { kind: kind.name(), outcome: outcome.as_str() };
    METRICS.app_events.get_or_create(&labels).inc();
}

/// Records an event that waits for its outcome, until the returned value is dropped.
pub(crate) fn track_waiting_event() -> WaitingEvent {
    METRICS.app_events_waiting.inc();
    WaitingEvent(())
}

/// An event that waits for a call to the app.
pub(crate) struct WaitingEvent(());

impl Drop for WaitingEvent {
    fn drop(&mut self) {
        METRICS.app_events_waiting.dec();
    }
}

/// Records the state of the circuit breaker for calls to the app.
pub(crate) fn record_circuit_state(state: CircuitState) {
    METRICS.set_circuit_state(state);
}

/// Records that a room event was written to a client's connection, or queued for it. `received_at`: when the event
/// arrived from Redis.
pub(crate) fn record_fan_out(transport: Transport, received_at: Instant) {
    METRICS.fan_out[transport as usize].observe(received_at.elapsed().as_secs_f64());
}

/// Records room events that were merged into other events before they were sent.
pub(crate) fn record_merged_events(count: usize) {
    METRICS.events_merged.inc_by(count.try_into().unwrap_or(u64::MAX));
}

/// Records the depth of one client's outgoing queue.
pub(crate) fn record_queue_depth(depth: usize) {
    METRICS.outbound_queue_depth.observe(depth as f64);
}

/// Records a message that was dropped because its queue was full: the client does not keep up, and the bridge closes
/// the socket.
pub(crate) fn record_dropped_message(queue: Queue) {
    METRICS.messages_dropped.get_or_create(&labels::QueueLabel { queue: queue.as_str() }).inc();
}

/// Records that all rooms are subscribed over a new connection to Redis.
pub(crate) fn record_redis_connected() {
    METRICS.redis_connections.inc();
}

/// Records a lost connection that the bridge has to report to the app. The report counts as pending until the returned
/// value is dropped.
pub(crate) fn track_pending_disconnect() -> PendingDisconnect {
    METRICS.disconnects_waiting.inc();
    PendingDisconnect(())
}

/// A lost connection that the bridge has not reported to the app yet.
pub(crate) struct PendingDisconnect(());

impl Drop for PendingDisconnect {
    fn drop(&mut self) {
        METRICS.disconnects_waiting.dec();
    }
}

/// Records that this bridge lost its lease, so that the app treated all its connections as lost.
pub(crate) fn record_lease_lost() {
    METRICS.lease_losses.inc();
}

/// Records a sweep. `delay`: delay of the most overdue entry that the sweep settled.
pub(crate) fn record_sweep(delay: Duration) {
    METRICS.sweep_lateness.observe(delay.as_secs_f64());
}

/// Records when the next deadline passes, or has passed.
pub(crate) fn record_next_deadline(passes_at: Option<Instant>) {
    METRICS.next_deadline.set(passes_at);
}

#[cfg(test)]
mod tests {
    use rollcall_protocol::close::CloseReason;

    use super::*;

    /// Name and type of every metric, as scraped.
    fn registered() -> Vec<(String, String)> {
        let text = encode().unwrap();
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
    }

    #[test]
    fn the_documentation_lists_exactly_what_is_measured() {
        // The text lists only metrics that have been measured at least once.
        drop(track_app_call(EventKind::Connect));
        record_app_event(EventKind::Connect, CallOutcome::Ok);
        record_part_missing("app", false);
        record_client_event_duration(ClientEvent::Join, Instant::now());
        let page =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md")).unwrap();
        let (_, section) = page.split_once("\n## Metrics\n").unwrap();
        let section = section.split("\n## ").next().unwrap();
        let mut documented: Vec<_> = section
            .lines()
            .filter_map(|line| {
                let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
                let (kind, _) = rest.split_once(" |")?;
                Some((name.to_owned(), kind.to_owned()))
            })
            .collect();
        let mut measured: Vec<_> = registered().into_iter().map(add_suffix).collect();
        documented.sort();
        measured.sort();
        assert_eq!(documented, measured);
    }

    /// The name of a metric's samples, as queries use it.
    fn add_suffix((name, kind): (String, String)) -> (String, String) {
        let suffix = match kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        (name + suffix, kind)
    }

    #[test]
    fn a_socket_is_open_until_it_is_closed_or_dropped() {
        let open = || METRICS.sockets_open.get_or_create(&Transport::WebSocket.label()).get();
        let before = open();
        let closed = track_socket(Transport::WebSocket);
        let lost = track_socket(Transport::WebSocket);
        assert_eq!(open(), before + 2);
        closed.closed(CloseReason::TooSlow.label());
        drop(lost);
        assert_eq!(open(), before);
    }

    #[test]
    fn a_call_that_is_dropped_counts_as_given_up() {
        let given_up = "rollcall_app_call_duration_seconds_count{kind=\"read\",outcome=\"given_up\"} 1\n";
        assert!(!encode().unwrap().contains(given_up));
        drop(track_app_call(EventKind::Read));
        track_app_call(EventKind::Read).ended(CallOutcome::Ok);
        assert!(encode().unwrap().contains(given_up));
    }
}
