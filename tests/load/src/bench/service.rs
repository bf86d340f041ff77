//! A running service of any variant.

use std::{net::SocketAddr, time::Duration};

use anyhow::Result;
use redis::aio::MultiplexedConnection;

use super::{node_service::NodeService, variant::Variant};
use crate::{
    api::Api,
    harness::{Harness, Settings},
    process::Process,
    tokens::Secrets,
};

/// A running service. Dropping it stops it.
pub enum Service {
    /// A service that Rollcall is compared with.
    Node(Box<NodeService>),
    /// Rollcall.
    Rollcall(Box<Harness>),
}

impl Service {
    /// Starts a service with a Redis of its own. The settings' place of the app does not count.
    pub async fn start(variant: Variant, settings: &Settings) -> Result<Self> {
        match variant {
            Variant::Reference => Self::start_node("reference", settings).await,
            Variant::Colyseus => Self::start_node("colyseus", settings).await,
            Variant::Rollcall(app) => {
                let settings = Settings { app, ..settings.clone() };
                Ok(Self::Rollcall(Harness::start(&settings).await?.into()))
            }
        }
    }

    async fn start_node(name: &'static str, settings: &Settings) -> Result<Self> {
        Ok(Self::Node(NodeService::start(name, settings).await?.into()))
    }

    /// The address for clients.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Node(service) => service.address,
            Self::Rollcall(harness) => harness.bridges[0].address,
        }
    }

    /// Defines sessions.
    pub fn api(&self) -> &Api {
        match self {
            Self::Node(service) => &service.api,
            Self::Rollcall(harness) => &harness.api,
        }
    }

    /// Signs tokens of clients.
    pub fn secrets(&self) -> &Secrets {
        match self {
            Self::Node(service) => &service.secrets,
            Self::Rollcall(harness) => &harness.secrets,
        }
    }

    /// The process that holds the sockets.
    pub fn gateway(&self) -> &Process {
        match self {
            Self::Node(service) => &service.process,
            Self::Rollcall(harness) => &harness.bridges[0].process,
        }
    }

    /// The process with the app, if that is another one.
    pub fn app(&self) -> Option<&Process> {
        match self {
            Self::Node(_) => None,
            Self::Rollcall(harness) => harness.app.as_ref(),
        }
    }

    /// The memory of all processes, in KiB.
    pub fn resident_kib(&self) -> Result<u64> {
        let app = self.app().map(Process::memory).transpose()?.unwrap_or_default();
        Ok(self.gateway().memory()?.resident_kib + app.resident_kib)
    }

    /// The CPU time of the process with the sockets and of the app, if that is another process.
    pub fn cpu(&self) -> Result<(Duration, Option<Duration>)> {
        Ok((self.gateway().cpu()?, self.app().map(Process::cpu).transpose()?))
    }

    /// A connection to the service's Redis.
    pub async fn redis(&self) -> MultiplexedConnection {
        match self {
            Self::Node(service) => service.redis.connection().await,
            Self::Rollcall(harness) => harness.redis.connection().await,
        }
    }

    /// Kills the process that holds the sockets.
    pub async fn kill_gateway(&mut self) -> Result<()> {
        match self {
            Self::Node(service) => service.process.kill().await,
            Self::Rollcall(harness) => harness.bridges[0].process.kill().await,
        }
    }

    /// Starts that process again, on the same port.
    pub async fn restart_gateway(&mut self) -> Result<()> {
        match self {
            Self::Node(service) => service.restart().await,
            Self::Rollcall(harness) => harness.restart_first_bridge().await,
        }
    }
}
