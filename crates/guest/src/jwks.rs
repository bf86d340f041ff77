//! The address at which an identity provider publishes its keys.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Limited};
use hyperium::header::CACHE_CONTROL;
use rollcall_rooms::token::published::{FETCH_LIMIT_MS, Fetched, MAX_SET_BYTES, PAUSE_MS, Publisher};
use spin_sdk::http::{FullBody, Request, StatusCode};

use crate::{address::Address, log};

/// An address that publishes a key set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksAddress(pub(crate) Address);

impl JwksAddress {
    async fn request(&self) -> Result<Fetched, String> {
        let request = Request::get(self.0.uri().clone()).header("accept", "application/json");
        let request = request.body(FullBody::<Bytes>::default()).map_err(|error| error.to_string())?;
        let response =
            spin_sdk::http::send(request).await.map_err(|error| format!("no response: {error:?}"))?;
        let (head, body) = response.into_parts();
        if head.status != StatusCode::OK {
            // A redirect leads to a host that the manifest does not allow.
            return Err(format!("the response has the status {}, not 200", head.status.as_u16()));
        }
        let body = Limited::new(body, MAX_SET_BYTES).collect().await;
        let body =
            body.map_err(|_| format!("the response broke off, or is larger than {MAX_SET_BYTES} bytes"))?;
        let text = String::from_utf8(body.to_bytes().into()).map_err(|_| "the response is not UTF-8")?;
        let cache_control = head.headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok());
        Ok(Fetched { text, cache_control: cache_control.map(str::to_owned) })
    }
}

impl Publisher for JwksAddress {
    async fn fetch(&self) -> Result<Fetched, String> {
        let clock = pin!(spin_sdk::time::sleep(Duration::from_millis(FETCH_LIMIT_MS)));
        match select(pin!(self.request()), clock).await {
            Either::Left((fetched, _)) => fetched,
            Either::Right(_) => Err(format!("no response within {FETCH_LIMIT_MS} ms")),
        }
    }

    async fn pause(&self) {
        spin_sdk::time::sleep(Duration::from_millis(PAUSE_MS)).await;
    }

    fn log(&self, message: &str) {
        log::error(message);
    }
}
