//! The life of a bridge process: builds its services, runs them, and shuts them down.
//!
//! | module | what it does |
//! |---|---|
//! | [`server`] | runs a bridge from its start to its end |
//! | [`heartbeat`] | keeps the bridge's lease alive |
//! | [`sweeper`] | asks the app for a sweep when something is due |
//! | [`readiness`] | checks the app before the bridge is ready |
//! | [`app_server`] | serves the app's own HTTP routes |
//! | [`drain`] | shuts down in order |
//! | [`signals`] | waits for the signals that stop the process |

mod app_server;
mod drain;
mod heartbeat;
mod readiness;
mod server;
mod signals;
mod sweeper;

pub(crate) use self::server::run;
