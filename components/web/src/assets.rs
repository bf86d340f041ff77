//! The files of the page. Their names hold hashes of their contents, so a browser never has to ask for one again.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use rollcall_guest::http::Response;

use crate::respond_with;

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// A file in both forms.
pub(crate) struct Asset {
    name: &'static str,
    content_type: &'static str,
    tag: &'static str,
    plain: &'static [u8],
    compressed: &'static [u8],
}

/// Finds a file by its name.
pub(crate) fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

impl Asset {
    pub(crate) fn respond(&self, headers: &HeaderMap) -> Response {
        let is_compressed = accepts_gzip(headers);
        // Two forms of a file are two representations, with a tag each.
        let form = if is_compressed { "gzip" } else { "plain" };
        let body = if is_compressed { self.compressed } else { self.plain };
        let tag = format!("\"{}-{form}\"", self.tag);
        let mut response = respond_with(headers, &tag, || (Bytes::from_static(body), self.content_type));
        let headers = response.headers_mut();
        headers
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if is_compressed {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// Whether `Accept-Encoding` names gzip, with a weight other than zero.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted =
        headers.get(header::ACCEPT_ENCODING).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|coding| {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = parameters.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_none_or(|weight| weight > 0.0)
    })
}
