//! Reports lost connections to the app, however long that takes: as long as this bridge lives, its lease keeps their
//! members present.
//!
//! One call at a time reports all disconnects that are pending. So a disconnect that comes alone is sent at once, and
//! disconnects that come meanwhile go together in the next call.
//!
//! | module | what it does |
//! |---|---|
//! | [`queue`] | holds the disconnects that the app does not know of yet |
//! | [`worker`] | sends them |

mod queue;
mod worker;

pub(crate) use self::{
    queue::{CancelHandle, Disconnects},
    worker::run,
};
