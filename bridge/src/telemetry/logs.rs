//! Sets up log lines: on standard error, as text or as JSON, with the spans that they belong to.

use std::io::IsTerminal;

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt, LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use super::trace;
use crate::config::{LogFormat, TelemetryArgs};

/// Starts logging, and handing spans to a provider if there is one.
pub(super) fn start(args: &TelemetryArgs, spans: Option<&SdkTracerProvider>) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&args.log_filter)?.and(without_payloads());
    let spans = spans.map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("rollcall"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
            .with_filter(own_spans())
    });
    Registry::default().with(spans).with(lines(args.log_format).with_filter(filter)).try_init()?;
    Ok(())
}

/// Libraries that log at their lowest level what goes over connections, which holds tokens.
const TELLTALES: [&str; 5] = ["h2", "hyper", "redis", "tokio_tungstenite", "tungstenite"];

/// Keeps payloads out of the log, whatever somebody asks to see.
fn without_payloads() -> Targets {
    let libraries = TELLTALES.map(|library| (library, LevelFilter::DEBUG));
    Targets::new().with_default(LevelFilter::TRACE).with_targets(libraries)
}

/// The spans that are sent. The level is known beforehand: else what every library says at any level would be looked at,
/// and compiling the components takes four times as long.
fn own_spans() -> Targets {
    Targets::new().with_target(trace::TARGET, LevelFilter::INFO)
}

fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let lines = fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::Filter;

    use super::*;

    #[test]
    fn what_goes_over_connections_is_not_logged_at_any_level() {
        let filter = without_payloads();
        assert!(!filter.would_enable("tungstenite::protocol", &tracing::Level::TRACE));
        assert!(filter.would_enable("tungstenite::protocol", &tracing::Level::DEBUG));
        assert!(filter.would_enable("rollcall::session", &tracing::Level::TRACE));
    }

    #[test]
    fn sending_spans_does_not_wake_what_libraries_say_at_lower_levels() {
        let hint = Filter::<Registry>::max_level_hint(&own_spans());
        assert_eq!(hint, Some(LevelFilter::INFO));
    }
}
