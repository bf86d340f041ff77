//! Templates with `{{ variable }}`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

/// Replaces the variables of a template by their values.
pub(crate) fn fill(template: &str, values: &BTreeMap<String, String>) -> Result<String> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once("{{") {
        let (name, after) = after
            .split_once("}}")
            .with_context(|| format!("{template:?} opens `{{{{` and does not close it"))?;
        let name = name.trim();
        let value = values.get(name).with_context(|| {
            format!("{template:?} names the variable {name:?}, which [variables] does not define")
        })?;
        filled.push_str(literal);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str) -> Result<String> {
        let values = [("host", "redis.internal"), ("port", "6379"), ("sly", "{{ host }}")];
        fill(template, &values.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }

    #[test]
    fn variables_are_replaced_with_or_without_spaces() {
        assert_eq!(filled("redis://{{ host }}:{{port}}/").unwrap(), "redis://redis.internal:6379/");
        assert_eq!(filled("no variable } { at all").unwrap(), "no variable } { at all");
        assert_eq!(filled("").unwrap(), "");
    }

    #[test]
    fn a_value_is_not_itself_a_template() {
        assert_eq!(filled("{{ sly }}").unwrap(), "{{ host }}");
    }

    #[test]
    fn an_unknown_variable_is_named() {
        assert!(filled("{{ hots }}").unwrap_err().to_string().contains("\"hots\""));
    }

    #[test]
    fn an_open_brace_is_refused() {
        assert!(filled("{{ host").unwrap_err().to_string().contains("does not close it"));
    }
}
