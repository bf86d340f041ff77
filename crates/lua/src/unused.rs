//! Leaves out functions that a script does not use. An include serves many scripts, and Redis creates each function anew
//! whenever a script runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// What a function begins and ends with, at the start of a line.
const BEGIN: &str = "local function ";
const END: &str = "end";

/// Empties the lines of functions that nothing in the text uses, directly or through other functions. All other lines
/// keep their numbers.
pub(crate) fn leave_out_unused(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let functions = find_functions(&lines);
    let used = find_used(&lines, &functions);
    let unused =
        |index| functions.iter().any(|(name, function)| function.contains(&index) && !used.contains(name));
    let mut kept = String::with_capacity(text.len());
    for (index, line) in lines.iter().enumerate() {
        kept.push_str(if unused(index) { "" } else { line });
        kept.push('\n');
    }
    kept
}

/// Finds the functions of a text by their names, each with its lines.
fn find_functions<'a>(lines: &[&'a str]) -> BTreeMap<&'a str, Range<usize>> {
    let begins = lines.iter().enumerate().filter_map(|(begin, line)| {
        let (name, _) = line.strip_prefix(BEGIN)?.split_once('(')?;
        Some((name, begin))
    });
    begins
        .filter_map(|(name, begin)| {
            let length = lines[begin..].iter().position(|line| *line == END)?;
            Some((name, begin..begin + length + 1))
        })
        .collect()
}

/// Finds the functions that the lines outside of functions use, and those that these use. A name in a text or of a field
/// counts as a use, too.
fn find_used<'a>(lines: &[&'a str], functions: &BTreeMap<&'a str, Range<usize>>) -> BTreeSet<&'a str> {
    let is_outside = |index: &usize| !functions.values().any(|function| function.contains(index));
    let mut to_visit: Vec<usize> = (0..lines.len()).filter(is_outside).collect();
    let mut used = BTreeSet::new();
    while let Some(line) = to_visit.pop() {
        for word in lines[line].split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            if let Some((name, function)) = functions.get_key_value(word)
                && used.insert(*name)
            {
                to_visit.extend(function.clone());
            }
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_stays_if_something_that_runs_uses_it() {
        let text = "\
local function load(id)
  return id
end
local function save(room)
  return room
end
local function update(room)
  if room then
    return save(load(room))
  end
end
local LOAD = load
return LOAD(1)
";
        let kept = "\
local function load(id)
  return id
end








local LOAD = load
return LOAD(1)
";
        assert_eq!(leave_out_unused(text), kept);
        assert_eq!(leave_out_unused(&format!("{text}update(2)\n")), format!("{text}update(2)\n"));
    }

    #[test]
    fn a_function_that_only_uses_itself_is_left_out() {
        let text = "local function count(n)\n  return count(n - 1)\nend\nreturn 1\n";
        assert_eq!(leave_out_unused(text), "\n\n\nreturn 1\n");
    }
}
