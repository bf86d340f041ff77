//! Rollcall's components, one instance each, on an engine that counts instructions.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use rollcall_servers::RedisServer;
use wasmtime::Store;
use wasmtime_wasi_http::{
    WasiHttpView,
    p3::bindings::{Service, ServicePre},
};

use crate::{
    app::grants,
    engine,
    key_value::KeyValue,
    manifest::Manifest,
    outbound_http::HttpClient,
    postgres,
    state::{Grants, State},
    variables,
};

/// Enough for all instructions of a test.
const FUEL: u64 = u64::MAX / 2;

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Components of the application of `spin.toml`.
pub(super) struct App(BTreeMap<&'static str, (Arc<Grants>, ServicePre<State>)>);

impl App {
    /// Compiles all of these components, so that events follow each other at once.
    pub(super) async fn load(
        redis: &RedisServer,
        variables: BTreeMap<String, String>,
        components: &[&'static str],
    ) -> Self {
        let manifest = Manifest::read(&project().join("spin.toml")).unwrap();
        let variables = variables::values(&manifest.variables, variables).unwrap();
        let mut config = engine::config(Some(&project().join("target/component-cache")));
        // Optimised code executes the same instructions of Wasm, and takes longer to compile.
        config.consume_fuel(true).cranelift_opt_level(wasmtime::OptLevel::None);
        let linker = engine::linker(&engine::engine(&config).unwrap()).unwrap();
        let key_value = KeyValue::new(&redis.url()).unwrap();
        let compiling = components.iter().map(async |&name| {
            let component = &manifest.components[name];
            let grants = grants(
                name,
                component,
                &variables,
                key_value.clone(),
                postgres::Pools::default(),
                HttpClient::default(),
            );
            let pre = engine::compile(&linker, &component.source).await.unwrap();
            (name, (Arc::new(grants.unwrap()), ServicePre::new(pre).unwrap()))
        });
        Self(join_all(compiling).await.into_iter().collect())
    }

    /// Starts an instance of a component.
    pub(super) async fn start(&self, name: &str) -> Instance {
        let (grants, pre) = &self.0[name];
        let mut store = State::store(pre.engine(), Arc::clone(grants));
        store.set_fuel(FUEL).unwrap();
        let service = pre.instantiate_async(&mut store).await.unwrap();
        Instance { store, service }
    }
}

/// One instance of a component, which handles one request after the other.
pub(super) struct Instance {
    store: Store<State>,
    service: Service,
}

impl Instance {
    /// The instructions that the instance has executed.
    pub(super) fn instructions(&self) -> u64 {
        FUEL - self.store.get_fuel().unwrap()
    }

    /// Handles a request, and ends all work of the instance.
    pub(super) async fn handle(&mut self, request: Request<Bytes>) -> Response<Bytes> {
        let Self { store, service } = self;
        let request = crate::http::complete(request).unwrap();
        let request = request.map(Full::new);
        let (request, _) = wasmtime_wasi_http::p3::Request::from_http(store.data_mut().http().hooks, request);
        let handled = store.run_concurrent(async |accessor| {
            let response = service.handle(accessor, request).await.unwrap().unwrap();
            let response = accessor.with(|store| response.into_http(store, async { Ok(()) })).unwrap();
            let (head, body) = response.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
            Response::from_parts(head, body)
        });
        handled.await.unwrap()
    }
}
