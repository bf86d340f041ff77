//! Formats results for a terminal.

mod attendance;
mod definition;
mod messages;
mod printable;
mod rooms;
mod roster;
mod snippets;
mod table;

pub(crate) use self::{
    attendance::attendance,
    definition::{definition, definition_saved, end_moved},
    messages::messages,
    printable::{printable, printable_json, printable_lines},
    rooms::rooms,
    roster::roster,
    snippets::{snippet, snippets},
};

/// Stands for a value that is missing.
const MISSING: &str = "-";

fn display_or_missing(value: Option<impl ToString>) -> String {
    value.map_or_else(|| MISSING.to_owned(), |value| value.to_string())
}
