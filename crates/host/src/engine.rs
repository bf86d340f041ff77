//! Wasmtime's engine for components that yield, and the imports of components.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use wasmtime::{
    Cache, CacheConfig, Config, Engine,
    component::{Component, HasSelf, InstancePre, Linker},
};

use crate::{bindings::Imports, state::State};

/// How long a guest may compute before it yields its thread.
const TICK: Duration = Duration::from_millis(10);

/// Keeps compiled components in the folder `cache`.
pub(crate) fn config(cache: Option<&Path>) -> Config {
    let mut config = Config::new();
    config.wasm_component_model_async(true).epoch_interruption(true).cache(cache.and_then(open_cache));
    config
}

/// An engine with a clock of its own.
pub(crate) fn engine(config: &Config) -> Result<Engine> {
    let engine = Engine::new(config)?;
    let ticking = engine.weak();
    // A computing guest could block a task, but not a thread.
    let tick = move || {
        while let Some(engine) = ticking.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new().name("wasm-epoch".to_owned()).spawn(tick)?;
    Ok(engine)
}

/// A folder that cannot be used makes a start slower, and is no reason to fail.
fn open_cache(folder: &Path) -> Option<Cache> {
    let open = || {
        let mut config = CacheConfig::new();
        config.with_directory(std::path::absolute(folder)?);
        Cache::new(config).map_err(anyhow::Error::from)
    };
    let not_cached = |error: &anyhow::Error| {
        tracing::warn!(folder = %folder.display(), error = format!("{error:#}"), "components.not_cached");
    };
    open().inspect_err(not_cached).ok()
}

/// Everything that a component may import. The host checks permissions at each use.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    Imports::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

/// Compiles the file at `path`, on a thread that may block.
pub(crate) async fn compile(linker: &Linker<State>, path: &Path) -> Result<InstancePre<State>> {
    ensure!(path.is_file(), "{} does not exist: build it with `cargo xtask build`", path.display());
    let (engine, file) = (linker.engine().clone(), path.to_owned());
    let compiled = tokio::task::spawn_blocking(move || Component::from_file(&engine, file)).await?;
    let pre = compiled.and_then(|component| linker.instantiate_pre(&component));
    pre.map_err(anyhow::Error::from)
        .with_context(|| format!("cannot load {}; build it again with `cargo xtask build`", path.display()))
}
