//! Sends a request to wherever the app is.

use std::{net::SocketAddr, time::Duration};

use axum::Router;
use bytes::Bytes;
use http::{Request, Response};

#[cfg(feature = "in-process")]
use super::in_process::InProcessApp;
use super::{args::AppLocation, http::HttpApp};

/// The way to the app.
pub(super) enum Transport {
    Http(Box<HttpApp>),
    #[cfg(feature = "in-process")]
    InProcess(InProcessApp),
}

impl Transport {
    /// Prepares the way to the app; starts the app if it runs in this process.
    #[cfg_attr(
        not(feature = "in-process"),
        expect(clippy::unused_async, reason = "an app in this process starts here")
    )]
    pub(super) async fn open(location: AppLocation) -> anyhow::Result<Self> {
        Ok(match location {
            AppLocation::Http(base) => Self::Http(Box::new(HttpApp::new(base)?)),
            #[cfg(feature = "in-process")]
            AppLocation::InProcess(app) => Self::InProcess(InProcessApp::start(app).await?),
        })
    }

    pub(super) async fn send(&self, request: Request<Bytes>) -> anyhow::Result<Response<Bytes>> {
        match self {
            Self::Http(app) => app.send(request).await,
            #[cfg(feature = "in-process")]
            Self::InProcess(app) => Ok(app.send(request).await),
        }
    }

    pub(super) fn routes(&self, body_limit: Duration) -> Option<(SocketAddr, Router)> {
        #[cfg(not(feature = "in-process"))]
        let _ = body_limit;
        match self {
            Self::Http(_) => None,
            #[cfg(feature = "in-process")]
            Self::InProcess(app) => app.routes(body_limit),
        }
    }

    #[cfg_attr(
        not(feature = "in-process"),
        expect(clippy::unused_async, reason = "an app in this process ends here")
    )]
    pub(super) async fn close(&self) {
        match self {
            Self::Http(_) => {}
            #[cfg(feature = "in-process")]
            Self::InProcess(app) => app.close().await,
        }
    }
}
