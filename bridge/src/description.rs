//! The description of events, which everybody may read: `/asyncapi.json`.

use axum::{Router, response::IntoResponse, routing::get};
use http::header;

/// The document, as `cargo xtask describe` writes it.
const DESCRIPTION: &str = include_str!("../../docs/asyncapi.json");

/// Adds `/asyncapi.json`. Pages of every origin may read it, such as viewers of descriptions.
pub(crate) fn add_routes(router: Router) -> Router {
    router.route("/asyncapi.json", get(get_description))
}

async fn get_description() -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (headers, DESCRIPTION)
}
