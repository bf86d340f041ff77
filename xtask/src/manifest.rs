//! Derives the manifest for platforms that refuse an app with a cron trigger. Spin's manifests have no inheritance.

use std::fs;

use anyhow::{Context, Result};
use toml_edit::DocumentMut;

const FULL: &str = "spin.toml";

/// Beside the full manifest, because the sources of components are relative to their manifest.
pub const WITHOUT_CRON: &str = "spin-without-cron.toml";

const HEADER: &str = "# `cargo xtask manifest` makes this file of spin.toml, for platforms without a cron trigger: it lacks the trigger and\n\
                      # the component that only the trigger calls. Change spin.toml.\n\n";

/// Writes the manifest without the cron trigger.
pub fn write() -> Result<()> {
    fs::write(WITHOUT_CRON, without_cron(&fs::read_to_string(FULL)?)?)?;
    Ok(())
}

/// Removes the cron trigger and the components that it calls.
fn without_cron(manifest: &str) -> Result<String> {
    let mut document: DocumentMut = manifest.parse()?;
    let triggers = document["trigger"].as_table_mut().context("the manifest has no triggers")?;
    let cron = triggers.remove("cron").context("the manifest has no cron trigger")?;
    let cron = cron.into_array_of_tables().ok().context("the cron triggers are no tables")?;
    let components = document["component"].as_table_mut().context("the manifest has no components")?;
    for trigger in cron.iter() {
        let component = trigger.get("component").and_then(|name| name.as_str());
        components.remove(component.context("a cron trigger calls no component")?);
    }
    Ok(format!("{HEADER}{document}"))
}

#[cfg(test)]
mod tests {
    use toml::{Table, Value};

    use super::*;

    fn read(name: &str) -> String {
        fs::read_to_string(crate::shell::root().join(name)).unwrap()
    }

    #[test]
    fn the_manifest_without_cron_is_up_to_date() {
        let expected = without_cron(&read(FULL)).unwrap();
        assert!(read(WITHOUT_CRON) == expected, "run `cargo xtask manifest` to renew {WITHOUT_CRON}");
    }

    #[test]
    fn the_manifests_differ_in_the_cron_trigger_and_its_component_and_in_nothing_else() {
        let [mut full, without]: [Table; 2] = [FULL, WITHOUT_CRON].map(|name| read(name).parse().unwrap());
        let section = |table: &mut Table, name: &str, key: &str| -> Value {
            table[name].as_table_mut().unwrap().remove(key).unwrap()
        };
        let cron = section(&mut full, "trigger", "cron");
        for trigger in cron.as_array().unwrap() {
            let name = trigger["component"].as_str().unwrap();
            let http = full["trigger"]["http"].as_array().unwrap();
            assert!(http.iter().all(|http| http["component"].as_str() != Some(name)), "{name} has a route");
            section(&mut full, "component", name);
        }
        assert_eq!(full, without);
    }
}
