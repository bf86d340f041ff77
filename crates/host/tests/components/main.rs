//! Rollcall's own components in the host, with a real Redis.

#![allow(clippy::unwrap_used)]

mod budgets;
mod cache;
mod cron;
mod definitions;
mod http;
mod imports;
mod jwks;
mod postgres;
mod postgres_server;
mod support;
mod sweeps;
