//! Definitions of sessions: their sources and stores, and changes of them.

mod change;
mod ports;
mod row;
mod token;

pub use self::{
    change::Expected,
    ports::{DefinitionSource, DefinitionStore, admit},
    row::{InvalidRow, SessionRow},
    token::TokenDefinitions,
};
