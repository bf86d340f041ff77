//! A name that leads to one server after another, as a name of a managed Redis does in a failover: an address of this
//! machine whose connections are forwarded.

use std::{io::ErrorKind, sync::Arc, thread};

use tokio::{
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    runtime::Builder,
    sync::{OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, mpsc, watch},
};

/// Where the name leads.
#[derive(Clone)]
struct Target {
    address: String,
    /// Connections of earlier generations are cut.
    generation: u64,
}

/// A running forwarder. Dropping it cuts all connections.
pub struct Forwarder {
    address: String,
    target: watch::Sender<Target>,
    /// Held for reading by whoever passes bytes on.
    gate: Arc<RwLock<()>>,
    _stop: mpsc::Sender<()>,
}

/// While it exists, no byte passes, in either direction.
pub struct Hold(#[expect(dead_code, reason = "dropping it lets bytes pass")] OwnedRwLockWriteGuard<()>);

impl Forwarder {
    /// Starts a forwarder in a thread of its own.
    pub async fn start(address: String) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let own_address = listener.local_addr().expect("an address").to_string();
        let target = watch::Sender::new(Target { address, generation: 0 });
        let gate = Arc::new(RwLock::new(()));
        let (stop, mut stopped) = mpsc::channel(1);
        let (followed, open) = (target.subscribe(), Arc::clone(&gate));
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    () = accept(listener, followed, open) => {}
                    _ = stopped.recv() => {}
                }
            });
        });
        Self { address: own_address, target, gate, _stop: stop }
    }

    /// Its address, as host and port.
    pub fn address(&self) -> String {
        self.address.clone()
    }

    /// Leads new connections to another server. Earlier ones stay where they are.
    pub fn lead_to(&self, address: String) {
        self.target.send_modify(|target| target.address = address);
    }

    /// Cuts all connections, and leads new ones to another server.
    pub fn cut_and_lead_to(&self, address: String) {
        self.target.send_modify(|target| *target = Target { address, generation: target.generation + 1 });
    }

    /// Lets nothing pass. What has passed before is at the server.
    pub async fn hold(&self) -> Hold {
        Hold(Arc::clone(&self.gate).write_owned().await)
    }
}

async fn accept(listener: TcpListener, target: watch::Receiver<Target>, gate: Arc<RwLock<()>>) {
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        tokio::spawn(forward(client, target.clone(), Arc::clone(&gate)));
    }
}

async fn forward(client: TcpStream, mut target: watch::Receiver<Target>, gate: Arc<RwLock<()>>) {
    drop(gate.read().await);
    let Target { address, generation } = target.borrow().clone();
    let Ok(server) = TcpStream::connect(address).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let gate = Gate { gate, target: target.clone(), generation };
    tokio::select! {
        () = pass(from_client, to_server, &gate) => {}
        () = pass(from_server, to_client, &gate) => {}
        _ = target.wait_for(|target| target.generation != generation) => {}
    }
}

/// Lets the bytes of one connection pass.
struct Gate {
    gate: Arc<RwLock<()>>,
    target: watch::Receiver<Target>,
    generation: u64,
}

impl Gate {
    /// Waits until bytes may pass. Returns none for a connection that was cut meanwhile.
    async fn open(&self) -> Option<RwLockReadGuard<'_, ()>> {
        let open = self.gate.read().await;
        (self.target.borrow().generation == self.generation).then_some(open)
    }
}

async fn pass(from: OwnedReadHalf, to: OwnedWriteHalf, gate: &Gate) {
    let mut buffer = vec![0; 16 * 1024];
    while let Some(length @ 1..) = read(&from, &mut buffer).await {
        let Some(_open) = gate.open().await else { return };
        if write(&to, &buffer[..length]).await.is_none() {
            return;
        }
    }
}

async fn read(from: &OwnedReadHalf, buffer: &mut [u8]) -> Option<usize> {
    loop {
        from.readable().await.ok()?;
        match from.try_read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            outcome => return outcome.ok(),
        }
    }
}

async fn write(to: &OwnedWriteHalf, mut bytes: &[u8]) -> Option<()> {
    while !bytes.is_empty() {
        to.writable().await.ok()?;
        match to.try_write(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            outcome => bytes = &bytes[outcome.ok()?..],
        }
    }
    Some(())
}
