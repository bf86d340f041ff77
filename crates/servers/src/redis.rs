//! A `redis-server` of one's own.

use std::{
    env,
    fs::File,
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    process::{Child, Command},
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{
    candidate_ports,
    launch::{Launch, end},
};

/// Names a program to start instead of `redis-server`, such as the server of Valkey.
const PROGRAM: &str = "ROLLCALL_REDIS_SERVER";

/// A running server that keeps nothing on disk. Dropping it kills it.
pub struct RedisServer {
    process: Child,
    port: u16,
    /// For what a server writes all the same: its view of a cluster, and a copy of its data for a replica.
    _folder: TempDir,
}

impl RedisServer {
    /// Starts a server and waits until it accepts connections.
    pub fn start() -> Result<Self> {
        Self::start_with(|_| {})
    }

    /// Starts a server after a change of its command.
    pub fn start_with(configure: impl Fn(&mut Command)) -> Result<Self> {
        Self::start_on(candidate_ports(), |command, _| configure(command))
    }

    /// Starts a server that can be a node of a cluster, after a change of its command.
    pub fn start_node(configure: impl Fn(&mut Command)) -> Result<Self> {
        Self::start_on(candidate_ports(), |command, port| {
            // Without this port, other nodes would connect to one that Linux may give out.
            command.args(["--cluster-enabled", "yes", "--cluster-port", &bus_port(port).to_string()]);
            configure(command);
        })
    }

    fn start_on(ports: impl IntoIterator<Item = u16>, configure: impl Fn(&mut Command, u16)) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (process, port) = start_redis(&tempfile::tempfile()?, ports, |port| {
            let mut command = redis_server(port);
            command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(folder.path());
            configure(&mut command, port);
            command
        })?;
        Ok(Self { process, port, _folder: folder })
    }

    /// Its address, as host and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port for other nodes, if the server is a node.
    pub fn bus_port(&self) -> u16 {
        bus_port(self.port)
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }
}

fn bus_port(port: u16) -> u16 {
    port + 1
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// Starts a command as Redis on the first port that no other process has. The log gets its output.
pub fn start_redis(
    log: &File,
    ports: impl IntoIterator<Item = u16>,
    command: impl FnMut(u16) -> Command,
) -> Result<(Child, u16)> {
    let launch = Launch { ready: "Ready to accept connections", log };
    let (mut child, port) = launch.start_on_free_port(ports, command)?;
    match ensure_process(port, child.id()) {
        Ok(()) => Ok((child, port)),
        Err(error) => {
            end(&mut child);
            Err(error)
        }
    }
}

/// The command of a server that only this machine reaches.
pub fn redis_server(port: u16) -> Command {
    let mut command = Command::new(env::var_os(PROGRAM).unwrap_or_else(|| "redis-server".into()));
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
    command
}

/// Makes sure that the server on a port is the expected process.
fn ensure_process(port: u16, expected: u32) -> Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(b"INFO server\r\nQUIT\r\n")?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    let id = reply.lines().find_map(|line| line.strip_prefix("process_id:"));
    let id = id.with_context(|| format!("the server on port {port} is not Redis: {reply}"))?;
    ensure!(id == expected.to_string(), "process {id} has port {port}, expected process {expected}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, path::Path};

    use super::*;

    fn start_with_first_choice(port: u16) -> RedisServer {
        RedisServer::start_on([port].into_iter().chain(candidate_ports()), |_, _| {}).unwrap()
    }

    #[test]
    fn a_port_of_another_process_is_left_to_it() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let taken = listener.local_addr().unwrap().port();
        let server = start_with_first_choice(taken);
        assert_ne!(server.port, taken);
        ensure_process(server.port, server.process.id()).unwrap();
    }

    #[test]
    fn another_redis_is_never_mistaken_for_ones_own() {
        let first = RedisServer::start().unwrap();
        let second = start_with_first_choice(first.port);
        assert_ne!(first.port, second.port);
        ensure_process(first.port, first.process.id()).unwrap();
        ensure_process(second.port, second.process.id()).unwrap();
        let error = ensure_process(first.port, second.process.id()).unwrap_err().to_string();
        assert!(error.contains(&first.process.id().to_string()), "{error}");
    }

    #[test]
    fn a_server_ends_when_it_is_dropped() {
        let server = RedisServer::start().unwrap();
        let process = Path::new("/proc").join(server.process.id().to_string());
        assert!(process.exists());
        drop(server);
        assert!(!process.exists());
    }
}
