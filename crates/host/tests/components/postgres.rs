//! Definitions from PostgreSQL: the component `join`, the tables of a study service and a real server.

use std::time::{Duration, Instant};

use http::StatusCode;
use rollcall_host::Host;
use rollcall_protocol::{
    call::{self, Secret},
    client::Profile,
    event::Join,
};
use serde_json::Value;

use crate::{
    postgres_server::TestPostgres,
    support::{BRIDGE_SECRET, RedisServer, rollcall_with, text},
};

const TABLES: &str = r#"
    CREATE TABLE "user" (id bigint PRIMARY KEY, username text NOT NULL);
    CREATE TABLE study_info (group_id bigint PRIMARY KEY, end_time timestamptz);
    CREATE TABLE user_group (user_id bigint, group_id bigint, is_group_leader boolean NOT NULL);
    INSERT INTO "user" VALUES (1, 'lea'), (2, 'kim'), (3, 'mallory');
    INSERT INTO study_info VALUES (10, now() + interval '1 hour'), (11, NULL), (12, now() - interval '1 hour');
    INSERT INTO user_group VALUES
        (1, 10, true), (2, 10, false), (1, 11, true), (2, 11, false), (1, 12, true), (2, 12, false);
"#;

struct Service {
    redis: RedisServer,
    postgres: TestPostgres,
    entries: std::cell::Cell<u32>,
}

impl Service {
    async fn start() -> Self {
        let postgres = TestPostgres::start();
        postgres.connect().await.batch_execute(TABLES).await.unwrap();
        Self { redis: RedisServer::start().unwrap(), postgres, entries: std::cell::Cell::new(0) }
    }

    async fn host(&self, more: &[(&str, &str)]) -> Host {
        let address = self.postgres.address();
        let mut variables = vec![
            ("sessions", "postgres"),
            ("postgres_address", address.as_str()),
            ("postgres_credentials", TestPostgres::credentials()),
            ("postgres_database", "postgres"),
            ("redis_timeout_ms", "3000"),
        ];
        variables.extend(more);
        rollcall_with(&self.redis, &variables).await
    }

