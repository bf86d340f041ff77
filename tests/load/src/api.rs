//! A client of the operators' HTTP API, with the calls that a run needs.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use ureq::{Agent, http::Request};

/// How long the app may take to respond under load.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many rooms a page of live rooms holds.
const PAGE_SIZE: usize = 1000;

/// A client of the operators' HTTP API.
#[derive(Clone)]
pub struct Api {
    url: String,
    operator_token: String,
    agent: Agent,
}

impl Api {
    /// Creates a client for the app at a URL.
    pub fn new(url: String, operator_token: String) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(RESPONSE_TIMEOUT))
            .build();
        Self { url, operator_token, agent: config.into() }
    }

    /// Defines a session.
    pub async fn define(&self, room: &str, definition: Value) -> Result<()> {
        self.call_successfully("PUT", format!("/rooms/{room}"), Some(definition)).await.map(drop)
    }

    /// Changes a definition with a JSON Merge Patch.
    pub async fn revise(&self, room: &str, patch: Value) -> Result<()> {
        self.call_successfully("PATCH", format!("/rooms/{room}"), Some(patch)).await.map(drop)
    }

    /// Ends a session now.
    pub async fn end(&self, room: &str) -> Result<()> {
        self.call_successfully("POST", format!("/rooms/{room}/end"), None).await.map(drop)
    }

    /// Deletes a definition and ends its session.
    pub async fn delete(&self, room: &str) -> Result<()> {
        self.call_successfully("DELETE", format!("/rooms/{room}"), None).await.map(drop)
    }

    /// Sends a notice to a room. Returns whether the room was live.
    pub async fn notice(&self, room: &str, text: &str) -> Result<bool> {
        let body = json!({"text": text});
        let (status, answer) = self.call("POST", format!("/rooms/{room}/notices"), Some(body)).await?;
        match status {
            200..=299 => Ok(true),
            404 => Ok(false),
            _ => bail!("POST /rooms/{room}/notices: {status} {answer}"),
        }
    }

    /// Reads the state of a live room, as in `room:state`.
    pub async fn members(&self, room: &str) -> Result<Value> {
        self.call_successfully("GET", format!("/rooms/{room}/members"), None).await
    }

    /// Lists the live rooms that have members, each with their number.
    pub async fn occupied(&self) -> Result<Vec<(String, u64)>> {
        let mut occupied = Vec::new();
        let mut path = format!("/rooms?limit={PAGE_SIZE}");
        loop {
            let page = self.call_successfully("GET", path, None).await?;
            for room in page["rooms"].as_array().context("a list of rooms")? {
                let count = room["count"].as_u64().context("a room's count")?;
                if count > 0 {
                    occupied.push((room["id"].as_str().context("a room's id")?.to_owned(), count));
                }
            }
            let Some(next) = page["next"].as_str() else { return Ok(occupied) };
            path = format!("/rooms?limit={PAGE_SIZE}&after={next}");
        }
    }

    async fn call_successfully(
        &self,
        method: &'static str,
        path: String,
        body: Option<Value>,
    ) -> Result<Value> {
        let what = format!("{method} {path}");
        match self.call(method, path, body).await? {
            (200..=299, answer) => Ok(answer),
            (status, answer) => bail!("{what}: {status} {answer}"),
        }
    }

    async fn call(&self, method: &'static str, path: String, body: Option<Value>) -> Result<(u16, Value)> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.operator_token))
            .header("content-type", "application/json")
            .body(body.map(|body| body.to_string()).unwrap_or_default())?;
        let agent = self.agent.clone();
        spawn_blocking(move || {
            let mut response = agent.run(request)?;
            let text = response.body_mut().read_to_string()?;
            Ok((response.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text))))
        })
        .await?
    }
}
