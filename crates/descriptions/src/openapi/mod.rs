//! Describes the HTTP API as an OpenAPI 3.1 document. The component `api` serves the document.

mod paths;

use utoipa::{
    Modify, OpenApi,
    openapi::{
        Components,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

/// Generates the document.
pub fn document() -> String {
    let mut text = Api::openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Rollcall",
        description = "Sessions of study rooms: who may enter, when they end, who is and was there. Times are milliseconds since 1970.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        paths::list,
        paths::counts,
        paths::get,
        paths::put,
        paths::patch,
        paths::delete,
        paths::end,
        paths::members,
        paths::kick,
        paths::notify,
        paths::command_timer,
        paths::command_chat,
        paths::history,
        paths::snippets,
        paths::snippet,
        paths::close_snippet,
        paths::attendance,
        paths::sweep,
        paths::sweep_by_path,
    ),
    modifiers(&Tokens)
)]
struct Api;

/// The kinds of tokens.
struct Tokens;

impl Modify for Tokens {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let components = api.components.get_or_insert_with(Components::new);
        for (name, description) in [
            ("operator", "One of the app's `operator_tokens`, or for reading of its `operator_read_tokens`"),
            ("user", "A user's JWT, for rooms that they may enter"),
            ("sweeper", "One of the app's `sweep_tokens`"),
        ] {
            let scheme =
                HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description)).build();
            components.add_security_scheme(name, SecurityScheme::Http(scheme));
        }
    }
}
