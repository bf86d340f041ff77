//! The address at which an identity provider publishes its keys.

use std::time::Duration;

use bytes::Bytes;
use hyperium::{Request, StatusCode, header::CACHE_CONTROL};
use rollcall_rooms::token::published::{FETCH_LIMIT_MS, Fetched, MAX_SET_BYTES, PAUSE_MS, Publisher};

use crate::{
    address::{self, Address},
    log,
};

/// An address that publishes a key set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksAddress(pub(crate) Address);

impl Publisher for JwksAddress {
    async fn fetch(&self) -> Result<Fetched, String> {
        let request = Request::get(self.0.uri().clone()).header("accept", "application/json");
        let request = request.body(Bytes::new()).map_err(|error| error.to_string())?;
        let (head, body) = address::fetch(request, FETCH_LIMIT_MS, MAX_SET_BYTES).await?;
        if head.status != StatusCode::OK {
            return Err(format!("the response has the status {}, not 200", head.status.as_u16()));
        }
        let text = String::from_utf8(body.into()).map_err(|_| "the response is not UTF-8")?;
        let cache_control = head.headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok());
        Ok(Fetched { text, cache_control: cache_control.map(str::to_owned) })
    }

    async fn pause(&self) {
        spin_sdk::time::sleep(Duration::from_millis(PAUSE_MS)).await;
    }

    fn log(&self, message: &str) {
        log::error(message);
    }
}
