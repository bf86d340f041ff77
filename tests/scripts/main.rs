//! Each script by itself, against a real Redis, with time passed in.

mod attendance;
mod changes;
mod disconnect;
mod duplicates;
mod end;
mod errors;
mod expiry;
mod join;
mod late;
mod lease;
mod leave;
mod operators;
mod read;
mod resume;
mod story;
mod sweep;
