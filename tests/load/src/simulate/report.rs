//! The report of a simulation.

use comfy_table::{CellAlignment, Table, presets::NOTHING};

use super::{
    Options, Outcome,
    calendar::Second,
    extrapolation::{self, HEADROOM, Resource},
    nodes::SLOW_US,
    timetable,
    usage::{Sample, Used},
};
use crate::latencies::Latencies;

/// Over how many seconds busy times are averaged. A node that is overloaded for longer makes events late by as long.
const WINDOW: Second = 10;

const MIB: f64 = 1024.0 * 1024.0;
const GIB: f64 = 1024.0 * MIB;

/// What one node has: one core for its commands, 16 GiB and 10 Gbit/s.
const NODE_CORES: f64 = 1.0;
const NODE_GIB: f64 = 16.0;
const NODE_MIB_PER_SECOND: f64 = 10e9 / 8.0 / MIB;

/// Kinds of keys that only a live room has.
const LIVE_KINDS: &[&str] = &["room", "members", "entries", "order", "grace", "nodes", "rate"];
const ATTENDANCE_KINDS: &[&str] = &["stays", "attendees"];

/// Formats the measurements and what follows from them.
pub fn format(options: &Options, outcome: &Outcome) -> String {
    let rows = [
        events(outcome),
        speed(options, outcome),
        busiest(outcome),
        published(outcome),
        memory(outcome),
        lateness(outcome),
        slow_scripts(outcome),
    ];
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.add_rows(rows.into_iter().flatten().map(|(name, value)| [name, value]));
    format!("{}\n\n{}", trim(table), format_extrapolation(outcome))
}

/// Formats a second of the simulation as hours, minutes and seconds.
pub fn format_time(at: Second) -> String {
    format!("{}:{:02}:{:02}", at / 3600, at / 60 % 60, at % 60)
}

type Rows = Vec<(String, String)>;

fn row(name: impl Into<String>, value: impl Into<String>) -> (String, String) {
    (name.into(), value.into())
}

fn events(outcome: &Outcome) -> Rows {
    let counts = &outcome.counts;
    vec![
        row("sessions", outcome.sessions.to_string()),
        row(
            "joins, of which recovered",
            format!("{}, {}", counts.entered + counts.recovered, counts.recovered),
        ),
        row("leaves", counts.left.to_string()),
        row(
            "lost connections, by the killed bridge",
            format!("{}, {}", counts.lost, counts.lost_with_bridge),
        ),
        row("put out at the end, after the grace period", {
            format!("{}, {}", counts.stays.ended, counts.stays.grace_expired)
        }),
        row("heartbeats, scripts of sweeps", format!("{}, {}", counts.heartbeats, counts.sweeps)),
    ]
}

fn speed(options: &Options, outcome: &Outcome) -> Rows {
    let events = as_f64(outcome.counts.events());
    let took = outcome.took.as_secs_f64();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let peak = outcome.series.peak(WINDOW, |sample| as_f64(sample.events));
    let cpu: f64 = outcome.redis.iter().map(|usage| usage.cpu.as_secs_f64()).sum();
    let scripts: u64 = outcome.redis.iter().map(|usage| usage.scripts).sum();
    let commands: u64 = outcome.redis.iter().map(|usage| usage.commands).sum();
    let quiet_end = timetable::FIRST_ARRIVAL;
    let quiet = outcome.series.cpu_seconds_before(quiet_end + 1);
    let heartbeats = extrapolation::heartbeats_per_second(
        outcome.bridges.into(),
        as_f64(options.count_shards()),
        timetable::HEARTBEAT_INTERVAL,
    );
    vec![
        row("simulated, on this machine", {
            format!(
                "{}, {took:.0} s: {} servers and all clients on {cores} cores",
                format_time(outcome.simulated),
                options.nodes
            )
        }),
        row("events a second, simulated", {
            format!(
                "{:.0}, at most {:.0} at {}",
                events / f64::from(outcome.simulated),
                peak.per_second,
                format_time(peak.at)
            )
        }),
        row("events a second, on this machine", format!("{:.0}", events / took)),
        row(
            "seconds that this machine could not keep up with",
            outcome.series.count_overloaded().to_string(),
        ),
        row("scripts, commands with those in scripts", format!("{scripts}, {commands}")),
        row("CPU of Redis per script, per event with all that belongs to it", {
            format!("{:.3}, {:.3} ms", cpu * 1000.0 / as_f64(scripts), cpu * 1000.0 / events)
        }),
        row("CPU of Redis per heartbeat and shard, in the quiet beginning", {
            format!("{:.3} ms", quiet * 1000.0 / (heartbeats * f64::from(quiet_end)))
        }),
    ]
}

