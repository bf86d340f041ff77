//! Assembles the Lua scripts into `scripts.rs`: one static for each file in `src/scripts`, named like the file and
//! documented by the first line of its header, and a list of them all.

use std::{env, error::Error, fmt::Write, fs, path::Path};

use rollcall_lua::{Assembled, Sources};

const FOLDER: &str = "src/scripts";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={FOLDER}");
    let sources = Sources::read(Path::new(FOLDER))?;
    let (mut code, mut all) = (String::new(), String::new());
    for (file, Assembled { text, parts }) in sources.assemble_all()? {
        let summary = sources.text(file).and_then(|text| text.lines().next()?.strip_prefix("-- "));
        let summary = summary.ok_or_else(|| format!("{file} has no header"))?;
        let name = file.trim_end_matches(".lua");
        let constant = name.to_uppercase();
        writeln!(code, "/// {summary}")?;
        writeln!(code, "pub static {constant}: Script =")?;
        // The instances of the components live for moments, so that each would compute the hash anew.
        let sha1 = sha1_smol::Sha1::from(&text).digest().to_string();
        writeln!(
            code,
            "    Script {{ name: {name:?}, text: {text:?}, parts: &{parts:?}, sha1: {sha1:?} }};"
        )?;
        write!(all, "&{constant}, ")?;
    }
    writeln!(code, "/// All scripts.\npub static ALL: &[&Script] = &[{all}];")?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("scripts.rs"), code)?;
    Ok(())
}
