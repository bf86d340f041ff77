//! Each script by itself, against a real Redis, with time passed in.

mod disconnect;
mod end;
mod expiry;
mod join;
mod lease;
mod leave;
mod story;
mod sweep;
