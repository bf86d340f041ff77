//! Session definitions in the study service's own tables, through a query that is configuration.

use std::{cell::RefCell, rc::Rc};

use rollcall_protocol::{
    RoomId, UserId,
    definition::{Duplicates, SessionDefinition, StoredDefinition},
};
use rollcall_rooms::{Failure, directory::Directory};
use spin_sdk::pg::{Connection, Decode, Error, ParameterValue, Row};

use crate::variables;

thread_local! {
    /// The instance's one connection, for the life of the instance. Calls that run at once take turns on it.
    static CONNECTION: RefCell<Option<Rc<Connection>>> = const { RefCell::new(None) };
}

/// Session definitions behind the query in the variable `postgres_query`.
pub struct PostgresDefinitions {
    connection: Rc<Connection>,
    query: String,
}

impl PostgresDefinitions {
    /// Connects, unless the instance is connected already.
    pub async fn open() -> Result<Self, Failure> {
        let query = variables::get("postgres_query").await?;
        if let Some(kept) = CONNECTION.take() {
            return Ok(Self { connection: kept, query });
        }
        let url = variables::get("postgres_url").await?;
        let opened = Connection::open(url).await.map_err(|error| unavailable("cannot connect", &error))?;
        Ok(Self { connection: Rc::new(opened), query })
    }

    /// Nobody else has the connection meanwhile; one that failed, or was given up, is not used again.
    async fn ask(&self, room: &RoomId, user: &UserId) -> Result<Option<Row>, Failure> {
        let parameters: Vec<ParameterValue> =
            [room.as_str(), user.as_str()].map(|id| ParameterValue::Str(id.to_owned())).into();
        let failed = |error: Error| unavailable("the query failed", &error);
        let mut result = self.connection.query(self.query.clone(), parameters).await.map_err(failed)?;
        let row = result.next().await;
        // A stream that has ended is not to be asked again.
        while row.is_some() && result.next().await.is_some() {}
        result.result().await.map_err(failed)?;
        CONNECTION.set(Some(Rc::clone(&self.connection)));
        Ok(row)
    }
}

impl Directory for PostgresDefinitions {
    async fn find(&self, room: &RoomId, user: &UserId) -> Result<Option<StoredDefinition>, Failure> {
        let Some(row) = self.ask(room, user).await? else { return Ok(None) };
        // A group that has no time has no session.
        let Some(end_at) = column::<Option<i64>>(&row, "end_at_ms")? else { return Ok(None) };
        let end_at = u64::try_from(end_at).map_err(|error| unusable("end_at_ms", &error))?;
        let leader = column::<Option<String>>(&row, "leader_id")?;
        let leader_id = leader.unwrap_or_default().parse().map_err(|error| unusable("leader_id", &error))?;
        // Of the list, only what it says of this one user: it is asked anew for each.
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

fn duplicates(row: &Row) -> Result<Duplicates, Failure> {
    match optional::<String>(row, "duplicates")?.as_deref() {
        None | Some("refuse") => Ok(Duplicates::Refuse),
        Some("takeover") => Ok(Duplicates::Takeover),
        Some("share") => Ok(Duplicates::Share),
        Some(other) => Err(unusable("duplicates", &other)),
    }
}

fn column<T: Decode>(row: &Row, name: &'static str) -> Result<T, Failure> {
    row.get(name).ok_or_else(|| unusable(name, &"it is missing, or of another type"))
}

/// A column that the query may leave out.
fn optional<T>(row: &Row, name: &'static str) -> Result<Option<T>, Failure>
where
    Option<T>: Decode,
{
    Ok(row.get::<Option<T>>(name).flatten())
}

fn unusable(what: &str, error: &dyn std::fmt::Display) -> Failure {
    variables::misconfigured(&format!("postgres_query: {what}: {error}"))
}

/// The text of an error, which names no address and no password.
fn unavailable(what: &str, error: &Error) -> Failure {
    Failure::Unavailable(format!("PostgreSQL: {what}: {error}"))
}
