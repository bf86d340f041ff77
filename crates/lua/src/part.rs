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

/// Replaces each line of an assembled script that a message names by `file:line`. `marker` is what the message has
/// before the number of a line, and is replaced as well.
pub fn trace_lines(parts: &[Part], marker: &str, message: &str) -> String {
    let mut pieces = message.split(marker);
    let mut traced = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = piece.split_at(digits);
        match number.parse().ok().and_then(|line| locate(parts, line)) {
            Some((file, line)) => traced.push_str(&format!("{file}:{line}")),
            None => traced.extend([marker, number]),
        }
        traced.push_str(rest);
    }
    traced
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: [Part; 2] =
        [Part { file: "include/room.lua", first_line: 1 }, Part { file: "join.lua", first_line: 11 }];

    #[test]
    fn each_line_in_a_message_is_traced_to_its_file_at_the_borders_too() {
        for (line, origin) in [
            (1, "include/room.lua:1"),
            (10, "include/room.lua:10"),
            (11, "join.lua:1"),
            (123, "join.lua:113"),
        ] {
            let message = format!("ERR user_script:{line}: too many, on @user_script:{line}.");
            let traced = format!("ERR {origin}: too many, on @{origin}.");
            assert_eq!(trace_lines(&PARTS, "user_script:", &message), traced);
        }
    }

    #[test]
    fn a_message_without_a_line_of_the_script_stays_as_it_is() {
        for message in ["", "connection refused", "ERR user_script: no line", "ERR user_script:0: none"] {
            assert_eq!(trace_lines(&PARTS, "user_script:", message), message);
        }
    }
}
