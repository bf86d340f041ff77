//! Asks the operators' API of the app.

use std::{env, time::Duration};

use anyhow::{Context, bail, ensure};
use http::{HeaderValue, Method, Request, Response, Uri, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rollcall_protocol::ErrorCode;
use serde::Serialize;
use ureq::{
    Agent, Body,
    tls::{Certificate, RootCerts, TlsConfig},
};

use super::answer::Problem;

/// Where the operator's token comes from. Not a flag: flags show in the list of processes.
const TOKEN_VARIABLE: &str = "ROLLCALL_OPERATOR_TOKEN";

/// More than the app takes for anything.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Dots are not left as they are: a segment of dots alone means another path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');

/// One segment of a path, or one value of a query.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// The API, as one operator.
pub(super) struct Api {
    agent: Agent,
    base: String,
    /// The base without what may be a password.
    shown: String,
    authorization: HeaderValue,
}

/// The URL at which an app is served, without a slash at its end.
pub(super) fn parse_base(text: &str) -> Result<String, String> {
    let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    if is_http && uri.query().is_none() && !text.contains('#') {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err("it must be an http:// or https:// URL without a query".to_owned())
    }
}

impl Api {
    /// Takes the operator's token from the environment.
    pub(super) fn from_env(base: String) -> anyhow::Result<Self> {
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
            // A redirect would take the token elsewhere.
            .max_redirects(0)
            .timeout_global(Some(ANSWER_LIMIT));
        if base.starts_with("https:") {
            config = config.tls_config(tls()?);
        }
        let shown = without_user(&base);
        Ok(Self { agent: config.build().into(), base, shown, authorization })
    }

    /// Reads; the answer's body.
    pub(super) fn get(&self, path: &str) -> anyhow::Result<String> {
        self.call(Method::GET, path, None)
    }

    /// Replaces; whether it is new, and the answer's body.
    pub(super) fn put(&self, path: &str, body: &impl Serialize) -> anyhow::Result<(bool, String)> {
        let response = self.send(Method::PUT, path, Some(("application/json", json(body)?)))?;
        let is_new = response.status() == http::StatusCode::CREATED;
        Ok((is_new, accept(response)?))
    }

    /// Changes a part; the answer's body.
    pub(super) fn patch(&self, path: &str, body: &impl Serialize) -> anyhow::Result<String> {
        self.call(Method::PATCH, path, Some(("application/merge-patch+json", json(body)?)))
    }

    /// Does something.
    pub(super) fn post(&self, path: &str, body: Option<&impl Serialize>) -> anyhow::Result<String> {
        let body = body.map(json).transpose()?.map(|body| ("application/json", body));
        self.call(Method::POST, path, body)
    }

    /// Removes.
    pub(super) fn delete(&self, path: &str) -> anyhow::Result<String> {
        self.call(Method::DELETE, path, None)
    }

    fn call(&self, method: Method, path: &str, body: Option<(&str, String)>) -> anyhow::Result<String> {
        accept(self.send(method, path, body)?)
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
        let answer = match body {
            Some((kind, body)) => self.agent.run(request.header(header::CONTENT_TYPE, kind).body(body)?),
            None => self.agent.run(request.body(())?),
        };
        answer.with_context(|| format!("no answer from the app at {}", self.shown))
    }
}

fn without_user(base: &str) -> String {
    match base.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1))) {
        Some((scheme, rest)) => format!("{scheme}://{rest}"),
        None => base.to_owned(),
    }
}

fn json(body: &impl Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string(body)?)
}

fn accept(mut response: Response<Body>) -> anyhow::Result<String> {
    let status = response.status();
    let body = response.body_mut().read_to_string().context("the app's answer broke off")?;
    if status.is_success() {
        return Ok(body);
    }
    match serde_json::from_str::<Problem>(&body) {
        Ok(problem) if problem.code == ErrorCode::Unauthorized.as_str() => {
            bail!("{}; check {TOKEN_VARIABLE}", explain(&problem))
        }
        Ok(problem) => bail!("{}", explain(&problem)),
        Err(_) => bail!("the app answered {status}"),
    }
}

fn explain(problem: &Problem) -> String {
    let detail = problem.detail.as_ref().or(problem.title.as_ref());
    detail.map_or_else(|| problem.code.clone(), |detail| format!("{}: {detail}", problem.code))
}

/// Trusts what this machine trusts, as the bridge does.
fn tls() -> anyhow::Result<TlsConfig> {
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
    fn ids_stay_one_segment_whatever_they_hold() {
        for (id, segment) in [
            ("algebra-1_a~", "algebra-1_a~"),
            ("a/b c?d#e%", "a%2Fb%20c%3Fd%23e%25"),
            ("..", "%2E%2E"),
            ("é", "%C3%A9"),
        ] {
            assert_eq!(encode(id), segment);
            let decoded = percent_encoding::percent_decode_str(segment).decode_utf8().unwrap();
            assert_eq!(decoded, id);
        }
    }

    #[test]
    fn an_app_is_at_a_url() {
        assert_eq!(parse_base("https://app.example/x/").unwrap(), "https://app.example/x");
        for text in ["", "app.example", "ftp://app.example", "spin.toml", "http://app.example/?a"] {
            assert!(parse_base(text).is_err(), "{text}");
        }
    }

    #[test]
    fn tokens_do_not_show_in_errors() {
        let error = Api::new("http://127.0.0.1:1".to_owned(), "hunter2\n").err().unwrap();
        assert!(!format!("{error:#}").contains("hunter2"));
        let api = Api::new("http://127.0.0.1:1".to_owned(), "hunter2").unwrap();
        let error = format!("{:#}", api.get("/rooms").unwrap_err());
        assert!(error.contains("http://127.0.0.1:1") && !error.contains("hunter2"), "{error}");
        assert_eq!(without_user("https://kim:hunter2@app.example/x"), "https://app.example/x");
    }

    #[test]
    fn the_machines_certificates_can_be_used() {
        assert!(Api::new("https://app.example".to_owned(), "hunter2").is_ok());
    }
}
