//! The operators' HTTP API, as far as a run needs it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use ureq::{Agent, http::Request};

/// How long the app may take to answer, under load.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Rooms per page of the list of live rooms.
const PAGE: usize = 1000;

/// The operators' HTTP API.
#[derive(Clone)]
pub struct Api {
    url: String,
    operator_token: String,
    agent: Agent,
}

impl Api {
    /// For the app at a URL.
    pub fn new(url: String, operator_token: String) -> Self {
        let config =
            Agent::config_builder().http_status_as_error(false).timeout_global(Some(ANSWER_LIMIT)).build();
        Self { url, operator_token, agent: config.into() }
    }

    /// Defines a session.
    pub async fn define(&self, room: &str, definition: Value) -> Result<()> {
        self.expect("PUT", format!("/rooms/{room}"), Some(definition)).await.map(drop)
    }

    /// Changes what the patch names.
    pub async fn revise(&self, room: &str, patch: Value) -> Result<()> {
        self.expect("PATCH", format!("/rooms/{room}"), Some(patch)).await.map(drop)
    }

    /// Ends a session now.
    pub async fn end(&self, room: &str) -> Result<()> {
        self.expect("POST", format!("/rooms/{room}/end"), None).await.map(drop)
    }

    /// Forgets a definition and ends its session.
    pub async fn delete(&self, room: &str) -> Result<()> {
        self.expect("DELETE", format!("/rooms/{room}"), None).await.map(drop)
    }

    /// Says something to everybody in a room. Returns whether anybody can have heard it.
    pub async fn notice(&self, room: &str, text: &str) -> Result<bool> {
        let body = json!({"text": text});
        let (status, answer) = self.call("POST", format!("/rooms/{room}/notices"), Some(body)).await?;
        match status {
            200..=299 => Ok(true),
            404 => Ok(false),
            _ => bail!("POST /rooms/{room}/notices: {status} {answer}"),
        }
    }

    /// Who is in a live room, as in `room:state`.
    pub async fn members(&self, room: &str) -> Result<Value> {
        self.expect("GET", format!("/rooms/{room}/members"), None).await
    }

    /// The live rooms with somebody in them, each with how many.
    pub async fn occupied(&self) -> Result<Vec<(String, u64)>> {
        let mut occupied = Vec::new();
        let mut path = format!("/rooms?limit={PAGE}");
        loop {
            let page = self.expect("GET", path, None).await?;
            for room in page["rooms"].as_array().context("a list of rooms")? {
                let count = room["count"].as_u64().context("a room's count")?;
                if count > 0 {
                    occupied.push((room["id"].as_str().context("a room's id")?.to_owned(), count));
                }
            }
            let Some(next) = page["next"].as_str() else { return Ok(occupied) };
            path = format!("/rooms?limit={PAGE}&after={next}");
        }
    }

    async fn expect(&self, method: &'static str, path: String, body: Option<Value>) -> Result<Value> {
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
