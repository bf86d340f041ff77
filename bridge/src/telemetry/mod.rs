//! Metrics, logs and traces for operators.
//!
//! | module | what it does |
//! |---|---|
//! | [`args`] | flags of this part |
//! | [`metrics`] | counts what happens |
//! | [`metrics_server`] | serves metrics on an address of their own |
//! | [`logs`] | sets up log lines |
//! | [`trace`] | traces an event of a client to the app, across processes |
//! | [`export`] | sends spans to a collector |

mod args;
mod export;
mod logs;
pub(crate) mod metrics;
pub(crate) mod metrics_server;
pub(crate) mod trace;

pub(crate) use self::{
    args::{MetricsOptions, TelemetryArgs},
    export::Exporter,
};

/// Starts logs, and traces if a collector is configured. Must be called within the async runtime.
pub(crate) fn start(args: &TelemetryArgs) -> anyhow::Result<Exporter> {
    let provider =
        args.traces_url()?.map(|url| export::build_provider(url, args.trace_sample)).transpose()?;
    logs::start(args, provider.as_ref())?;
    trace::set_exporting(provider.is_some());
    Ok(Exporter(provider))
}
