//! The app in the installed `spin`.

use std::process::Command;

use anyhow::{Result, bail};

use super::{redis::Redis, secrets::Secrets, variables};
use crate::shell;

/// spin-sdk 7 exports `wasi:http@0.3.0`, which older versions do not load.
const OLDEST: (u32, u32) = (4, 1);

/// Checks that Spin and its cron trigger are installed.
pub fn ensure() -> Result<()> {
    let Some(output) = shell::output_of(Command::new("spin").arg("--version")) else {
        bail!("there is no `spin`; install {}.{} or newer from spinframework.dev", OLDEST.0, OLDEST.1);
    };
    if parse_version(&output).is_none_or(|version| version < OLDEST) {
        bail!("the installed Spin is {output}; install {}.{} or newer", OLDEST.0, OLDEST.1);
    }
    let plugins =
        shell::output_of(Command::new("spin").args(["plugins", "list", "--installed"])).unwrap_or_default();
    if !plugins.contains("trigger-cron") {
        bail!("Spin's cron trigger is missing; run `spin plugins install trigger-cron`");
    }
    shell::present(&format!("{output} with its cron trigger"));
    Ok(())
}

/// Builds the command that runs the app.
pub fn command(port: u16, redis: &Redis, secrets: &Secrets) -> Command {
    let mut command = Command::new("spin");
    command.args(["up", "--from", "spin.toml", "--listen", &format!("127.0.0.1:{port}")]);
    command.envs(variables(redis, secrets));
    command
}

fn parse_version(output: &str) -> Option<(u32, u32)> {
    let mut numbers = output.split_whitespace().nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(parse_version("spin 4.1.0 (abc 2026-06-01)"), Some((4, 1)));
        assert!(parse_version("spin 3.11.0") < Some(OLDEST));
    }
}
