//! Everything between the network and a session: accepts connections, and admits requests for new sockets.
//!
//! | module | what it does |
//! |---|---|
//! | [`args`] | flags of this part, and their check |
//! | [`accept`] | accepts connections and serves HTTP on them |
//! | [`tls`] | loads certificates, and reloads them while the bridge runs |
//! | [`lifetime`] | limits the time for a request's head, and between two requests |
//! | [`watched`] | reports to the lifetime what happens on a connection |
//! | [`stream`] | closes connections so that the client receives what was sent last |
//! | [`origin`] | refuses pages of other origins, and sets CORS headers |
//! | [`admission`] | limits how many sockets there are, and how fast new ones are opened |
//! | [`address`] | finds the address of a client, also behind proxies |
//! | [`file_limit`] | raises the limit of open files, of which each socket takes one |

pub(crate) mod accept;
pub(crate) mod address;
pub(crate) mod admission;
mod args;
pub(crate) mod file_limit;
pub(crate) mod lifetime;
pub(crate) mod origin;
mod stream;
pub(crate) mod tls;
mod watched;

pub(crate) use self::args::{ListenerArgs, ListenerOptions};
