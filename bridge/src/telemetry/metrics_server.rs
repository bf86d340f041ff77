//! Serves metrics on an address of their own. Anybody can reach the address for clients, and must not read metrics.

use std::sync::Arc;

use anyhow::Context;
use axum::{Router, extract::State, response::IntoResponse, routing::get};
use http::{StatusCode, header};
use tokio::{net::TcpListener, time::Instant};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::{MetricsOptions, metrics};
use crate::health::{self, Health};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves metrics and health checks on an address, until the process ends.
pub(crate) async fn serve(options: MetricsOptions, health: Arc<Health>) -> anyhow::Result<()> {
    let MetricsOptions { listen: address, origins } = options;
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let listen = listener.local_addr()?;
    let is_allowed = AllowOrigin::predicate(move |origin, request| {
        origins.allows(origin, request.headers.get(header::HOST))
    });
    let metrics = Router::new()
        .route("/metrics", get(scrape).with_state(Arc::clone(&health)))
        .layer(CorsLayer::new().allow_origin(is_allowed));
    let router = health::add_routes(metrics, health);
    tokio::spawn(axum::serve(listener, router).into_future());
    tracing::info!(%listen, "metrics.started");
    Ok(())
}

async fn scrape(State(health): State<Arc<Health>>) -> impl IntoResponse {
    for (part, is_missing) in health.parts(Instant::now()) {
        metrics::record_part_missing(part.as_str(), is_missing);
    }
    match metrics::encode() {
        Ok(text) => Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text)),
        Err(error) => {
            tracing::error!(%error, "metrics.not_written");
            Err(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}
