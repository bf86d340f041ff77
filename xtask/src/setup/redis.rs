//! `redis-server`, which every room lives in.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::debian;
use crate::shell;

/// `PEXPIREAT` with `NX` and `GT`, which the scripts use, came with Redis 7.
const OLDEST: u32 = 7;

/// Makes sure of a `redis-server` that is new enough.
pub fn ensure() -> Result<()> {
    if shell::which("redis-server").is_none() {
        debian::install(&["redis-server"], "install it with `brew install redis` or from redis.io")?;
    }
    let said = shell::output_of(Command::new("redis-server").arg("--version"));
    let said = said.context("redis-server does not run")?;
    let version = version_of(&said).with_context(|| format!("cannot tell the version from {said:?}"))?;
    let major: u32 = version.split('.').next().unwrap_or_default().parse()?;
    if major < OLDEST {
        bail!("redis-server is {version}; install {OLDEST}.0 or newer");
    }
    shell::present(&format!("redis-server {version}"));
    Ok(())
}

fn version_of(said: &str) -> Option<&str> {
    said.split_whitespace().find_map(|word| word.strip_prefix("v="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read() {
        assert_eq!(
            version_of("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64"),
            Some("7.0.15")
        );
        assert_eq!(version_of("nonsense"), None);
    }
}
