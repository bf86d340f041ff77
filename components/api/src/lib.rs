//! The HTTP API: defines, changes and ends sessions, and reports members and attendance.

mod caller;
mod definitions;
mod live;
mod path;

use rollcall_guest::{
    cors::{self, AllowedOrigin},
    events,
    http::{self, Response},
};
use rollcall_protocol::{ErrorCode, Refusal};
use rollcall_rooms::Error;
use spin_sdk::{
    http::{Method, Request, StatusCode},
    http_service,
};

use self::path::Resource;

/// The description of the API, which everybody may read.
const DESCRIPTION: &str = include_str!("../../../docs/openapi.json");

#[http_service]
async fn handle(request: Request) -> Response {
    http::request_context(request.headers()).within(respond(request)).await
}

async fn respond(request: Request) -> Response {
    let origin = match AllowedOrigin::of(&request).await {
        Ok(origin) => origin,
        Err(error) => return cors::mark(http::problem(error), None),
    };
    if request.method() == Method::OPTIONS {
        return cors::preflight(origin.as_ref());
    }
    cors::mark(handle_request(request).await.unwrap_or_else(http::problem), origin.as_ref())
}

async fn handle_request(mut request: Request) -> Result<Response, Error> {
    let resource = Resource::parse(request.uri().path(), request.uri().query())?;
    let method = request.method().clone();
    if let (Resource::Description, &Method::GET) = (&resource, &method) {
        return Ok(http::text(StatusCode::OK, "application/json", DESCRIPTION));
    }
    let access = caller::authorize(request.headers(), &resource, &method).await?;
    let methods = resource.methods();
    match (resource, method) {
        (Resource::Rooms, Method::GET) => live::list(request.uri().query(), access).await,
        (Resource::Counts, Method::GET) => live::counts(request.uri().query()).await,
        (Resource::Room(room), Method::GET) => definitions::get(&room, request.headers()).await,
        (Resource::Room(room), Method::PUT) => definitions::put(&room, &mut request).await,
        (Resource::Room(room), Method::PATCH) => definitions::patch(&room, &mut request).await,
        (Resource::Room(room), Method::DELETE) => definitions::delete(&room, &request).await,
        (Resource::End(room), Method::POST) => definitions::end(&room).await,
        (Resource::Members(room), Method::GET) => live::members(&room, request.uri().query()).await,
        (Resource::Member(room, user), Method::DELETE) => live::kick(&room, &user).await,
        (Resource::Notices(room), Method::POST) => live::notify(&room, &mut request).await,
        (Resource::Timer(room), Method::POST) => live::command_timer(&room, &mut request).await,
        (Resource::Chat(room), Method::POST) => live::command_chat(&room, &mut request).await,
        (Resource::Messages(room), Method::GET) => live::history(&room, request.uri().query()).await,
        (Resource::Snippets(room), Method::GET) => live::snippets(&room).await,
        (Resource::Snippet(room, number), Method::GET) => live::snippet(&room, number).await,
        (Resource::Snippet(room, number), Method::DELETE) => live::close_snippet(&room, number).await,
        (Resource::Attendance(room), Method::GET) => live::attendance(&room).await,
        _ => Ok(http::method_not_allowed(methods)),
    }
}

/// Responds with the result of a use case, within the component's time limit.
async fn respond_with(work: impl Future<Output = Result<Response, Error>>) -> Result<Response, Error> {
    events::within_time_limit(work).await
}

fn malformed(error: impl std::fmt::Display) -> Refusal {
    Refusal::because(ErrorCode::Malformed, error.to_string())
}
