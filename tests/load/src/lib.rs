//! The load generator: real processes, virtual users on both transports, and checks of what the users receive.
//!
//! | module | what it does |
//! |---|---|
//! | `limits`, `process`, `proc_stat`, `redis_keys`, `redis_usage`, `harness`, `api`, `tokens` | runs and inspects Redis, the app and the bridges |
//! | `wire`, `connection`, `polling` | speaks the protocols of the bridge |
//! | `delay` | a network on which bytes take a while |
//! | `observer` | checks that the messages to a client are consistent |
//! | `client`, `behavior`, `virtual_user` | a client on one socket, and who drives it |
//! | `shared`, `open_rooms`, `scenario` | the state that the users share, and the rooms that end and start |
//! | `latencies`, `metrics`, `memory`, `report`, `checks` | measurements, and whether a run passed |
//! | `soak` | a whole run |
//! | `bench` | the comparison with another service |
//! | `simulate` | the scripts under the load of a million members, without sockets |

pub mod api;
pub mod behavior;
pub mod bench;
pub mod checks;
pub mod client;
pub mod connection;
pub mod delay;
pub mod harness;
pub mod latencies;
pub mod limits;
pub mod memory;
pub mod metrics;
pub mod observer;
pub mod open_rooms;
pub mod polling;
pub mod proc_stat;
pub mod process;
pub mod redis_keys;
pub mod redis_usage;
pub mod report;
pub mod scenario;
pub mod shared;
pub mod simulate;
pub mod soak;
pub mod tokens;
pub mod virtual_user;
pub mod wire;
