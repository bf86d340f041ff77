//! What a request says of the trace that it belongs to, and of its own name: at the bridge, and in the app's log. An
//! input is a line for each of `traceparent`, `tracestate` and `ce-id`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollcall_guest::log::RequestContext;

fuzz_target!(|text: &str| {
    let mut lines = text.splitn(3, '\n').map(Some).chain([None; 3]);
    let [parent, state, id] = std::array::from_fn(|_| lines.next().flatten());
    rollcall::fuzzing::trace(parent.unwrap_or_default().as_bytes(), state.unwrap_or_default().as_bytes());
    let header = |name: &str| match name {
        "ce-id" => id,
        "traceparent" => parent,
        _ => None,
    };
    // A line of the log says these two things and nothing else, whatever they are said to be.
    let line = RequestContext::read(header).to_string();
    let words: Vec<&str> = line.split(' ').skip(1).collect();
    assert!(words.len() <= 2 && !line.contains(char::is_control));
    assert!(words.iter().all(|word| word.starts_with("request_id=") || word.starts_with("trace_id=")));
});
