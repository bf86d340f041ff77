//! Counts what happens. Every call is a few atomic operations or one short lock, so that none is spared.
//!
//! | module | what it holds |
//! |---|---|
//! | [`labels`] | what counts are told apart by; never an id, so their number is bounded |
//! | [`registry`] | every metric, with its name and help |
//! | [`process`] | what the operating system knows of this process |

mod labels;
mod process;
mod registry;

use std::time::{Duration, Instant};

use rollcall_protocol::{ErrorCode, client::ClientEvent, event::EventKind};

pub(crate) use self::labels::{CallOutcome, Circuit, CloseReason, Queue, Transport};
use self::{
    labels::{AppCallLabels, ClientEventLabels, ReasonLabel},
    registry::METRICS,
};

/// All metrics, as OpenMetrics text.
pub(crate) fn text() -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &METRICS.registry)?;
    Ok(text)
}

/// A client has been let in. It counts as open until what this returns is dropped.
pub(crate) fn socket_opened(transport: Transport) -> OpenSocket {
    METRICS.sockets_opened.get_or_create(&transport.label()).inc();
    METRICS.sockets_open.get_or_create(&transport.label()).inc();
    OpenSocket(transport)
}

/// An open socket.
pub(crate) struct OpenSocket(Transport);

impl OpenSocket {
    /// The socket is closed.
    pub(crate) fn closed(self, reason: CloseReason) {
        METRICS.sockets_closed.get_or_create(&ReasonLabel { reason: reason.as_str() }).inc();
    }
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        METRICS.sockets_open.get_or_create(&self.0.label()).dec();
    }
}

/// Somebody who wanted to connect was refused.
pub(crate) fn connection_refused(code: ErrorCode) {
    METRICS.connections_refused.get_or_create(&ReasonLabel { reason: code.as_str() }).inc();
}

/// A room has its first member on this bridge.
pub(crate) fn room_opened() {
    METRICS.rooms.inc();
}

/// A room has no member on this bridge any more.
pub(crate) fn room_closed() {
    METRICS.rooms.dec();
}

/// A client's event has been answered: with success, or with a code. An event without a name that is known is none.
pub(crate) fn client_event(event: Option<ClientEvent>, refused: Option<ErrorCode>) {
    let event = event.map_or("unknown", ClientEvent::as_str);
    let code = refused.map_or("ok", ErrorCode::as_str);
    METRICS.client_events.get_or_create(&ClientEventLabels { event, code }).inc();
}

/// One call to the app begins; each try is one. It counts as in flight until what this returns is dropped.
pub(crate) fn app_call(kind: EventKind) -> AppCall {
    METRICS.app_calls_in_flight.inc();
    AppCall { kind, began: Instant::now(), outcome: CallOutcome::GivenUp }
}

/// A call to the app that is under way.
pub(crate) struct AppCall {
    kind: EventKind,
    began: Instant,
    outcome: CallOutcome,
}

impl AppCall {
    /// The call has come to its end. Without this, it was given up.
    pub(crate) fn ended(mut self, outcome: CallOutcome) {
        self.outcome = outcome;
    }
}

impl Drop for AppCall {
    fn drop(&mut self) {
        METRICS.app_calls_in_flight.dec();
        let labels = AppCallLabels { kind: name_of(self.kind), outcome: self.outcome.as_str() };
        METRICS.app_call_duration.get_or_create(&labels).observe(self.began.elapsed().as_secs_f64());
    }
}

/// A call waits for a place among those that are under way, until what this returns is dropped.
pub(crate) fn app_call_waiting() -> WaitingCall {
    METRICS.app_calls_waiting.inc();
    WaitingCall(())
}

/// A call that is to be made.
pub(crate) struct WaitingCall(());

impl Drop for WaitingCall {
    fn drop(&mut self) {
        METRICS.app_calls_waiting.dec();
    }
}

/// Whether calls to the app are tried at all.
pub(crate) fn circuit(state: Circuit) {
    METRICS.set_circuit(state);
}

/// A room event that Redis published at a time has been handed to the network, or to what writes to it.
pub(crate) fn fanned_out(transport: Transport, received_at: Instant) {
    METRICS.fan_out[transport as usize].observe(received_at.elapsed().as_secs_f64());
}

/// So many events of a room went out as a part of others.
pub(crate) fn events_merged(count: usize) {
    METRICS.events_merged.inc_by(count.try_into().unwrap_or(u64::MAX));
}

/// So many messages wait for one client.
pub(crate) fn queued(depth: usize) {
    METRICS.outbound_queue_depth.observe(depth as f64);
}

/// A message found its queue full: the client does not keep up, and its socket is closed.
pub(crate) fn message_dropped(queue: Queue) {
    METRICS.messages_dropped.get_or_create(&labels::QueueLabel { queue: queue.as_str() }).inc();
}

/// All rooms are subscribed, over a new connection to Redis.
pub(crate) fn redis_connected() {
    METRICS.redis_connections.inc();
}

/// The app is to be told of a lost connection. It waits until what this returns is dropped.
pub(crate) fn disconnect_waiting() -> WaitingDisconnect {
    METRICS.disconnects_waiting.inc();
    WaitingDisconnect(())
}

/// A lost connection that the app has not been told of.
pub(crate) struct WaitingDisconnect(());

impl Drop for WaitingDisconnect {
    fn drop(&mut self) {
        METRICS.disconnects_waiting.dec();
    }
}

/// The app has taken all connections of this bridge for lost.
pub(crate) fn lease_lost() {
    METRICS.lease_losses.inc();
}

/// A sweep has settled what was due; the oldest of it by so much too late.
#[cfg_attr(not(feature = "in-process"), allow(dead_code, reason = "an app elsewhere is swept elsewhere"))]
pub(crate) fn swept(late: Duration) {
    METRICS.sweep_lateness.observe(late.as_secs_f64());
}

fn name_of(kind: EventKind) -> &'static str {
    kind.ce_type().trim_start_matches("rollcall.")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name and type of every metric, as scraped.
    fn registered() -> Vec<(String, String)> {
        let text = text().unwrap();
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
    }

    #[test]
    fn the_documentation_lists_exactly_what_is_measured() {
        // Only what has been measured once is listed.
        drop(app_call(EventKind::Connect));
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
        let mut measured: Vec<_> = registered().into_iter().map(scraped).collect();
        documented.sort();
        measured.sort();
        assert_eq!(documented, measured);
    }

    /// The name of a metric's samples, as queries have it.
    fn scraped((name, kind): (String, String)) -> (String, String) {
        let suffix = match kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        (name + suffix, kind)
    }

    #[test]
    fn a_socket_is_open_until_it_is_closed_however_it_ends() {
        let open = || METRICS.sockets_open.get_or_create(&Transport::WebSocket.label()).get();
        let before = open();
        let closed = socket_opened(Transport::WebSocket);
        let lost = socket_opened(Transport::WebSocket);
        assert_eq!(open(), before + 2);
        closed.closed(CloseReason::TooSlow);
        drop(lost);
        assert_eq!(open(), before);
    }

    #[test]
    fn a_call_that_is_dropped_counts_as_given_up() {
        let given_up = "rollcall_app_call_duration_seconds_count{kind=\"read\",outcome=\"given_up\"} 1\n";
        assert!(!text().unwrap().contains(given_up));
        drop(app_call(EventKind::Read));
        app_call(EventKind::Read).ended(CallOutcome::Ok);
        assert!(text().unwrap().contains(given_up));
    }
}
