//! Definitions of sessions, as operators and tokens give them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollcall_protocol::definition::{DefinitionPatch, SessionDefinition};

fuzz_target!(|text: &str| {
    let Ok(definition) = serde_json::from_str::<SessionDefinition>(text) else { return };
    if definition.validate().is_err() {
        return;
    }
    let json = serde_json::to_string(&definition).expect("a definition is JSON");
    let again: SessionDefinition = serde_json::from_str(&json).expect("what is written is read");
    assert_eq!(again, definition);
    // Nothing is changed by a patch that changes nothing.
    let patch: DefinitionPatch = serde_json::from_str("{}").expect("a patch");
    assert_eq!(again.patched(patch), definition);
});
