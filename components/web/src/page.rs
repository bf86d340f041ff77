//! The page itself. It learns where the bridges are, and its policy lets it connect to them and to nothing else.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rollcall_guest::{
    http::{self as guest, Response},
    variables,
};
use rollcall_rooms::Error;

use crate::{assets::PAGE, respond_with};

const NOT_BUILT: &str =
    "The page is not part of this build of the component. `cargo xtask build` builds it.\n";

/// Where the page has the address of the bridges.
const PLACEHOLDER: &str = "%BRIDGE_URL%";

pub(crate) async fn respond(headers: &HeaderMap) -> Result<Response, Error> {
    let Some(page) = PAGE else {
        return Ok(guest::text(StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", NOT_BUILT));
    };
    let bridge = BridgeUrl::parse(&variables::get("bridge_url").await?)?;
    let html = page.replace(PLACEHOLDER, &bridge.0);
    // A fixed hash is enough to tell versions apart, because nobody else writes them.
    let tag = format!("\"{:08x}\"", crc32fast::hash(html.as_bytes()));
    let mut response = respond_with(headers, &tag, || (Bytes::from(html), "text/html; charset=utf-8"));
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let policy = HeaderValue::from_str(&bridge.policy()).map_err(|error| variables::misconfigured(&error))?;
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

/// The address of the bridges, as in `https://study.example`. Empty: that of the page.
struct BridgeUrl(String);

impl BridgeUrl {
    /// Accepts a scheme, a host and a port, because the address becomes part of a header and of the page.
    fn parse(url: &str) -> Result<Self, Error> {
        let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let is_valid = host.is_some_and(|host| {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
        });
        if url.is_empty() || is_valid {
            return Ok(Self(url.to_owned()));
        }
        Err(variables::misconfigured(
            &"the variable bridge_url must be http:// or https:// with a host, and perhaps a port",
        ))
    }

    /// The Content-Security-Policy of the page.
    fn policy(&self) -> String {
        // "http" becomes "ws", and "https" becomes "wss".
        let sockets = match self.0.strip_prefix("http") {
            Some(rest) => format!("ws{rest}"),
            None => "'self'".to_owned(),
        };
        format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src {sockets}; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
             trusted-types 'none'"
        )
    }
}
