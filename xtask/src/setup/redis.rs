//! `redis-server`, which holds the rooms.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::debian;
use crate::shell;

/// `PEXPIREAT` with `NX` and `GT`, which the scripts use, came with Redis 7.
const OLDEST: u32 = 7;

/// Installs a `redis-server` that is new enough.
pub fn ensure() -> Result<()> {
    if shell::which("redis-server").is_none() {
        debian::install(&["redis-server"], "install it with `brew install redis` or from redis.io")?;
    }
    let output = shell::output_of(Command::new("redis-server").arg("--version"));
    let output = output.context("redis-server does not run")?;
    let version =
        parse_version(&output).with_context(|| format!("cannot read the version from {output:?}"))?;
    let major: u32 = version.split('.').next().unwrap_or_default().parse()?;
    if major < OLDEST {
        bail!("redis-server is {version}; install {OLDEST}.0 or newer");
    }
    shell::present(&format!("redis-server {version}"));
    Ok(())
}

fn parse_version(output: &str) -> Option<&str> {
    output.split_whitespace().find_map(|word| word.strip_prefix("v="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_parsed() {
        assert_eq!(
            parse_version("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64"),
            Some("7.0.15")
        );
        assert_eq!(parse_version("nonsense"), None);
    }
}
