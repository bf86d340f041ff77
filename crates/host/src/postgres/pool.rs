//! One bounded pool of connections for each database, which all components share.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType,
};
use tokio::{runtime::Handle, time::timeout};
use tokio_postgres::Client;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{address::Address, describe, tls};

/// Connections to one database. Few connections serve many short queries, and a database refuses further ones at its
/// own limit, which other programs share.
const MAX_CONNECTIONS: usize = 16;

/// How long a component waits for a connection of the pool, and how long for a new connection.
const WAIT_LIMIT: Duration = Duration::from_secs(5);

/// How long the host tries to cancel a query that nobody waits for any more.
const CANCEL_LIMIT: Duration = Duration::from_secs(5);

/// A connection that a firewall has forgotten is noticed before a query needs it.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);

/// The pools of a process, by address.
#[derive(Clone, Default)]
pub(crate) struct Pools(Arc<Mutex<BTreeMap<String, Database>>>);

#[derive(Clone)]
struct Database {
    pool: Pool,
    tls: MakeRustlsConnect,
}

impl Pools {
    /// Waits for a free connection. The error is for the component and names neither the address nor its password.
    pub(super) async fn lease(&self, address: &str, parsed: Address) -> Result<Lease, String> {
        let Database { pool, tls } = self.database(address, parsed)?;
        match pool.get().await {
            Ok(client) => Ok(Lease { client: Some(client), running: Arc::default(), tls }),
            Err(PoolError::Backend(error)) => Err(describe(&error)),
            Err(PoolError::Timeout(TimeoutType::Wait)) => Err(format!(
                "all {MAX_CONNECTIONS} connections were busy for {} s; try again",
                WAIT_LIMIT.as_secs()
            )),
            Err(PoolError::Timeout(_)) => {
                Err(format!("the server did not answer within {} s", WAIT_LIMIT.as_secs()))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn database(&self, address: &str, parsed: Address) -> Result<Database, String> {
        let mut databases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = databases.get(address) {
            return Ok(known.clone());
        }
        let opened = Database::new(parsed)?;
        databases.insert(address.to_owned(), opened.clone());
        Ok(opened)
    }
}

impl Database {
    fn new(address: Address) -> Result<Self, String> {
        let Address { mut config, verification, root_certificates } = address;
        config.connect_timeout(WAIT_LIMIT).keepalives_idle(KEEPALIVE_AFTER);
        let tls = MakeRustlsConnect::new(tls::client_config(verification, root_certificates.as_deref())?);
        // A connection that is known to be closed is replaced. Any further check would cost a query.
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let pool = Pool::builder(Manager::from_config(config, tls.clone(), recycling))
            .max_size(MAX_CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT_LIMIT))
            .create_timeout(Some(WAIT_LIMIT))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { pool, tls })
    }
}

/// A connection, until it returns to its pool.
pub(super) struct Lease {
    /// Present until this value is dropped.
    client: Option<Object>,
    running: Arc<AtomicUsize>,
    tls: MakeRustlsConnect,
}

/// A query that has not ended.
#[must_use]
pub(super) struct Running(Arc<AtomicUsize>);

impl Running {
    /// The server has answered the query, so that the connection is free for the next one.
    pub(super) fn end(self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lease {
    /// Begins a query. Unless the query ends, the connection does not return to the pool.
    pub(super) fn begin(&self) -> Option<(&Client, Running)> {
        let client = self.client.as_ref()?;
        self.running.fetch_add(1, Ordering::Relaxed);
        Some((client, Running(Arc::clone(&self.running))))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        if self.running.load(Ordering::Relaxed) == 0 {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return drop(Object::take(client)) };
        // The server still works for a caller who has given up. The next query on this connection would wait for that
        // work, and a new connection would be one more than the pool allows, so the place stays taken meanwhile.
        let (cancel, tls) = (client.cancel_token(), self.tls.clone());
        runtime.spawn(async move {
            let _ = timeout(CANCEL_LIMIT, cancel.cancel_query(tls)).await;
            drop(Object::take(client));
        });
    }
}
