//! Installs what the tasks need. Each step prints one line, skips what is installed, and fails with instructions.

pub mod cargo_deny;
pub mod cargo_fuzz;
pub mod cargo_mutants;
pub mod chromium;
mod debian;
mod faketime;
mod locales;
pub mod luacheck;
pub mod node;
mod pgbouncer;
mod postgres;
mod prometheus;
pub mod proxies;
mod python;
pub mod python_tools;
mod redis;
pub mod wasm;

use anyhow::Result;

pub use faketime::library as faketime_library;

/// Installs what running Redis needs.
pub fn for_redis() -> Result<()> {
    println!("Set-up:");
    redis::ensure()
}

/// Installs what building and running need.
pub fn for_running() -> Result<()> {
    println!("Set-up:");
    wasm::ensure()?;
    node::ensure_for_page()?;
    redis::ensure()
}

/// Installs what the tests need, too.
pub fn for_tests() -> Result<()> {
    for_running()?;
    faketime::ensure()?;
    node::ensure()?;
    chromium::ensure()?;
    postgres::ensure()?;
    pgbouncer::ensure()?;
    locales::ensure()?;
    proxies::ensure()?;
    prometheus::ensure()?;
    python_tools::ensure().map(drop)
}
