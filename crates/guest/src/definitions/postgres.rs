//! Definitions in the study service's own tables, through a configured query.

use std::{cell::RefCell, rc::Rc};

use rollcall_protocol::{
    RoomId, UserId,
    definition::{Duplicates, SessionDefinition, StoredDefinition},
};
use rollcall_rooms::{Error, definitions::DefinitionSource};
use spin_sdk::pg::{self, Connection, Decode, ParameterValue, Row};

use crate::variables;

thread_local! {
    /// The instance's idle connection. A query takes the connection, so concurrent queries open further ones.
    static CONNECTION: RefCell<Option<Rc<Connection>>> = const { RefCell::new(None) };
}

/// Definitions from the query in the variable `postgres_query`.
pub struct PostgresDefinitions {
    connection: Rc<Connection>,
    query: String,
}

impl PostgresDefinitions {
    /// Takes the idle connection, or opens a connection.
    pub async fn open() -> Result<Self, Error> {
        let query = variables::get("postgres_query").await?;
        if let Some(kept) = CONNECTION.take() {
            return Ok(Self { connection: kept, query });
        }
        let url = variables::get("postgres_url").await?;
        let opened = Connection::open(url).await.map_err(|error| unavailable("cannot connect", &error))?;
        Ok(Self { connection: Rc::new(opened), query })
    }

    /// Returns the connection only after success, so that no other query uses a broken connection.
    async fn query(&self, room: &RoomId, user: &UserId) -> Result<Option<Row>, Error> {
        let parameters: Vec<ParameterValue> =
            [room.as_str(), user.as_str()].map(|id| ParameterValue::Str(id.to_owned())).into();
        let failed = |error: pg::Error| unavailable("the query failed", &error);
        let mut result = self.connection.query(self.query.clone(), parameters).await.map_err(failed)?;
        let row = result.next().await;
        // A stream that has ended must not be polled again.
        while row.is_some() && result.next().await.is_some() {}
        result.result().await.map_err(failed)?;
        CONNECTION.set(Some(Rc::clone(&self.connection)));
        Ok(row)
    }
}

impl DefinitionSource for PostgresDefinitions {
    async fn find(&self, room: &RoomId, user: &UserId) -> Result<Option<StoredDefinition>, Error> {
        let Some(row) = self.query(room, user).await? else { return Ok(None) };
        // A group without an end has no session.
        let Some(end_at) = column::<Option<i64>>(&row, "end_at_ms")? else { return Ok(None) };
        let end_at = u64::try_from(end_at).map_err(|error| unusable("end_at_ms", &error))?;
        let leader = column::<Option<String>>(&row, "leader_id")?;
        let leader_id = leader.unwrap_or_default().parse().map_err(|error| unusable("leader_id", &error))?;
        // The query says of one user only whether the user is a member.
        let is_member = column::<Option<bool>>(&row, "is_member")?.unwrap_or(false);
        let members = Some(if is_member { vec![user.clone()] } else { Vec::new() });
        let definition = SessionDefinition {
            end_at,
            leader_id,
            members,
            duplicates: duplicates(&row)?,
            capacity: optional::<i32>(&row, "capacity")?.and_then(|capacity| capacity.try_into().ok()),
        };
        definition.validate().map_err(|error| unusable("the row", &error))?;
        Ok(Some(StoredDefinition { revision: 0, definition }))
    }
}

fn duplicates(row: &Row) -> Result<Duplicates, Error> {
    match optional::<String>(row, "duplicates")?.as_deref() {
        None | Some("refuse") => Ok(Duplicates::Refuse),
        Some("takeover") => Ok(Duplicates::Takeover),
        Some("share") => Ok(Duplicates::Share),
        Some(other) => Err(unusable("duplicates", &other)),
    }
}

fn column<T: Decode>(row: &Row, name: &'static str) -> Result<T, Error> {
    row.get(name).ok_or_else(|| unusable(name, &"the column is missing or has another type"))
}

/// Reads a column that the query may omit.
fn optional<T>(row: &Row, name: &'static str) -> Result<Option<T>, Error>
where
    Option<T>: Decode,
{
    Ok(row.get::<Option<T>>(name).flatten())
}

fn unusable(what: &str, error: &dyn std::fmt::Display) -> Error {
    variables::misconfigured(&format!("postgres_query: {what}: {error}"))
}

/// Spin's errors name neither addresses nor passwords.
fn unavailable(what: &str, error: &pg::Error) -> Error {
    Error::Unavailable(format!("PostgreSQL: {what}: {error}"))
}