    /// Joins, and returns the data of the ack or the code of the refusal.
    async fn join(&self, host: &Host, room: &str, user: &str) -> Result<Value, String> {
        self.entries.set(self.entries.get() + 1);
        let entry = format!("entry-{}", self.entries.get());
        let join = Join {
            room_id: room.parse().unwrap(),
            profile: Profile { user_id: user.parse().unwrap(), user_name: user.to_owned(), user_role: None },
            entry_id: entry.parse().unwrap(),
            grant: None,
            node_id: "node".parse().unwrap(),
            resume_hash: "hash".parse().unwrap(),
            resumes: None,
            replaces: None,
        };
        let now_s = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs().try_into().unwrap();
        let secret: Secret = BRIDGE_SECRET.parse().unwrap();
        let call = call::sign(&join, &entry, &"node".parse().unwrap(), now_s, &secret).unwrap();
        let response = host.handle(call).await;
        for secret in ["sesame", "study:"] {
            assert!(!text(&response).contains(secret), "{}", text(&response));
        }
        let ack: Value = serde_json::from_str(text(&response)).unwrap();
        match response.status() {
            StatusCode::OK => Ok(ack["data"].clone()),
            _ => Err(ack["code"].as_str().unwrap().to_owned()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_leaders_and_ends_are_those_of_the_tables() {
    let service = Service::start().await;
    let host = service.host(&[]).await;
    let kim = service.join(&host, "10", "2").await.unwrap();
    assert_eq!((&kim["leaderId"], &kim["hostId"], &kim["first"]), (&"1".into(), &"2".into(), &true.into()));
    let remain_ms = kim["remainMs"].as_u64().unwrap();
    assert!((3_500_000..=3_600_000).contains(&remain_ms), "{remain_ms}");
    assert_eq!(service.join(&host, "10", "1").await.unwrap()["hostId"], "1");

    assert_eq!(service.join(&host, "10", "3").await.unwrap_err(), "NOT_A_MEMBER");
    assert_eq!(service.join(&host, "99", "2").await.unwrap_err(), "NO_SUCH_ROOM");
    assert_eq!(service.join(&host, "11", "2").await.unwrap_err(), "NO_SUCH_ROOM", "it has no end");
    assert_eq!(service.join(&host, "12", "2").await.unwrap_err(), "SESSION_ENDED");
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_only_ever_compared() {
    let service = Service::start().await;
    let host = service.host(&[]).await;
    for id in [
        "' OR '1'='1",
        "10; DROP TABLE user_group; --",
        "10' UNION SELECT 1, '1', true --",
        "$2",
        "\\'; SELECT pg_sleep(60); --",
        "10 OR 1=1",
        "{{ bridge_secrets }}",
    ] {
        assert_eq!(service.join(&host, id, "2").await.unwrap_err(), "NO_SUCH_ROOM", "{id}");
        assert_eq!(service.join(&host, "10", id).await.unwrap_err(), "NOT_A_MEMBER", "{id}");
    }
    let rows = service.postgres.connect().await.query("SELECT * FROM user_group", &[]).await.unwrap();
    assert_eq!(rows.len(), 6);
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_query_is_configurable() {
    let service = Service::start().await;
    let query = "SELECT 4102444800000::bigint AS end_at_ms, 'lea' AS leader_id, $2 <> 'mallory' AS is_member, \
                 1 AS capacity, 'takeover' AS duplicates WHERE $1 = 'algebra'";
    let host = service.host(&[("postgres_query", query)]).await;
    service.join(&host, "algebra", "kim").await.unwrap();
    assert_eq!(service.join(&host, "algebra", "kim").await.unwrap()["recovered"], true, "taken over");
    assert_eq!(service.join(&host, "algebra", "ben").await.unwrap_err(), "ROOM_FULL");
    assert_eq!(service.join(&host, "algebra", "mallory").await.unwrap_err(), "NOT_A_MEMBER");
    for broken in ["SELECT", "SELECT 1 AS end_at_ms, $1, $2", "SELECT nothing FROM nowhere WHERE $1 = $2"] {
        let host = service.host(&[("postgres_query", broken)]).await;
        assert_eq!(service.join(&host, "algebra", "kim").await.unwrap_err(), "UNAVAILABLE", "{broken}");
    }
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_database_is_given_up_in_time() {
    let service = Service::start().await;
    let query = "SELECT 1::bigint AS end_at_ms FROM pg_sleep(60) WHERE $1 <> $2";
    let host = service.host(&[("postgres_query", query), ("redis_timeout_ms", "300")]).await;
    let start = Instant::now();
    assert_eq!(service.join(&host, "10", "2").await.unwrap_err(), "UNAVAILABLE");
    assert!(start.elapsed() < Duration::from_secs(20));
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_down_is_found_again() {
    let mut service = Service::start().await;
    let host = service.host(&[]).await;
    service.join(&host, "10", "2").await.unwrap();
    service.postgres.stop();
    assert_eq!(service.join(&host, "10", "1").await.unwrap_err(), "UNAVAILABLE");
    service.postgres.resume();
    let mut joined = service.join(&host, "10", "1").await;
    for _ in 0..3 {
        if joined.is_ok() {
            break;
        }
        // Other instances may still hold a broken connection.
        joined = service.join(&host, "10", "1").await;
    }
    assert_eq!(joined.unwrap()["count"], 2);
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_another_place_are_refused() {
    let service = Service::start().await;
    let host = service.host(&[("postgres_credentials", "study:wrong-sesame@")]).await;
    assert_eq!(service.join(&host, "10", "2").await.unwrap_err(), "UNAVAILABLE");
    let host = service.host(&[("postgres_credentials", "study:x@elsewhere:1,")]).await;
    assert_eq!(service.join(&host, "10", "2").await.unwrap_err(), "UNAVAILABLE");
    host.close().await;
}
