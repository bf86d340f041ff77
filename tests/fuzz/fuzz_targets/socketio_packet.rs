//! Packets of Socket.IO, and the events in them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| rollcall::fuzzing::socketio_packet(text));
