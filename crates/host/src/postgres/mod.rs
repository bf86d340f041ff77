//! Outbound PostgreSQL.
//!
//! | module | what it does |
//! |---|---|
//! | [`address`] | parses the address of a database, and tells whether its hosts are allowed |
//! | [`pool`] | shares a bounded number of connections |
//! | [`tls`] | encrypts connections, as far as the address wants it |
//! | [`value`] | translates parameters and values |

#![allow(clippy::result_large_err, reason = "the interface's own error")]

mod address;
mod pool;
mod tls;
mod value;

use std::{error::Error as _, pin::pin, sync::Arc};

use futures_util::TryStreamExt;
use tokio_postgres::error::Severity;
use wasmtime::component::{Accessor, FutureReader, HasSelf, Resource, StreamReader};

pub(crate) use self::pool::Pools;
use self::{address::Address, pool::Lease};
use crate::{
    bindings::postgres::{
        Column, DbError, DbValue, Error, HostConnection, HostConnectionWithStore, ParameterValue, QueryError,
    },
    state::State,
};

/// The most rows of a result, because the host holds all rows at once.
const MAX_ROWS: usize = 10_000;

/// A connection that a component holds. The pool gets the connection back when the component drops it.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenConnection(Arc<Lease>);

type Opened = Resource<OpenConnection>;
type HostResult<T> = wasmtime::Result<Result<T, Error>>;
type Found = (Vec<Column>, StreamReader<Vec<DbValue>>, FutureReader<Result<(), Error>>);

impl crate::bindings::postgres::Host for State {}

impl HostConnection for State {
    fn drop(&mut self, connection: Opened) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

impl<T: Send> HostConnectionWithStore<T> for HasSelf<State> {
    async fn open_async(accessor: &Accessor<T, Self>, address: String) -> HostResult<Opened> {
        let component = accessor.with(|mut access| access.get().component.clone());
        let parsed = match Address::parse(&address) {
            Ok(parsed) => parsed,
            Err(reason) => return Ok(Err(Error::ConnectionFailed(reason))),
        };
        let is_allowed =
            |host: &str, port: u16| component.allowed_hosts.allows_host("postgres", host, Some(port));
        if !parsed.all_hosts(is_allowed) {
            // The address may hold a password and must not be logged.
            tracing::warn!(component = component.name, "postgres address not in allowed_outbound_hosts");
            return Ok(Err(Error::ConnectionFailed("the address is not allowed".to_owned())));
        }
        let lease = match component.postgres.lease(&address, parsed).await {
            Ok(lease) => lease,
            Err(reason) => return Ok(Err(Error::ConnectionFailed(reason))),
        };
        let pushed = accessor.with(|mut access| access.get().table.push(OpenConnection(Arc::new(lease))));
        Ok(pushed.map_err(|_| Error::Other("too many connections".to_owned())))
    }

    async fn query_async(
        accessor: &Accessor<T, Self>,
        connection: Opened,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> HostResult<Found> {
        let lease = accessor
            .with(|mut access| wasmtime::error::Ok(Arc::clone(&access.get().table.get(&connection)?.0)))?;
        let (columns, rows) = match query(&lease, &statement, parameters).await {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        accessor.with(|mut access| {
            let rows = StreamReader::new(&mut access, rows)?;
            let end = FutureReader::new(&mut access, async { wasmtime::error::Ok(Ok(())) })?;
            Ok(Ok((columns, rows, end)))
        })
    }
}

/// Runs a statement without a name. A proxy such as PgBouncer may give each transaction another connection to the
/// server, and a statement with a name exists only on the connection that prepared it.
async fn query(
    lease: &Lease,
    statement: &str,
    parameters: Vec<ParameterValue>,
) -> Result<(Vec<Column>, Vec<Vec<DbValue>>), Error> {
    let parameters = parameters.into_iter().map(value::parameter).collect::<Result<Vec<_>, _>>()?;
    let (client, running) =
        lease.begin().ok_or_else(|| Error::Other("the connection is closed".to_owned()))?;
    let mut columns = Vec::new();
    let mut found = Vec::new();
    let outcome = async {
        let mut rows = pin!(client.query_typed_raw(statement, parameters).await?);
        while let Some(row) = rows.try_next().await? {
            if found.is_empty() {
                columns = row.columns().iter().map(column).collect();
            }
            found.push(value::values(&row));
            if found.len() > MAX_ROWS {
                break;
            }
        }
        Ok::<_, tokio_postgres::Error>(())
    };
    let outcome = outcome.await;
    if found.len() > MAX_ROWS {
        return Err(Error::Other(format!("more than {MAX_ROWS} rows")));
    }
    if outcome.as_ref().err().is_none_or(leaves_connection_usable) {
        running.end();
    }
    outcome.map_err(query_failed)?;
    Ok((columns, found.into_iter().collect::<Result<_, _>>()?))
}

/// Whether only the statement failed. The server closes the connection after a fatal error, and after an error that is not
/// the server's the connection may be broken.
fn leaves_connection_usable(error: &tokio_postgres::Error) -> bool {
    error
        .as_db_error()
        .is_some_and(|error| !matches!(error.parsed_severity(), Some(Severity::Fatal | Severity::Panic)))
}

fn column(column: &tokio_postgres::Column) -> Column {
    Column { name: column.name().to_owned(), data_type: value::data_type(column.type_()) }
}

fn query_failed(error: tokio_postgres::Error) -> Error {
    let text = describe(&error);
    Error::QueryFailed(match error.as_db_error() {
        Some(db) => QueryError::DbError(DbError {
            as_text: text,
            severity: db.severity().to_owned(),
            code: db.code().code().to_owned(),
            message: db.message().to_owned(),
            detail: db.detail().map(str::to_owned),
            extras: Vec::new(),
        }),
        None => QueryError::Text(text),
    })
}

/// An error and its cause, which hold neither the address nor credentials.
fn describe(error: &tokio_postgres::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
