//! How many files the process may open. Every socket is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are not clients' sockets: calls to the app, Redis, metrics, and connections that no socket comes of.
const RESERVE: usize = 1024;

/// Raises the limit as far as the process may. Returns for how many sockets there is place then.
pub(crate) fn places() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let is_raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    let limit = if is_raised { maximum } else { current };
    places_within(limit.and_then(|limit| limit.try_into().ok()).unwrap_or(usize::MAX))
}

/// Of few files, a half is for sockets.
fn places_within(limit: usize) -> usize {
    limit - RESERVE.min(limit / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_files_are_never_for_sockets() {
        assert_eq!(places_within(20_000), 20_000 - RESERVE);
        assert_eq!(places_within(256), 128);
    }
}
