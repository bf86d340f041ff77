//! What is measured, and how it is compared.

use std::collections::BTreeMap;

/// What a variant measured, in one round or as the median of all.
pub type Values = BTreeMap<Metric, f64>;

/// A figure of a variant, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// CPU time of all server processes for an event, in milliseconds.
    ServerCpu,
    /// The share of the process that holds the sockets.
    GatewayCpu,
    /// The share of the process with the app.
    AppCpu,
    /// CPU time of Redis for an event, in milliseconds.
    RedisCpu,
    /// Commands of Redis for an event, also those in scripts.
    Commands,
    /// Scripts for an event.
    Scripts,
    /// Bytes to clients for an event.
    Bytes,
    /// Events a second while everybody joins or leaves at once.
    EventsPerSecond,
    /// The median latency of a join then, in milliseconds.
    JoinP50,
    /// The 99th percentile.
    JoinP99,
    /// Events a second, evenly spread, up to which the 99th percentile stays within the limit.
    Capacity,
    /// Memory of all server processes without clients, in MiB.
    Idle,
    /// Memory of all server processes for a joined Socket.IO client, in KiB.
    SocketIoSocket,
    /// The same for a plain WebSocket.
    WebSocketSocket,
    /// From the kill of the process with the sockets until a client is in the room again, in milliseconds.
    Back,
    /// The 99th percentile of the time until an ack, while everybody sends a command at once, in milliseconds.
    AckP99,
    /// CPU time of the load generator for an event, in milliseconds.
    ClientCpu,
}

/// Which values are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    Lower,
    Higher,
    /// A part of another figure, or says nothing of the service.
    Neither,
}

impl Metric {
    /// All figures, in the order of the table.
    pub const ALL: [Self; 17] = [
        Self::ServerCpu,
        Self::GatewayCpu,
        Self::AppCpu,
        Self::RedisCpu,
        Self::Commands,
        Self::Scripts,
        Self::Bytes,
        Self::EventsPerSecond,
        Self::JoinP50,
        Self::JoinP99,
        Self::Capacity,
        Self::Idle,
        Self::SocketIoSocket,
        Self::WebSocketSocket,
        Self::Back,
        Self::AckP99,
        Self::ClientCpu,
    ];

    /// The heading of the row.
    pub fn label(self) -> &'static str {
        match self {
            Self::ServerCpu => "CPU of all servers per event, ms",
            Self::GatewayCpu => "of which the process with the sockets, ms",
            Self::AppCpu => "of which the app, ms",
            Self::RedisCpu => "CPU of Redis per event, ms",
            Self::Commands => "commands of Redis per event, with those in scripts",
            Self::Scripts => "scripts per event",
            Self::Bytes => "bytes to clients per event",
            Self::EventsPerSecond => "events per second, all at once",
            Self::JoinP50 => "join p50, all at once, ms",
            Self::JoinP99 => "join p99, all at once, ms",
            Self::Capacity => "events per second, spread, until p99 reaches 100 ms",
            Self::Idle => "memory idle, MiB",
            Self::SocketIoSocket => "memory per joined socket, Socket.IO, KiB",
            Self::WebSocketSocket => "memory per joined socket, WebSocket, KiB",
            Self::Back => "from SIGKILL until the first client is back, ms",
            Self::AckP99 => "ack p99, all at once, ms",
            Self::ClientCpu => "CPU of the load generator per event, ms",
        }
    }

    fn better(self) -> Better {
        match self {
            Self::EventsPerSecond | Self::Capacity => Better::Higher,
            Self::GatewayCpu | Self::AppCpu | Self::Scripts | Self::ClientCpu => Better::Neither,
            _ => Better::Lower,
        }
    }

    fn decimals(self) -> usize {
        match self {
            Self::ServerCpu | Self::GatewayCpu | Self::AppCpu | Self::RedisCpu | Self::ClientCpu => 3,
            Self::Commands | Self::Scripts | Self::SocketIoSocket | Self::WebSocketSocket => 1,
            _ => 0,
        }
    }

    /// Formats a value, with how many times better it is than the reference's value.
    pub fn format(self, value: f64, reference: Option<f64>) -> String {
        let text = self.format_alone(value);
        match reference.and_then(|reference| self.ratio(value, reference)) {
            Some(ratio) if ratio < 1.0 => format!("{text} ({ratio:.2}×)"),
            Some(ratio) => format!("{text} ({ratio:.1}×)"),
            None => text,
        }
    }

    /// Formats a value that is compared with no other.
    pub fn format_alone(self, value: f64) -> String {
        format!("{value:.*}", self.decimals())
    }

    /// How many times better a value is than another. None if there is no such number.
    fn ratio(self, value: f64, reference: f64) -> Option<f64> {
        let ratio = match self.better() {
            Better::Lower => reference / value,
            Better::Higher => value / reference,
            Better::Neither => return None,
        };
        (ratio.is_finite() && ratio > 0.0).then_some(ratio)
    }
}

/// The medians of several rounds.
pub fn medians(rounds: &[Values]) -> Values {
    let of = |metric| {
        let values = rounds.iter().filter_map(|values| values.get(&metric).copied()).collect();
        Some((metric, median(values)?))
    };
    Metric::ALL.into_iter().filter_map(of).collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        even if even.is_multiple_of(2) => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_needs_a_value_and_ignores_outliers() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 100.0, 1.0, 2.0]), Some(3.0));
    }

    #[test]
    fn the_medians_have_the_figures_of_the_rounds() {
        let round = |cpu| Values::from([(Metric::ServerCpu, cpu)]);
        assert_eq!(medians(&[round(3.0), round(1.0), round(2.0)]), round(2.0));
    }

    #[test]
    fn a_ratio_says_how_many_times_better_a_value_is() {
        assert_eq!(Metric::ServerCpu.format(0.25, Some(0.5)), "0.250 (2.0×)");
        assert_eq!(Metric::EventsPerSecond.format(3000.0, Some(1500.0)), "3000 (2.0×)");
        assert_eq!(Metric::Commands.format(2.0, Some(1.0)), "2.0 (0.50×)");
    }

    #[test]
    fn what_cannot_be_compared_has_no_ratio() {
        assert_eq!(Metric::ServerCpu.format(0.5, None), "0.500");
        assert_eq!(Metric::Bytes.format(0.0, Some(10.0)), "0");
        assert_eq!(Metric::Commands.format(1.0, Some(0.0)), "1.0");
        assert_eq!(Metric::ClientCpu.format(0.5, Some(1.0)), "0.500");
    }

    #[test]
    fn the_table_has_every_figure_once_in_its_order() {
        assert!(Metric::ALL.is_sorted_by(|a, b| a < b));
        assert_eq!(Metric::ALL.last(), Some(&Metric::ClientCpu));
    }
}
