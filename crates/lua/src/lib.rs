//! Assembles Lua scripts from files that include each other, and finds the file and line behind a line of the result.
//!
//! A file names what it includes in lines of the form `--- @include "room"`, which stands for `include/room.lua`.

mod commands;
mod include_error;
mod part;
mod sources;
mod unused;

pub use include_error::IncludeError;
pub use part::{Part, locate, trace_lines};
pub use sources::{Assembled, Sources};
