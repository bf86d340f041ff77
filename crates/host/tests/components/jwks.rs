//! Keys of tokens from an address, through the host's outbound HTTP.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use http::StatusCode;
use jwt_simple::prelude::{Claims, Duration, ECDSAP256KeyPairLike, ES256KeyPair};
use rollcall_host::Host;
use rollcall_protocol::{call, event::Connect};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::support::{BRIDGE_SECRET, RedisServer, application, connect, request, rollcall_with, text, wasm};

/// An HTTP server that publishes a text.
struct KeyServer {
    address: String,
    published: Arc<Mutex<String>>,
    requests: Arc<AtomicU32>,
}

impl KeyServer {
    async fn start(keys: &[&ES256KeyPair]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server =
            Self { address, published: Arc::new(Mutex::new(key_set(keys))), requests: Arc::default() };
        let (published, requests) = (server.published.clone(), server.requests.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                requests.fetch_add(1, Ordering::Relaxed);
                let body = published.lock().unwrap().clone();
                tokio::spawn(respond(stream, body));
            }
        });
        server
    }

    fn publish(&self, keys: &[&ES256KeyPair]) {
        *self.published.lock().unwrap() = key_set(keys);
    }

    fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }
}

async fn respond(mut stream: TcpStream, body: String) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    assert!(request.starts_with(b"GET /keys?tenant=7 HTTP/1.1\r\n"), "{}", String::from_utf8_lossy(&request));
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).await.unwrap();
}

fn key_set(keys: &[&ES256KeyPair]) -> String {
    let keys: Vec<String> = keys.iter().map(|key| key.public_key().to_jwk()).collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

fn new_key(kid: &str) -> ES256KeyPair {
    ES256KeyPair::generate().with_key_id(kid)
}

fn token(key: &ES256KeyPair) -> String {
    key.sign(Claims::create(Duration::from_hours(1)).with_subject("kim")).unwrap()
}

/// Presents a token as a bridge does. Returns the status and the body of the response.
async fn present(host: &Host, token: String) -> (StatusCode, String) {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap();
    let (node, secret) = ("node-1".parse().unwrap(), BRIDGE_SECRET.parse().unwrap());
    let call = call::sign(&Connect { token }, "event-1", &node, now_s, &secret).unwrap();
    let response = host.handle(call).await;
    (response.status(), text(&response).to_owned())
}

fn variables(address: &str) -> [(&str, &str); 4] {
    [("jwks_scheme", "http"), ("jwks_address", address), ("jwks_path", "/keys?tenant=7"), ("jwt_keys", "")]
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_published_keys_are_verified_and_a_new_key_is_found() {
    let redis = RedisServer::start().unwrap();
    let (first, second) = (new_key("first"), new_key("second"));
    let server = KeyServer::start(&[&first]).await;
    let host = rollcall_with(&redis, &variables(&server.address)).await;

    for _ in 0..3 {
        let (status, body) = present(&host, token(&first)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    }
    assert_eq!(present(&host, token(&second)).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(server.requests(), 1, "the second request came too early");

    server.publish(&[&second]);
    let _: () = redis::cmd("DEL").arg("rollcall:{jwks}:attempt").query(&mut connect(&redis)).unwrap();
    assert_eq!(present(&host, token(&second)).await.0, StatusCode::OK);
    assert_eq!(present(&host, token(&first)).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(server.requests(), 2);

    let response = host
        .handle({
            let mut request = request("GET", "/rooms/x", "");
            let bearer = format!("Bearer {}", token(&second)).parse().unwrap();
            request.headers_mut().insert("authorization", bearer);
            request
        })
        .await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND, "the API takes the token: {}", text(&response));
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_reaches_no_host_that_the_manifest_does_not_allow() {
    let redis = RedisServer::start().unwrap();
    let key = new_key("first");
    let server = KeyServer::start(&[&key]).await;
    let connect_with = |hosts: &str| {
        format!(
            "[[trigger.http]]\nroute = '/events/connect'\ncomponent = 'connect'\n[component.connect]\n\
             source = '{}'\nallowed_outbound_hosts = ['redis://{}', {hosts}]\n[component.connect.variables]\n\
             bridge_secrets = '{BRIDGE_SECRET}'\njwt_keys = ''\njwks_scheme = 'http'\njwks_address = '{}'\n\
             jwks_path = '/keys?tenant=7'\njwt_issuer = ''\njwt_audience = ''\njwt_leeway_s = '30'\n\
             redis_url = '{}'\nredis_prefix = 'rollcall'\nredis_database = '0'\nredis_nodes = 'none:0'\nredis_timeout_ms = '2000'\n",
            wasm("connect"),
            redis.address(),
            server.address,
            redis.url(),
        )
    };
    let port = server.address.rsplit_once(':').unwrap().1;
    for hosts in [format!("'https://127.0.0.1:{port}'"), format!("'http://localhost:{port}'")] {
        let host = application(&redis, &connect_with(&hosts)).await.unwrap();
        assert_eq!(present(&host, token(&key)).await.0, StatusCode::SERVICE_UNAVAILABLE, "{hosts}");
        host.close().await;
        // The next host asks the address again.
        let _: () = redis::cmd("FLUSHALL").query(&mut connect(&redis)).unwrap();
    }
    assert_eq!(server.requests(), 0);

    let host = application(&redis, &connect_with(&format!("'http://127.0.0.1:{port}'"))).await.unwrap();
    assert_eq!(present(&host, token(&key)).await.0, StatusCode::OK);
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_another_host_must_come_by_tls() {
    let redis = RedisServer::start().unwrap();
    let host = rollcall_with(&redis, &variables("id.example")).await;
    assert_eq!(present(&host, token(&new_key("first"))).await.0, StatusCode::SERVICE_UNAVAILABLE);
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_source_of_keys_nobody_connects() {
    let redis = RedisServer::start().unwrap();
    let host = rollcall_with(&redis, &[("jwt_keys", "")]).await;
    assert_eq!(present(&host, token(&new_key("first"))).await.0, StatusCode::SERVICE_UNAVAILABLE);
    host.close().await;
}
