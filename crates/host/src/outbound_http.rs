//! Outbound HTTP, to the hosts that the manifest allows to the component. Redirects are not followed, as in Spin.

use std::sync::{Arc, OnceLock};

use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::{allowed_hosts::AllowedHosts, state::Grants};

type Connections = Client<HttpsConnector<HttpConnector>, WasiBody>;
type Sending = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Sending), Error>;

/// The client of all components of an application. The first request makes it, because only that request needs the
/// certificates of this machine.
#[derive(Clone, Default)]
pub(crate) struct HttpClient(Arc<OnceLock<Connections>>);

impl HttpClient {
    fn connections(&self) -> Result<&Connections, Error> {
        if let Some(connections) = self.0.get() {
            return Ok(connections);
        }
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|error| failure("the certificates of this machine cannot be read", &error))?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(self.0.get_or_init(|| Client::builder(TokioExecutor::new()).build(connector)))
    }

    async fn send(&self, request: Request<WasiBody>) -> Sent {
        let sent = self.connections()?.request(request).await;
        let response = sent.map_err(|error| failure("the request failed", &error))?;
        let response = response.map(|body| body.map_err(Error::from).boxed_unsync());
        Ok((response, Box::new(async { Ok(()) })))
    }
}

/// Sends the requests of one component.
pub(crate) struct OutboundHttp(pub(crate) Arc<Grants>);

impl WasiHttpHooks for OutboundHttp {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Sending,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let component = Arc::clone(&self.0);
        Box::new(async move {
            if !allows(&component.allowed_hosts, request.uri()) {
                // The path may hold a secret and must not be logged.
                tracing::warn!(component = component.name, "HTTP host not in allowed_outbound_hosts");
                return Err(Error::HttpRequestDenied);
            }
            component.http_client.send(request).await
        })
    }
}

fn allows(hosts: &AllowedHosts, uri: &Uri) -> bool {
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return false };
    let port = authority.port_u16().or(match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    });
    !authority.as_str().contains('@') && hosts.allows_host(scheme, authority.host(), port)
}

fn failure(what: &str, error: &dyn std::error::Error) -> Error {
    let mut text = format!("{what}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    Error::InternalError(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(entry: &str, uri: &str) -> bool {
        allows(&AllowedHosts::parse(&[entry.to_owned()]).unwrap(), &uri.parse().unwrap())
    }

    #[test]
    fn exactly_the_scheme_the_host_and_the_port_of_the_manifest_are_allowed() {
        assert!(allowed("https://id.example", "https://id.example/keys"));
        assert!(allowed("https://id.example", "https://id.example:443/keys"));
        assert!(allowed("http://127.0.0.1:8080", "http://127.0.0.1:8080/"));
        assert!(allowed("http://[::1]:8080", "http://[::1]:8080/"));
        for uri in [
            "http://id.example/keys",
            "https://id.example:8443/keys",
            "https://evil.example/keys",
            "https://id.example.evil.example/keys",
            "https://id.example@evil.example/keys",
            "https://evil.example@id.example/keys",
            "/keys",
        ] {
            assert!(!allowed("https://id.example", uri), "{uri}");
        }
    }

    #[test]
    fn a_component_without_allowed_hosts_reaches_none() {
        assert!(!allows(&AllowedHosts::default(), &"https://id.example/".parse().unwrap()));
    }
}
