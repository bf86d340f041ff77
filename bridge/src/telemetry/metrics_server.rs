//! Serves metrics on an address of their own. Anybody can reach the address for clients, and must not read metrics.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use axum::{Router, response::IntoResponse, routing::get};
use http::{StatusCode, header};
use tokio::net::TcpListener;

use super::metrics;
use crate::health::{self, Health};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves metrics and health checks on an address, until the process ends.
pub(crate) async fn serve(address: SocketAddr, health: Arc<Health>) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let listen = listener.local_addr()?;
    let router = health::add_routes(Router::new().route("/metrics", get(scrape)), health);
    tokio::spawn(axum::serve(listener, router).into_future());
    tracing::info!(%listen, "metrics.started");
    Ok(())
}

async fn scrape() -> impl IntoResponse {
    match metrics::encode() {
        Ok(text) => Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text)),
        Err(error) => {
            tracing::error!(%error, "metrics.not_written");
            Err(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}
