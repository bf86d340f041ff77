//! Generates the descriptions of the protocol from the types of `rollcall_protocol`.
//!
//! | module | what it generates |
//! |---|---|
//! | [`openapi`] | the HTTP API, as an OpenAPI 3.1 document |
//! | [`asyncapi`] | events and acks over Socket.IO and WebSockets, as an AsyncAPI 3.0 document with JSON Schemas |
//! | [`typescript`] | the types of events and acks in TypeScript |
//!
//! `cargo xtask describe` writes the files, and a test compares them with the code. [`compatibility`] compares the
//! AsyncAPI document with that of the last release.

pub mod asyncapi;
pub mod compatibility;
pub mod openapi;
pub mod typescript;

/// A file that is generated: its path from the root of the repository, and the generator.
pub struct File {
    /// The path.
    pub path: &'static str,
    /// Generates the content.
    pub generate: fn() -> String,
}

/// All files.
pub const FILES: &[File] = &[
    File { path: "docs/openapi.json", generate: openapi::document },
    File { path: "docs/asyncapi.json", generate: asyncapi::document },
    File { path: "clients/js/src/protocol.ts", generate: typescript::module },
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn the_files_say_what_the_code_does() {
        for file in super::FILES {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file.path);
            let written = std::fs::read_to_string(path).unwrap_or_default();
            assert!(written == (file.generate)(), "{}: run `cargo xtask describe`", file.path);
        }
    }
}
