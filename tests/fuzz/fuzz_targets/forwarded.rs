//! The headers in which proxies tell a client's address.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    lines: Vec<Vec<u8>>,
    count: u8,
    is_standard: bool,
}

fuzz_target!(|input: Input| rollcall::fuzzing::forwarded(&input.lines, input.count, input.is_standard));
