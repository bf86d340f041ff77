//! The app in the installed `spin`.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{manifest::WITHOUT_CRON, shell};

/// spin-sdk 7 exports `wasi:http@0.3.0`, which older versions do not load.
const OLDEST: Version = (4, 1);

/// Older versions of the cron plugin do not speak `spin:cron@3.0.0`, and do not run the sweep.
const OLDEST_CRON: Version = (0, 6);

const CRON_PLUGIN: &str = "trigger-cron";

type Version = (u32, u32);

/// The installed Spin.
pub struct Spin {
    /// Whether its cron plugin can run the sweep.
    pub has_cron: bool,
}

impl Spin {
    /// Checks the versions of Spin and of its cron plugin, and prints them. Without a usable plugin, the app runs without
    /// its cron trigger.
    pub fn find() -> Result<Self> {
        let Some(output) = shell::output_of(Command::new("spin").arg("--version")) else {
            bail!("there is no `spin`; install {}.{} or newer from spinframework.dev", OLDEST.0, OLDEST.1);
        };
        if parse_version(&output).is_none_or(|version| version < OLDEST) {
            bail!("the installed Spin is {output}; install {}.{} or newer", OLDEST.0, OLDEST.1);
        }
        let plugins = shell::output_of(Command::new("spin").args(["plugins", "list", "--installed"]));
        let plugin = plugins.as_deref().and_then(find_cron_plugin);
        let has_cron = plugin.and_then(parse_version).is_some_and(|version| version >= OLDEST_CRON);
        shell::present(&format!("{output}, {}", describe_cron(plugin, has_cron)));
        Ok(Self { has_cron })
    }

    /// Builds the command that runs the app with these variables.
    pub fn command(&self, port: u16, variables: impl IntoIterator<Item = (&'static str, String)>) -> Command {
        let manifest = if self.has_cron { "spin.toml" } else { WITHOUT_CRON };
        let mut command = Command::new("spin");
        command.args(["up", "--from", manifest, "--listen", &format!("127.0.0.1:{port}")]);
        command.envs(variables);
        command
    }
}

/// Finds the line about the cron plugin in the list of plugins.
fn find_cron_plugin(plugins: &str) -> Option<&str> {
    plugins.lines().map(str::trim).find(|line| line.split_whitespace().next() == Some(CRON_PLUGIN))
}

fn describe_cron(plugin: Option<&str>, has_cron: bool) -> String {
    let needed = format!("{}.{} or newer", OLDEST_CRON.0, OLDEST_CRON.1);
    match plugin {
        Some(plugin) if has_cron => format!("with {plugin}"),
        Some(plugin) => format!(
            "without cron: {plugin} is too old, run `spin plugins upgrade {CRON_PLUGIN}` for {needed}"
        ),
        None => format!("without cron: run `spin plugins install {CRON_PLUGIN}` for {needed}"),
    }
}

fn parse_version(output: &str) -> Option<Version> {
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

    #[test]
    fn the_version_of_the_cron_plugin_is_in_the_list_of_plugins() {
        let plugin = find_cron_plugin("cloud 0.11.0 [installed]\ntrigger-cron 0.6.0 [installed]\n").unwrap();
        assert_eq!(parse_version(plugin), Some(OLDEST_CRON));
        assert_eq!(find_cron_plugin("trigger-cron-fork 9.9.9 [installed]"), None);
    }
}
