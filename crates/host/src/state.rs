//! The state of one instance.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use wasmtime::{Engine, Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline, component::ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::{
    allowed_hosts::AllowedHosts,
    key_value::KeyValue,
    outbound_http::{HttpClient, OutboundHttp},
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
    pub(crate) http_client: HttpClient,
}

/// The state of one instance.
pub(crate) struct State {
    pub(crate) component: Arc<Grants>,
    pub(crate) table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: OutboundHttp,
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
            hooks: OutboundHttp(Arc::clone(&component)),
            component,
            table: ResourceTable::new(),
            wasi,
            http: WasiHttpCtx::new(),
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
