//! Assembles the Lua scripts into `scripts.rs`: one static for each file in `src/scripts`, named like the file and
//! documented by the first line of its header.

use std::{env, error::Error, fmt::Write, fs, path::Path};

use rollcall_lua::{Assembled, Sources};

const FOLDER: &str = "src/scripts";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={FOLDER}");
    let sources = Sources::read(Path::new(FOLDER))?;
    let mut code = String::new();
    for file in sources.scripts() {
        let Assembled { text, parts } = sources.assemble(file)?;
        let summary = sources.text(file).and_then(|text| text.lines().next()?.strip_prefix("-- "));
        let summary = summary.ok_or_else(|| format!("{file} has no header"))?;
        let name = file.trim_end_matches(".lua");
        writeln!(code, "/// {summary}")?;
        writeln!(code, "pub static {}: Script =", name.to_uppercase())?;
        writeln!(code, "    Script::new({name:?}, {text:?}, &{parts:?});")?;
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("scripts.rs"), code)?;
    Ok(())
}
