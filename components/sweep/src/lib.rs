//! Runs every second and settles rooms that are due although no call arrives.

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
use rollcall_guest::{redis, sweep, time_limit};

struct Sweep;

#[cfg(target_arch = "wasm32")]
bindings::export!(Sweep);

impl Guest for Sweep {
    async fn handle_cron_event(_: Metadata) -> Result<(), Error> {
        let work = async { sweep::run(&*redis::rooms().await?).await };
        time_limit::within_time_limit(work).await.map(|_| ()).map_err(|error| Error::Other(error.to_string()))
    }
}
