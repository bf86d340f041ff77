//! Why a script cannot be assembled.

use std::fmt::{Display, Formatter, Result};

/// Why a script cannot be assembled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IncludeError {
    /// A line begins like an include and does not name one.
    Malformed {
        /// The file with the line.
        file: String,
        /// The number of the line.
        line: usize,
    },
    /// There is no such file.
    Unknown(String),
    /// Files that include each other, each the next one; the first is also the last.
    Circular(Vec<String>),
}

impl Display for IncludeError {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Malformed { file, line } => write!(f, "{file}:{line}: write --- @include \"name\""),
            Self::Unknown(file) => write!(f, "{file} does not exist"),
            Self::Circular(files) => write!(f, "circular include: {}", files.join(" → ")),
        }
    }
}

impl std::error::Error for IncludeError {}
