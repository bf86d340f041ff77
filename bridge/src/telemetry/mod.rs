//! What the bridge tells operators.
//!
//! | module | what it does |
//! |---|---|
//! | [`metrics`] | counts what happens |
//! | [`listener`] | serves the counts, on an address of their own |
//! | [`logs`] | sets up log lines |
//! | [`trace`] | follows a client's event to the app, across processes |
//! | [`export`] | sends spans to a collector |

mod export;
#[path = "metrics_server.rs"]
pub(crate) mod listener;
mod logs;
pub(crate) mod metrics;
pub(crate) mod trace;

use crate::config::TelemetryArgs;

/// Starts logs, and traces if they are wanted; needs the async runtime.
pub(crate) fn start(args: &TelemetryArgs) -> anyhow::Result<Exporter> {
    let provider = args.traces_url()?.map(|url| export::provider(url, args.trace_sample)).transpose()?;
    logs::start(args, provider.as_ref())?;
    trace::start(provider.is_some());
    Ok(Exporter(provider))
}

pub(crate) use export::Exporter;
