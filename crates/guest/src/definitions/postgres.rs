//! Definitions in the study service's own tables, through a configured query.

use std::rc::Rc;

use rollcall_protocol::{RoomId, UserId, definition::StoredDefinition};
use rollcall_rooms::{
    Error,
    definitions::{DefinitionSource, SessionRow},
};
use spin_sdk::pg::{self, Connection, Decode, ParameterValue, Row};

use crate::{instance::PerInstance, variables};

thread_local! {
    static CONFIGURED: PerInstance<PostgresDefinitions> = const { PerInstance::new() };
}

/// Definitions from the query in the variable `postgres_query`.
pub struct PostgresDefinitions {
    url: String,
    query: String,
}

impl PostgresDefinitions {
    /// The definitions that the variables describe.
    pub async fn configured() -> Result<Rc<Self>, Error> {
        PerInstance::get(&CONFIGURED, Self::read).await
    }

    async fn read() -> Result<Self, Error> {
        let query = read_as_json(&variables::get("postgres_query").await?);
        Ok(Self { url: variables::get("postgres_url").await?, query })
    }

    /// Checks that the database runs the query. Null is the only room and user that no query's casts refuse.
    pub async fn check(&self) -> Result<(), Error> {
        self.query([ParameterValue::DbNull, ParameterValue::DbNull]).await.map(drop)
    }

    /// Returns the only row, if any. The parameters are the room and the user. Holds a connection only meanwhile: all components of a process share a bounded
    /// number of them.
    async fn query(&self, parameters: [ParameterValue; 2]) -> Result<Option<Row>, Error> {
        let opened = Connection::open(self.url.clone()).await;
        let connection = opened.map_err(|error| unavailable("cannot connect", &error))?;
        let failed = |error: pg::Error| unavailable("the query failed", &error);
        let mut result = connection.query(self.query.clone(), Vec::from(parameters)).await.map_err(failed)?;
        let row = result.next().await;
        // A stream that has ended must not be polled again.
        while row.is_some() && result.next().await.is_some() {}
        result.result().await.map_err(failed)?;
        Ok(row)
    }
}

impl DefinitionSource for PostgresDefinitions {
    const HAS_REVISIONS: bool = false;

    async fn find(&self, room: &RoomId, user: &UserId) -> Result<Option<StoredDefinition>, Error> {
        let ids = [room.as_str(), user.as_str()].map(|id| ParameterValue::Str(id.to_owned()));
        let Some(row) = self.query(ids).await? else { return Ok(None) };
        let columns = column::<String>(&row, "columns")?;
        let end_at_ms = column::<Option<f64>>(&row, "end_at_ms")?;
        let definition = SessionRow::parse(&columns, end_at_ms).and_then(|row| row.definition(user));
        let definition =
            definition.map_err(|error| variables::misconfigured(&format!("postgres_query: {error}")))?;
        Ok(definition.map(|definition| StoredDefinition { revision: 0, definition }))
    }
}

/// Wraps a query, so that its columns may be absent and have any type, in every runtime.
///
/// The database itself translates `end_at` into milliseconds: a `timestamp` or a `date` then means the time zone of the
/// database, and infinite times have no form that all runtimes can read.
fn read_as_json(query: &str) -> String {
    let query = query.trim_end().trim_end_matches(';');
    // A line of its own ends a comment at the end of the query.
    format!(
        "SELECT to_jsonb(session)::text AS columns, \
                (EXTRACT(EPOCH FROM (to_jsonb(session)->>'end_at')::timestamptz) * 1000)::float8 AS end_at_ms \
           FROM (\n{query}\n) AS session"
    )
}

fn column<T: Decode>(row: &Row, name: &'static str) -> Result<T, Error> {
    row.get(name).ok_or_else(|| Error::Unavailable(format!("PostgreSQL: no {name} in the result")))
}

/// Spin's errors name neither addresses nor passwords.
fn unavailable(what: &str, error: &pg::Error) -> Error {
    Error::Unavailable(format!("PostgreSQL: {what}: {error}"))
}
