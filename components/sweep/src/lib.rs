//! Runs every second: settles the rooms that are overdue although nobody calls.

#[allow(clippy::crate_in_macro_def, reason = "generated code")]
mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: "../../wit/cron.wit",
        world: "spin-cron",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        generate_all,
        pub_export_macro: true,
        default_bindings_module: "crate::bindings",
    });
}

use bindings::{Error, Guest, Metadata};
use futures_util::future::join_all;
use rollcall_guest::redis::{self, SpinRedis};
use rollcall_rooms::{Failure, Rooms};

struct Sweep;

#[cfg(target_arch = "wasm32")]
bindings::export!(Sweep);

impl Guest for Sweep {
    async fn handle_cron_event(_: Metadata) -> Result<(), Error> {
        sweep().await.map_err(|failure| Error::Other(failure.to_string()))
    }
}

/// All shards at once: the calls pipeline on the instance's one connection.
async fn sweep() -> Result<(), Failure> {
    let rooms = redis::rooms().await?;
    let sweeps = join_all(rooms.shards().map(|shard| sweep_shard(&rooms, shard))).await;
    sweeps.into_iter().collect()
}

/// A shard whose sweep fails does not keep the others from theirs.
async fn sweep_shard(rooms: &Rooms<SpinRedis>, shard: u64) -> Result<(), Failure> {
    loop {
        let swept = rooms.sweep(shard).await?;
        if swept.settled > 0 {
            println!("swept shard={shard} settled={} late_ms={}", swept.settled, swept.late_ms);
        }
        if !swept.more {
            return Ok(());
        }
    }
}
