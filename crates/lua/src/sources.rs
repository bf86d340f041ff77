//! The files, and scripts assembled from them.

use std::{collections::BTreeMap, fs, io, path::Path};

use crate::{IncludeError, Part};

const INCLUDES: &str = "include/";
const DIRECTIVE: &str = "--- @include";

/// Lua files by name: scripts such as `join.lua`, and includes such as `include/room.lua`.
#[derive(Debug, Default)]
pub struct Sources(BTreeMap<String, String>);

/// A script after everything that it includes.
#[derive(Debug)]
pub struct Assembled<'a> {
    /// The text that Redis runs. Lines that are comments are empty, so that no call has to carry or hash them.
    pub text: String,
    /// The files in it, from the first line to the last.
    pub parts: Vec<Part<'a>>,
}

impl Sources {
    /// Reads the scripts in a folder, and the includes in the folder `include` below it.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut sources = Self::default();
        for prefix in ["", INCLUDES] {
            for entry in fs::read_dir(folder.join(prefix))? {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == "lua") {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    sources.0.insert(format!("{prefix}{name}"), fs::read_to_string(&path)?);
                }
            }
        }
        Ok(sources)
    }

    /// The names of all files.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The names of the files that Redis runs.
    pub fn scripts(&self) -> impl Iterator<Item = &str> {
        self.files().filter(|file| !file.starts_with(INCLUDES))
    }

    /// The text of a file.
    pub fn text(&self, file: &str) -> Option<&str> {
        self.0.get(file).map(String::as_str)
    }

    /// Puts a file after everything that it includes, directly or not, each file once.
    pub fn assemble(&self, file: &str) -> Result<Assembled<'_>, IncludeError> {
        let mut order = Vec::new();
        self.visit(file, &mut Vec::new(), &mut order)?;
        let (mut text, mut parts, mut first_line) = (String::new(), Vec::new(), 1);
        for (file, content) in order {
            parts.push(Part { file, first_line });
            for line in content.lines() {
                text.push_str(if is_comment(line) { "" } else { line });
                text.push('\n');
                first_line += 1;
            }
        }
        Ok(Assembled { text, parts })
    }

    /// Adds a file to the order after its includes. `path` leads to the file, each file included by the one before.
    fn visit<'a>(
        &'a self,
        file: &str,
        path: &mut Vec<&'a str>,
        order: &mut Vec<(&'a str, &'a str)>,
    ) -> Result<(), IncludeError> {
        let (file, content) =
            self.0.get_key_value(file).ok_or_else(|| IncludeError::Unknown(file.to_owned()))?;
        if let Some(start) = path.iter().position(|&including| including == file) {
            let cycle = path[start..].iter().copied().chain([file.as_str()]);
            return Err(IncludeError::Circular(cycle.map(str::to_owned).collect()));
        }
        if order.iter().any(|&(included, _)| included == file) {
            return Ok(());
        }
        path.push(file);
        for include in parse_includes(file, content) {
            self.visit(&include?, path, order)?;
        }
        path.pop();
        order.push((file, content));
        Ok(())
    }
}

/// The files that a file includes.
fn parse_includes(file: &str, content: &str) -> impl Iterator<Item = Result<String, IncludeError>> {
    content.lines().enumerate().filter_map(move |(index, line)| {
        let name = line.strip_prefix(DIRECTIVE)?.strip_prefix(" \"").and_then(|rest| rest.strip_suffix('"'));
        Some(match name {
            Some(name) => Ok(format!("{INCLUDES}{name}.lua")),
            None => Err(IncludeError::Malformed { file: file.to_owned(), line: index + 1 }),
        })
    })
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("--")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::locate;

    pub(crate) fn sources(files: &[(&str, &str)]) -> Sources {
        Sources(files.iter().map(|&(name, content)| (name.to_owned(), content.to_owned())).collect())
    }

    #[test]
    fn a_file_comes_once_and_after_everything_that_it_includes() {
        let sources = sources(&[
            ("join.lua", "--- @include \"settle\"\n--- @include \"room\"\njoin()\n"),
            ("include/settle.lua", "--- @include \"room\"\n--- @include \"call\"\nsettle()\n"),
            ("include/room.lua", "--- @include \"call\"\nroom()\n"),
            ("include/call.lua", "call()\n"),
            ("include/terms.lua", "terms()\n"),
        ]);
        let Assembled { text, parts } = sources.assemble("join.lua").unwrap();
        let files: Vec<_> = parts.iter().map(|part| part.file).collect();
        assert_eq!(files, ["include/call.lua", "include/room.lua", "include/settle.lua", "join.lua"]);
        assert_eq!(text, "call()\n\nroom()\n\n\nsettle()\n\n\njoin()\n");
    }

    #[test]
    fn every_line_is_traced_to_its_file_at_the_borders_too() {
        let sources = sources(&[
            ("join.lua", "--- @include \"room\"\njoin()"),
            ("include/room.lua", "-- A comment.\nroom()\n\n-- Another one."),
        ]);
        let Assembled { text, parts } = sources.assemble("join.lua").unwrap();
        let origins: Vec<_> = (1..=text.lines().count()).map(|line| locate(&parts, line).unwrap()).collect();
        assert_eq!(
            origins,
            [
                ("include/room.lua", 1),
                ("include/room.lua", 2),
                ("include/room.lua", 3),
                ("include/room.lua", 4),
                ("join.lua", 1),
                ("join.lua", 2),
            ]
        );
        assert_eq!(locate(&parts, 0), None);
    }

    #[test]
    fn an_unknown_include_is_an_error() {
        let sources = sources(&[("join.lua", "--- @include \"rooom\"\n")]);
        let error = sources.assemble("join.lua").unwrap_err();
        assert_eq!(error, IncludeError::Unknown("include/rooom.lua".to_owned()));
    }

    #[test]
    fn a_circular_include_is_an_error_that_shows_the_circle() {
        let sources = sources(&[
            ("join.lua", "--- @include \"a\"\n"),
            ("include/a.lua", "--- @include \"b\"\n"),
            ("include/b.lua", "--- @include \"a\"\n"),
        ]);
        let error = sources.assemble("join.lua").unwrap_err();
        assert_eq!(error.to_string(), "circular include: include/a.lua → include/b.lua → include/a.lua");
    }

    #[test]
    fn an_include_without_a_name_is_an_error() {
        for line in ["--- @include settle", "--- @include \"settle", "--- @include"] {
            let content = format!("-- A comment.\n{line}\n");
            let error = sources(&[("join.lua", &content)]).assemble("join.lua").unwrap_err();
            assert_eq!(error, IncludeError::Malformed { file: "join.lua".to_owned(), line: 2 });
        }
    }
}
