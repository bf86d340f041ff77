//! Sets up log lines: on standard error, as text or as JSON, with the spans that contain them.

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

use super::{
    args::{LogFormat, TelemetryArgs},
    trace,
};

/// Starts logging, and passes spans to the provider if there is one.
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
    Registry::default().with(spans).with(build_line_layer(args.log_format).with_filter(filter)).try_init()?;
    Ok(())
}

/// Libraries that log the payloads of connections at their lowest level. The payloads contain tokens.
const LIBRARIES_THAT_LOG_PAYLOADS: [&str; 5] = ["h2", "hyper", "redis", "tokio_tungstenite", "tungstenite"];

/// Keeps payloads out of the log, whatever the log filter allows.
fn without_payloads() -> Targets {
    let libraries = LIBRARIES_THAT_LOG_PAYLOADS.map(|library| (library, LevelFilter::DEBUG));
    Targets::new().with_default(LevelFilter::TRACE).with_targets(libraries)
}

/// Selects the bridge's own spans for export. The filter names a level, because without a level every log call of every
/// library would be evaluated, and compiling the components takes four times as long.
fn own_spans() -> Targets {
    Targets::new().with_target(trace::TARGET, LevelFilter::INFO)
}

fn build_line_layer<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
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
    fn payloads_are_not_logged_at_any_level() {
        let filter = without_payloads();
        assert!(!filter.would_enable("tungstenite::protocol", &tracing::Level::TRACE));
        assert!(filter.would_enable("tungstenite::protocol", &tracing::Level::DEBUG));
        assert!(filter.would_enable("rollcall::session", &tracing::Level::TRACE));
    }

    #[test]
    fn exporting_spans_does_not_enable_lower_levels_of_libraries() {
        let hint = Filter::<Registry>::max_level_hint(&own_spans());
        assert_eq!(hint, Some(LevelFilter::INFO));
    }
}
