//! The commands that the scripts call, as the list that the scripts check the rights of their user with.

use std::collections::BTreeSet;

use crate::{Assembled, IncludeError, Sources, unused::leave_out_unused};

/// The empty list in a file, and the start of each call that the list names.
const LIST: &str = "local COMMANDS = {}";
const CALL: &str = "redis.call('";

/// The first line of a script, without flags: Redis then runs the script neither on a replica, where its reads would be
/// out of date, nor in a cluster on the keys of several slots.
const SHEBANG: &str = "#!lua\n";

impl Sources {
    /// Assembles all scripts without what they do not use, and fills the list of commands in each of them. Returns the
    /// scripts by the name of their file.
    pub fn assemble_all(&self) -> Result<Vec<(&str, Assembled<'_>)>, IncludeError> {
        let assembled = self.scripts().map(|file| Ok((file, self.assemble(file)?)));
        let mut scripts = assembled.collect::<Result<Vec<_>, IncludeError>>()?;
        for (_, script) in &mut scripts {
            script.text = leave_out_unused(&script.text);
        }
        let commands: BTreeSet<&str> =
            scripts.iter().flat_map(|(_, script)| find_commands(&script.text)).collect();
        // Adds no line, because errors name lines.
        let list = format!("local COMMANDS = {{ {} }}", quote(&commands));
        let texts: Vec<String> =
            scripts.iter().map(|(_, script)| script.text.replacen(LIST, &list, 1)).collect();
        for ((_, script), text) in scripts.iter_mut().zip(texts) {
            script.text = format!("{SHEBANG}{text}");
            script.parts.iter_mut().for_each(|part| part.first_line += 1);
        }
        Ok(scripts)
    }
}

fn find_commands(text: &str) -> impl Iterator<Item = &str> {
    text.split(CALL).skip(1).filter_map(|rest| Some(rest.split_once('\'')?.0))
}

fn quote(commands: &BTreeSet<&str>) -> String {
    commands.iter().map(|command| format!("'{command}'")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use crate::sources::tests::sources;

    #[test]
    fn every_script_lists_the_commands_of_all_scripts_once_and_keeps_its_lines() {
        let sources = sources(&[
            ("include/rights.lua", "local COMMANDS = {}\ncheck(COMMANDS)\n"),
            ("join.lua", "--- @include \"rights\"\nredis.call('SET', redis.call('GET', KEYS[1]))\n"),
            (
                "leave.lua",
                "--- @include \"rights\"\nredis.call('DEL', KEYS[1])\nredis.call('GET', KEYS[1])\n",
            ),
        ]);
        let scripts = sources.assemble_all().unwrap();
        let names: Vec<_> = scripts.iter().map(|(file, _)| *file).collect();
        assert_eq!(names, ["join.lua", "leave.lua"]);
        for (file, script) in scripts {
            let text = script.text.strip_prefix("#!lua\n").unwrap();
            assert!(
                text.starts_with("local COMMANDS = { 'DEL', 'GET', 'SET' }\ncheck(COMMANDS)\n"),
                "{text}"
            );
            assert_eq!(text.lines().count(), sources.assemble(file).unwrap().text.lines().count());
            assert_eq!(script.parts[0].first_line, 2);
        }
    }
}
