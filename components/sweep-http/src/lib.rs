//! Settles rooms that are due, over HTTP: for bridges, and for schedulers outside of the app.

use rollcall_guest::{
    bearer::{self, Tokens},
    events::{self, Call},
    http::{self, Response},
    redis, sweep,
};
use rollcall_protocol::event::{EventKind, Sweep, Swept};
use rollcall_rooms::Error;
use spin_sdk::{
    http::{HeaderValue, Method, Request, StatusCode},
    http_service,
};

thread_local! {
    static TOKENS: Tokens = const { Tokens::new() };
}

#[http_service]
async fn handle(request: Request) -> Response {
    if request.uri().path() == EventKind::Sweep.path() {
        return match Call::from_request(request) {
            Ok(call) => events::handle(call, sweep_for_bridges, redis::check).await,
            Err(error) => http::problem(error),
        };
    }
    let context = http::request_context(request.headers());
    context.within(async { handle_request(request).await.unwrap_or_else(http::problem) }).await
}

/// Sweeps, and tells all bridges so, because others may be about to ask.
async fn sweep_for_bridges(_: Sweep) -> Result<Swept, Error> {
    let rooms = redis::rooms().await?;
    let swept = sweep::run(&*rooms).await?;
    if let Some(next_due) = swept.next_due {
        rooms.announce_next_due(next_due).await?;
    }
    Ok(swept)
}

/// `/sweep` takes the token in a header, and `/sweep/<token>` in the path: some schedulers can only request a path.
async fn handle_request(request: Request) -> Result<Response, Error> {
    let in_path = request.uri().path().strip_prefix("/sweep/").filter(|token| !token.is_empty());
    let is_allowed = match *request.method() {
        Method::POST => true,
        Method::GET => in_path.is_some(),
        _ => false,
    };
    if !is_allowed {
        return Ok(http::method_not_allowed(if in_path.is_some() { "GET, POST" } else { "POST" }));
    }
    let token = in_path.or_else(|| bearer::presented(request.headers()));
    bearer::authorize(token, &TOKENS, "sweep_tokens").await?;
    let swept = events::within_time_limit(async { sweep::run(&*redis::rooms().await?).await }).await?;
    let mut response = http::json(StatusCode::OK, &swept.report);
    response.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
    Ok(response)
}
