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
    settings: Vec<String>,
    process: Option<Child>,
}

impl TestPostgres {
    /// Starts a server and waits until it accepts connections.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with further settings.
    pub(crate) fn start_with(settings: &[String]) -> Self {
        Self::start_on(candidate_ports(), settings)
    }

    fn start_on(ports: impl IntoIterator<Item = u16>, settings: &[String]) -> Self {
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
        let started = launch(&log).start_on_free_port(ports, |port| postgres(&data, port, settings));
        let (process, port) = started.unwrap();
        Self { folder, log, port, settings: settings.to_vec(), process: Some(process) }
    }

    /// Starts a stopped server again, on its port.
    pub(crate) fn resume(&mut self) {
        let command = postgres(&self.folder.path().join("data"), self.port, &self.settings);
        let started = launch(&self.log).start(command);
        self.process = Some(started.unwrap().expect("no other process has taken the port"));
    }

    /// Kills the server and all connections.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = Command::new("kill").args(["-QUIT", &process.id().to_string()]).status();
            let _ = process.wait();
        }
    }

    /// Refuses connections without TLS from now on.
    pub(crate) async fn require_tls(&self) {
        let rules = self.folder.path().join("data/pg_hba.conf");
        std::fs::write(rules, "hostssl all all all scram-sha-256\n").unwrap();
        self.connect().await.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        while self.try_connect().await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until so many queries sleep.
    pub(crate) async fn wait_for_sleepers(&self, count: i64) {
        let client = self.connect().await;
        let sleepers = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        while client.query_one(sleepers, &[]).await.unwrap().get::<_, i64>(0) != count {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
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
}

/// A PgBouncer in front of a server, in transaction mode: each query may run on another connection to the server.
pub(crate) struct TestPgBouncer {
    _folder: tempfile::TempDir,
    port: u16,
    process: Child,
}

impl TestPgBouncer {
    pub(crate) fn start(server: &TestPostgres) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let users = folder.path().join("users.txt");
        std::fs::write(&users, format!("\"study\" \"{PASSWORD}\"\n")).unwrap();
        let log = tempfile::tempfile().unwrap();
        let launch = Launch { ready: "process up", log: &log };
        let started = launch.start_on_free_port(candidate_ports(), |port| {
            let settings = format!(
                "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
                 listen_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\n\
                 pool_mode = transaction\ndefault_pool_size = 3\n",
                server.port,
                users.display()
            );
            let file = folder.path().join("pgbouncer.ini");
            std::fs::write(&file, settings).unwrap();
            if is_root() {
                run(Command::new("chown").args(["-R", "postgres"]).arg(folder.path()));
            }
            // Outside of the `PATH` of most users.
            let debian = Path::new("/usr/sbin/pgbouncer");
            let mut pgbouncer = as_somebody(if debian.is_file() { debian } else { Path::new("pgbouncer") });
            pgbouncer.arg(file);
            pgbouncer
        });
        let (process, port) = started.expect("PgBouncer must be installed: run `cargo xtask setup --tests`");
        Self { _folder: folder, port, process }
    }

    /// `host:port`
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for TestPgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An authority and the certificate that it has signed for a server on 127.0.0.1.
pub(crate) struct TestCertificates(tempfile::TempDir);

impl TestCertificates {
    pub(crate) fn create() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("server.ext"), "subjectAltName=IP:127.0.0.1").unwrap();
        for arguments in [
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=authority \
             -keyout authority.key -out authority.pem",
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=server -keyout server.key \
             -out server.csr",
            "x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 30 \
             -extfile server.ext -out server.pem",
        ] {
            run(Command::new("openssl").args(arguments.split_whitespace()).current_dir(folder.path()));
        }
        if is_root() {
            run(Command::new("chown").args(["-R", "postgres"]).arg(folder.path()));
        }
        Self(folder)
    }

    /// The file with the authority's certificate.
    pub(crate) fn authority(&self) -> String {
        self.0.path().join("authority.pem").display().to_string()
    }

    /// The settings of a server with this certificate.
    pub(crate) fn settings(&self) -> Vec<String> {
        let file = |name: &str| self.0.path().join(name).display().to_string();
        vec![
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", file("server.pem")),
            format!("ssl_key_file={}", file("server.key")),
        ]
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

fn postgres(data: &Path, port: u16, more: &[String]) -> Command {
    let mut postgres = program("postgres");
    postgres.arg("-D").arg(data).args(["-p", &port.to_string()]);
    let settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "lc_messages=C"];
    for setting in settings.into_iter().chain(more.iter().map(String::as_str)) {
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
    let mut server = TestPostgres::start_on([taken].into_iter().chain(candidate_ports()), &[]);
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
