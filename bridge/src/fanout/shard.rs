//! Keeps the subscriptions to the rooms of one shard of a cluster, over a connection to a node that has the shard.
//!
//! Each shard has its own connection, so that a shard that moves or whose node dies interrupts no other. The cluster client
//! of redis-rs is not used: when a slot moves, its old node ends the subscriptions, and that client then forgets them.

use std::{
    convert::Infallible,
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail};
use futures_util::{Stream, StreamExt, stream};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, Msg, ProtocolVersion, PushInfo, PushKind,
    RedisError, RedisResult, ServerErrorKind, Value, aio::MultiplexedConnection,
};
use rollcall_protocol::{Keyspace, RoomId, fanout::Envelope};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

use super::{
    hub::Hub,
    link::{self, Follower, Link, Pauses, REPLY_LIMIT},
    resync::ResyncQueue,
    routes::Route,
};
use crate::health::Health;

/// Shorter than for other connections, because members of other shards go on meanwhile and a replica takes over soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// So often in a row a shard is looked for without a pause.
const MOVES_AT_ONCE: u32 = 5;

/// Subscribes to the rooms of a shard and hands their events to the hub.
pub(super) struct ShardSubscriber {
    pub(super) redis: Client,
    pub(super) keyspace: Keyspace,
    pub(super) shard: u64,
    pub(super) hub: Arc<Hub>,
    pub(super) resync: Arc<ResyncQueue>,
    pub(super) health: Arc<Health>,
}

/// Another node has the shard.
#[derive(Debug, thiserror::Error)]
#[error("another node has the shard")]
struct Moved {
    /// The other node, if it is known.
    to: Option<String>,
}

impl ShardSubscriber {
    /// Subscribes until the future is dropped.
    pub(super) async fn run(self) {
        let mut pauses = Pauses::up_to(LONGEST_PAUSE);
        let (mut node, mut moves) = (Node::default(), 0);
        loop {
            let (started, is_reached) = (Instant::now(), AtomicBool::new(false));
            let Err(error) = self.subscribe(&node, &is_reached).await;
            if is_reached.into_inner() {
                moves = 0;
            }
            let moved = error.downcast_ref::<Moved>();
            match moved {
                Some(Moved { to }) => node.follow(to.as_deref()),
                None => node.try_another(),
            }
            if moved.is_some() && moves < MOVES_AT_ONCE {
                moves += 1;
                continue;
            }
            moves = 0;
            let pause = pauses.after(started);
            let error = format!("{error:#}");
            tracing::warn!(shard = self.shard, error, pause_ms = pause.as_millis(), "redis.disconnected");
            sleep(pause).await;
        }
    }

    async fn subscribe(&self, node: &Node, is_reached: &AtomicBool) -> anyhow::Result<Infallible> {
        let (sender, mut pushes) = mpsc::unbounded_channel();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(REPLY_LIMIT))
            .set_response_timeout(Some(REPLY_LIMIT))
            .set_push_sender(sender);
        let client = node.client(&self.redis)?;
        let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let confirmed = watch::Sender::new(0);
        let link = ShardLink {
            connection,
            prefix: self.keyspace.shard_channel_prefix(self.shard),
            confirmed: confirmed.subscribe(),
            expected: 0,
        };
        let (moved, is_moved) = watch::channel(false);
        let events = self.events(stream::poll_fn(move |cx| pushes.poll_recv(cx)), &confirmed, &moved);
        tokio::select! {
            ended = self.follow_hub(link, is_reached) => ended,
            () = link::broadcast(&self.hub, events) => {
                if *is_moved.borrow() { Err(Moved { to: None }.into()) } else { bail!("the connection was closed") }
            }
        }
    }

    async fn follow_hub(&self, mut link: ShardLink, is_reached: &AtomicBool) -> anyhow::Result<Infallible> {
        // The node says here if it does not have the shard.
        link.run("SSUBSCRIBE", &[self.keyspace.shard_channel(self.shard)]).await?;
        tracing::info!(shard = self.shard, "redis.shard_connected");
        is_reached.store(true, Ordering::Relaxed);
        let _reached = self.health.record_reached_shard();
        let route = Route::Shard(self.shard);
        let follower = Follower { hub: &self.hub, resync: &self.resync, route };
        follower.start(&mut link).await?;
        follower.run(&mut link).await
    }

    /// The events of rooms, until the connection closes or the node loses the shard. Counts the confirmations.
    fn events<'a>(
        &'a self,
        pushes: impl Stream<Item = PushInfo> + Unpin + 'a,
        confirmed: &'a watch::Sender<usize>,
        moved: &'a watch::Sender<bool>,
    ) -> impl Stream<Item = (RoomId, Envelope)> + Unpin + 'a {
        let (prefix, own) =
            (self.keyspace.shard_channel_prefix(self.shard), self.keyspace.shard_channel(self.shard));
        let take = move |push: PushInfo| {
            match push.kind {
                PushKind::Disconnection => return None,
                PushKind::SSubscribe | PushKind::SUnsubscribe => {
                    // A node that loses a slot ends all subscriptions in it. The bridge itself never ends this one.
                    let is_lost = push.kind == PushKind::SUnsubscribe
                        && push.data.first() == Some(&Value::BulkString(own.clone().into_bytes()));
                    if is_lost {
                        tracing::info!(shard = self.shard, "redis.shard_moved");
                        moved.send_replace(true);
                        return None;
                    }
                    confirmed.send_modify(|count| *count += 1);
                }
                _ => {}
            }
            Some(Msg::from_push_info(push).and_then(|message| {
                link::read_event(message.get_channel_name(), &prefix, message.get_payload_bytes())
            }))
        };
        pushes.map(take).take_while(|push| ready(push.is_some())).filter_map(|push| ready(push.flatten()))
    }
}

