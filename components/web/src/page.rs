//! A page, which learns an address from the variables of the app. Its policy lets it connect to that address and to nothing
//! else.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rollcall_guest::{
    http::{self as guest, Response},
    variables,
};
use rollcall_rooms::Error;

use crate::respond_with;

const NOT_BUILT: &str =
    "The page is not part of this build of the component. `cargo xtask build` builds it.\n";

/// What stands for what in the text of a page.
pub(crate) struct Filling<'a> {
    pub(crate) placeholder: &'a str,
    /// Must not hold characters with a meaning in HTML.
    pub(crate) value: &'a str,
}

/// Responds with a page that may connect to these sources.
pub(crate) fn respond(
    headers: &HeaderMap,
    page: Option<&str>,
    filling: &Filling<'_>,
    sources: &str,
) -> Result<Response, Error> {
    let Some(page) = page else {
        return Ok(guest::text(StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", NOT_BUILT));
    };
    let html = page.replace(filling.placeholder, filling.value);
    // A fixed hash is enough to tell versions apart, because nobody else writes them.
    let tag = format!("\"{:08x}\"", crc32fast::hash(html.as_bytes()));
    let mut response = respond_with(headers, &tag, || (Bytes::from(html), "text/html; charset=utf-8"));
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let policy = HeaderValue::from_str(&policy(sources)).map_err(|error| variables::misconfigured(&error))?;
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

/// The Content-Security-Policy of a page.
fn policy(sources: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src {sources}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types 'none'"
    )
}

/// Whether a text is a scheme, a host and perhaps a port, because it becomes part of a header and of a page.
pub(crate) fn is_origin(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
    })
}
