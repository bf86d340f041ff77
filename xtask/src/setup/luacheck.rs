//! luacheck, which finds mistakes in the Lua scripts.

use anyhow::Result;

use super::debian;
use crate::shell;

/// Makes sure of the program.
pub fn ensure() -> Result<()> {
    if shell::which("luacheck").is_none() {
        debian::install(&["lua-check"], "install it with `luarocks install luacheck`")?;
    }
    shell::present("luacheck");
    Ok(())
}
