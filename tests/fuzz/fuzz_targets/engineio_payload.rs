//! Payloads of Engine.IO: the bodies of polling clients.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &str| rollcall::fuzzing::engineio_payload(body));
