//! The program `rollcall` with an allocator that counts. `tests/load/tests/budgets.rs` runs it, and reads the count from
//! a socket.

use std::{
    alloc::System,
    io::Write,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
    process::{self, ExitCode},
    thread,
};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    let socket = SocketAddr::from_abstract_name(format!("rollcall-allocations-{}", process::id()));
    let listener = match socket.and_then(|socket| UnixListener::bind_addr(&socket)) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let stats = ALLOCATOR.stats();
            let _ = write!(stream, "{}", stats.allocations + stats.reallocations);
        }
    });
    rollcall::main()
}
