//! Sweeps when something is due instead of once a second, so that deadlines are punctual with the app in this process.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use rollcall_host::Host;
use rollcall_protocol::api::SweepReport;
use tokio::time::sleep;

use crate::telemetry::metrics;

/// Longest time between two sweeps, as in the app's own schedule. A deadline that the last sweep did not know of is
/// found after this time.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Sweeps until the future is dropped. `token` is one that the app accepts.
pub(super) async fn run(host: &Host, token: &str) {
    loop {
        let pause = match sweep(host, token).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::debug!(error = format!("{error:#}"), "sweep.failed");
                LONGEST_PAUSE
            }
        };
        sleep(pause).await;
    }
}

/// Sweeps once. Returns the time until something is due.
async fn sweep(host: &Host, token: &str) -> anyhow::Result<Duration> {
    let request = Request::builder()
        .method(Method::POST)
        .uri("/sweep")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(Bytes::new())?;
    let response = host.handle(request).await;
    anyhow::ensure!(response.status() == StatusCode::OK, "the app answered {}", response.status());
    let report: SweepReport = serde_json::from_slice(response.body())?;
    if report.settled > 0 {
        metrics::record_sweep(Duration::from_millis(report.late_ms));
    }
    let due_in = report.due_in_ms.map_or(LONGEST_PAUSE, Duration::from_millis);
    Ok(due_in.min(LONGEST_PAUSE))
}
