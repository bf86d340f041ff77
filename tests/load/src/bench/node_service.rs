//! A service that Rollcall is compared with, as one process of Node.js.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Result;
use rollcall_tests::redis_server::RedisServer;
use tokio::process::Command;

use crate::{
    api::Api,
    harness::{ANY_PORT, Settings},
    process::Process,
    tokens::Secrets,
};

/// The folder with a folder for each service.
const SERVICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../bench");

/// The running service. Dropping it stops it.
pub struct NodeService {
    /// The name of its folder.
    name: &'static str,
    pub(super) address: SocketAddr,
    pub(super) api: Api,
    pub(super) secrets: Secrets,
    pub(super) process: Process,
    pub(super) redis: RedisServer,
    folder: PathBuf,
    grace_ms: String,
}

impl NodeService {
    pub(super) async fn start(name: &'static str, settings: &Settings) -> Result<Self> {
        let folder = settings.folder.clone();
        std::fs::create_dir_all(&folder)?;
        let redis = RedisServer::start().await;
        let secrets = Secrets::make()?;
        let grace_ms = settings.grace.as_millis().to_string();
        let command = command(name, ANY_PORT, &redis, &secrets, &grace_ms);
        let mut process = Process::start(name, command, &folder)?;
        let address: SocketAddr = process.wait_for_field("service.started", "listen").await?.parse()?;
        let api = Api::new(format!("http://{address}"), secrets.operator_token.clone());
        Ok(Self { name, address, api, secrets, process, redis, folder, grace_ms })
    }

    /// Starts the process again on the same port after it was killed.
    pub(super) async fn restart(&mut self) -> Result<()> {
        let listen = self.address.to_string();
        let command = command(self.name, &listen, &self.redis, &self.secrets, &self.grace_ms);
        self.process = Process::start(self.name, command, &self.folder)?;
        self.process.wait_for_field("service.started", "listen").await.map(drop)
    }
}

fn command(name: &str, listen: &str, redis: &RedisServer, secrets: &Secrets, grace_ms: &str) -> Command {
    let mut command = Command::new("node");
    command
        .arg(format!("{SERVICES}/{name}/server.mjs"))
        .env("NODE_ENV", "production")
        .env("LISTEN", listen)
        .env("REDIS_URL", format!("redis://{}", redis.address()))
        .env("JWT_KEYS", &secrets.jwt_keys)
        .env("OPERATOR_TOKEN", &secrets.operator_token)
        .env("GRACE_MS", grace_ms);
    command
}
