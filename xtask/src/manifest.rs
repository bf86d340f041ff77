//! Derives other manifests from spin.toml, because Spin's manifests have no inheritance: the one for platforms that refuse
//! an app with a cron trigger, and the one of the template for `spin new`.

use std::fs;

use anyhow::{Context, Result};
use toml_edit::{DocumentMut, value};

const FULL: &str = "spin.toml";

/// Beside the full manifest, because the sources of components are relative to their manifest.
pub const WITHOUT_CRON: &str = "spin-without-cron.toml";

const HEADER: &str = "# `cargo xtask manifest` makes this file of spin.toml, for platforms without a cron trigger: it lacks the trigger and\n\
                      # the component that only the trigger calls. Change spin.toml.\n\n";

/// The manifest of an app that `spin new` makes.
const TEMPLATE: &str = "templates/rollcall/content/spin.toml";

/// Writes the derived manifests.
pub fn write() -> Result<()> {
    let full = fs::read_to_string(FULL)?;
    fs::write(WITHOUT_CRON, without_cron(&full)?)?;
    fs::write(TEMPLATE, template(&full)?)?;
    Ok(())
}

/// Turns the manifest into a template of Liquid, which leaves the expressions of Spin alone. The parameter `rollcall` is the
/// folder in which the components have been built.
fn template(manifest: &str) -> Result<String> {
    let parameter = |name: &str| format!("{{% endraw %}}{{{{{name}}}}}{{% raw %}}");
    let mut document: DocumentMut = manifest.parse()?;
    document["application"]["name"] = value(parameter("project-name | kebab_case"));
    let components = document["component"].as_table_mut().context("the manifest has no components")?;
    for (name, component) in components.iter_mut() {
        let component = component.as_table_like_mut().with_context(|| format!("{name} is no table"))?;
        let source = component.get("source").and_then(|source| source.as_str());
        let source = source.with_context(|| format!("{name} has no source"))?;
        component.insert("source", value(format!("{}/{source}", parameter("rollcall"))));
        component.remove("build");
    }
    Ok(format!("# {{% raw %}}\n{document}# {{% endraw %}}\n"))
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
    fn the_template_is_up_to_date() {
        let expected = template(&read(FULL)).unwrap();
        assert!(read(TEMPLATE) == expected, "run `cargo xtask manifest` to renew {TEMPLATE}");
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
