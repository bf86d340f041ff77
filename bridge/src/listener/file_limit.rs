//! The limit of open files of this process. Every socket is an open file.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are not sockets of clients: calls to the app, Redis, metrics, and connections that never become a socket.
const RESERVED: usize = 1024;

/// Raises the limit as far as the process may. Returns how many sockets fit then.
pub(crate) fn raise() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let is_raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    let limit = if is_raised { maximum } else { current };
    count_sockets(limit.and_then(|limit| limit.try_into().ok()).unwrap_or(usize::MAX))
}

/// How many sockets fit into a limit. If the limit is small, half of it is for sockets.
fn count_sockets(limit: usize) -> usize {
    limit - RESERVED.min(limit / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_files_are_never_for_sockets() {
        assert_eq!(count_sockets(20_000), 20_000 - RESERVED);
        assert_eq!(count_sockets(256), 128);
    }
}
