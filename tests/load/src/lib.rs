//! Load: real processes, simulated clients on both transports, and what comes of it.
//!
//! | module | what it holds |
//! |---|---|
//! | `limits`, `process`, `redis_keys`, `harness`, `api`, `tokens` | what runs: Redis, the app, the bridges |
//! | `wire`, `connection` | what is spoken with a bridge |
//! | `witness` | whether what a client is told fits together |
//! | `visit`, `temperament`, `client` | what a client does, and which kinds there are |
//! | `world`, `board`, `director` | what the clients share; rooms that end and begin |
//! | `tally`, `memory`, `report`, `verdict` | what was counted, and whether it is good |
//! | `soak` | a whole run |

pub mod api;
pub mod board;
pub mod client;
pub mod connection;
pub mod director;
pub mod harness;
pub mod limits;
pub mod memory;
pub mod process;
pub mod redis_keys;
pub mod report;
pub mod soak;
pub mod tally;
pub mod temperament;
pub mod tokens;
pub mod verdict;
pub mod visit;
pub mod wire;
pub mod witness;
pub mod world;
