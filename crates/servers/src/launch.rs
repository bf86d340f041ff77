//! Starts a child process and waits until its output says that it is ready.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// How long a server may take to start. Only a server that hangs takes as long.
const START_DEADLINE: Duration = Duration::from_secs(60);

const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// What servers print when another process has their port.
const PORT_TAKEN: &str = "Address already in use";

/// How to start a server.
pub struct Launch<'a> {
    /// What the server prints once it accepts connections.
    pub ready: &'a str,
    /// Gets the server's output. A file and not a pipe, so that the server never waits for a reader.
    pub log: &'a File,
}

impl Launch<'_> {
    /// Starts the server on the first port that no other process has, and returns that port too.
    pub fn start_on_free_port(
        &self,
        ports: impl IntoIterator<Item = u16>,
        mut command: impl FnMut(u16) -> Command,
    ) -> Result<(Child, u16)> {
        for port in ports {
            if let Some(child) = self.start(command(port))? {
                return Ok((child, port));
            }
        }
        bail!("every port that was tried is taken")
    }

    /// Starts the server and waits until it is ready. Returns `None` if another process has its port.
    pub fn start(&self, mut command: Command) -> Result<Option<Child>> {
        let offset = self.log.metadata()?.len();
        command.stdin(Stdio::null()).stdout(self.log.try_clone()?).stderr(self.log.try_clone()?);
        let program = command.get_program().to_owned();
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}", program.to_string_lossy()))?;
        let is_ready = self.wait_until_ready(&mut child, offset);
        if !matches!(is_ready, Ok(true)) {
            end(&mut child);
        }
        Ok(is_ready?.then_some(child))
    }

    fn wait_until_ready(&self, child: &mut Child, offset: u64) -> Result<bool> {
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            // Comes before reading the output: the output of a child that has ended is complete.
            let status = child.try_wait()?;
            let output = self.output_since(offset)?;
            match status {
                None if output.contains(self.ready) => return Ok(true),
                None => {}
                Some(_) if output.contains(PORT_TAKEN) => return Ok(false),
                Some(status) => bail!("the server stopped by itself, {status}:\n{output}"),
            }
            if Instant::now() > deadline {
                bail!("the server is not ready after {} s:\n{output}", START_DEADLINE.as_secs());
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    fn output_since(&self, offset: u64) -> Result<String> {
        let length = self.log.metadata()?.len().saturating_sub(offset);
        let mut output = vec![0; usize::try_from(length)?];
        self.log.read_exact_at(&mut output, offset)?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }
}

/// Kills a child and waits for its end. A child that has ended already is fine.
pub(crate) fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// In no output of a server that fails: its last output may be read before it ends.
    const READY: &str = "accepting";

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn start(script: &str) -> Result<Option<Child>> {
        Launch { ready: READY, log: &tempfile::tempfile().unwrap() }.start(shell(script))
    }

    #[test]
    fn a_child_that_says_so_is_ready() {
        let mut child = start("echo accepting >&2; exec sleep 60").unwrap().unwrap();
        end(&mut child);
    }

    #[test]
    fn a_child_that_ends_is_never_ready_and_its_output_tells_why() {
        let error = start("echo no such option; exit 3").unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("no such option"), "{error}");
        assert!(start("echo bind: Address already in use; exit 1").unwrap().is_none());
    }

    #[test]
    fn output_of_an_earlier_child_does_not_count() {
        let mut log = tempfile::tempfile().unwrap();
        log.write_all(b"accepting\n").unwrap();
        let launch = Launch { ready: READY, log: &log };
        let (mut child, port) = launch
            .start_on_free_port([1, 2], |port| match port {
                1 => shell("echo Address already in use; exit 1"),
                _ => shell("sleep 0.1; echo second; echo accepting; exec sleep 60"),
            })
            .unwrap();
        end(&mut child);
        assert_eq!(port, 2);
        assert!(launch.output_since(0).unwrap().ends_with("second\naccepting\n"));
    }

    #[test]
    fn when_all_ports_are_taken_the_start_fails() {
        let log = tempfile::tempfile().unwrap();
        let launch = Launch { ready: READY, log: &log };
        let command = |_| shell("echo Address already in use; exit 1");
        assert!(launch.start_on_free_port([1, 2], command).is_err());
    }
}
