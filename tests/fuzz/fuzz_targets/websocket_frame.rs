//! Text frames of plain WebSockets.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| rollcall::fuzzing::websocket_frame(text));
