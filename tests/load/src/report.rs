//! What a run tells people: a line now and then, and a table at the end.

use std::time::Duration;

use comfy_table::{Table, presets::NOTHING};

use crate::{checks::Check, counters::Counters, memory::RULE};

/// What was measured of one bridge.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The process.
    pub name: String,
    /// Before any client came, in KiB.
    pub idle_kib: u64,
    /// The most that it ever held, in KiB.
    pub peak_kib: u64,
    /// The most sockets that it ever held.
    pub sockets: usize,
    /// The means of the third and of the last quarter of the run, in KiB.
    pub late_quarters_kib: (f64, f64),
}

impl Measured {
    /// What a socket cost, in KiB.
    #[expect(clippy::cast_precision_loss, reason = "KiB of a process and sockets are far below 2^52")]
    pub fn kib_per_socket(&self) -> f64 {
        self.peak_kib.saturating_sub(self.idle_kib) as f64 / self.sockets.max(1) as f64
    }
}

/// The line that is printed now and then.
pub fn line(elapsed: Duration, counters: &Counters, memory_kib: &[(String, u64)]) -> String {
    let memory: Vec<String> =
        memory_kib.iter().map(|(name, kib)| format!("{name} {} MiB", kib / 1024)).collect();
    let faults =
        counters.numbering_faults.get() + counters.member_faults.get() + counters.speech_faults.get();
    format!(
        "{:>5} s  sockets {}  joins {} (p50 {:.1} ms, p99 {:.1} ms)  events {}  refused {}  faults {faults}  {}",
        elapsed.as_secs(),
        counters.held(),
        counters.joins.get(),
        counters.join_ms(0.5),
        counters.join_ms(0.99),
        counters.events.get(),
        counters.codes().values().sum::<u64>(),
        memory.join(", "),
    )
}

/// The table at the end.
pub fn summary(
    counters: &Counters,
    measured: &[Measured],
    scripts_run: u64,
    events_per_second: f64,
) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    let mut row = |what: &str, value: String| {
        table.add_row([what.to_owned(), value]);
    };
    let sockets: usize = measured.iter().map(|bridge| bridge.sockets).sum();
    row("sockets held at most", sockets.to_string());
    row("sockets opened", counters.opened.get().to_string());
    row("joins, of which recovered", format!("{}, {}", counters.joins.get(), counters.recovered.get()));
    row("join latency p50, p99", format!("{:.1}, {:.1} ms", counters.join_ms(0.5), counters.join_ms(0.99)));
    row("leaves", counters.leaves.get().to_string());
    row("connections lost", counters.losses.get().to_string());
    row("rooms ended", counters.rooms_ended.get().to_string());
    row("events received", format!("{} ({events_per_second:.0} a second)", counters.events.get()));
    row("app calls of clients", counters.app_calls().to_string());
    row("scripts run in Redis", format!("{scripts_run} (with sweeps and heartbeats)"));
    for bridge in measured {
        let Measured { name, idle_kib, peak_kib, late_quarters_kib: (third, last), .. } = bridge;
        row(&format!("{name}: memory idle, peak"), format!("{}, {} MiB", idle_kib / 1024, peak_kib / 1024));
        row(&format!("{name}: peak per socket"), format!("{:.1} KiB", bridge.kib_per_socket()));
        row(&format!("{name}: quarters 3, 4"), format!("{:.1}, {:.1} MiB", third / 1024.0, last / 1024.0));
    }
    for (code, count) in counters.codes() {
        row(&format!("ended or refused: {code}"), count.to_string());
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    format!("{}\n({RULE})", table.trim_fmt())
}

/// What was checked, and how many checks passed.
pub fn format_checks(checks: &[Check]) -> String {
    let mut lines: Vec<String> = checks
        .iter()
        .map(|check| {
            format!("{}  {}: {}", if check.is_ok { "ok  " } else { "FAIL" }, check.name, check.found)
        })
        .collect();
    let passed = checks.iter().filter(|check| check.is_ok).count();
    lines.push(format!("\n{passed} passed, {} failed", checks.len() - passed));
    lines.join("\n")
}
