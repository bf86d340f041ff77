//! Rust types and traits for the interfaces in `wit/`.

pub(crate) use exports::{SpinCronPre, spin::cron::cron_types};
pub(crate) use imports::{
    Host_ as Imports,
    spin::{key_value::key_value, postgres::postgres, redis::redis, variables::variables},
};

mod imports {
    macro_rules! bindgen {
        ($($behavior:tt)*) => {
            wasmtime::component::bindgen!({
                path: [
                    "../../wit/key-value.wit",
                    "../../wit/postgres.wit",
                    "../../wit/redis.wit",
                    "../../wit/variables.wit",
                    "../../wit/host.wit",
                ],
                world: "rollcall:host/host",
                with: {
                    "spin:key-value/key-value.store": crate::key_value::OpenStore,
                    "spin:postgres/postgres.connection": crate::postgres::OpenConnection,
                    "spin:redis/redis.connection": redis::aio::MultiplexedConnection,
                },
                imports: { default: $($behavior)* },
            });
        };
    }

    // Traces hold arguments and results, some of which are secrets. Only the tests of budgets need them.
    #[cfg(not(test))]
    bindgen!(trappable);
    #[cfg(test)]
    bindgen!(trappable | tracing);
}

mod exports {
    wasmtime::component::bindgen!({ path: "../../wit/cron.wit", world: "spin:cron/spin-cron" });
}
