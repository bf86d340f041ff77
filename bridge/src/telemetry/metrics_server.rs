//! Serves metrics on an address of their own. Anybody can reach the address for clients, and must not read metrics.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use axum::{Router, extract::State, response::IntoResponse, routing::get};
use http::{StatusCode, header};
use tokio::{net::TcpListener, time::Instant};

use super::metrics;
use crate::health::{self, Health};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves metrics and health checks on an address, until the process ends.
pub(crate) async fn serve(address: SocketAddr, health: Arc<Health>) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let listen = listener.local_addr()?;
    let metrics = Router::new().route("/metrics", get(scrape).with_state(Arc::clone(&health)));
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
