//! Outbound PostgreSQL without TLS, because this host is for development beside its database.

#![allow(clippy::result_large_err, reason = "the interface's own error")]

use std::{error::Error as _, sync::Arc, time::Duration};

use futures_util::TryStreamExt;
use tokio_postgres::{
    Client, Config, NoTls, Row,
    config::Host,
    types::{FromSql, ToSql, Type},
};
use wasmtime::component::{Accessor, FutureReader, HasSelf, Resource, StreamReader};

use crate::{
    bindings::postgres::{
        Column, DbDataType, DbError, DbValue, Error, HostConnection, HostConnectionWithStore, ParameterValue,
        QueryError,
    },
    state::State,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The most rows of a result, because the host holds all rows at once.
const MAX_ROWS: usize = 10_000;

/// A connection that a component has opened.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenConnection(Arc<Client>);

type Opened = Resource<OpenConnection>;
type HostResult<T> = wasmtime::Result<Result<T, Error>>;
type Found = (Vec<Column>, StreamReader<Vec<DbValue>>, FutureReader<Result<(), Error>>);
type Parameter = Box<dyn ToSql + Sync + Send>;

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
        let Ok(mut config) = address.parse::<Config>() else {
            return Ok(Err(Error::ConnectionFailed("the address is malformed".to_owned())));
        };
        let is_allowed =
            |host: &str, port: u16| component.allowed_hosts.allows_host("postgres", host, Some(port));
        if !all_hosts(&config, is_allowed) {
            // The address may hold a password and must not be logged.
            tracing::warn!(component = component.name, "postgres address not in allowed_outbound_hosts");
            return Ok(Err(Error::ConnectionFailed("the address is not allowed".to_owned())));
        }
        config.connect_timeout(CONNECT_TIMEOUT);
        let client = match connect(&config).await {
            Ok(client) => client,
            Err(error) => return Ok(Err(error)),
        };
        let pushed = accessor.with(|mut access| access.get().table.push(OpenConnection(Arc::new(client))));
        Ok(pushed.map_err(|_| Error::Other("too many connections".to_owned())))
    }

    async fn query_async(
        accessor: &Accessor<T, Self>,
        connection: Opened,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> HostResult<Found> {
        let client = accessor
            .with(|mut access| wasmtime::error::Ok(Arc::clone(&access.get().table.get(&connection)?.0)))?;
        let (columns, rows) = match query(&client, &statement, parameters).await {
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

/// Whether all hosts of an address are allowed, because the client tries all hosts in turn.
fn all_hosts(config: &Config, is_allowed: impl Fn(&str, u16) -> bool) -> bool {
    let ports = config.get_ports();
    let port_of = |index: usize| ports.get(index).or_else(|| ports.first()).copied().unwrap_or(5432);
    let hosts = config.get_hosts();
    // The client would connect to an address beside the name instead of the name.
    !hosts.is_empty()
        && config.get_hostaddrs().is_empty()
        && hosts.iter().enumerate().all(|(index, host)| match host {
            Host::Tcp(name) => is_allowed(name, port_of(index)),
            #[cfg(unix)]
            Host::Unix(_) => false,
        })
}

async fn connect(config: &Config) -> Result<Client, Error> {
    let (client, connection) =
        config.connect(NoTls).await.map_err(|error| Error::ConnectionFailed(told(&error)))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "postgres connection ended");
        }
    });
    Ok(client)
}

async fn query(
    client: &Client,
    statement: &str,
    parameters: Vec<ParameterValue>,
) -> Result<(Vec<Column>, Vec<Vec<DbValue>>), Error> {
    let parameters = parameters.into_iter().map(parameter).collect::<Result<Vec<_>, _>>()?;
    let prepared = client.prepare(statement).await.map_err(query_failed)?;
    let columns = prepared
        .columns()
        .iter()
        .map(|column| Column { name: column.name().to_owned(), data_type: data_type(column.type_()) });
    let columns = columns.collect();
    let rows = client.query_raw(&prepared, parameters).await.map_err(query_failed)?;
    let mut rows = std::pin::pin!(rows);
    let mut found = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(query_failed)? {
        if found.len() == MAX_ROWS {
            return Err(Error::Other(format!("more than {MAX_ROWS} rows")));
        }
        found.push(values(&row)?);
    }
    Ok((columns, found))
}

