//! The report of a run: a progress line at intervals, and tables at the end.

use std::time::Duration;

use comfy_table::{Table, presets::NOTHING};

use crate::{checks::Check, memory::RULE, metrics::Metrics};

/// The measurements of one bridge.
#[derive(Debug, Clone)]
pub struct BridgeReport {
    /// The name of the process.
    pub name: String,
    /// The memory before any client connected, in KiB.
    pub idle_kib: u64,
    /// The highest memory, in KiB.
    pub peak_kib: u64,
    /// The highest number of open sockets.
    pub max_sockets: usize,
    /// The mean memory of the third and of the last quarter of the run, in KiB.
    pub last_quarters_kib: (f64, f64),
}

impl BridgeReport {
    /// The memory for each socket, in KiB.
    #[expect(clippy::cast_precision_loss, reason = "KiB of a process and sockets are far below 2^52")]
    pub fn kib_per_socket(&self) -> f64 {
        self.peak_kib.saturating_sub(self.idle_kib) as f64 / self.max_sockets.max(1) as f64
    }
}

/// Formats the progress line.
pub fn format_progress(elapsed: Duration, metrics: &Metrics, memory_kib: &[(String, u64)]) -> String {
    let memory: Vec<String> =
        memory_kib.iter().map(|(name, kib)| format!("{name} {} MiB", kib / 1024)).collect();
    format!(
        "{:>5} s  sockets {}  joins {} (p50 {:.1} ms, p99 {:.1} ms)  events {}  refused {}  violations {}  {}",
        elapsed.as_secs(),
        metrics.open_sockets(),
        metrics.joins.get(),
        metrics.join_latency_ms(0.5),
        metrics.join_latency_ms(0.99),
        metrics.events.get(),
        metrics.codes().values().sum::<u64>(),
        metrics.violations(),
        memory.join(", "),
    )
}

/// Formats the table of measurements.
pub fn format_summary(
    metrics: &Metrics,
    bridges: &[BridgeReport],
    scripts_run: u64,
    events_per_second: f64,
) -> String {
    let mut rows = client_rows(metrics, bridges);
    rows.push((
        "events received".to_owned(),
        format!("{} ({events_per_second:.0} a second)", metrics.events.get()),
    ));
    rows.push(("app calls of clients".to_owned(), metrics.app_calls().to_string()));
    rows.push(("scripts run in Redis".to_owned(), format!("{scripts_run} (with sweeps and heartbeats)")));
    rows.extend(bridges.iter().flat_map(bridge_rows));
    let codes = metrics.codes().into_iter();
    rows.extend(codes.map(|(code, count)| (format!("ended or refused: {code}"), count.to_string())));

    let mut table = Table::new();
    table.load_style(NOTHING);
    table.add_rows(rows.into_iter().map(|(name, value)| [name, value]));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    format!("{}\n({RULE})", table.trim_fmt())
}

fn client_rows(metrics: &Metrics, bridges: &[BridgeReport]) -> Vec<(String, String)> {
    let max_sockets: usize = bridges.iter().map(|bridge| bridge.max_sockets).sum();
    let joins = format!("{}, {}", metrics.joins.get(), metrics.recovered.get());
    let latency = format!("{:.1}, {:.1} ms", metrics.join_latency_ms(0.5), metrics.join_latency_ms(0.99));
    [
        ("sockets open at most", max_sockets.to_string()),
        ("sockets opened", metrics.opened.get().to_string()),
        ("joins, of which recovered", joins),
        ("join latency p50, p99", latency),
        ("leaves", metrics.leaves.get().to_string()),
        ("connections lost", metrics.disconnects.get().to_string()),
        ("rooms ended", metrics.rooms_ended.get().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn bridge_rows(bridge: &BridgeReport) -> [(String, String); 3] {
    let BridgeReport { name, idle_kib, peak_kib, last_quarters_kib: (third, last), .. } = bridge;
    [
        (format!("{name}: memory idle, peak"), format!("{}, {} MiB", idle_kib / 1024, peak_kib / 1024)),
        (format!("{name}: peak per socket"), format!("{:.1} KiB", bridge.kib_per_socket())),
        (format!("{name}: quarters 3, 4"), format!("{:.1}, {:.1} MiB", third / 1024.0, last / 1024.0)),
    ]
}

/// Formats the results of the checks, and how many passed.
pub fn format_checks(checks: &[Check]) -> String {
    let mut lines: Vec<String> = checks
        .iter()
        .map(|check| {
            format!("{}  {}: {}", if check.passed { "ok  " } else { "FAIL" }, check.name, check.found)
        })
        .collect();
    let passed = checks.iter().filter(|check| check.passed).count();
    lines.push(format!("\n{passed} passed, {} failed", checks.len() - passed));
    lines.join("\n")
}
