//! Definitions of sessions: their sources and stores, and changes of them.

mod change;
mod ports;
mod precondition;
mod row;
mod token;

pub use self::{
    ports::{DefinitionSource, DefinitionStore, admit},
    precondition::Precondition,
    row::{InvalidRow, SessionRow},
    token::TokenDefinitions,
};
