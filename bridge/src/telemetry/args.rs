//! Flags for metrics, logs and traces.

use std::net::SocketAddr;

use anyhow::ensure;
use clap::{Args, ValueEnum};
use http::Uri;
use rollcall_protocol::origin::{InvalidOrigin, OriginPolicy};
use tracing_subscriber::EnvFilter;

/// Flags for metrics, logs and traces.
#[derive(Args)]
pub(crate) struct TelemetryArgs {
    /// Address on which the bridge serves metrics, under /metrics; without this flag the bridge serves no metrics. Keep
    /// this address private.
    #[arg(long, env = "ROLLCALL_METRICS_LISTEN", value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,

    /// Origins whose pages may read the metrics, separated by commas: that of the operator's page, as in
    /// "https://app.example".
    #[arg(
        long = "metrics-origin",
        env = "ROLLCALL_METRICS_ORIGIN",
        value_delimiter = ',',
        value_name = "ORIGIN",
        requires = "metrics_listen"
    )]
    metrics_origins: Vec<String>,

    /// Format of log lines, which go to standard error.
    #[arg(long, env = "ROLLCALL_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// Log filter: a level, or levels by module as in "info,rollcall::app=debug".
    #[arg(
        long = "log",
        env = "RUST_LOG",
        default_value = "info",
        value_name = "FILTER",
        value_parser = check_filter
    )]
    pub(crate) log_filter: String,

    /// Base URL of the OpenTelemetry collector that receives traces (OTLP, http/protobuf); without this flag the bridge
    /// sends no traces.
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        value_name = "URL",
        // The URL may hold a password.
        hide_env_values = true
    )]
    otlp_endpoint: Option<String>,

    /// Share of clients' events that the bridge traces, from 0 to 1; needs --otlp-endpoint.
    #[arg(
        long,
        env = "ROLLCALL_TRACE_SAMPLE",
        default_value_t = 0.01,
        value_name = "RATIO",
        value_parser = parse_ratio
    )]
    pub(crate) trace_sample: f64,
}

/// Where metrics are served.
pub(crate) struct MetricsOptions {
    pub(crate) listen: SocketAddr,
    /// Origins whose pages may read them.
    pub(crate) origins: OriginPolicy,
}

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line, for programs.
    Json,
}

impl TelemetryArgs {
    /// Where to serve metrics, if anywhere, and to which pages.
    pub(crate) fn metrics(&self) -> Result<Option<MetricsOptions>, InvalidOrigin> {
        let origins = OriginPolicy::parse(self.metrics_origins.iter().map(String::as_str))?;
        Ok(self.metrics_listen.map(|listen| MetricsOptions { listen, origins }))
    }

    /// The URL that spans are sent to; `None` without a collector.
    pub(crate) fn traces_url(&self) -> anyhow::Result<Option<Uri>> {
        // The OpenTelemetry specification treats an empty variable as unset.
        let Some(base) = self.otlp_endpoint.as_deref().filter(|base| !base.is_empty()) else {
            return Ok(None);
        };
        // Errors omit the URL, which may hold a password.
        let url: Option<Uri> = format!("{}/v1/traces", base.trim_end_matches('/')).parse().ok();
        let url =
            url.filter(|url| matches!(url.scheme_str(), Some("http" | "https")) && url.query().is_none());
        ensure!(url.is_some(), "--otlp-endpoint must be a URL like http://127.0.0.1:4318");
        Ok(url)
    }
}

fn check_filter(text: &str) -> Result<String, tracing_subscriber::filter::ParseError> {
    EnvFilter::try_new(text).map(|_| text.to_owned())
}

fn parse_ratio(text: &str) -> Result<f64, String> {
    let ratio: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&ratio) { Ok(ratio) } else { Err("not between 0 and 1".to_owned()) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        telemetry: TelemetryArgs,
    }

    fn args(flags: &[&str]) -> Result<TelemetryArgs, clap::Error> {
        Cli::try_parse_from(["rollcall"].iter().chain(flags)).map(|cli| cli.telemetry)
    }

    #[test]
    fn the_traces_url_is_below_the_base_url() {
        let url = |base| args(&["--otlp-endpoint", base]).unwrap().traces_url();
        for base in ["http://127.0.0.1:4318", "http://127.0.0.1:4318/"] {
            assert_eq!(url(base).unwrap().unwrap(), "http://127.0.0.1:4318/v1/traces");
        }
        assert!(url("").unwrap().is_none());
        let error = url("ftp://user:hunter2@collector").unwrap_err();
        assert!(!format!("{error:#}").contains("hunter2"));
    }

    #[test]
    fn mistakes_are_found_at_the_start() {
        for flags in [
            ["--metrics-listen", "9090"],
            ["--log", "rollcall=loud"],
            ["--log-format", "xml"],
            ["--trace-sample", "1.1"],
            ["--trace-sample", "NaN"],
        ] {
            assert!(args(&flags).is_err(), "{flags:?}");
        }
    }
}