/// Where a shard is looked for.
#[derive(Default)]
struct Node {
    /// The last node that is known to have had the shard, as host and port.
    known: Option<String>,
    /// Whether the configured address is asked instead.
    asks_configured: bool,
}

impl Node {
    /// Goes to another node, or asks the same one where the shard is.
    fn follow(&mut self, to: Option<&str>) {
        if let Some(to) = to {
            (self.known, self.asks_configured) = (Some(to.to_owned()), false);
        }
    }

    /// The configured address and the known node take turns, because either may be gone.
    fn try_another(&mut self) {
        self.asks_configured = !self.asks_configured;
    }

    /// A client to the node. Redis pushes what is published beside its replies only with RESP3.
    fn client(&self, configured: &Client) -> RedisResult<Client> {
        let info = configured.get_connection_info().clone();
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let addr = match &self.known {
            Some(node) if !self.asks_configured => address_of(node, info.addr()),
            _ => info.addr().clone(),
        };
        Client::open(info.set_redis_settings(settings).set_addr(addr))
    }
}

/// The address of a node that another node has named. The host is empty if it is the same.
fn address_of(node: &str, configured: &ConnectionAddr) -> ConnectionAddr {
    let mut addr = configured.clone();
    if let (
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. },
        Some((new_host, new_port)),
    ) = (&mut addr, node.rsplit_once(':'))
    {
        if !new_host.is_empty() {
            new_host.clone_into(host);
        }
        *port = new_port.parse().unwrap_or(*port);
    }
    addr
}

/// The connection to the node of a shard.
struct ShardLink {
    connection: MultiplexedConnection,
    /// What the channels of rooms begin with.
    prefix: String,
    /// How many subscriptions have begun or ended.
    confirmed: watch::Receiver<usize>,
    /// How many should have by now.
    expected: usize,
}

impl ShardLink {
    fn channels(&self, rooms: &[RoomId]) -> Vec<String> {
        rooms.iter().map(|room| format!("{}{room}", self.prefix)).collect()
    }

    /// Runs a command, and waits until Redis has confirmed each channel.
    async fn run(&mut self, command: &str, channels: &[String]) -> anyhow::Result<()> {
        self.expected += channels.len();
        let reply: RedisResult<Value> =
            redis::cmd(command).arg(channels).query_async(&mut self.connection).await;
        reply.map_err(read_error)?;
        let expected = self.expected;
        self.confirmed
            .wait_for(|confirmed| *confirmed >= expected)
            .await
            .context("the connection was closed")?;
        Ok(())
    }
}

impl Link for ShardLink {
    async fn subscribe(&mut self, rooms: &[RoomId]) -> anyhow::Result<()> {
        let channels = self.channels(rooms);
        self.run("SSUBSCRIBE", &channels).await
    }

    async fn unsubscribe(&mut self, rooms: &[RoomId]) -> anyhow::Result<()> {
        let channels = self.channels(rooms);
        self.run("SUNSUBSCRIBE", &channels).await
    }

    async fn ping(&mut self) -> anyhow::Result<()> {
        let _: Value = redis::cmd("PING").query_async(&mut self.connection).await?;
        Ok(())
    }
}

fn read_error(error: RedisError) -> anyhow::Error {
    match (error.kind(), error.redirect_node()) {
        (ErrorKind::Server(ServerErrorKind::Moved), Some((node, _))) => {
            Moved { to: Some(node.to_owned()) }.into()
        }
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str, node: &str) -> String {
        address_of(node, Client::open(url).unwrap().get_connection_info().addr()).to_string()
    }

    #[test]
    fn a_node_is_reached_as_the_configured_address_is() {
        assert_eq!(address("redis://seed:7000", "10.0.0.7:7001"), "10.0.0.7:7001");
        assert_eq!(address("redis://seed:7000", "::1:7001"), "::1:7001");
        assert_eq!(address("redis://seed:7000", ":7001"), "seed:7001", "the same host");
        let tls = address_of("b:2", Client::open("rediss://a:1").unwrap().get_connection_info().addr());
        assert!(matches!(tls, ConnectionAddr::TcpTls { host, port: 2, .. } if host == "b"));
    }

    #[test]
    fn a_node_that_cannot_be_reached_and_the_configured_address_take_turns() {
        let configured = Client::open("redis://seed:7000").unwrap();
        let mut node = Node::default();
        let address =
            |node: &Node| node.client(&configured).unwrap().get_connection_info().addr().to_string();
        assert_eq!(address(&node), "seed:7000");
        node.follow(Some("other:7001"));
        assert_eq!(address(&node), "other:7001");
        node.follow(None);
        assert_eq!(address(&node), "other:7001", "it says where the shard has gone");
        node.try_another();
        assert_eq!(address(&node), "seed:7000");
        node.try_another();
        assert_eq!(address(&node), "other:7001");
    }
}
