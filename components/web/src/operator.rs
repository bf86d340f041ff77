//! The operator's page, which uses the HTTP API at its own address and reads the metrics of the bridges.

use http::HeaderMap;
use rollcall_guest::{http::Response, variables};
use rollcall_rooms::Error;

use crate::{
    assets::OPERATOR,
    page::{self, Filling},
};

pub(crate) async fn respond(headers: &HeaderMap) -> Result<Response, Error> {
    let addresses = variables::get("bridge_metrics").await?;
    let addresses: Vec<_> = addresses.split_whitespace().collect();
    let mut sources = vec!["'self'"];
    for address in &addresses {
        sources.extend(source(address)?);
    }
    let filling = Filling { placeholder: "%BRIDGE_METRICS%", value: &addresses.join(" ") };
    page::respond(headers, OPERATOR, &filling, &sources.join(" "))
}

/// The origin of an address of metrics; none for a path at the address of the page.
fn source(address: &str) -> Result<Option<&str>, Error> {
    let host_at = address.find("://").map_or(0, |scheme| scheme + 3);
    let (origin, path) =
        address.split_at(address[host_at..].find('/').map_or(address.len(), |at| host_at + at));
    let is_path = |path: &str| {
        !path.starts_with("//")
            && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._~-".contains(&byte))
    };
    let is_valid = is_path(path) && (page::is_origin(origin) || origin.is_empty() && !path.is_empty());
    if !is_valid {
        return Err(variables::misconfigured(
            &"the variable bridge_metrics must list addresses like https://metrics.example/bridge-1, or paths",
        ));
    }
    Ok(Some(origin).filter(|origin| !origin.is_empty()))
}
