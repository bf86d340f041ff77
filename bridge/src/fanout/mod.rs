//! Brings the events of rooms from Redis to the sessions in them.
//!
//! | module | what it does |
//! |---|---|
//! | [`args`] | flags: where Redis is |
//! | [`hub`] | knows which session is in which room, and hands each room's updates to its sessions |
//! | [`update`] | what a session receives from its room |
//! | [`encoded`] | one event, encoded once for all clients that get it |
//! | [`routes`] | over which channels the events of a room come |
//! | [`subscriber`] | keeps the subscriptions in Redis as the hub needs them |
//! | [`shard`] | keeps the subscriptions to one shard of a cluster |
//! | [`link`] | what both do with their connections |
//! | [`coalesce`] | holds changes that happen in a room within moments, and sends them together |
//! | [`merge`] | merges changes that follow each other into fewer events |
//! | [`resync`] | reads rooms again of which events may have been missed |

pub(crate) mod args;
mod coalesce;
mod encoded;
mod hub;
mod link;
mod merge;
pub(crate) mod resync;
mod routes;
mod shard;
pub(crate) mod subscriber;
mod update;

pub(crate) use self::{
    encoded::EncodedEvent,
    hub::{Attachment, Hub},
    update::{Coalesced, RoomSnapshot, RoomUpdate},
};
