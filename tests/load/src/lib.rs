//! Load: real processes, simulated clients on both transports, and checks of what the clients received.
//!
//! | module | what it holds |
//! |---|---|
//! | `limits`, `process`, `redis_keys`, `harness`, `api`, `tokens` | what runs: Redis, the app, the bridges |
//! | `wire`, `connection` | the protocols of both transports |
//! | `event_checker` | whether the events that a client received are consistent |
//! | `client`, `client_kind`, `visit` | what a client does, and the kinds of clients |
//! | `world`, `open_rooms`, `operators` | what the clients share; rooms that end and begin |
//! | `counters`, `memory`, `report`, `checks` | what was counted, and whether it is within the limits |
//! | `soak` | a whole run |

pub mod api;
pub mod checks;
pub mod client;
pub mod client_kind;
pub mod connection;
pub mod counters;
pub mod event_checker;
pub mod harness;
pub mod limits;
pub mod memory;
pub mod open_rooms;
pub mod operators;
pub mod process;
pub mod redis_keys;
pub mod report;
pub mod soak;
pub mod tokens;
pub mod visit;
pub mod wire;
pub mod world;
