//! The state of one instance.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use wasmtime::{Engine, Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline, component::ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error as HttpError, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use crate::{
    allowed_hosts::AllowedHosts,
    key_value::KeyValue,
    output::{Output, Source},
    postgres,
};

/// The limit of Akamai Functions, so that the same components run there.
const MAX_MEMORY_BYTES: usize = 128 * 1024 * 1024;

/// The permissions and variables of a component, which all its instances share.
pub(crate) struct Grants {
    pub(crate) name: String,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) allowed_hosts: AllowedHosts,
    pub(crate) key_value_stores: BTreeSet<String>,
    pub(crate) key_value: KeyValue,
    pub(crate) postgres: postgres::Pools,
}

/// The state of one instance.
pub(crate) struct State {
    pub(crate) component: Arc<Grants>,
    pub(crate) table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: NoOutboundHttp,
    limits: StoreLimits,
}

impl State {
    /// A store for a new instance: no files, no environment, no sockets, and bounded memory.
    pub(crate) fn store(engine: &Engine, component: Arc<Grants>) -> Store<Self> {
        let wasi = WasiCtx::builder()
            .stdout(Output::new(&component.name, Source::Stdout))
            .stderr(Output::new(&component.name, Source::Stderr))
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        let state = Self {
            component,
            table: ResourceTable::new(),
            wasi,
            http: WasiHttpCtx::new(),
            hooks: NoOutboundHttp,
            limits: StoreLimitsBuilder::new().memory_size(MAX_MEMORY_BYTES).build(),
        };
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.limits);
        // An endlessly computing guest yields at each tick. Tokio's own yield also runs timers and sockets; a task
        // that merely wakes itself would delay timers and sockets for 61 ticks.
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|_| {
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
        });
        store
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

struct NoOutboundHttp;

type Sending = Box<dyn Future<Output = Result<(), HttpError>> + Send>;

impl WasiHttpHooks for NoOutboundHttp {
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Sending,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, Sending), HttpError>> + Send> {
        Box::new(async { Err(HttpError::HttpRequestDenied) })
    }
}
