//! The study-room page, which connects to the bridges.

use http::HeaderMap;
use rollcall_guest::{http::Response, variables};
use rollcall_rooms::Error;

use crate::{
    assets::STUDY_ROOM,
    page::{self, Filling},
};

pub(crate) async fn respond(headers: &HeaderMap) -> Result<Response, Error> {
    let bridge = BridgeUrl::parse(&variables::get("bridge_url").await?)?;
    let filling = Filling { placeholder: "%BRIDGE_URL%", value: &bridge.0 };
    page::respond(headers, STUDY_ROOM, &filling, &bridge.source())
}

/// The address of the bridges, as in `https://study.example`. Empty: that of the page.
struct BridgeUrl(String);

impl BridgeUrl {
    fn parse(url: &str) -> Result<Self, Error> {
        if url.is_empty() || page::is_origin(url) {
            return Ok(Self(url.to_owned()));
        }
        Err(variables::misconfigured(
            &"the variable bridge_url must be http:// or https:// with a host, and perhaps a port",
        ))
    }

    /// What the page connects to.
    fn source(&self) -> String {
        // "http" becomes "ws", and "https" becomes "wss".
        match self.0.strip_prefix("http") {
            Some(rest) => format!("ws{rest}"),
            None => "'self'".to_owned(),
        }
    }
}
