//! The ports that servers are started on.

use std::{
    iter,
    sync::{
        LazyLock,
        atomic::{AtomicU16, Ordering},
    },
};

/// All candidates lie below 32768, where Linux begins to give out ports by itself.
const FIRST: u16 = 16_000;
const COUNT: u16 = 1 << 14;

/// How many taken ports in a row are no coincidence.
const ATTEMPTS: usize = 100;

/// Ports to try, one after the other. Within a process each call continues where the previous call ended, so that the
/// port of a server that was stopped stays unused; different processes begin at random ports.
pub fn candidate_ports() -> impl Iterator<Item = u16> {
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(fastrand::u16(..)));
    iter::repeat_with(|| FIRST + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT).take(ATTEMPTS)
}
