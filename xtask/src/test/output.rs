//! Counts and failures in the output of cargo and Node.js.

/// How many tests passed and failed, and which ones failed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Results {
    pub passed: u32,
    pub failed: u32,
    pub failures: Vec<String>,
}

/// Reads the output of a test program, line by line.
#[derive(Default)]
pub struct Reader {
    results: Results,
    /// The suite whose tests cargo runs.
    suite: String,
    /// Whether the list of failed tests has begun, with which Node.js ends.
    is_in_list: bool,
    /// Where the next failed test of that list lies.
    place: String,
}

impl Reader {
    pub fn read(&mut self, line: &str) {
        if let Some((passed, failed)) = counts_of(line) {
            self.results.passed += passed;
            self.results.failed += failed;
        }
        self.read_failure_of_cargo(line);
        self.read_failure_of_node(line);
    }

    pub fn results(&self) -> Results {
        self.results.clone()
    }

    /// Reads `Running tests/layout.rs (target/…)` and `test layers::hold ... FAILED`.
    fn read_failure_of_cargo(&mut self, line: &str) {
        if let Some(suite) = line.trim_start().strip_prefix("Running ") {
            self.suite = suite.split(" (").next().unwrap_or(suite).to_owned();
        }
        if let Some(test) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.results.failures.push(format!("{}: {test}", self.suite));
        }
    }

    /// Reads the list after `✖ failing tests:`, which names each test and, in the line above, its file.
    fn read_failure_of_node(&mut self, line: &str) {
        self.is_in_list |= line.starts_with("✖ failing tests:");
        if !self.is_in_list {
            return;
        }
        if let Some(place) = line.strip_prefix("test at ") {
            self.place = place.to_owned();
        } else if let Some(test) = line.strip_prefix("✖ ")
            && !self.place.is_empty()
        {
            self.results.failures.push(format!("{}: {test}", std::mem::take(&mut self.place)));
        }
    }
}

/// Reads `test result: ok. 3 passed; 0 failed; …` of cargo, and `ℹ pass 3` or `ℹ fail 0` of Node.js.
fn counts_of(line: &str) -> Option<(u32, u32)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    if line.starts_with("test result:") {
        let before = |name: &str| {
            let place = words.iter().position(|word| word.trim_end_matches(';') == name)?;
            words.get(place.checked_sub(1)?)?.parse().ok()
        };
        return Some((before("passed")?, before("failed")?));
    }
    match words.as_slice() {
        ["ℹ" | "#", "pass", number] => Some((number.parse().ok()?, 0)),
        ["ℹ" | "#", "fail", number] => Some((0, number.parse().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> Results {
        let mut reader = Reader::default();
        lines.lines().for_each(|line| reader.read(line));
        reader.results()
    }

    #[test]
    fn counts_and_failures_are_read_from_cargo() {
        let results = read(
            "     Running tests/layout.rs (target/debug/deps/layout-1)\n\
             test imports::run_one_way ... ok\n\
             test imports::make_no_circle ... FAILED\n\
             test result: FAILED. 34 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out",
        );
        let failures = vec!["tests/layout.rs: imports::make_no_circle".to_owned()];
        assert_eq!(results, Results { passed: 34, failed: 1, failures });
    }

    #[test]
    fn counts_and_failures_are_read_from_node() {
        let results = read(
            "  ✖ leaves (3.1ms)\n✖ rooms (9.9ms)\nℹ pass 12\nℹ fail 2\n✖ failing tests:\n\n\
             test at suites/rooms.test.mjs:7:3\n✖ leaves (3.1ms)\n  AssertionError\n\n\
             test at suites/rooms.test.mjs:9:3\n✖ ends (0.4ms)",
        );
        let failures = vec![
            "suites/rooms.test.mjs:7:3: leaves (3.1ms)".to_owned(),
            "suites/rooms.test.mjs:9:3: ends (0.4ms)".to_owned(),
        ];
        assert_eq!(results, Results { passed: 12, failed: 2, failures });
        assert_eq!(read("the test will pass 3"), Results::default());
    }
}
