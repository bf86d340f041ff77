//! Variables of the application and of its components.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use wasmtime::component::{Accessor, HasSelf};

use crate::{
    bindings::variables::{Error, Host, HostWithStore},
    manifest::Variable,
    state::State,
};

const ENV_PREFIX: &str = "SPIN_VARIABLE_";

/// Reads the variables in an environment, named `SPIN_VARIABLE_` and the variable's name in capitals.
pub fn variables_from_env(env: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    env.into_iter()
        .filter_map(|(name, value)| {
            let name = name.strip_prefix(ENV_PREFIX)?.to_ascii_lowercase();
            Some((name, value))
        })
        .collect()
}

/// Determines the values of the application's variables: given values before defaults.
pub(crate) fn values(
    declared: &BTreeMap<String, Variable>,
    mut given: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for (name, variable) in declared {
        check_name(name).map_err(anyhow::Error::msg).context("[variables] has an unusable name")?;
        let value = given.remove(name).or_else(|| variable.default.clone()).with_context(|| {
            format!("variable {name:?} is required: set {ENV_PREFIX}{}", name.to_ascii_uppercase())
        })?;
        values.insert(name.clone(), value);
    }
    if let Some(unknown) = given.keys().next() {
        let known = declared.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        bail!("variable {unknown:?} was given, but [variables] defines only: {known}");
    }
    Ok(values)
}

/// Refuses the names that Spin refuses. The error is the text for the component.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let reason = match name.chars().find(|&c| !is_allowed(c)) {
        _ if name.is_empty() => "must not be empty".to_owned(),
        Some(invalid) => format!("invalid character {invalid:?}"),
        None if !name.starts_with(|c: char| c.is_ascii_lowercase()) => "must start with a letter".to_owned(),
        None if name.ends_with('_') => "must end with a letter or digit".to_owned(),
        None if name.contains("__") => "must not have two underscores in a row".to_owned(),
        None => return Ok(()),
    };
    Err(format!("{name:?}: {reason}"))
}

impl Host for State {}

impl<T: Send> HostWithStore<T> for HasSelf<State> {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> wasmtime::Result<Result<String, Error>> {
        if let Err(reason) = check_name(&name) {
            return Ok(Err(Error::InvalidName(reason)));
        }
        Ok(accessor.with(|mut access| {
            let component = &access.get().component;
            let value = component.variables.get(&name).cloned();
            value.ok_or_else(|| Error::Undefined(format!("no variable for {:?}.{name:?}", component.name)))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    fn declared() -> BTreeMap<String, Variable> {
        let with_default = Variable { default: Some("30".into()), ..Variable::default() };
        let required = Variable { required: true, ..Variable::default() };
        [("leeway".to_owned(), with_default), ("jwt_keys".to_owned(), required)].into()
    }

    #[test]
    fn a_given_value_comes_before_the_default() {
        let given = map([("leeway", "5"), ("jwt_keys", "k")]);
        assert_eq!(values(&declared(), given.clone()).unwrap(), given);
        assert_eq!(values(&declared(), map([("jwt_keys", "k")])).unwrap()["leeway"], "30");
    }

    #[test]
    fn a_missing_required_variable_says_how_to_set_it() {
        let refusal = values(&declared(), BTreeMap::new()).unwrap_err().to_string();
        assert_eq!(refusal, "variable \"jwt_keys\" is required: set SPIN_VARIABLE_JWT_KEYS");
    }

    #[test]
    fn an_unknown_variable_is_refused_and_the_known_ones_are_listed() {
        let refusal =
            values(&declared(), map([("jwt_keys", "k"), ("jwt_key", "k")])).unwrap_err().to_string();
        assert!(refusal.contains("\"jwt_key\" was given"), "{refusal}");
        assert!(refusal.contains("jwt_keys, leeway"), "{refusal}");
    }

    #[test]
    fn the_environment_gives_variables_by_their_prefix() {
        let env = [("SPIN_VARIABLE_JWT_KEYS", "k"), ("PATH", "/bin"), ("SPIN_VARIABLES", "x")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(variables_from_env(env), map([("jwt_keys", "k")]));
    }

    #[test]
    fn names_are_checked_as_spin_does() {
        for good in ["a", "abc", "a1b2c3", "a_1", "a_1_b_3"] {
            assert_eq!(check_name(good), Ok(()));
        }
        for bad in ["", "aX", "1bc", "_x", "x.y", "x_", "a__b", "x-y"] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
