//! A connection that hears what is published.

use redis::{
    AsyncConnectionConfig, Client, Cmd, Msg, ProtocolVersion, PushInfo, PushKind, RedisResult, Value,
    aio::MultiplexedConnection,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::redis_server::DEADLINE;

/// A connection that hears what is published, also on the channels of shards in a cluster, which `PubSub` of redis-rs does
/// not know.
pub struct Listener {
    connection: MultiplexedConnection,
    pushes: UnboundedReceiver<PushInfo>,
}

/// Makes a connection listen to more.
#[derive(Clone)]
pub struct Subscriptions(MultiplexedConnection);

impl Listener {
    /// Connects.
    pub async fn connect(client: &Client) -> RedisResult<Self> {
        let info = client.get_connection_info().clone();
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(info.set_redis_settings(settings))?;
        let (sender, pushes) = unbounded_channel();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(DEADLINE))
            .set_response_timeout(Some(DEADLINE))
            .set_push_sender(sender);
        let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(Self { connection, pushes })
    }

    /// Makes this connection listen to more.
    pub fn subscriptions(&self) -> Subscriptions {
        Subscriptions(self.connection.clone())
    }

    /// The next message; none if the server is gone.
    pub async fn next(&mut self) -> Option<Msg> {
        loop {
            let push = self.pushes.recv().await.filter(|push| push.kind != PushKind::Disconnection)?;
            if let Some(message) = Msg::from_push_info(push) {
                return Some(message);
            }
        }
    }
}

impl Subscriptions {
    /// Listens to a channel.
    pub async fn subscribe(&self, channel: &str) -> RedisResult<()> {
        self.run(redis::cmd("SUBSCRIBE").arg(channel)).await
    }

    /// Listens to all channels that match a pattern, except those of shards.
    pub async fn subscribe_to_pattern(&self, pattern: &str) -> RedisResult<()> {
        self.run(redis::cmd("PSUBSCRIBE").arg(pattern)).await
    }

    /// Listens to a channel of a shard that the node has.
    pub async fn subscribe_to_shard(&self, channel: &str) -> RedisResult<()> {
        self.run(redis::cmd("SSUBSCRIBE").arg(channel)).await
    }

    /// Listens to a channel of a shard no longer.
    pub async fn unsubscribe_from_shard(&self, channel: &str) -> RedisResult<()> {
        self.run(redis::cmd("SUNSUBSCRIBE").arg(channel)).await
    }

    /// Listens to a channel of a shard that the node will have, too.
    pub async fn subscribe_ahead(&self, channel: &str) -> RedisResult<()> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("ASKING").ignore().cmd("SSUBSCRIBE").arg(channel).ignore();
        pipeline.query_async(&mut self.0.clone()).await
    }

    async fn run(&self, command: &Cmd) -> RedisResult<()> {
        let _: Value = command.query_async(&mut self.0.clone()).await?;
        Ok(())
    }
}
