//! Metrics of the operating system about this process, under the names that dashboards commonly use.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

/// Registers the metrics. Only Linux has them.
pub(super) fn register(registry: &mut Registry) {
    if cfg!(target_os = "linux") {
        registry.register_collector(Box::new(Process));
    }
}

/// Reads the process's figures for each scrape.
#[derive(Debug)]
struct Process;

#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
struct Figures {
    cpu_s: f64,
    resident_bytes: f64,
    virtual_bytes: f64,
    open_fds: f64,
    max_fds: f64,
    started_at_s: f64,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let Some(figures) = read_figures() else { return Ok(()) };
        encode_metric(
            &mut encoder,
            "process_cpu",
            "CPU time spent in user and system mode",
            Some(Unit::Seconds),
            &ConstCounter::new(figures.cpu_s),
        )?;
        for (name, help, unit, value) in [
            ("process_resident_memory", "Resident memory", Some(Unit::Bytes), figures.resident_bytes),
            ("process_virtual_memory", "Virtual memory", Some(Unit::Bytes), figures.virtual_bytes),
            ("process_open_fds", "Open file descriptors", None, figures.open_fds),
            ("process_max_fds", "Limit of open file descriptors", None, figures.max_fds),
            (
                "process_start_time",
                "Start time of the process, since 1970",
                Some(Unit::Seconds),
                figures.started_at_s,
            ),
        ] {
            encode_metric(&mut encoder, name, help, unit, &ConstGauge::new(value))?;
        }
        Ok(())
    }
}

fn encode_metric(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    unit: Option<Unit>,
    metric: &impl EncodeMetric,
) -> fmt::Result {
    let help = format!("{help}.");
    metric.encode(encoder.encode_descriptor(name, &help, unit.as_ref(), metric.metric_type())?)
}

#[cfg(target_os = "linux")]
fn read_figures() -> Option<Figures> {
    use procfs::{WithCurrentSystemInfo, process::LimitValue};

    let process = procfs::process::Process::myself().ok()?;
    let stat = process.stat().ok()?;
    let ticks = procfs::ticks_per_second() as f64;
    let booted_at_s = procfs::boot_time_secs().ok()? as f64;
    let max_fds = match process.limits().ok()?.max_open_files.soft_limit {
        LimitValue::Unlimited => f64::INFINITY,
        LimitValue::Value(value) => value as f64,
    };
    Some(Figures {
        cpu_s: (stat.utime + stat.stime) as f64 / ticks,
        resident_bytes: stat.rss_bytes().get() as f64,
        virtual_bytes: stat.vsize as f64,
        open_fds: process.fd_count().ok()? as f64,
        max_fds,
        started_at_s: booted_at_s + stat.starttime as f64 / ticks,
    })
}

#[cfg(not(target_os = "linux"))]
fn read_figures() -> Option<Figures> {
    None
}
