//! How many sockets a process may hold.

use anyhow::Result;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that a process needs beside its clients' sockets.
const RESERVED: u64 = 512;

/// Lets this process and those it starts open as many files as they may. Returns how many.
pub fn raise_open_files() -> Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    Ok(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))
}

/// How many clients that is enough for, with some that have gone and whose sockets are still open.
pub fn sockets_within(open_files: u64) -> usize {
    usize::try_from(open_files.saturating_sub(RESERVED) / 10 * 9).unwrap_or(usize::MAX)
}
