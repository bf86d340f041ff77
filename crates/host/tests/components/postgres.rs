//! Definitions from PostgreSQL: the component `join`, the tables of a study service and a real server.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use rollcall_host::Host;
use serde_json::Value;

use crate::{
    postgres_server::{TestCertificates, TestPgBouncer, TestPostgres},
    support::{RedisServer, join_with, send_join},
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
    entries: AtomicU32,
}

impl Service {
    async fn start() -> Self {
        Self::with(TestPostgres::start()).await
    }

    async fn with(postgres: TestPostgres) -> Self {
        postgres.connect().await.batch_execute(TABLES).await.unwrap();
        Self { redis: RedisServer::start().unwrap(), postgres, entries: AtomicU32::new(0) }
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
        join_with(&self.redis, &variables).await
    }

    /// Joins, and returns the data of the ack or the code of the refusal.
    async fn join(&self, host: &Host, room: &str, user: &str) -> Result<Value, String> {
        let entry = format!("entry-{}", self.entries.fetch_add(1, Ordering::Relaxed));
        send_join(host, room, user, &entry).await
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
async fn a_query_may_end_in_a_semicolon_or_a_comment() {
    let service = Service::start().await;
    for (index, end) in [";", " ;\n", " -- of a user", "\n/* of a user */ ;"].into_iter().enumerate() {
        let query =
            format!("SELECT now() + interval '1 hour' AS end_at, 8 AS leader_id, $2 <> $1 AS is_member{end}");
        let host = service.host(&[("postgres_query", &query)]).await;
        service.join(&host, &index.to_string(), "kim").await.unwrap();
        host.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_time_is_in_the_time_zone_of_the_database() {
    let service = Service::start().await;
    let database = service.postgres.connect().await;
    let zone = "ALTER DATABASE postgres SET timezone TO 'Asia/Seoul';
         ALTER TABLE study_info ALTER end_time TYPE timestamp USING end_time AT TIME ZONE 'Asia/Seoul'";
    database.batch_execute(zone).await.unwrap();
    let host = service.host(&[]).await;
    let remain_ms = service.join(&host, "10", "2").await.unwrap()["remainMs"].as_u64().unwrap();
    assert!((3_500_000..=3_600_000).contains(&remain_ms), "{remain_ms}");
    assert_eq!(service.join(&host, "12", "2").await.unwrap_err(), "SESSION_ENDED");
    host.close().await;
    // Midnight of a day without a time, in the same time zone: at most 24 hours away everywhere else.
    let query =
        "SELECT (now() AT TIME ZONE 'Asia/Seoul')::date + 1 AS end_at, 'lea' AS leader_id, true AS is_member,
         EXTRACT(EPOCH FROM date_trunc('day', now() AT TIME ZONE 'Asia/Seoul') + interval '1 day'
                          - now() AT TIME ZONE 'Asia/Seoul') AS s WHERE $1 <> $2";
    let host = service.host(&[("postgres_query", query)]).await;
    let remain_ms = service.join(&host, "day", "2").await.unwrap()["remainMs"].as_f64().unwrap();
    let seconds: f64 = {
        let query = format!("SELECT s::float8 FROM ({query}) AS today");
        database.query_one(&query, &[&"a", &"b"]).await.unwrap().get(0)
    };
    // Midnight may pass between both.
    let difference_s = (remain_ms / 1000.0 - seconds).rem_euclid(86_400.0);
    assert!(!(60.0..86_340.0).contains(&difference_s), "{remain_ms} ms, {seconds} s");
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_outside_of_the_range_is_over_or_stands_for_no_end() {
    let service = Service::start().await;
    let ends = "INSERT INTO study_info VALUES (20, 'infinity'), (21, '-infinity'), (22, '9999-12-31'),
         (23, '294276-12-31'), (24, '1969-07-20'), (25, '0044-03-15 BC');
         INSERT INTO user_group SELECT 2, id, true FROM generate_series(20, 25) AS id";
    service.postgres.connect().await.batch_execute(ends).await.unwrap();
    let host = service.host(&[]).await;
    for (room, code) in [
        ("20", "NO_SUCH_ROOM"),
        ("21", "SESSION_ENDED"),
        ("22", "NO_SUCH_ROOM"),
        ("23", "NO_SUCH_ROOM"),
        ("24", "SESSION_ENDED"),
        ("25", "SESSION_ENDED"),
    ] {
        assert_eq!(service.join(&host, room, "2").await.unwrap_err(), code, "{room}");
    }
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_counts_whatever_its_type_and_is_never_dropped() {
    let service = Service::start().await;
    let query = |columns: &str| {
        format!(
            "SELECT 4102444800000 AS end_at_ms, 8 AS leader_id, true AS is_member, {columns} WHERE $1 <> $2"
        )
    };
    for (index, one) in ["1::smallint", "1::bigint", "1::numeric"].into_iter().enumerate() {
        let host = service.host(&[("postgres_query", &query(&format!("{one} AS capacity")))]).await;
        let room = format!("limited-{index}");
        service.join(&host, &room, "kim").await.unwrap();
        assert_eq!(service.join(&host, &room, "ben").await.unwrap_err(), "ROOM_FULL", "{one}");
        host.close().await;
    }
    for columns in
        ["'30' AS capacity", "-1 AS capacity", "0 AS capacity", "1 AS duplicates", "'no' AS duplicates"]
    {
        let host = service.host(&[("postgres_query", &query(columns))]).await;
        assert_eq!(service.join(&host, "unusable", "kim").await.unwrap_err(), "UNAVAILABLE", "{columns}");
        host.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_joins_at_once_wait_for_a_few_connections() {
    // One connection is the test's own.
    let service = Service::with(TestPostgres::start_with(&["max_connections=17".to_owned()])).await;
    join_three_hundred(&service, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_pass_pgbouncer_in_transaction_mode() {
    let service = Service::start().await;
    let pgbouncer = TestPgBouncer::start(&service.postgres);
    join_three_hundred(&service, &[("postgres_address", &pgbouncer.address())]).await;
}

async fn join_three_hundred(service: &Service, more: &[(&str, &str)]) {
    let users = "INSERT INTO user_group SELECT id, 10, false FROM generate_series(1001, 1300) AS id";
    service.postgres.connect().await.batch_execute(users).await.unwrap();
    let mut variables = vec![("redis_timeout_ms", "30000")];
    variables.extend(more);
    let host = service.host(&variables).await;
    let users: Vec<String> = (1001..=1300).map(|id| id.to_string()).collect();
    let joins = join_all(users.iter().map(|user| service.join(&host, "10", user))).await;
    let refused: Vec<_> = joins.iter().filter_map(|join| join.as_ref().err()).collect();
    assert!(refused.is_empty(), "{} were refused: {refused:?}", refused.len());
    host.close().await;
}

/// Sleeps in the room `slow`, and in no other.
const SLOW: &str = "SELECT 4102444800000 AS end_at_ms, 8 AS leader_id, $2 <> '' AS is_member
                      FROM pg_sleep(CASE $1 WHEN 'slow' THEN 600 ELSE 0 END)";

/// The most connections of a host.
const CONNECTIONS: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_for_a_connection_has_a_limit_and_closed_connections_are_replaced() {
    let service = Service::start().await;
    let host = service.host(&[("postgres_query", SLOW), ("redis_timeout_ms", "30000")]).await;
    let slow = join_all((0..CONNECTIONS).map(|_| service.join(&host, "slow", "kim")));
    let others = async {
        service.postgres.wait_for_sleepers(16).await;
        let start = Instant::now();
        assert_eq!(service.join(&host, "fast", "kim").await.unwrap_err(), "UNAVAILABLE");
        assert!(start.elapsed() < Duration::from_secs(20), "the wait has a limit of its own");
        let close = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        service.postgres.connect().await.batch_execute(close).await.unwrap();
    };
    let (slow, ()) = futures_util::future::join(slow, others).await;
    assert_eq!(slow, vec![Err("UNAVAILABLE".to_owned()); CONNECTIONS]);
    service.join(&host, "fast", "kim").await.unwrap();
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_nobody_waits_for_is_cancelled_and_frees_its_connection() {
    let service = Service::start().await;
    let host = service.host(&[("postgres_query", SLOW), ("redis_timeout_ms", "1000")]).await;
    let slow = join_all((0..2 * CONNECTIONS).map(|_| service.join(&host, "slow", "kim"))).await;
    assert_eq!(slow, vec![Err("UNAVAILABLE".to_owned()); 2 * CONNECTIONS]);
    service.postgres.wait_for_sleepers(0).await;
    while service.join(&host, "fast", "kim").await.is_err() {}
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_encrypted_and_verified_as_the_address_says() {
    let (certificates, others) = (TestCertificates::create(), TestCertificates::create());
    let service = Service::with(TestPostgres::start_with(&certificates.settings())).await;
    service.postgres.require_tls().await;
    let (authority, other) = (certificates.authority(), others.authority());
    let named = format!("localhost:{}", service.postgres.port());
    let address = service.postgres.address();
    for (address, parameters, is_accepted) in [
        (&address, String::new(), true),
        (&address, "sslmode=prefer".to_owned(), true),
        (&address, "sslmode=disable".to_owned(), false),
        (&address, "sslmode=require".to_owned(), true),
        (&address, format!("sslmode=require&sslrootcert={other}"), false),
        (&address, format!("sslmode=verify-ca&sslrootcert={authority}"), true),
        (&address, format!("sslmode=verify-ca&sslrootcert={other}"), false),
        (&address, format!("sslmode=verify-full&sslrootcert={authority}"), true),
        (&address, "sslmode=verify-full".to_owned(), false),
        (&address, "sslmode=verify-full&sslrootcert=/nowhere.pem".to_owned(), false),
        (&named, format!("sslmode=verify-ca&sslrootcert={authority}"), true),
        (&named, format!("sslmode=verify-full&sslrootcert={authority}"), false),
    ] {
        let host = service.host(&[("postgres_address", address), ("postgres_parameters", &parameters)]).await;
        let joined = service.join(&host, "99", "2").await.unwrap_err();
        let expected = if is_accepted { "NO_SUCH_ROOM" } else { "UNAVAILABLE" };
        assert_eq!(joined, expected, "{address} {parameters}");
        host.close().await;
    }
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
