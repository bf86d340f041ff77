//! The limit of open files, and how many sockets it allows.

use anyhow::Result;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that a process needs besides the sockets of clients.
const RESERVED: u64 = 512;

/// Raises the limit of this process and its children to the maximum. Returns the new limit.
pub fn raise_open_files() -> Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    Ok(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))
}

/// The number of clients that a limit allows. A reserve covers sockets that closed clients still hold.
pub fn max_sockets(open_files: u64) -> usize {
    usize::try_from(open_files.saturating_sub(RESERVED) / 10 * 9).unwrap_or(usize::MAX)
}