fn parameter(value: ParameterValue) -> Result<Parameter, Error> {
    Ok(match value {
        ParameterValue::Boolean(value) => Box::new(value),
        ParameterValue::Int8(value) => Box::new(value),
        ParameterValue::Int16(value) => Box::new(value),
        ParameterValue::Int32(value) => Box::new(value),
        ParameterValue::Int64(value) => Box::new(value),
        ParameterValue::Floating32(value) => Box::new(value),
        ParameterValue::Floating64(value) => Box::new(value),
        ParameterValue::Str(value) => Box::new(value),
        ParameterValue::Binary(value) => Box::new(value),
        ParameterValue::DbNull => Box::new(Option::<String>::None),
        _ => return Err(Error::BadParameter("this host knows no parameters of that type".to_owned())),
    })
}

fn data_type(column: &Type) -> DbDataType {
    match *column {
        Type::BOOL => DbDataType::Boolean,
        Type::INT2 => DbDataType::Int16,
        Type::INT4 => DbDataType::Int32,
        Type::INT8 => DbDataType::Int64,
        Type::FLOAT4 => DbDataType::Floating32,
        Type::FLOAT8 => DbDataType::Floating64,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME => DbDataType::Str,
        Type::BYTEA => DbDataType::Binary,
        ref other => DbDataType::Other(other.name().to_owned()),
    }
}

fn values(row: &Row) -> Result<Vec<DbValue>, Error> {
    (0..row.len()).map(|index| value(row, index)).collect()
}

fn value(row: &Row, index: usize) -> Result<DbValue, Error> {
    fn get<'a, T: FromSql<'a>>(
        row: &'a Row,
        index: usize,
        wrap: impl Fn(T) -> DbValue,
    ) -> Result<DbValue, Error> {
        let value = row.try_get::<_, Option<T>>(index);
        let value = value.map_err(|error| Error::ValueConversionFailed(error.to_string()))?;
        Ok(value.map_or(DbValue::DbNull, wrap))
    }

    match row.columns()[index].type_() {
        &Type::BOOL => get(row, index, DbValue::Boolean),
        &Type::INT2 => get(row, index, DbValue::Int16),
        &Type::INT4 => get(row, index, DbValue::Int32),
        &Type::INT8 => get(row, index, DbValue::Int64),
        &Type::FLOAT4 => get(row, index, DbValue::Floating32),
        &Type::FLOAT8 => get(row, index, DbValue::Floating64),
        &Type::TEXT | &Type::VARCHAR | &Type::BPCHAR | &Type::NAME => get(row, index, DbValue::Str),
        &Type::BYTEA => get(row, index, DbValue::Binary),
        _ => get(row, index, |Raw(bytes)| DbValue::Unsupported(bytes)),
    }
}

/// A value in the server's format.
struct Raw(Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn query_failed(error: tokio_postgres::Error) -> Error {
    let text = told(&error);
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
fn told(error: &tokio_postgres::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(address: &str) -> bool {
        all_hosts(&address.parse().unwrap(), |host, port| host == "db" && port == 5432)
    }

    #[test]
    fn every_host_of_an_address_must_be_allowed() {
        assert!(allows("postgres://user:password@db/study"));
        assert!(allows("host=db port=5432 user=x"));
        assert!(!allows("postgres://db:5433/study"));
        assert!(!allows("postgres://db,elsewhere/study"));
        assert!(!allows("host=db hostaddr=10.0.0.1"));
        assert!(!allows("host=/var/run/postgresql"));
        assert!(!allows("user=x"));
    }
}
