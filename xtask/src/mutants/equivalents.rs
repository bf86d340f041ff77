//! Mutants that no test can catch, because they change nothing that anybody can observe.
//!
//! The file has one block for each: lines with the reason, the name of the file and of the function, and the lines as
//! `cargo xtask mutants` shows them.

use anyhow::{Context, Result, bail};

use super::mutant::Mutant;

const FILE: &str = "tests/equivalent-mutants.txt";

/// A mutant by what it changes, wherever the lines are in the file.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    file: String,
    function: String,
    before: Vec<String>,
    after: Vec<String>,
}

/// Equivalent mutants.
pub struct Equivalents(Vec<Change>);

impl Equivalents {
    pub fn read() -> Result<Self> {
        let text = std::fs::read_to_string(FILE).with_context(|| format!("{FILE} cannot be read"))?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        Self(text.split("\n\n").filter_map(parse_block).collect())
    }

    pub fn has(&self, mutant: &Mutant) -> bool {
        self.0.iter().any(|change| change.is(mutant))
    }

    /// Fails if code that the list names is no longer there.
    pub fn ensure_each_is_in(&self, mutants: &[Mutant]) -> Result<()> {
        let is_gone = |change: &&Change| !mutants.iter().any(|mutant| change.is(mutant));
        if let Some(Change { file, function, before, after }) = self.0.iter().find(is_gone) {
            let lines = format!("- {}\n+ {}", before.join("\n- "), after.join("\n+ "));
            bail!("{FILE} names no mutant of {file} {function}:\n{lines}");
        }
        Ok(())
    }
}

impl Change {
    fn is(&self, mutant: &Mutant) -> bool {
        self.file == mutant.file
            && self.function == mutant.function
            && self.before == mutant.before
            && self.after == mutant.after
    }
}

/// Parses a block. The line before the changed lines is the name of the file and of the function.
fn parse_block(block: &str) -> Option<Change> {
    let lines: Vec<&str> = block.lines().collect();
    let first = lines.iter().position(|line| line.starts_with("- "))?;
    let collect = |prefix| {
        let lines = lines[first..].iter().filter_map(|line| line.strip_prefix(prefix));
        lines.map(str::to_owned).collect()
    };
    let place = *lines.get(first.checked_sub(1)?)?;
    let (file, function) = place.split_once(' ').unwrap_or((place, ""));
    let (file, function) = (file.to_owned(), function.to_owned());
    Some(Change { file, function, before: collect("- "), after: collect("+ ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_names_a_mutant_by_its_file_and_lines() {
        let text = "How to read\nthis file.\n\nThe same either way.\njoin.lua f\n- a = 1\n+ a = 2\n";
        let equivalents = Equivalents::parse(text);
        let mutants = Mutant::all_of("join.lua", "-- moved\nlocal function f()\n  a = 1\nend\nlocal b = 1\n");
        let found: Vec<bool> = mutants.iter().map(|mutant| equivalents.has(mutant)).collect();
        assert_eq!(found, [false, true, false]);
        assert!(equivalents.ensure_each_is_in(&mutants).is_ok());
        assert!(equivalents.ensure_each_is_in(&mutants[2..]).is_err());
    }
}
