//! The imports of the built components.

use wasmtime::{Config, Engine, component::Component};

use crate::support::wasm;

fn imports(component: &str) -> Vec<String> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    let engine = Engine::new(&config).unwrap();
    let component = Component::from_file(&engine, wasm(component)).unwrap();
    component.component_type().imports(&engine).map(|(name, _)| name.to_owned()).collect()
}

fn spin_imports(component: &str) -> Vec<String> {
    let mut imports = imports(component);
    imports.retain(|name| name.starts_with("spin:"));
    imports.sort();
    imports
}

const KEY_VALUE: &str = "spin:key-value/key-value@3.0.0";
const POSTGRES: &str = "spin:postgres/postgres@4.2.0";
const REDIS: &str = "spin:redis/redis@3.0.0";
const VARIABLES: &str = "spin:variables/variables@3.0.0";

/// The cron trigger runs on an older Spin, which does not load a component that imports any of these.
#[test]
fn the_sweep_imports_no_wasi_0_3_interface() {
    let imports = imports("sweep");
    assert!(imports.iter().any(|name| name == REDIS), "{imports:?}");
    let newer: Vec<_> =
        imports.iter().filter(|name| name.starts_with("wasi:") && name.contains("@0.3.")).collect();
    assert_eq!(newer, [""; 0]);
}

#[test]
fn no_component_imports_more_of_spin_than_it_needs() {
    assert_eq!(spin_imports("connect"), [REDIS, VARIABLES]);
    assert_eq!(spin_imports("join"), [KEY_VALUE, POSTGRES, REDIS, VARIABLES]);
    assert_eq!(spin_imports("leave"), [REDIS, VARIABLES]);
    assert_eq!(spin_imports("disconnect"), [REDIS, VARIABLES]);
    assert_eq!(spin_imports("heartbeat"), [REDIS, VARIABLES]);
    assert_eq!(spin_imports("read"), [REDIS, VARIABLES]);
    assert_eq!(spin_imports("timer"), [REDIS, VARIABLES]);
    assert_eq!(spin_imports("status"), [REDIS, VARIABLES]);
    assert_eq!(spin_imports("chat"), [REDIS, VARIABLES]);
    assert_eq!(spin_imports("code"), [REDIS, VARIABLES]);
    assert_eq!(spin_imports("lobby"), [REDIS, VARIABLES]);
    assert_eq!(spin_imports("sweep_http"), [REDIS, VARIABLES]);
    assert_eq!(spin_imports("web"), [VARIABLES]);
    assert_eq!(spin_imports("api"), [KEY_VALUE, POSTGRES, REDIS, VARIABLES]);
}
