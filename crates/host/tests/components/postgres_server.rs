//! Starts a PostgreSQL server for one test.

use std::{
    fs::File,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Child, Command},
};

use rollcall_servers::{Launch, candidate_ports};
use tokio_postgres::{Client, NoTls};

/// A password with characters that a URL must encode.
const PASSWORD: &str = "open@sesame/ ü";

/// The server ends with the test.
pub(crate) struct TestPostgres {
    folder: tempfile::TempDir,
    log: File,
    port: u16,
    process: Option<Child>,
}

impl TestPostgres {
    /// Starts a server and waits until it accepts connections.
    pub(crate) fn start() -> Self {
        Self::start_on(candidate_ports())
    }

    fn start_on(ports: impl IntoIterator<Item = u16>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        if is_root() {
            run(Command::new("chown").args(["-R", "postgres"]).arg(folder.path()));
        }
        let data = folder.path().join("data");
        let mut init = program("initdb");
        init.args(["--username=study", "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync", "--pwfile"]);
        run(init.arg(password).arg("--pgdata").arg(&data));
        let log = tempfile::tempfile().unwrap();
        let started = launch(&log).start_on_free_port(ports, |port| postgres(&data, port));
        let (process, port) = started.unwrap();
        Self { folder, log, port, process: Some(process) }
    }

    /// Starts a stopped server again, on its port.
    pub(crate) fn resume(&mut self) {
        let started = launch(&self.log).start(postgres(&self.folder.path().join("data"), self.port));
        self.process = Some(started.unwrap().expect("no other process has taken the port"));
    }

    /// Kills the server and all connections.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = Command::new("kill").args(["-QUIT", &process.id().to_string()]).status();
            let _ = process.wait();
        }
    }

    /// `host:port`
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn credentials() -> &'static str {
        "study:open%40sesame%2F%20%C3%BC@"
    }

    pub(crate) async fn connect(&self) -> Client {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.port).user("study").password(PASSWORD).dbname("postgres");
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

impl Drop for TestPostgres {
    fn drop(&mut self) {
        self.stop();
    }
}

fn launch(log: &File) -> Launch<'_> {
    Launch { ready: "database system is ready to accept connections", log }
}

fn postgres(data: &Path, port: u16) -> Command {
    let mut postgres = program("postgres");
    postgres.arg("-D").arg(data).args(["-p", &port.to_string()]);
    let settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "lc_messages=C"];
    for setting in settings {
        postgres.args(["-c", setting]);
    }
    postgres
}

/// The newest version that Debian has installed, outside of `PATH`.
fn program(name: &str) -> Command {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> = versions.map(|version| version.path().join("bin").join(name)).collect();
    found.sort();
    let path = found.pop().filter(|path| path.is_file()).unwrap_or_else(|| name.into());
    as_somebody(&path)
}

/// PostgreSQL refuses to run as root.
fn as_somebody(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=QUIT"]).arg(program);
    // A folder that the server's user may enter.
    command.current_dir("/");
    command
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

fn run(command: &mut Command) {
    let output = command.output().expect("PostgreSQL must be installed: run `cargo xtask setup --tests`");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_server_whose_port_is_taken_starts_on_another_and_can_be_resumed_there() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken = listener.local_addr().unwrap().port();
    let mut server = TestPostgres::start_on([taken].into_iter().chain(candidate_ports()));
    assert_ne!(server.port, taken);
    let postmaster = async |server: &TestPostgres| -> String {
        let client = server.connect().await;
        client
            .query_one("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)", &[])
            .await
            .unwrap()
            .get(0)
    };
    assert_eq!(postmaster(&server).await, server.process.as_ref().unwrap().id().to_string());
    server.stop();
    server.resume();
    assert_eq!(postmaster(&server).await, server.process.as_ref().unwrap().id().to_string());
}
