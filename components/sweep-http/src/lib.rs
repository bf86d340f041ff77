//! `POST /sweep`: settles what is overdue, for platforms that have no cron trigger.

use rollcall_guest::{
    bearer::{self, Tokens},
    events,
    http::{self, Response},
    redis, sweep,
};
use rollcall_rooms::Failure;
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
    context.within(async { answer(request).await.unwrap_or_else(http::problem) }).await
}

async fn answer(request: Request) -> Result<Response, Failure> {
    if *request.method() != Method::POST {
        return Ok(http::method_not_allowed("POST"));
    }
    bearer::authorize(request.headers(), &TOKENS, "sweep_tokens").await?;
    let swept = events::within_time_limit(async { sweep::run(&*redis::rooms().await?).await }).await?;
    Ok(http::json(StatusCode::OK, &swept))
}