fn busiest(outcome: &Outcome) -> Rows {
    let cpu = |used: &Used| used.cpu_seconds;
    let (node, second) = (outcome.series.peak_of_a_node(WINDOW, cpu), outcome.series.peak_of_a_node(1, cpu));
    let total: Vec<_> = outcome.redis.iter().map(|usage| format!("{:.0}", usage.cpu.as_secs_f64())).collect();
    vec![
        row("CPU of each node, in all", format!("{} s", total.join(", "))),
        row("CPU of the busiest node, busiest ten seconds", {
            format!("{:.0} % of a core at {}", node.per_second * 100.0, format_time(node.at))
        }),
        row("CPU of the busiest node for the busiest second", {
            format!(
                "{:.2} s at {}: with a core of its own, it is late by so much",
                second.per_second,
                format_time(second.at)
            )
        }),
    ]
}

fn published(outcome: &Outcome) -> Rows {
    let events = as_f64(outcome.counts.events());
    let peak = outcome.series.peak(WINDOW, Sample::sent_bytes);
    vec![
        row("messages to bridges", {
            format!("{}: {:.1} per event", outcome.messages, as_f64(outcome.messages) / events)
        }),
        row("bytes published to bridges", {
            let mib = as_f64(outcome.message_bytes) / MIB;
            format!(
                "{mib:.0} MiB: {:.0} bytes per message",
                as_f64(outcome.message_bytes) / as_f64(outcome.messages)
            )
        }),
        row(
            "members who hear of an event",
            format!("{:.1} on average", as_f64(outcome.counts.told) / events),
        ),
        row("bytes sent by Redis, at most", {
            format!("{:.1} MiB a second at {}", peak.per_second / MIB, format_time(peak.at))
        }),
    ]
}

fn memory(outcome: &Outcome) -> Rows {
    let live = &outcome.live_memory;
    let per_member = |bytes: u64| as_f64(bytes) / as_f64(live.members.max(1));
    let attendees = as_f64(outcome.final_memory.attendees.max(1));
    vec![
        row("members connected when most were", outcome.connected.to_string()),
        row("memory of all nodes for each of them", {
            format!("{:.0} bytes", as_f64(outcome.memory_bytes) / as_f64(outcome.connected as u64))
        }),
        row("of which live rooms, closed entries", {
            format!("{:.0}, {:.0} bytes", per_member(live.sum(LIVE_KINDS)), per_member(live.sum(&["closed"])))
        }),
        row("attendance that is kept, per user and session", {
            format!("{:.0} bytes", as_f64(outcome.final_memory.sum(ATTENDANCE_KINDS)) / attendees)
        }),
    ]
}

fn lateness(outcome: &Outcome) -> Rows {
    let format = |latencies: &Latencies| {
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|quantile| latencies.quantile_ms(quantile) / 1000.0);
        format!("{p50:.2}, {p99:.2}, {max:.2} s")
    };
    vec![
        row("reminders late on this machine: p50, p99, most", format(&outcome.timing.reminders)),
        row("ends late on this machine: p50, p99, most", format(&outcome.timing.ends)),
    ]
}

fn slow_scripts(outcome: &Outcome) -> Rows {
    let ranked = outcome.slow_scripts.ranked();
    let rows = ranked.into_iter().take(3).map(|(name, runs)| {
        row(format!("slowest runs: {name}"), {
            format!(
                "{:.1} ms; {} longer than {} ms",
                as_f64(runs.max_us) / 1000.0,
                runs.count,
                SLOW_US / 1000
            )
        })
    });
    rows.collect()
}

fn format_extrapolation(outcome: &Outcome) -> String {
    let factor = extrapolation::factor(outcome.connected as u64);
    let cpu = outcome.series.peak(WINDOW, Sample::cpu_seconds).per_second;
    let most_events_at = outcome.series.peak(WINDOW, |sample| as_f64(sample.events)).at;
    let cpu_of_events = outcome.series.mean_at(most_events_at, WINDOW, Sample::cpu_seconds);
    let sent = outcome.series.peak(WINDOW, Sample::sent_bytes).per_second / MIB;
    let gib = as_f64(outcome.memory_bytes) / GIB;
    let resources = extrapolation::rank(vec![
        Resource { name: "CPU, cores", used: cpu, per_node: NODE_CORES },
        Resource { name: "CPU when members do most, cores", used: cpu_of_events, per_node: NODE_CORES },
        Resource { name: "network, MiB a second", used: sent, per_node: NODE_MIB_PER_SECOND },
        Resource { name: "memory, GiB", used: gib, per_node: NODE_GIB },
    ]);
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.add_row(["Redis", "here", "ten million connected", "one node has", "nodes"]);
    for resource in &resources {
        table.add_row([
            resource.name.to_owned(),
            format!("{:.2}", resource.used),
            format!("{:.1}", resource.used * factor),
            format!("{:.0}", resource.per_node),
            format!("{:.0}", resource.count_nodes(factor)),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!(
        "Busiest ten seconds, all nodes together, and {:.1} times as much; nodes are {:.0} % in use at most.\n{}\n\
         First to saturate: {}.",
        factor,
        HEADROOM * 100.0,
        trim(table),
        resources.first().map_or("", |resource| resource.name),
    )
}

fn trim(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

#[expect(clippy::cast_precision_loss, reason = "counts and bytes of one run are far below 2^52")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_shown_as_a_time() {
        assert_eq!(format_time(3 * 3600 + 62), "3:01:02");
    }
}
