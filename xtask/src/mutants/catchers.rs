//! Tests that are likely to catch the mutants of a file.

use std::{collections::HashMap, path::Path, sync::Mutex};

/// Few, because a mutant that survives them has cost their time.
const MAX_LATEST: usize = 5;

/// The names of tests.
pub struct Catchers {
    all: Vec<String>,
    /// By file, the tests that have caught other mutants of the file, the latest first.
    latest: Mutex<HashMap<String, Vec<String>>>,
}

impl Catchers {
    /// Begins with all tests of a suite.
    pub fn new(all: Vec<String>) -> Self {
        Self { all, latest: Mutex::default() }
    }

    /// The latest catchers of the file, and the tests of the module that is named like the file.
    pub fn of(&self, file: &str) -> Vec<String> {
        let latest = self.latest.lock().ok().and_then(|tests| tests.get(file).cloned()).unwrap_or_default();
        let module = Path::new(file).file_stem().unwrap_or_default().to_string_lossy();
        let is_namesake = |test: &&String| test.split("::").next() == Some(&module) && !latest.contains(test);
        latest.iter().chain(self.all.iter().filter(is_namesake)).cloned().collect()
    }

    pub fn add(&self, file: &str, test: &str) {
        let Ok(mut latest) = self.latest.lock() else { return };
        let latest = latest.entry(file.to_owned()).or_default();
        latest.retain(|earlier| earlier != test);
        latest.insert(0, test.to_owned());
        latest.truncate(MAX_LATEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_catchers_of_a_file_come_first_and_then_its_namesakes() {
        let catchers = Catchers::new(["join::x", "join::y", "joins::x"].map(str::to_owned).to_vec());
        for test in ["a", "b", "a", "c", "d", "join::y", "f"] {
            catchers.add("include/join.lua", test);
        }
        assert_eq!(catchers.of("include/join.lua"), ["f", "join::y", "d", "c", "a", "join::x"]);
        assert!(catchers.of("leave.lua").is_empty());
    }
}
