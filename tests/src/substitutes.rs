//! Scripts that run instead of those in the program, so that changed scripts are tested without a build.
//!
//! `ROLLCALL_SCRIPTS` names a folder with files like those in `crates/rooms/src/scripts`.

use std::{collections::HashMap, env, path::Path, sync::LazyLock};

use rollcall_lua::Sources;
use rollcall_rooms::script;

const FOLDER: &str = "ROLLCALL_SCRIPTS";

struct Substitute {
    text: String,
    sha1: String,
}

/// Hash of a script in the program → the script that runs instead.
static SUBSTITUTES: LazyLock<HashMap<String, Substitute>> = LazyLock::new(|| {
    let Some(folder) = env::var_os(FOLDER) else { return HashMap::new() };
    let sources = Sources::read(Path::new(&folder)).expect("a folder of scripts");
    let scripts = sources.assemble_all().expect("scripts whose includes are there");
    let find = |file: &str| script::ALL.iter().find(|script| file == format!("{}.lua", script.name()));
    let known = scripts.into_iter().filter_map(|(file, assembled)| Some((find(file)?, assembled.text)));
    known
        .map(|(script, text)| (script.sha1().to_owned(), Substitute { sha1: compute_sha1(&text), text }))
        .collect()
});

fn compute_sha1(text: &str) -> String {
    redis::Script::new(text).get_hash().to_owned()
}

/// Whether other scripts run than those in the program.
pub fn are_in_use() -> bool {
    !SUBSTITUTES.is_empty()
}

/// Returns the argument that names the script of a command, if another script runs instead.
pub(crate) fn substitute(command: &str, argument: &[u8]) -> Option<&'static str> {
    if !are_in_use() {
        return None;
    }
    let argument = std::str::from_utf8(argument).ok()?;
    match command {
        "EVALSHA" => Some(&SUBSTITUTES.get(argument)?.sha1),
        "EVAL" => Some(&SUBSTITUTES.get(&compute_sha1(argument))?.text),
        _ => None,
    }
}
