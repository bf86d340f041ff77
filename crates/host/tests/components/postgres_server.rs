//! A real PostgreSQL server of its own for a test.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tokio_postgres::{Client, NoTls};

/// With characters that a URL must encode.
const PASSWORD: &str = "open@sesame/ ü";

/// Ends with the test.
pub(crate) struct TestPostgres {
    folder: tempfile::TempDir,
    port: u16,
    process: Option<Child>,
}

impl TestPostgres {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let password = folder.path().join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        if is_root() {
            run(Command::new("chown").args(["-R", "postgres"]).arg(folder.path()));
        }
        let mut server = Self { folder, port, process: None };
        let mut init = program("initdb");
        init.args(["--username=study", "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync", "--pwfile"]);
        run(init.arg(password).arg("--pgdata").arg(server.data()));
        server.resume().await;
        server
    }

    /// Starts it, or starts it again.
    pub(crate) async fn resume(&mut self) {
        let mut postgres = program("postgres");
        postgres.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        postgres.args([
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "fsync=off",
            "-c",
            "unix_socket_directories=",
        ]);
        postgres.stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(postgres.spawn().unwrap());
        let start = Instant::now();
        while self.try_connect().await.is_err() {
            assert!(start.elapsed() < Duration::from_secs(30), "postgres does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it at once, with all connections.
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
        self.try_connect().await.unwrap()
    }

    async fn try_connect(&self) -> Result<Client, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.port).user("study").password(PASSWORD).dbname("postgres");
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for TestPostgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The newest that Debian has installed; they lie in no folder of `PATH`.
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
    // A folder that it may enter.
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
