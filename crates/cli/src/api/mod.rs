//! Calls the operators' API of the app.

pub(crate) mod url;

use std::{env, time::Duration};

use anyhow::{Context, bail, ensure};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use rollcall_protocol::{ErrorCode, api::Problem};
use serde::Serialize;
use ureq::{
    Agent, Body,
    tls::{Certificate, RootCerts, TlsConfig},
};

/// The variable that holds the operator's token. There is no flag: flags show in the list of processes.
const TOKEN_VARIABLE: &str = "ROLLCALL_OPERATOR_TOKEN";

/// Longer than any call of the app takes.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// A client of the API, authorized as one operator.
pub(crate) struct Api {
    agent: Agent,
    base: String,
    authorization: HeaderValue,
}

impl Api {
    /// Reads the operator's token from the environment.
    pub(crate) fn from_env(base: String) -> anyhow::Result<Self> {
        let token = env::var(TOKEN_VARIABLE)
            .with_context(|| format!("set {TOKEN_VARIABLE} to one of the app's operator_tokens"))?;
        Self::new(base, token.trim())
    }

    fn new(base: String, token: &str) -> anyhow::Result<Self> {
        let Ok(mut authorization) = HeaderValue::from_str(&format!("Bearer {token}")) else {
            bail!("{TOKEN_VARIABLE} holds characters that a token cannot have");
        };
        authorization.set_sensitive(true);
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect would send the token to another server.
            .max_redirects(0)
            .timeout_global(Some(RESPONSE_TIMEOUT));
        if base.starts_with("https:") {
            config = config.tls_config(tls_config()?);
        }
        Ok(Self { agent: config.build().into(), base, authorization })
    }

    /// Sends a GET request. Returns the body of the response.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<String> {
        self.call(Method::GET, path, None)
    }

    /// Sends a PUT request. Returns whether the API created something new, and the body of the response.
    pub(crate) fn put(&self, path: &str, body: &impl Serialize) -> anyhow::Result<(bool, String)> {
        let response = self.send(Method::PUT, path, Some((JSON, to_json(body)?)))?;
        let is_new = response.status() == StatusCode::CREATED;
        Ok((is_new, read_body(response)?))
    }

    /// Sends a PATCH request with a JSON Merge Patch. Returns the body of the response.
    pub(crate) fn patch(&self, path: &str, body: &impl Serialize) -> anyhow::Result<String> {
        self.call(Method::PATCH, path, Some((MERGE_PATCH, to_json(body)?)))
    }

    /// Sends a POST request. Returns the body of the response.
    pub(crate) fn post(&self, path: &str, body: Option<&impl Serialize>) -> anyhow::Result<String> {
        let body = body.map(to_json).transpose()?.map(|body| (JSON, body));
        self.call(Method::POST, path, body)
    }

    /// Sends a DELETE request. Returns the body of the response.
    pub(crate) fn delete(&self, path: &str) -> anyhow::Result<String> {
        self.call(Method::DELETE, path, None)
    }

    fn call(&self, method: Method, path: &str, body: Option<(&str, String)>) -> anyhow::Result<String> {
        read_body(self.send(method, path, body)?)
    }

    fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, String)>,
    ) -> anyhow::Result<Response<Body>> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::AUTHORIZATION, &self.authorization);
        let response = match body {
            Some((kind, body)) => self.agent.run(request.header(header::CONTENT_TYPE, kind).body(body)?),
            None => self.agent.run(request.body(())?),
        };
        response.with_context(|| format!("no answer from the app at {}", url::remove_credentials(&self.base)))
    }
}

fn to_json(body: &impl Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string(body)?)
}

/// Reads the body of a successful response; any other response is an error.
fn read_body(mut response: Response<Body>) -> anyhow::Result<String> {
    let status = response.status();
    let body = response.body_mut().read_to_string().context("the app's answer broke off")?;
    if status.is_success() {
        return Ok(body);
    }
    match serde_json::from_str::<Problem>(&body) {
        Ok(problem) if problem.code == ErrorCode::Unauthorized => {
            bail!("{}; check {TOKEN_VARIABLE}", describe(&problem))
        }
        Ok(problem) => bail!("{}", describe(&problem)),
        Err(_) => bail!("the app answered {status}"),
    }
}

fn describe(problem: &Problem) -> String {
    format!("{}: {}", problem.code, problem.detail)
}

/// Trusts the certificate authorities of this machine, as the bridge does.
fn tls_config() -> anyhow::Result<TlsConfig> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let found = rustls_native_certs::load_native_certs();
    ensure!(!found.certs.is_empty(), "this machine has no certificates to trust, which https:// needs");
    let certificates = found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned());
    Ok(TlsConfig::builder().root_certs(RootCerts::from(certificates)).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_do_not_show_tokens() {
        let error = Api::new("http://127.0.0.1:1".to_owned(), "hunter2\n").err().unwrap();
        assert!(!format!("{error:#}").contains("hunter2"));
        let api = Api::new("http://127.0.0.1:1".to_owned(), "hunter2").unwrap();
        let error = format!("{:#}", api.get("/rooms").unwrap_err());
        assert!(error.contains("http://127.0.0.1:1") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn errors_do_not_show_the_password_of_the_url() {
        let api = Api::new("http://kim:hunter2@127.0.0.1:1".to_owned(), "token").unwrap();
        let error = format!("{:#}", api.get("/rooms").unwrap_err());
        assert!(error.contains("http://127.0.0.1:1") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn the_certificates_of_the_machine_are_usable() {
        assert!(Api::new("https://app.example".to_owned(), "hunter2").is_ok());
    }
}
