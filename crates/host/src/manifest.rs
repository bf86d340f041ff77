//! The part of `spin.toml` that the host uses.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

/// A manifest of version 2. The other entries (builds, watches, secrecy of variables) do not affect the host.
#[derive(Debug, Deserialize)]
pub(crate) struct Manifest {
    spin_manifest_version: u32,
    #[serde(default)]
    pub(crate) variables: BTreeMap<String, Variable>,
    #[serde(default)]
    pub(crate) trigger: Triggers,
    #[serde(default, rename = "component")]
    pub(crate) components: BTreeMap<String, Component>,
}

/// A variable of the application.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Variable {
    pub(crate) default: Option<String>,
    #[serde(default)]
    pub(crate) required: bool,
}

/// The triggers, which call components.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Triggers {
    #[serde(default)]
    pub(crate) http: Vec<HttpTrigger>,
    #[serde(default)]
    pub(crate) cron: Vec<CronTrigger>,
}

/// Calls a component for each request on a route.
#[derive(Debug, Deserialize)]
pub(crate) struct HttpTrigger {
    pub(crate) route: String,
    pub(crate) component: String,
}

/// Calls a component on a schedule.
#[derive(Debug, Deserialize)]
pub(crate) struct CronTrigger {
    pub(crate) cron_expression: String,
    pub(crate) component: String,
}

/// A component and its permissions.
#[derive(Debug, Deserialize)]
pub(crate) struct Component {
    pub(crate) source: PathBuf,
    #[serde(default)]
    pub(crate) variables: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    pub(crate) key_value_stores: BTreeSet<String>,
}

impl Manifest {
    /// Reads and checks a manifest. The returned sources are relative to the process's folder, not to the manifest's.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the manifest {}", path.display()))?;
        let mut manifest =
            Self::parse(&text).with_context(|| format!("the manifest {} is not usable", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for component in manifest.components.values_mut() {
            component.source = folder.join(&component.source);
        }
        Ok(manifest)
    }

    fn parse(text: &str) -> Result<Self> {
        let manifest: Self = toml::from_str(text)?;
        ensure!(
            manifest.spin_manifest_version == 2,
            "it says spin_manifest_version = {}, and this host reads version 2",
            manifest.spin_manifest_version
        );
        for (name, variable) in &manifest.variables {
            match (&variable.default, variable.required) {
                (Some(_), true) => bail!("variable {name:?} has a default and is required: drop one of them"),
                (None, false) => bail!("variable {name:?} needs a default, or required = true"),
                _ => (),
            }
        }
        for component in manifest.called() {
            ensure!(
                manifest.components.contains_key(component),
                "a trigger names the component {component:?}: add [component.{component}]"
            );
        }
        Ok(manifest)
    }

    /// The names of the components with a trigger. The host loads no others.
    pub(crate) fn called(&self) -> BTreeSet<&str> {
        let http = self.trigger.http.iter().map(|trigger| trigger.component.as_str());
        http.chain(self.trigger.cron.iter().map(|trigger| trigger.component.as_str())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPONENT: &str = "[component.probe]\nsource = 'probe.wasm'\n";

    fn refusal(text: &str) -> String {
        format!("{:#}", Manifest::parse(text).unwrap_err())
    }

    #[test]
    fn the_projects_own_manifest_is_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml");
        let manifest = Manifest::read(&path).unwrap();
        assert!(manifest.variables["bridge_secrets"].required);
        assert_eq!(manifest.trigger.cron[0].component, "sweep");
        assert!(manifest.components["join"].source.ends_with("target/wasm32-wasip2/component/join.wasm"));
    }

    #[test]
    fn builds_and_watches_are_ignored() {
        let text = format!(
            "spin_manifest_version = 2\n[application]\nname = 'x'\n{COMPONENT}[component.probe.build]\ncommand = 'make'\n"
        );
        assert!(Manifest::parse(&text).is_ok());
    }

    #[test]
    fn another_manifest_version_is_refused() {
        assert!(refusal("spin_manifest_version = 1").contains("reads version 2"));
    }

    #[test]
    fn a_trigger_of_an_unknown_component_is_refused() {
        let text = format!(
            "spin_manifest_version = 2\n[[trigger.http]]\nroute = '/'\ncomponent = 'nobody'\n{COMPONENT}"
        );
        assert!(refusal(&text).contains("add [component.nobody]"));
    }

    #[test]
    fn a_trigger_of_another_kind_is_refused() {
        let text = format!("spin_manifest_version = 2\n[[trigger.mqtt]]\ncomponent = 'probe'\n{COMPONENT}");
        assert!(refusal(&text).contains("mqtt"));
    }

    #[test]
    fn a_variable_is_required_or_has_a_default() {
        assert!(refusal("spin_manifest_version = 2\n[variables]\nneither = {}").contains("\"neither\""));
        let both = "spin_manifest_version = 2\n[variables]\nboth = { default = '', required = true }";
        assert!(refusal(both).contains("\"both\""));
    }
}
