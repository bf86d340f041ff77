//! One changed script.

use std::fmt::{Display, Formatter};

use super::lua;

/// A file with one mutation.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// The name of the file, such as `include/room.lua`.
    pub file: String,
    /// The changed file.
    pub text: String,
    /// The first line that differs; lines count from 1.
    pub line: usize,
    /// The function with that line; empty outside of functions.
    pub function: String,
    /// The lines that differ, without indentation.
    pub before: Vec<String>,
    pub after: Vec<String>,
}

impl Mutant {
    /// All mutants of a file.
    pub fn all_of(file: &str, source: &str) -> Vec<Self> {
        let mut texts: Vec<String> = lua::mutate(source).iter().map(|edit| edit.apply(source)).collect();
        texts.dedup();
        texts.into_iter().filter_map(|text| Self::new(file, source, text)).collect()
    }

    fn new(file: &str, source: &str, text: String) -> Option<Self> {
        let differing = source.lines().zip(text.lines()).enumerate();
        let differing = differing.filter(|(_, (old, new))| old.trim() != new.trim());
        let differing: Vec<_> = differing.collect();
        let collect = |lines: Vec<&str>| {
            let lines = lines.into_iter().map(str::trim).filter(|line| !line.is_empty());
            lines.map(str::to_owned).collect()
        };
        let line = differing.first()?.0 + 1;
        let before = collect(differing.iter().map(|(_, (old, _))| *old).collect());
        let after = collect(differing.iter().map(|(_, (_, new))| *new).collect());
        let function = find_function(source, line);
        Some(Self { file: file.to_owned(), text, line, function, before, after })
    }
}

/// The name of the function that a line is in. Functions begin and end without indentation.
fn find_function(source: &str, line: usize) -> String {
    let lines: Vec<&str> = source.lines().take(line).collect();
    let head = lines.iter().rev().find(|line| line.starts_with("local function ") || **line == "end");
    let name = head.and_then(|head| head.strip_prefix("local function ")?.split('(').next());
    name.unwrap_or_default().to_owned()
}

impl Display for Mutant {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}:{} {}", self.file, self.line, self.function)?;
        self.before.iter().try_for_each(|line| writeln!(f, "- {line}"))?;
        self.after.iter().try_for_each(|line| writeln!(f, "+ {line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutant_is_shown_as_the_lines_that_differ() {
        let mutants = Mutant::all_of("join.lua", "local a = 1\nif a then\n  leave(a,\n    b)\nend\n");
        let shown: Vec<String> = mutants.iter().map(Mutant::to_string).collect();
        assert!(shown.contains(&"join.lua:1 \n- local a = 1\n+ local a = 2\n".to_owned()), "{shown:?}");
        assert!(shown.contains(&"join.lua:3 \n- leave(a,\n- b)\n".to_owned()), "{shown:?}");
    }

    #[test]
    fn a_mutant_names_its_function() {
        let code = "local a = 1\nlocal function f(b)\n  b()\nend\n\na()\n";
        let functions: Vec<String> = (1..=6).map(|line| find_function(code, line)).collect();
        assert_eq!(functions, ["", "f", "f", "", "", ""]);
    }
}
