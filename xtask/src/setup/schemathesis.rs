//! Schemathesis, which tries the HTTP API against its description, a validator of such descriptions, and the parser of
//! Prometheus: Python programs, in an environment of their own.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use super::python;
use crate::shell;

const VERSION: &str = "4.32.5";
const VALIDATOR: &str = "openapi-spec-validator==0.9.0";
const METRICS_PARSER: &str = "prometheus-client==0.26.0";

/// The program; installed if it is missing.
pub fn ensure() -> Result<PathBuf> {
    let environment = Path::new("target").join(format!("schemathesis-{VERSION}"));
    let program = environment.join("bin/schemathesis");
    let is_there = |program: &Path| shell::output_of(Command::new(program).arg("--version")).is_some();
    let python = environment.join("bin/python");
    let has_parser =
        || shell::output_of(Command::new(&python).args(["-c", "import prometheus_client"])).is_some();
    if is_there(&program) && is_there(&environment.join("bin/openapi-spec-validator")) && has_parser() {
        shell::present(&format!("Schemathesis {VERSION}"));
        return Ok(program);
    }
    shell::doing(&format!("Schemathesis {VERSION}"));
    let schemathesis = format!("schemathesis=={VERSION}");
    python::create_environment(&environment, &[&schemathesis, VALIDATOR, METRICS_PARSER])?;
    Ok(program)
}
