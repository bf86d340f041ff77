//! Installing what is needed. Each step says itself in a line, skips what is there, and fails with what to do.

pub mod cargo_deny;
pub mod cargo_fuzz;
pub mod chromium;
mod debian;
mod faketime;
pub mod luacheck;
pub mod node;
mod postgres;
mod python;
mod redis;
pub mod schemathesis;
pub mod wasm;

use anyhow::Result;

pub use faketime::library as faketime_library;

/// What building and running need.
pub fn for_running() -> Result<()> {
    println!("Set-up:");
    wasm::ensure()?;
    redis::ensure()
}

/// What the tests need as well.
pub fn for_tests() -> Result<()> {
    for_running()?;
    faketime::ensure()?;
    node::ensure()?;
    chromium::ensure()?;
    postgres::ensure()?;
    schemathesis::ensure().map(drop)
}
