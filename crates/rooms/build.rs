//! Assembles the Lua scripts into `scripts.rs`: one static for each file in `src/scripts`, named like the file and
//! documented by the first line of its header.

use std::{collections::BTreeSet, env, error::Error, fmt::Write, fs, path::Path};

use rollcall_lua::{Assembled, Sources};

const FOLDER: &str = "src/scripts";

/// The list in `include/rights.lua`, and the start of each call that the list names.
const COMMANDS: &str = "local COMMANDS = {}";
const CALL: &str = "redis.call('";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={FOLDER}");
    let sources = Sources::read(Path::new(FOLDER))?;
    let mut commands = BTreeSet::new();
    for file in sources.scripts() {
        commands.extend(find_commands(&sources.assemble(file)?.text));
    }
    let mut code = String::new();
    for file in sources.scripts() {
        let Assembled { text, parts } = sources.assemble(file)?;
        // Adds no line, because errors name lines.
        let text = text.replacen(COMMANDS, &format!("local COMMANDS = {{ {} }}", quote(&commands)), 1);
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

/// The commands that a script calls.
fn find_commands(text: &str) -> impl Iterator<Item = String> {
    text.split(CALL).skip(1).filter_map(|rest| Some(rest.split_once('\'')?.0.to_owned()))
}

fn quote(commands: &BTreeSet<String>) -> String {
    commands.iter().map(|command| format!("'{command}'")).collect::<Vec<_>>().join(", ")
}
