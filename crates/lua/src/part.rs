//! Which file a line of an assembled script comes from.

/// A file within an assembled script. It lasts until the next part begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// The name of the file, such as `include/room.lua`.
    pub file: &'a str,
    /// The line of the assembled script that is the file's first line. Lines count from 1.
    pub first_line: usize,
}

/// Finds the file behind a line of an assembled script, and the line within that file.
pub fn locate<'a>(parts: &[Part<'a>], line: usize) -> Option<(&'a str, usize)> {
    let part = parts.iter().rev().find(|part| part.first_line <= line)?;
    Some((part.file, line - part.first_line + 1))
}
