//! Wasmtime, set up for components that yield, and what they may import.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use wasmtime::{
    Config, Engine,
    component::{Component, HasSelf, InstancePre, Linker},
};

use crate::{bindings::Imports, state::State};

/// How long a guest may compute before it gives way to others on its thread.
const TICK: Duration = Duration::from_millis(10);

/// An engine whose clock ticks for as long as it lives.
pub(crate) fn engine() -> Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model_async(true).epoch_interruption(true);
    let engine = Engine::new(&config)?;
    let ticking = engine.weak();
    // A thread and not a task: a guest that computes could keep the task from running.
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

/// All that a component may import; whether it may use it is decided when it does.
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
