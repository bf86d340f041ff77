//! The sample session.

use std::{
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::shell;

/// The sample session's room.
pub const ROOM: &str = "demo";

/// The users who may enter; the first is the leader.
pub const MEMBERS: [&str; 3] = ["ada", "grace", "linus"];

/// How long the app may take to respond.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);

const LENGTH: Duration = Duration::from_secs(60 * 60);

/// Whether the app responds.
pub fn is_app_up(app_port: u16) -> bool {
    let status = ureq::get(format!("http://127.0.0.1:{app_port}/rooms/{ROOM}"))
        .config()
        .http_status_as_error(false)
        .timeout_global(Some(RESPONSE_TIMEOUT))
        .build()
        .call();
    status.is_ok_and(|response| response.status().as_u16() == 401)
}

/// Defines the session. Returns its end as text.
pub fn define(app_port: u16, operator_token: &str) -> Result<String> {
    let end = SystemTime::now().duration_since(UNIX_EPOCH)? + LENGTH;
    let definition =
        json!({"endAt": u64::try_from(end.as_millis())?, "leaderId": MEMBERS[0], "members": MEMBERS});
    let response = ureq::put(format!("http://127.0.0.1:{app_port}/rooms/{ROOM}"))
        .header("authorization", format!("Bearer {operator_token}"))
        .config()
        .http_status_as_error(false)
        .timeout_global(Some(RESPONSE_TIMEOUT))
        .build()
        .send(definition.to_string())
        .context("the app does not answer")?;
    if !response.status().is_success() {
        bail!("the app refuses the sample session: {}", response.status());
    }
    let clock = shell::output_of(Command::new("date").args([&format!("-d@{}", end.as_secs()), "+%H:%M"]));
    Ok(clock.unwrap_or_else(|| "an hour from now".to_owned()))
}
