//! Requests to HTTP components.

use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode, Uri,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HOST},
    uri::{Authority, PathAndQuery, Scheme},
};
use http_body_util::{BodyExt, Full, Limited};
use tokio::time::timeout;
use wasmtime::component::InstancePre;
use wasmtime_wasi_http::{
    handler::{ProxyHandler, ProxyPre},
    p3::bindings::ServicePre,
};

use crate::{
    instances::Instances,
    runtime::Runtime,
    state::{Grants, State},
};

/// The host treats a guest with a larger response as broken.
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;

/// A component that handles HTTP requests.
pub(crate) struct HttpComponent {
    name: String,
    handler: ProxyHandler<Instances>,
}

impl HttpComponent {
    /// Fails when the component does not export `wasi:http/handler`.
    pub(crate) fn new(runtime: Runtime, component: Arc<Grants>, pre: InstancePre<State>) -> Result<Self> {
        let name = component.name.clone();
        let pre = ServicePre::new(pre).map_err(anyhow::Error::from);
        let pre = pre.with_context(|| format!("component \"{name}\" does not answer HTTP requests"))?;
        let handler = ProxyHandler::new(Instances { runtime, component, pre: ProxyPre::P3(pre) });
        Ok(Self { name, handler })
    }

    /// The component's response, or a response with the status 500 or 504.
    pub(crate) async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let limit = self.handler.state().runtime.time_limit;
        match timeout(limit, self.answer(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                tracing::error!(component = self.name, "no answer: {error:#}");
                plain(StatusCode::INTERNAL_SERVER_ERROR, "the component failed")
            }
            Err(_) => {
                tracing::error!(component = self.name, "no answer within {limit:?}");
                plain(StatusCode::GATEWAY_TIMEOUT, "the component took too long")
            }
        }
    }

    async fn answer(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        let request = complete(request)?;
        let request = request.map(|body| Full::new(body).map_err(|never| match never {}).boxed_unsync());
        let (head, body) = self.handler.handle((), request).await?.into_parts();
        let body = Limited::new(body, MAX_RESPONSE_BYTES).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("incomplete body: {error}"))?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

/// Puts the host into the URI, and the length of the body into a header, where guests look for them.
pub(crate) fn complete(mut request: Request<Bytes>) -> Result<Request<Bytes>> {
    let mut uri = std::mem::take(request.uri_mut()).into_parts();
    uri.scheme.get_or_insert(Scheme::HTTP);
    if uri.authority.is_none() {
        let host = request.headers().get(HOST).map(HeaderValue::as_bytes);
        let host = host.and_then(|host| Authority::try_from(host).ok());
        uri.authority = Some(host.unwrap_or(Authority::from_static("localhost")));
    }
    uri.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from_parts(uri)?;
    let length = request.body().len();
    request.headers_mut().insert(CONTENT_LENGTH, length.into());
    Ok(request)
}

/// A response with a line of text.
pub(crate) fn plain(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri_of(uri: &str, host: Option<&str>) -> String {
        let mut request = Request::builder().uri(uri);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        complete(request.body(Bytes::new()).unwrap()).unwrap().uri().to_string()
    }

    #[test]
    fn a_guest_sees_the_whole_uri() {
        assert_eq!(uri_of("/a?b=1", Some("example.com:80")), "http://example.com:80/a?b=1");
        assert_eq!(uri_of("/a", None), "http://localhost/a");
        assert_eq!(uri_of("/a", Some("not a host")), "http://localhost/a");
        assert_eq!(uri_of("https://example.com/a", Some("other")), "https://example.com/a");
    }
}
