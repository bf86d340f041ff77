//! The limit of open files of this process. Every socket is an open file.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are not sockets of clients: connections without a session, connections to the app's own port, calls to the
/// app, Redis, metrics.
const RESERVED: usize = 1024;

/// How the open files of this process are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileBudget {
    /// For sockets of clients.
    pub(crate) sockets: usize,
    /// For clients' connections beyond those of sockets.
    pub(crate) without_session: usize,
    /// For connections to the app's own port.
    pub(crate) app: usize,
}

/// Raises the limit as far as the process may. Returns what fits then.
pub(crate) fn raise() -> FileBudget {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let is_raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    let limit = if is_raised { maximum } else { current };
    FileBudget::of(limit.and_then(|limit| limit.try_into().ok()).unwrap_or(usize::MAX))
}

impl FileBudget {
    /// Shares a limit. If it is small, half of it is for sockets.
    pub(crate) fn of(limit: usize) -> Self {
        let reserved = RESERVED.min(limit / 2);
        Self { sockets: limit - reserved, without_session: reserved / 4, app: reserved / 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_files_are_never_for_sockets() {
        let large = FileBudget { sockets: 20_000 - RESERVED, without_session: 256, app: 512 };
        assert_eq!(FileBudget::of(20_000), large);
        assert_eq!(FileBudget::of(256), FileBudget { sockets: 128, without_session: 32, app: 64 });
    }
}
