//! Tests of each script by itself, in a real Redis, with time passed in.

mod attendance;
mod broken_changes;
mod changes;
mod clock;
mod disconnect;
mod due;
mod duplicates;
mod end;
mod errors;
mod expiry;
mod fixture;
mod ids;
mod join;
mod jwks;
mod known_definitions;
mod late;
mod lease;
mod leave;
mod operators;
mod pauses;
mod rate_limit;
mod read;
mod resume;
mod rights;
mod sweep;
mod updates;
