//! `POST /sweep`: settles rooms that are due, on platforms without a cron trigger.

use rollcall_guest::{
    bearer::{self, Tokens},
    events,
    http::{self, Response},
    redis, sweep,
};
use rollcall_rooms::Error;
use spin_sdk::{
    http::{Method, Request, StatusCode},
    http_service,
};

thread_local! {
    static TOKENS: Tokens = const { Tokens::new() };
}

#[http_service]
async fn handle(request: Request) -> Response {
    let context = http::request_context(&request);
    context.within(async { handle_request(request).await.unwrap_or_else(http::problem) }).await
}

async fn handle_request(request: Request) -> Result<Response, Error> {
    if *request.method() != Method::POST {
        return Ok(http::method_not_allowed("POST"));
    }
    bearer::authorize(request.headers(), &TOKENS, "sweep_tokens").await?;
    let report = events::within_time_limit(async { sweep::run(&*redis::rooms().await?).await }).await?;
    Ok(http::json(StatusCode::OK, &report))
}
