//! HTTP components, run as in production.

use crate::support::{
    OPERATOR_TOKEN, RedisServer, application, connect, request, rollcall, rollcall_with, text, wasm,
};
use http::{HeaderValue, StatusCode};
use rollcall_protocol::event::EventKind;

const DEFINITION: &str = r#"{"endAt":4102444800000,"leaderId":"kim","duplicates":"refuse"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_is_kept_in_the_key_value_store() {
    let redis = RedisServer::start().unwrap();
    let host = rollcall(&redis).await;

    let put = host.handle(request("PUT", "/rooms/x", DEFINITION)).await;
    assert_eq!(put.status(), StatusCode::CREATED, "{}", text(&put));
    let got = host.handle(request("GET", "/rooms/x", "")).await;
    assert_eq!((got.status(), text(&got)), (StatusCode::OK, DEFINITION));
    let keys: Vec<String> = redis::cmd("KEYS").arg("*session*").query(&mut connect(&redis)).unwrap();
    assert_eq!(keys.len(), 1, "{keys:?}");

    let deleted = host.handle(request("DELETE", "/rooms/x", "")).await;
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    let gone = host.handle(request("GET", "/rooms/x", "")).await;
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsigned_event_or_check_is_refused() {
    let redis = RedisServer::start().unwrap();
    let host = rollcall(&redis).await;
    for path in EventKind::ALL.iter().map(|kind| kind.path()) {
        let mut check = request("POST", path, "{}");
        check.headers_mut().insert("ce-type", HeaderValue::from_static("rollcall.check"));
        for call in [request("POST", path, "{}"), check] {
            let response = host.handle(call).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}: {}", text(&response));
        }
    }
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_without_route_is_not_found() {
    let redis = RedisServer::start().unwrap();
    let host = rollcall(&redis).await;
    assert_eq!(host.handle(request("GET", "/nowhere", "")).await.status(), StatusCode::NOT_FOUND);
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_an_instance_takes_are_all_answered() {
    let redis = RedisServer::start().unwrap();
    // The largest limit, because 500 calls at once may take longer than the default on a busy machine.
    let host = rollcall_with(&redis, &[("redis_timeout_ms", "30000")]).await;
    let calls = (0..500).map(|n| {
        let host = host.clone();
        // Reads, because the lock of a change does not last for as long as so many calls may take.
        tokio::spawn(async move {
            let response = host.handle(request("GET", &format!("/rooms/{n}/members"), "")).await;
            (text(&response).contains("NOT_LIVE"), text(&response).to_owned())
        })
    });
    for is_answered in futures_util::future::join_all(calls).await {
        let (is_answered, text) = is_answered.unwrap();
        assert!(is_answered, "{text}");
    }
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_without_the_store_cannot_open_it() {
    let redis = RedisServer::start().unwrap();
    let manifest = format!(
        "[[trigger.http]]\nroute = '/rooms/...'\ncomponent = 'api'\n[component.api]\nsource = '{}'\n\
         [component.api.variables]\noperator_tokens = '{}'\noperator_read_tokens = ''\ncors_origins = ''\nredis_timeout_ms = '2000'\n",
        wasm("api"),
        OPERATOR_TOKEN,
    );
    let host = application(&redis, &manifest).await.unwrap();
    let response = host.handle(request("GET", "/rooms/x", "")).await;
    assert!(response.status().is_server_error(), "{}", response.status());
    host.close().await;
}
