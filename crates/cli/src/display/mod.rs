//! Formats results for a terminal.

mod attendance;
mod definition;
mod rooms;
mod roster;
mod table;

pub(crate) use self::{
    attendance::attendance,
    definition::{definition, definition_saved, end_moved},
    rooms::rooms,
    roster::roster,
    table::printable,
};

/// Stands for a value that is missing.
const MISSING: &str = "-";
