//! Outbound Redis. Each `open` makes a connection, on which concurrent calls pipeline.

use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, aio::MultiplexedConnection};
use wasmtime::component::{Accessor, HasSelf, Resource};

use crate::{
    bindings::redis::{
        Error, Host, HostConnection, HostConnectionWithStore, Payload, RedisParameter, RedisResult,
    },
    reply::{self, FlatReply},
    state::State,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

type Opened = Resource<MultiplexedConnection>;
type HostResult<T> = wasmtime::Result<Result<T, Error>>;

impl Host for State {}

impl HostConnection for State {
    fn drop(&mut self, connection: Opened) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

impl<T: Send> HostConnectionWithStore<T> for HasSelf<State> {
    async fn open(accessor: &Accessor<T, Self>, address: String) -> HostResult<Opened> {
        let component = accessor.with(|mut access| access.get().component.clone());
        if !component.allowed_hosts.allows(&address) {
            // The address may hold a password and must not be logged.
            tracing::warn!(component = component.name, "redis address not in allowed_outbound_hosts");
            return Ok(Err(Error::InvalidAddress));
        }
        let connection = match connect(&address).await {
            Ok(connection) => connection,
            Err(error) => return Ok(Err(error)),
        };
        let pushed = accessor.with(|mut access| access.get().table.push(connection));
        Ok(pushed.map_err(|_| Error::TooManyConnections))
    }

    async fn publish(
        accessor: &Accessor<T, Self>,
        connection: Opened,
        channel: String,
        payload: Payload,
    ) -> HostResult<()> {
        query(accessor, &connection, Cmd::publish(channel, payload)).await
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        connection: Opened,
        key: String,
    ) -> HostResult<Option<Payload>> {
        query(accessor, &connection, Cmd::get(key)).await
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        connection: Opened,
        key: String,
        value: Payload,
    ) -> HostResult<()> {
        query(accessor, &connection, Cmd::set(key, value)).await
    }

    async fn incr(accessor: &Accessor<T, Self>, connection: Opened, key: String) -> HostResult<i64> {
        query(accessor, &connection, Cmd::incr(key, 1)).await
    }

    async fn del(accessor: &Accessor<T, Self>, connection: Opened, keys: Vec<String>) -> HostResult<u32> {
        query(accessor, &connection, Cmd::del(keys)).await
    }

    async fn sadd(
        accessor: &Accessor<T, Self>,
        connection: Opened,
        key: String,
        values: Vec<String>,
    ) -> HostResult<u32> {
        query(accessor, &connection, Cmd::sadd(key, values)).await
    }

    async fn smembers(
        accessor: &Accessor<T, Self>,
        connection: Opened,
        key: String,
    ) -> HostResult<Vec<String>> {
        query(accessor, &connection, Cmd::smembers(key)).await
    }

    async fn srem(
        accessor: &Accessor<T, Self>,
        connection: Opened,
        key: String,
        values: Vec<String>,
    ) -> HostResult<u32> {
        query(accessor, &connection, Cmd::srem(key, values)).await
    }

    async fn execute(
        accessor: &Accessor<T, Self>,
        connection: Opened,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> HostResult<Vec<RedisResult>> {
        let reply: Result<FlatReply, Error> =
            query(accessor, &connection, command_of(&command, &arguments)).await?;
        Ok(reply.map(|reply| reply.0))
    }
}

/// Sets no limit for replies, because Spin sets none: a component that relied on a limit would hang in Spin.
async fn connect(address: &str) -> Result<MultiplexedConnection, Error> {
    let client = Client::open(address).map_err(|_| Error::InvalidAddress)?;
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_TIMEOUT)).set_response_timeout(None);
    client.get_multiplexed_async_connection_with_config(&config).await.map_err(reply::error)
}

fn command_of(command: &str, arguments: &[RedisParameter]) -> Cmd {
    let mut cmd = redis::cmd(command);
    for argument in arguments {
        match argument {
            RedisParameter::Int64(number) => cmd.arg(number),
            RedisParameter::Binary(bytes) => cmd.arg(bytes),
        };
    }
    cmd
}

async fn query<T: Send, R: FromRedisValue>(
    accessor: &Accessor<T, HasSelf<State>>,
    connection: &Opened,
    cmd: Cmd,
) -> HostResult<R> {
    let mut connection = accessor.with(|mut access| access.get().table.get(connection).cloned())?;
    Ok(cmd.query_async(&mut connection).await.map_err(reply::error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_servers::RedisServer;

    async fn execute(
        redis: &RedisServer,
        command: &str,
        arguments: &[&str],
    ) -> Result<Vec<RedisResult>, Error> {
        let mut connection = connect(&redis.url()).await?;
        let arguments: Vec<_> =
            arguments.iter().map(|text| RedisParameter::Binary(text.as_bytes().to_vec())).collect();
        let reply = command_of(command, &arguments).query_async(&mut connection).await;
        reply.map(|reply: FlatReply| reply.0).map_err(reply::error)
    }

    async fn eval(script: &str) -> Result<Vec<RedisResult>, Error> {
        execute(&RedisServer::start().unwrap(), "EVAL", &[script, "0"]).await
    }

    fn text_of(result: Result<Vec<RedisResult>, Error>) -> String {
        match result {
            Err(Error::Other(text)) => text,
            other => panic!("not an error with a text: {other:?}"),
        }
    }

    #[tokio::test]
    async fn nested_arrays_come_flattened() {
        let reply = eval("return {1, {'two', {3}}, false, redis.status_reply('FINE')}").await.unwrap();
        let expected = "[Int64(1), Binary([116, 119, 111]), Int64(3), Nil, Status(\"FINE\")]";
        assert_eq!(format!("{reply:?}").replace("RedisResult::", ""), expected);
    }

    #[tokio::test]
    async fn a_single_reply_is_a_list_of_one() {
        let redis = RedisServer::start().unwrap();
        let reply = execute(&redis, "SET", &["a", "1"]).await.unwrap();
        assert!(matches!(&reply[..], [RedisResult::Status(text)] if text == "OK"), "{reply:?}");
        let reply = execute(&redis, "GET", &["missing"]).await.unwrap();
        assert!(matches!(reply[..], [RedisResult::Nil]), "{reply:?}");
        let reply = execute(&redis, "KEYS", &["missing"]).await.unwrap();
        assert!(reply.is_empty(), "{reply:?}");
    }

    #[tokio::test]
    async fn a_missing_script_is_a_no_script_error() {
        let sha = "0".repeat(40);
        let text = text_of(execute(&RedisServer::start().unwrap(), "EVALSHA", &[&sha, "0"]).await);
        assert!(text.contains("NoScriptError"), "{text}");
    }

    #[tokio::test]
    async fn a_scripts_own_error_keeps_its_code() {
        let text = text_of(eval("return redis.error_reply('ROOM_FULL no place left')").await);
        assert_eq!(text, "ROOM_FULL: no place left");
        let text = text_of(eval("return redis.error_reply('ERR generic')").await);
        assert!(text.contains("ResponseError") && text.ends_with("generic"), "{text}");
    }

    #[tokio::test]
    async fn numbers_are_sent_as_text() {
        let redis = RedisServer::start().unwrap();
        let mut connection = connect(&redis.url()).await.unwrap();
        let arguments = [RedisParameter::Binary(b"a".to_vec()), RedisParameter::Int64(-7)];
        let set: FlatReply = command_of("SET", &arguments).query_async(&mut connection).await.unwrap();
        assert_eq!(set.0.len(), 1);
        let value: i64 = Cmd::get("a").query_async(&mut connection).await.unwrap();
        assert_eq!(value, -7);
    }

    #[tokio::test]
    async fn concurrent_calls_on_a_connection_pipeline() {
        let redis = RedisServer::start().unwrap();
        let connection = connect(&redis.url()).await.unwrap();
        let calls = (0..1000).map(|_| {
            let mut connection = connection.clone();
            async move { Cmd::incr("n", 1).query_async::<i64>(&mut connection).await.unwrap() }
        });
        let mut counted = futures_util::future::join_all(calls).await;
        counted.sort_unstable();
        assert_eq!(counted, (1..=1000).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn an_address_that_is_none_is_invalid() {
        assert!(matches!(connect("http://localhost").await, Err(Error::InvalidAddress)));
    }

    #[tokio::test]
    async fn an_address_without_a_server_is_an_error_with_a_text() {
        // No server listens on a port that the system reserves and nothing uses.
        assert!(matches!(connect("redis://127.0.0.1:1").await, Err(Error::Other(_))));
    }
}
